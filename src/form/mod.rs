//! Reads the documented fields from a `multipart/form-data` body. multer splits it; [`guard`] refuses what multer is
//! too lenient about.

mod guard;
mod header_params;

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::future::ready;

use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;

use self::guard::MAX_PART_HEADERS;
pub use self::guard::{MAX_BOUNDARY, MAX_PARTS};
use self::header_params::ParamsError;
use crate::domain::{Admin, Field, ImageField, SubmissionId, Text, TextError};
use crate::image::png::Budget;
use crate::image::{DecodeError, Image};

/// The images of a request, in the contract's order.
pub type Images = BTreeMap<ImageField, Image>;

/// The documented fields of a form. An empty value counts as none.
#[derive(Debug, Default)]
pub struct Form {
    pub submission_id: Option<SubmissionId>,
    pub admin: Option<Admin>,
    /// `idType`; whether there is such a type is checked after the records (row 9).
    pub id_type: Option<Text>,
    pub images: Images,
    /// The first image field that is there but empty.
    pub empty_image: Option<ImageField>,
}

impl Form {
    pub async fn read(content_type: &str, body: Bytes) -> Result<Self, FormError> {
        let boundary = guard::boundary(content_type)?;
        if body.is_empty() {
            return Err(FormError::NoBody);
        }
        guard::check_delimiters(&body, &boundary)?;
        let delimiter = format!("--{boundary}");
        let mut parts = Multipart::new(stream::once(ready(Ok::<_, Infallible>(body))), boundary);
        let mut form = Self::default();
        let mut seen = HashSet::new();
        let mut budget = Budget::default();
        while let Some(mut part) = parts.next_field().await? {
            // The body is in memory, so the first chunk is all of the part, and not a copy.
            let content = part.chunk().await?.unwrap_or_default();
            // An empty part without its blank line: this is the next part, with its headers.
            if content.starts_with(delimiter.as_bytes()) {
                return Err(FormError::PartHeaders);
            }
            let name = guard::name(&part)?;
            let Some(field) = Field::meant_by(name) else {
                continue;
            };
            let set = if field.name().as_bytes() != name {
                Err(FieldError::Misspelled)
            } else if let Some(encoding) = guard::encoding(&part) {
                Err(FieldError::Encoded(encoding))
            } else if !seen.insert(field) {
                Err(FieldError::Repeated)
            } else if guard::is_nested(&part) {
                Err(FieldError::Nested)
            } else {
                form.set(field, content.trim_ascii(), &mut budget)
            };
            set.map_err(|problem| FormError::Field(field, problem))?;
        }
        Ok(form)
    }

    fn set(&mut self, field: Field, content: &[u8], budget: &mut Budget) -> Result<(), FieldError> {
        match field {
            Field::SubmissionId => self.submission_id = Text::parse(content)?.map(Into::into),
            Field::Admin => self.admin = Text::parse(content)?.map(Into::into),
            Field::IdType => self.id_type = Text::parse(content)?,
            Field::Image(field) if content.is_empty() => {
                self.empty_image.get_or_insert(field);
            }
            Field::Image(field) => {
                let image = Image::decode(content, budget)?;
                self.images.insert(field, image);
            }
        }
        Ok(())
    }
}

/// Why a body is not a form that can be read.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("send PUT")]
    Method,
    /// There are two `Content-Type` headers, which some gateways join by a comma: parsers differ on which one counts.
    #[error("send one Content-Type, without a comma")]
    TwoContentTypes,
    #[error("the request has no body")]
    NoBody,
    #[error("Content-Type isn't multipart/form-data")]
    NotMultipart,
    /// `Content-Type` names no boundary, two, or one that no line can begin with.
    #[error("Content-Type needs one boundary, of 1 to {MAX_BOUNDARY} printable characters")]
    NoBoundary,
    #[error("the boundary isn't in the body: let the client set Content-Type")]
    BoundaryNotInBody,
    #[error("the body is compressed: send it without Content-Encoding")]
    Compressed,
    #[error("the form has no closing boundary")]
    NoClosingBoundary,
    /// A line of a part's headers or before a boundary ends in a bare LF or CR.
    #[error("lines must end with CRLF")]
    LineEnds,
    #[error("a boundary isn't on a line of its own, or the form continues after its end")]
    AmbiguousBoundary,
    #[error("the form has more than {MAX_PARTS} parts")]
    TooManyParts,
    #[error("a part's headers are malformed, repeated, or longer than {MAX_PART_HEADERS} bytes")]
    PartHeaders,
    #[error("a part's header is folded: write it on one line")]
    FoldedHeader,
    #[error("a part's Content-Disposition {0}")]
    Disposition(#[from] ParamsError),
    /// A part's `Content-Disposition` is something other than `form-data`, such as `attachment`, or has no semicolon.
    #[error("a part's Content-Disposition must start with form-data;")]
    NotFormData,
    #[error("a part needs a Content-Disposition with exactly one name, and no name*")]
    UnnamedPart,
    /// multer can't read the form. What it says may quote the caller, and is kept for debugging alone.
    #[error("the form is malformed")]
    Malformed(#[from] multer::Error),
    #[error("{0}: {1}")]
    Field(Field, #[source] FieldError),
}

/// What is wrong with a documented field.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Its name is almost right: ignoring it would lose it.
    #[error("misspelled field name")]
    Misspelled,
    #[error("sent more than once")]
    Repeated,
    #[error("Content-Transfer-Encoding is {0}: send the content as it is, without this header")]
    Encoded(&'static str),
    #[error("has a Content-Type of multipart or message")]
    Nested,
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Image(#[from] DecodeError),
}
