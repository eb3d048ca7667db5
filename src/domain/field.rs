//! The fields that the contract documents.

use derive_more::Display;

use super::is_invisible;

/// A field that holds an image.
#[derive(Clone, Copy, Debug, Display, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[display("{}", self.name())]
pub enum ImageField {
    IdImage,
    IdBackImage,
    SelfieImage,
    AddressImage,
}

impl ImageField {
    /// In the contract's order.
    pub const ALL: [Self; 4] = [
        Self::IdImage,
        Self::IdBackImage,
        Self::SelfieImage,
        Self::AddressImage,
    ];

    /// Lists the names, as in a sentence.
    pub(crate) fn list() -> String {
        let [rest @ .., last] = Self::ALL.map(Self::name);
        format!("{} or {last}", rest.join(", "))
    }

    /// Returns the name in the form, in the record and in object keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdImage => "idImage",
            Self::IdBackImage => "idBackImage",
            Self::SelfieImage => "selfieImage",
            Self::AddressImage => "addressImage",
        }
    }

    /// Parses a name, which is case-sensitive; `None` if no image field has it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Returns whether it shows the ID document, so that `idType` must be sent with it.
    pub(crate) const fn is_id(self) -> bool {
        match self {
            Self::IdImage | Self::IdBackImage => true,
            Self::SelfieImage | Self::AddressImage => false,
        }
    }
}

/// A field that the contract documents.
#[derive(Clone, Copy, Debug, Display, PartialEq, Eq, Hash)]
#[display("{}", self.name())]
pub enum Field {
    SubmissionId,
    Admin,
    IdType,
    Image(ImageField),
}

impl Field {
    /// Returns all fields, in the contract's order.
    pub fn all() -> impl Iterator<Item = Self> {
        let texts = [Self::SubmissionId, Self::Admin, Self::IdType];
        texts.into_iter().chain(ImageField::ALL.map(Self::Image))
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::SubmissionId => "submissionId",
            Self::Admin => "admin",
            Self::IdType => "idType",
            Self::Image(field) => field.name(),
        }
    }

    /// Finds the field that a caller meant by a name, which may not be quite the field's name.
    ///
    /// Only letters count, ignoring case. A name means a field if all its letters are the field's. For an image, which
    /// would otherwise be lost silently, it is enough if the letters of one segment are. Brackets, dots and other
    /// punctuation separate segments, except `_`, `-`, `'` and spaces, which join words.
    ///
    /// | name | field |
    /// |---|---|
    /// | `selfie_image`, `SelfieImage`, `selfie Image`, `'selfieImage'`, `selfie.image`, a byte order mark before it | `selfieImage` |
    /// | `selfieImage[]`, `selfieImage[0]`, `selfieImage.0`, `selfieImage2`, `selfieImage%5B%5D` | `selfieImage` |
    /// | `image[selfieImage]`, `form.selfieImage`, `selfieImage[file]`, `selfieImage.jpg` | `selfieImage` |
    /// | `admin[]`, `admin.0`, `submission_id` | `admin`, `submissionId` |
    /// | `selfieConsent`, `idImageCount`, `id_image_count`, `admin[note]`, `administrator`, `image` | none |
    pub(crate) fn meant_by(name: &[u8]) -> Option<Self> {
        let is_exact = |field: &Self| field.name().as_bytes() == name;
        if let Some(field) = Self::all().find(is_exact) {
            return Some(field);
        }
        let segments = segments(&String::from_utf8_lossy(name));
        let joined = segments.concat();
        Self::all().find(|field| {
            let letters = field.name().to_ascii_lowercase();
            let is_image = matches!(field, Self::Image(_));
            joined == letters || is_image && segments.contains(&letters)
        })
    }
}

/// Splits a name at its punctuation. Returns each segment's letters, in lower case.
fn segments(name: &str) -> Vec<String> {
    let mut segments = vec![];
    let mut letters = String::new();
    let mut chars = name.chars();
    while let Some(char) = chars.next() {
        if is_invisible(char) || char.is_numeric() || "_-' ".contains(char) {
            continue;
        }
        if char.is_alphabetic() {
            letters.extend(char.to_lowercase());
            continue;
        }
        segments.push(std::mem::take(&mut letters));
        // Percent-encoded punctuation: its digits may be letters.
        let digits = chars.as_str().bytes().take(2);
        if char == '%' && digits.filter(u8::is_ascii_hexdigit).count() == 2 {
            chars.nth(1);
        }
    }
    segments.push(letters);
    segments
}
