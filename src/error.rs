//! Every response that is not a success: the rows of the contract's error table.

use std::error::Error as StdError;
use std::fmt;
use std::iter;

use lambda_http::http::StatusCode;

use crate::domain::{ImageField, TextHint};
use crate::form::FormError;

/// Why a request was not carried out, in the order of the contract's table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    InvalidPayload(#[from] FormError),
    #[error("{0}: missing")]
    MissingData(&'static str),
    #[error("x-api-key: no project has this key")]
    UnknownKey,
    #[error("x-api-key: doesn't match the key that the gateway authenticated")]
    OtherKey,
    #[error("x-api-key: the key's project is not active")]
    InactiveProject,
    #[error("admin: {}", hint_or(*.0, "not an administrator of the project"))]
    InvalidAdmin(Option<TextHint>),
    #[error("submissionId: {}", hint_or(*.0, "no such submission in the project"))]
    InvalidSubmission(Option<TextHint>),
    #[error("send {}", ImageField::list())]
    NoImages,
    /// There is no image, only at least one empty image field; this is the first.
    #[error("{0} is empty")]
    EmptyImage(ImageField),
    #[error("idType: missing")]
    MissingIdType,
    #[error("idType: {}", hint_or(*.0, "not one of the documented types"))]
    InvalidIdType(Option<TextHint>),
    /// A fault on our side, worth a retry.
    #[error(transparent)]
    Processing(#[from] Fault),
}

impl Error {
    /// Returns the HTTP status.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::InvalidPayload(_)
            | Self::MissingData(_)
            | Self::UnknownKey
            | Self::OtherKey
            | Self::InactiveProject
            | Self::InvalidAdmin(_)
            | Self::InvalidSubmission(_)
            | Self::NoImages
            | Self::EmptyImage(_)
            | Self::MissingIdType
            | Self::InvalidIdType(_) => StatusCode::BAD_REQUEST,
            Self::Processing(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the row's `errorCode`.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::InvalidPayload(_) => "invalid_payload",
            Self::MissingData(_) | Self::MissingIdType => "missing_data",
            Self::UnknownKey | Self::OtherKey | Self::InactiveProject => "invalid_project",
            Self::InvalidAdmin(_) => "invalid_admin",
            Self::InvalidSubmission(_) => "invalid_submission",
            Self::NoImages | Self::EmptyImage(_) => "invalid_data",
            Self::InvalidIdType(_) => "invalid_idType",
            Self::Processing(_) => "processing_error",
        }
    }

    /// Returns the row's `message`.
    pub(crate) const fn message(&self) -> &'static str {
        match self {
            Self::InvalidPayload(_) => "Fail to parse the input data.",
            Self::MissingData(_) => "Required input data is missing.",
            Self::UnknownKey | Self::OtherKey => "Cannot find project info.",
            Self::InactiveProject => "Invalid project.",
            Self::InvalidAdmin(_) => "Invalid admin.",
            Self::InvalidSubmission(_) => "Invalid submission.",
            Self::NoImages | Self::EmptyImage(_) => "At least one image parameter is required.",
            Self::MissingIdType => "The idType is required when submit idImage or idBackImage.",
            Self::InvalidIdType(_) => "Invalid IdType.",
            Self::Processing(_) => "Failed to put image.",
        }
    }

    /// Returns the `x-error-detail` header: short, in ASCII, with nothing that the caller sent and, for a fault,
    /// nothing internal.
    pub fn detail(&self) -> String {
        match self {
            Self::Processing(_) => "a fault on our side, please try again".to_owned(),
            refusal => refusal.to_string(),
        }
    }
}

fn hint_or(hint: Option<TextHint>, reason: &str) -> String {
    hint.map_or_else(|| reason.to_owned(), |hint| hint.to_string())
}

/// What went wrong on our side. Its text is for the log: none of it reaches the caller, and none of it comes from the
/// caller.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A service refused a call. Its message is left out, since it may quote what the caller sent.
    #[error("{operation}: {status} {code}")]
    Refused {
        operation: &'static str,
        status: u16,
        code: String,
    },
    /// DynamoDB rejects the call as invalid, which no retry changes: for example, an update that would make a record
    /// too large.
    #[error("{operation}: 400 ValidationException, which is permanent: is the record near 400 KB?")]
    Invalid { operation: &'static str },
    /// A service gave no response that could be understood.
    #[error("{operation}: {}", Chain(source.as_ref()))]
    NoResponse {
        operation: &'static str,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("{0}: ran past the deadline, which is before the function's timeout")]
    DeadlinePassed(&'static str),
    #[error("the record's attribute {0} is missing or of another type")]
    MalformedRecord(&'static str),
    #[error("two projects have the same API key")]
    SharedApiKey,
    /// Our own code panicked. The panic's message is not kept, since it may contain what the caller sent.
    #[error("panicked")]
    Panicked,
}

/// Displays an error and its sources. Uses only their `Display`, since the SDK's `Debug` includes whole responses.
struct Chain<'a>(&'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut sources = iter::successors(self.0.source(), |&error| error.source());
        sources.try_for_each(|error| write!(f, ": {error}"))
    }
}
