//! A PNG's header (PNG specification, section 11.2.1).

use super::PngError;
use crate::Dimensions;

/// The longest side that libpng opens (`PNG_USER_WIDTH_MAX`).
const MAX_SIDE: u32 = 1_000_000;

/// What a pixel consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    Gray,
    Rgb,
    Indexed,
    GrayAlpha,
    RgbAlpha,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) dimensions: Dimensions,
    pub(super) color: Color,
    pub(super) bits_per_pixel: u64,
    pub(super) interlaced: bool,
}

impl Header {
    pub(super) fn parse(data: &[u8]) -> Result<Self, PngError> {
        let &[
            w3,
            w2,
            w1,
            w0,
            h3,
            h2,
            h1,
            h0,
            depth,
            color,
            0,
            0,
            interlace @ 0..=1,
        ] = data
        else {
            return Err(PngError::Damaged);
        };
        let width = u32::from_be_bytes([w3, w2, w1, w0]);
        let height = u32::from_be_bytes([h3, h2, h1, h0]);
        let (color, samples) = match (color, depth) {
            (0, 1 | 2 | 4 | 8 | 16) => (Color::Gray, 1),
            (2, 8 | 16) => (Color::Rgb, 3),
            (3, 1 | 2 | 4 | 8) => (Color::Indexed, 1),
            (4, 8 | 16) => (Color::GrayAlpha, 2),
            (6, 8 | 16) => (Color::RgbAlpha, 4),
            _ => return Err(PngError::Damaged),
        };
        Ok(Self {
            dimensions: Dimensions::new(width, height, MAX_SIDE)?,
            color,
            bits_per_pixel: samples * u64::from(depth),
            interlaced: interlace == 1,
        })
    }
}
