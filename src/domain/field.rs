//! The fields that the contract documents.

use std::fmt;

/// A field that holds an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageField {
    /// Front of the ID document.
    IdImage,
    /// Back of the ID document.
    IdBackImage,
    /// Selfie.
    SelfieImage,
    /// Address document.
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

    /// Returns the name in the form, in the record and in object keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdImage => "idImage",
            Self::IdBackImage => "idBackImage",
            Self::SelfieImage => "selfieImage",
            Self::AddressImage => "addressImage",
        }
    }

    /// Parses a name, which is case-sensitive; `None` if no image field has it.
    #[must_use]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// ID of the submission.
    SubmissionId,
    /// Account of the administrator.
    Admin,
    /// Kind of the ID document.
    IdType,
    /// One of the four images.
    Image(ImageField),
}

impl Field {
    /// All seven, in the contract's order.
    pub const ALL: [Self; 7] = [
        Self::SubmissionId,
        Self::Admin,
        Self::IdType,
        Self::Image(ImageField::IdImage),
        Self::Image(ImageField::IdBackImage),
        Self::Image(ImageField::SelfieImage),
        Self::Image(ImageField::AddressImage),
    ];

    /// Returns the field's name in the form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SubmissionId => "submissionId",
            Self::Admin => "admin",
            Self::IdType => "idType",
            Self::Image(field) => field.name(),
        }
    }

    /// Returns whether this field is what a caller meant by a name: it differs in case, hyphens and underscores alone.
    pub(crate) fn resembles(self, name: &[u8]) -> bool {
        let letters = name.iter().filter(|byte| !b"-_".contains(byte));
        letters
            .map(u8::to_ascii_lowercase)
            .eq(self.name().bytes().map(|byte| byte.to_ascii_lowercase()))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
