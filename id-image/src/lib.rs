//! An image that readers can open, to the extent that the contract's section on images promises. Nothing else can
//! become an [`Image`], so nothing else can be stored.
//!
//! [`base64`] decodes a field's text; [`jpeg`] and [`png`] check the file. If a text holds no image, `hint` and `foreign`
//! say what it is instead.

#![forbid(unsafe_code)]

pub mod base64;
mod dimensions;
mod foreign;
mod hint;
pub mod jpeg;
pub mod png;
pub mod text;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use self::base64::NotBase64;
pub use self::dimensions::{Dimensions, DimensionsError};
use self::jpeg::JpegError;
use self::png::{Budget, PngError};

/// A format that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
}

impl Format {
    pub const ALL: [Self; 2] = [Self::Jpeg, Self::Png];

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// Returns the file extension in object keys.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

/// An acceptable image, byte for byte as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    bytes: Bytes,
    sha256: [u8; 32],
    format: Format,
    dimensions: Dimensions,
}

impl Image {
    /// Decodes an image field's text, which has no whitespace around it. A PNG's cost is deducted from the request's
    /// `budget`.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is not Base64, or not an acceptable JPEG or PNG.
    pub fn decode(text: &[u8], budget: &mut Budget) -> Result<Self, DecodeError> {
        let bytes = base64::decode(text)
            .map_err(|error| hint::find(text).map_or(error.into(), DecodeError::Mistake))?;
        let (format, dimensions) = if jpeg::is_jpeg(&bytes) {
            let dimensions = jpeg::check(&bytes)?;
            // A PNG's checksums show that.
            if hint::has_windows_line_ends(&bytes) {
                return Err(DecodeError::Mistake(hint::MANGLED));
            }
            (Format::Jpeg, dimensions)
        } else if png::is_png(&bytes) {
            (Format::Png, png::check(&bytes, budget)?)
        } else {
            let unknown = || hint::find(text).map_or(DecodeError::Unknown, DecodeError::Mistake);
            return Err(foreign::name(&bytes).map_or_else(unknown, DecodeError::Foreign));
        };
        Ok(Self {
            sha256: Sha256::digest(&bytes).into(),
            bytes: bytes.into(),
            format,
            dimensions,
        })
    }

    /// Returns the file's content.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the format, which is determined by the content.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns the size in pixels.
    pub const fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    /// Returns the SHA-256 of the content.
    pub const fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

/// Why a text is not an acceptable image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error(transparent)]
    Base64(#[from] NotBase64),
    /// It is what callers send by mistake, as the text says.
    #[error("{0}")]
    Mistake(&'static str),
    /// It has another format: the format's name with its article.
    #[error("{0}; send a JPEG or PNG")]
    Foreign(&'static str),
    #[error("neither a JPEG nor a PNG")]
    Unknown,
    #[error(transparent)]
    Jpeg(#[from] JpegError),
    #[error(transparent)]
    Png(#[from] PngError),
}
