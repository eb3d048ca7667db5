//! The names of the form's documented fields. What may stand in them is for later modules.

use std::fmt;

/// A field that holds an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// All four, in the contract's order.
    pub const ALL: [Self; 4] = [
        Self::IdImage,
        Self::IdBackImage,
        Self::SelfieImage,
        Self::AddressImage,
    ];

    /// The field's name in the form, in the record and in object keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdImage => "idImage",
            Self::IdBackImage => "idBackImage",
            Self::SelfieImage => "selfieImage",
            Self::AddressImage => "addressImage",
        }
    }

    /// Whether it shows the ID document, so that `idType` must be sent with it.
    #[must_use]
    pub const fn is_id(self) -> bool {
        matches!(self, Self::IdImage | Self::IdBackImage)
    }
}

/// A field that holds a short text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextField {
    /// Unique ID of an existing submission.
    SubmissionId,
    /// Account (e-mail) of one of the project's administrators.
    Admin,
    /// Kind of the ID document.
    IdType,
}

impl TextField {
    /// All three, in the contract's order.
    pub const ALL: [Self; 3] = [Self::SubmissionId, Self::Admin, Self::IdType];

    /// The field's name in the form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SubmissionId => "submissionId",
            Self::Admin => "admin",
            Self::IdType => "idType",
        }
    }
}

/// Any documented field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// A field that holds a text.
    Text(TextField),
    /// A field that holds an image.
    Image(ImageField),
}

impl Field {
    /// The field of this name, compared to the letter; `None` for one that is not documented.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let texts = TextField::ALL.map(Self::Text).into_iter();
        let mut fields = texts.chain(ImageField::ALL.map(Self::Image));
        fields.find(|field| field.name().as_bytes() == name)
    }

    /// The field's name in the form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text(field) => field.name(),
            Self::Image(field) => field.name(),
        }
    }
}

impl From<TextField> for Field {
    fn from(field: TextField) -> Self {
        Self::Text(field)
    }
}

impl From<ImageField> for Field {
    fn from(field: ImageField) -> Self {
        Self::Image(field)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
