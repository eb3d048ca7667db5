//! What a request is about: its fields, and the values in them, each of which is valid once it exists.

mod field;
mod invisible;

use std::fmt;

use sha2::{Digest as _, Sha256};

pub use self::field::{Field, ImageField};
pub(crate) use self::invisible::is_invisible;

/// The longest text field, in bytes (the contract's row 1). An e-mail address has at most 254.
pub const MAX_TEXT: usize = 256;

/// An API key as the caller sent it. It can be compared and hashed, but not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Parses a header's value; `None` if it is empty or blank.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let key = value.trim();
        (!key.is_empty()).then(|| Self(key.to_owned()))
    }

    /// Returns the lower-case hex SHA-256 under which a project is registered.
    #[must_use]
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash(hex::encode(Sha256::digest(&self.0)))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The hash of an API key: all that is ever stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyHash(String);

impl fmt::Display for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A short text of the form: UTF-8, neither empty nor over [`MAX_TEXT`] bytes, without control characters, and
/// without blanks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Parses a field's content; `None` if it is empty or blank.
    ///
    /// # Errors
    ///
    /// [`TextError`] says which rule the content breaks.
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

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text that names nothing known looks as if it did.
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
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if text.contains(is_invisible) {
            return Some(Self::Invisible);
        }
        let is_quoted = text.starts_with(QUOTES) || text.ends_with(QUOTES);
        is_quoted.then_some(Self::Quoted)
    }
}

/// Quotation marks, as programs and word processors write them.
pub(crate) const QUOTES: [char; 12] = ['"', '\'', '`', '´', '“', '”', '„', '‘', '’', '‚', '«', '»'];

/// Why a field's content is not a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// It is longer than [`MAX_TEXT`].
    #[error("longer than {MAX_TEXT} bytes")]
    TooLong,
    /// It has a control character in it.
    #[error("has a control character in it")]
    ControlCharacter,
}

/// The ID of a submission, which may or may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionId(Text);

impl SubmissionId {
    /// Returns the ID as it is in records and object keys.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Returns whether an ID can be a part of an object key: S3 lists keys as XML 1.0, which lacks some characters, and a
/// `/` would put one ID's objects under another's.
#[must_use]
pub fn is_key_part(id: &str) -> bool {
    let is_unfit = |char: char| char.is_control() || matches!(char, '/' | '\u{FFFE}' | '\u{FFFF}');
    !matches!(id, "" | "." | "..") && !id.contains(is_unfit)
}

impl From<Text> for SubmissionId {
    fn from(text: Text) -> Self {
        Self(text)
    }
}

/// An administrator's account, an e-mail address. Accounts are the same if they differ in ASCII case alone.
#[derive(Clone, Debug)]
pub struct Admin(String);

impl Admin {
    /// Returns the account as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Admin {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Admin {}

impl From<Text> for Admin {
    fn from(text: Text) -> Self {
        Self(text.0)
    }
}

impl From<String> for Admin {
    /// Takes an account as it is registered on a project.
    fn from(registered: String) -> Self {
        Self(registered)
    }
}

/// The kind of an ID document (the contract's section on the request).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// `drivers_license`
    DriversLicense,
    /// `government_id`
    GovernmentId,
    /// `passport`
    Passport,
    /// `residence_permit`
    ResidencePermit,
    /// `vehicle_registration_certificate`
    VehicleRegistrationCertificate,
    /// `visa`
    Visa,
    /// `aadhaar`
    Aadhaar,
    /// `pancard`
    Pancard,
}

impl IdType {
    /// All eight, in the contract's order.
    pub const ALL: [Self; 8] = [
        Self::DriversLicense,
        Self::GovernmentId,
        Self::Passport,
        Self::ResidencePermit,
        Self::VehicleRegistrationCertificate,
        Self::Visa,
        Self::Aadhaar,
        Self::Pancard,
    ];

    /// Returns the name in the form and in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DriversLicense => "drivers_license",
            Self::GovernmentId => "government_id",
            Self::Passport => "passport",
            Self::ResidencePermit => "residence_permit",
            Self::VehicleRegistrationCertificate => "vehicle_registration_certificate",
            Self::Visa => "visa",
            Self::Aadhaar => "aadhaar",
            Self::Pancard => "pancard",
        }
    }

    /// Parses a name, compared to the letter; `None` if it is none of the eight.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id_type| id_type.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;

    #[test]
    fn a_key_is_hashed_and_never_printed() {
        let key = ApiKey::parse(" secret\t").unwrap();
        let sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(key.hash().to_string(), sha256);
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
        assert_eq!(ApiKey::parse(" \t"), None);
    }
}
