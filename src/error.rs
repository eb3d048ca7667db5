//! Every answer that is not a success: the rows of the contract's error table.
//!
//! One exhaustive `match` gives each error its status, code and message. The [`Reason`] behind a
//! refusal goes into the `x-error-detail` header; the cause of a fault stays in the log.

use std::fmt;

use crate::field::Field;

/// Why a request was not carried out, one variant a row of the contract's table.
#[derive(Debug)]
pub enum Error {
    /// Row 1: the form or an image is malformed.
    InvalidPayload(Detail),
    /// Row 2: no `x-api-key`, `submissionId` or `admin`.
    MissingData(Reason),
    /// Row 3: no project has this API key.
    UnknownProject,
    /// Row 4: the project is not in service.
    InactiveProject,
    /// Row 5: not an administrator of the project.
    InvalidAdmin,
    /// Row 6: no such submission in the project.
    InvalidSubmission,
    /// Row 7: none of the four images.
    NoImages,
    /// Row 8: an ID image without `idType`.
    MissingIdType,
    /// Row 9: `idType` is not one of the eight.
    InvalidIdType,
    /// Row 10: a fault on our side, worth a retry.
    Processing(Fault),
}

impl Error {
    /// Row 1, for one field.
    pub fn field(field: impl Into<Field>, reason: Reason) -> Self {
        Self::InvalidPayload(Detail {
            field: Some(field.into()),
            reason,
        })
    }

    /// Row 10, with what failed and why.
    pub fn fault(during: &'static str, cause: impl Into<String>) -> Self {
        Self::Processing(Fault {
            during,
            cause: cause.into(),
        })
    }

    /// The row's HTTP status, `errorCode` and `message`, as the contract's table has them.
    #[must_use]
    pub const fn row(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidPayload(_) => (400, "invalid_payload", "Fail to parse the input data."),
            Self::MissingData(_) => (400, "missing_data", "Required input data is missing."),
            Self::UnknownProject => (400, "invalid_project", "Cannot find project info."),
            Self::InactiveProject => (400, "invalid_project", "Invalid project."),
            Self::InvalidAdmin => (400, "invalid_admin", "Invalid admin."),
            Self::InvalidSubmission => (400, "invalid_submission", "Invalid submission."),
            Self::NoImages => (
                400,
                "invalid_data",
                "At least one image parameter is required.",
            ),
            Self::MissingIdType => (
                400,
                "missing_data",
                "The idType is required when submit idImage or idBackImage.",
            ),
            Self::InvalidIdType => (400, "invalid_idType", "Invalid IdType."),
            Self::Processing(_) => (500, "processing_error", "Failed to put image."),
        }
    }

    /// The `x-error-detail` header: short, ASCII, nothing of what the caller sent, and for a fault
    /// nothing of the inside.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::InvalidPayload(detail) => detail.to_string(),
            Self::MissingData(reason) => reason.to_string(),
            Self::UnknownProject => "x-api-key: no project has this key".into(),
            Self::InactiveProject => "x-api-key: the key's project is not active".into(),
            Self::InvalidAdmin => "admin: not an administrator of the project".into(),
            Self::InvalidSubmission => "submissionId: no such submission in the project".into(),
            Self::NoImages => "send idImage, idBackImage, selfieImage or addressImage".into(),
            Self::MissingIdType => "idType: missing".into(),
            Self::InvalidIdType => "idType: not one of the documented types".into(),
            Self::Processing(_) => "a fault on our side, please try again".into(),
        }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::InvalidPayload(Detail {
            field: None,
            reason,
        })
    }
}

/// For the log: the code, then the detail or, for a fault, its cause.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processing(fault) => write!(f, "{fault}"),
            refusal => f.write_str(&refusal.detail()),
        }
    }
}

impl std::error::Error for Error {}

/// What is wrong with a payload, and in which field if it is in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    field: Option<Field>,
    reason: Reason,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{field}: {}", self.reason),
            None => write!(f, "{}", self.reason),
        }
    }
}

/// A fault on our side. It is for the log alone: nothing of it reaches the caller.
#[derive(Debug)]
pub struct Fault {
    during: &'static str,
    cause: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.during, self.cause)
    }
}

/// The short reasons that `x-error-detail` gives for rows 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The event is no JSON object, or a member that we need is of another type.
    DamagedEvent,
    /// The event has no headers.
    NoHeaders,
    /// The event has no body.
    NoBody,
    /// The event's body is not the Base64 that `isBase64Encoded` says.
    DamagedBody,
    /// The content type is not `multipart/form-data`.
    NotMultipart,
    /// The content type has no usable boundary.
    NoBoundary,
    /// The body ends without the form's closing boundary, or has no boundary at all.
    NoClosingBoundary,
    /// A boundary is no line of its own, or one comes behind the closing one.
    AmbiguousBoundary,
    /// A part's headers are malformed, folded, or too long.
    MalformedPartHeaders,
    /// A part has no `Content-Disposition: form-data` with one `name`.
    UnnamedPart,
    /// A field is encoded once more by a `Content-Transfer-Encoding`.
    TransferEncoding,
    /// The form has more parts than the limit.
    TooManyParts,
    /// A documented field is sent twice.
    Repeated,
    /// A text field is not UTF-8.
    NotUtf8,
    /// A text field is longer than the limit.
    TooLong,
    /// An image's text is not Base64 of the standard alphabet.
    NotBase64,
    /// An image's Base64 has a blank inside.
    BlankInside,
    /// An image was sent as it is.
    NotEncoded,
    /// An image is of another format or cut.
    NotAnImage,
    /// There is no `x-api-key`.
    NoApiKey,
    /// There is no `submissionId`.
    NoSubmissionId,
    /// There is no `admin`.
    NoAdmin,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DamagedEvent => "the request did not arrive as an HTTP request",
            Self::NoHeaders => "the request has no headers",
            Self::NoBody => "the request has no body",
            Self::DamagedBody => "the body arrived damaged",
            Self::NotMultipart => "Content-Type is not multipart/form-data",
            Self::NoBoundary => "Content-Type has no usable boundary",
            Self::NoClosingBoundary => "the form has no closing boundary",
            Self::AmbiguousBoundary => {
                "a boundary is not a line of its own, or the form goes on behind its end"
            }
            Self::MalformedPartHeaders => "a part's headers are malformed or too long",
            Self::UnnamedPart => {
                "a part has no Content-Disposition: form-data with exactly one name"
            }
            Self::TransferEncoding => "has a Content-Transfer-Encoding",
            Self::TooManyParts => "the form has more than 64 parts",
            Self::Repeated => "sent more than once",
            Self::NotUtf8 => "not UTF-8",
            Self::TooLong => "longer than 256 bytes",
            Self::NotBase64 => "not Base64 of the standard alphabet",
            Self::BlankInside => "a blank inside the Base64, perhaps a + that was encoded wrongly",
            Self::NotEncoded => "not Base64: send the image's Base64 text, not the image itself",
            Self::NotAnImage => "not a complete JPEG or PNG",
            Self::NoApiKey => "x-api-key: missing",
            Self::NoSubmissionId => "submissionId: missing",
            Self::NoAdmin => "admin: missing",
        })
    }
}
