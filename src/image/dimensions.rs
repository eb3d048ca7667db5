//! The size of an image.

/// The most pixels that an image may have (the contract's section on images): 100 megapixels, more than any phone's
/// camera writes, and little enough for a reader with ordinary limits.
const MAX_PIXELS: u64 = 100_000_000;

/// Width and height in pixels, both above zero and together at most [`MAX_PIXELS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    width: u32,
    height: u32,
}

impl Dimensions {
    /// Makes dimensions of a width and a height in pixels.
    pub(super) fn new(width: u32, height: u32) -> Result<Self, DimensionsError> {
        match u64::from(width) * u64::from(height) {
            0 => Err(DimensionsError::Empty),
            1..=MAX_PIXELS => Ok(Self { width, height }),
            _ => Err(DimensionsError::TooLarge),
        }
    }

    /// Returns the pixels of a row.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.width
    }

    /// Returns the number of rows.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.height
    }
}

/// Why an image can't have these dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DimensionsError {
    /// Width or height is zero.
    #[error("the image has no pixels")]
    Empty,
    /// There are more pixels than [`MAX_PIXELS`].
    #[error("the image has more than {} megapixels", MAX_PIXELS / 1_000_000)]
    TooLarge,
}
