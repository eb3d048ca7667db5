//! Every answer that is not a success: the rows of the contract's error table.

use std::error::Error as StdError;
use std::fmt;

use lambda_http::http::StatusCode;

use crate::deadline::DeadlinePassed;
use crate::domain::UnknownIdType;
use crate::form::FormError;
use crate::storage::MalformedRecord;

/// Why a request was not carried out: one variant for each row of the contract's table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Row 1: the form or an image can't be accepted.
    #[error(transparent)]
    InvalidPayload(#[from] FormError),
    /// Row 2: no `x-api-key`, `submissionId` or `admin`.
    #[error("{0}: missing")]
    MissingData(&'static str),
    /// Row 3: no project has this API key.
    #[error("x-api-key: {0}")]
    UnknownProject(KeyError),
    /// Row 4: the project is not in service.
    #[error("x-api-key: the key's project is not active")]
    InactiveProject,
    /// Row 5: not an administrator of the project.
    #[error("admin: not an administrator of the project")]
    InvalidAdmin,
    /// Row 6: no such submission in the project.
    #[error("submissionId: no such submission in the project")]
    InvalidSubmission,
    /// Row 7: none of the four images.
    #[error("send idImage, idBackImage, selfieImage or addressImage")]
    NoImages,
    /// Row 8: an ID image without `idType`.
    #[error("idType: missing")]
    MissingIdType,
    /// Row 9: `idType` is not one of the eight.
    #[error("idType: {0}")]
    InvalidIdType(#[from] UnknownIdType),
    /// Row 10: a fault on our side, worth a retry.
    #[error(transparent)]
    Processing(#[from] Fault),
}

impl Error {
    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::InvalidPayload(_)
            | Self::MissingData(_)
            | Self::UnknownProject(_)
            | Self::InactiveProject
            | Self::InvalidAdmin
            | Self::InvalidSubmission
            | Self::NoImages
            | Self::MissingIdType
            | Self::InvalidIdType(_) => StatusCode::BAD_REQUEST,
            Self::Processing(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the `errorCode`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidPayload(_) => "invalid_payload",
            Self::MissingData(_) | Self::MissingIdType => "missing_data",
            Self::UnknownProject(_) | Self::InactiveProject => "invalid_project",
            Self::InvalidAdmin => "invalid_admin",
            Self::InvalidSubmission => "invalid_submission",
            Self::NoImages => "invalid_data",
            Self::InvalidIdType(_) => "invalid_idType",
            Self::Processing(_) => "processing_error",
        }
    }

    /// Returns the `message`.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::InvalidPayload(_) => "Fail to parse the input data.",
            Self::MissingData(_) => "Required input data is missing.",
            Self::UnknownProject(_) => "Cannot find project info.",
            Self::InactiveProject => "Invalid project.",
            Self::InvalidAdmin => "Invalid admin.",
            Self::InvalidSubmission => "Invalid submission.",
            Self::NoImages => "At least one image parameter is required.",
            Self::MissingIdType => "The idType is required when submit idImage or idBackImage.",
            Self::InvalidIdType(_) => "Invalid IdType.",
            Self::Processing(_) => "Failed to put image.",
        }
    }

    /// Returns the `x-error-detail` header: short, ASCII, nothing of what the caller sent, and for a fault nothing of
    /// the inside.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Processing(_) => "a fault on our side, please try again".to_owned(),
            refusal => refusal.to_string(),
        }
    }
}

/// Why an API key opens no project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No project is registered under its hash.
    #[error("no project has this key")]
    NoProject,
    /// The gateway let the request in by another key than the header's.
    #[error("not the key that the gateway let in")]
    NotTheGateways,
}

/// What went wrong on our side. Its text is for the log: nothing of it reaches the caller, and nothing in it comes from
/// the caller.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A service refused a call. Its message is left out, since it may quote what the caller sent.
    #[error("{operation}: {status} {code}")]
    Refused {
        /// The call.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// The service's error code.
        code: String,
    },
    /// A service gave no answer that could be understood.
    #[error("{operation}: {}", Chain(source.as_ref()))]
    NoAnswer {
        /// The call.
        operation: &'static str,
        /// What kept it from answering.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Something took too long that has no deadline of a request.
    #[error("{0}: timed out")]
    TimedOut(&'static str),
    /// The request's deadline passed.
    #[error(transparent)]
    DeadlinePassed(#[from] DeadlinePassed),
    /// A project's record can't be read.
    #[error(transparent)]
    MalformedRecord(#[from] MalformedRecord),
    /// Two projects have the same API key.
    #[error("two projects have the same API key")]
    SharedApiKey,
    /// Our own code panicked. The panic's message may hold what the caller sent, and is not kept.
    #[error("panicked")]
    Panicked,
}

/// An error and its sources, each by its `Display` alone: the SDK's `Debug` holds whole responses.
struct Chain<'a>(&'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
