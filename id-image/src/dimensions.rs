//! The size of an image.

/// The most pixels that an image may have: above it, Pillow warns of a decompression bomb (`Image.MAX_IMAGE_PIXELS`).
const MAX_PIXELS: u64 = 89_478_485;

/// Width and height in pixels, both above zero and together at most [`MAX_PIXELS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    width: u32,
    height: u32,
}

impl Dimensions {
    /// Makes dimensions from a width and a height in pixels, each at most `max_side`.
    pub(super) fn new(width: u32, height: u32, max_side: u32) -> Result<Self, DimensionsError> {
        if width.max(height) > max_side {
            return Err(DimensionsError::TooLong(max_side));
        }
        match u64::from(width) * u64::from(height) {
            0 => Err(DimensionsError::Empty),
            1..=MAX_PIXELS => Ok(Self { width, height }),
            _ => Err(DimensionsError::TooLarge),
        }
    }

    /// Returns the pixels of a row.
    pub const fn width(self) -> u32 {
        self.width
    }

    /// Returns the number of rows.
    pub const fn height(self) -> u32 {
        self.height
    }
}

/// Why an image can't have these dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DimensionsError {
    #[error("the image has no pixels")]
    Empty,
    /// A side is longer than readers open, which is this many pixels.
    #[error("the image is more than {0} pixels wide or high")]
    TooLong(u32),
    #[error("the image has more than {MAX_PIXELS} pixels")]
    TooLarge,
}
