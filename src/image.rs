//! An image that is known to be a complete JPEG or PNG. Nothing else can be made into one, so nothing
//! else can be stored.

use std::num::NonZeroU32;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::error::Reason;
use crate::{base64_text, jpeg, png};

/// A format that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG, with the content type `image/jpeg`.
    Jpeg,
    /// PNG, with the content type `image/png`.
    Png,
}

impl Format {
    /// The format's media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// The file extension in object keys.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

/// Width and height in pixels, both above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// Pixels in a row.
    pub width: NonZeroU32,
    /// Rows.
    pub height: NonZeroU32,
}

impl Dimensions {
    /// Dimensions in pixels; `None` if one is zero.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        Some(Self {
            width: NonZeroU32::new(width)?,
            height: NonZeroU32::new(height)?,
        })
    }
}

/// A complete image, byte for byte as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    bytes: Bytes,
    format: Format,
    dimensions: Dimensions,
}

impl Image {
    /// Decodes an image field's text. The image takes the text's place.
    ///
    /// # Errors
    ///
    /// What [`base64_text::decode`] says, or [`Reason::NotAnImage`] for anything but a complete JPEG or PNG.
    pub fn decode(text: BytesMut) -> Result<Self, Reason> {
        let bytes = base64_text::decode(text)?;
        let jpeg = || Some((Format::Jpeg, jpeg::dimensions(&bytes)?));
        let png = || Some((Format::Png, png::dimensions(&bytes)?));
        let (format, dimensions) = jpeg().or_else(png).ok_or(Reason::NotAnImage)?;
        Ok(Self {
            bytes: bytes.freeze(),
            format,
            dimensions,
        })
    }

    /// The file's content.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What the content says it is.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Its size in pixels.
    #[must_use]
    pub const fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    /// The SHA-256 of the content. It is computed anew by each call, over all of the content.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}
