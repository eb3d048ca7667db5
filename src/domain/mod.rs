//! The fields of a request, and types for their values that only valid ones can have.

mod api_key;
mod field;
mod id;
mod id_type;
mod object_key;

use derive_more::Into;
use id_image::text::QUOTES;
pub use id_image::text::is_invisible;

pub use self::api_key::{ApiKey, ApiKeyHash};
pub use self::field::{Field, ImageField};
pub use self::id::{Admin, ProjectId, SubmissionId, is_usable_id};
pub use self::id_type::IdType;
pub use self::object_key::ObjectKey;

/// The longest text field, in bytes (the contract's row 1). An e-mail address has at most 254.
pub const MAX_TEXT: usize = 256;

/// A short text of the form: UTF-8, neither empty nor over [`MAX_TEXT`] bytes, without control characters, and
/// without whitespace around it.
#[derive(Clone, Debug, Into, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Parses a field's content; `None` if it is empty or whitespace.
    ///
    /// ```
    /// use put_image::domain::{Text, TextError};
    ///
    /// assert_eq!(Text::parse(b" S-1\r\n").unwrap().unwrap().as_str(), "S-1");
    /// assert_eq!(Text::parse(b" \t"), Ok(None));
    /// assert_eq!(Text::parse(b"S-1\0"), Err(TextError::ControlCharacter));
    /// ```
    pub fn parse(content: &[u8]) -> Result<Option<Self>, TextError> {
        let text = std::str::from_utf8(content).map_err(|_| TextError::NotUtf8)?;
        // API Gateway replaces what is not UTF-8 in a body that it passes on as text.
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(TextError::NotUtf8);
        }
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(TextError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(TextError::ControlCharacter);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text that matches nothing looks as if it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextHint {
    /// A program quoted it.
    #[error("in quotation marks")]
    Quoted,
    /// It was pasted, or read from a file with a byte order mark.
    #[error("has an invisible character")]
    Invisible,
}

impl TextHint {
    /// Looks for what a reader of the text would overlook.
    pub fn of(text: &str) -> Option<Self> {
        if text.contains(is_invisible) {
            return Some(Self::Invisible);
        }
        let is_quoted = text.starts_with(QUOTES) || text.ends_with(QUOTES);
        is_quoted.then_some(Self::Quoted)
    }
}

/// Why a field's content is not a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("longer than {MAX_TEXT} bytes")]
    TooLong,
    #[error("contains a control character")]
    ControlCharacter,
}
