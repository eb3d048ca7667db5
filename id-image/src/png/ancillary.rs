//! Ancillary chunks (PNG specification, section 11.3): a reader can do without them, but Pillow gives up on some that
//! are malformed or inflate too far.

use super::header::{Color, Header};
use super::inflate::{Budget, Stream};
use super::{Chunk, PngError};

/// The most bytes that a text or color-profile chunk may inflate to (the contract's section on images).
const MAX_INFLATED_CHUNK: usize = 1 << 20;

/// The most bytes that the text chunks of a file may have together (Pillow's `MAX_TEXT_MEMORY`).
const MAX_TEXT: usize = 64 << 20;

/// Checks the ancillary chunks of a file one by one.
#[derive(Default)]
pub(super) struct Ancillary {
    text: usize,
}

impl Ancillary {
    pub(super) fn check(
        &mut self,
        Chunk { kind, data }: Chunk<'_>,
        header: &Header,
        budget: &mut Budget,
    ) -> Result<(), PngError> {
        let shortest = match (&kind, header.color) {
            (b"sRGB", _) => 1,
            (b"tRNS", Color::Gray) => 2,
            (b"gAMA", _) => 4,
            (b"tRNS", Color::Rgb) => 6,
            (b"pHYs", _) => 9,
            (b"cHRM", _) => 32,
            _ => 0,
        };
        // OpenCV gives up on a background of another length.
        let background = match header.color {
            Color::Indexed => 1,
            Color::Gray | Color::GrayAlpha => 2,
            Color::Rgb | Color::RgbAlpha => 6,
        };
        if data.len() < shortest || &kind == b"bKGD" && data.len() != background {
            return Err(PngError::Damaged);
        }
        match &kind {
            b"acTL" | b"fcTL" | b"fdAT" => return Err(PngError::Animated),
            b"iCCP" => {
                let Some([0, profile @ ..]) = after_zeros(data, 1) else {
                    return Err(PngError::Damaged);
                };
                inflate(profile, budget)?;
            }
            b"tEXt" => self.text += data.len(),
            b"zTXt" => match after_zeros(data, 1) {
                Some([0, text @ ..]) => self.text += inflate(text, budget)?,
                Some([_, ..]) => return Err(PngError::Damaged),
                Some([]) | None => {}
            },
            b"iTXt" => match after_zeros(data, 1) {
                Some([0, _, ..]) => self.text += data.len(),
                Some([_, 0, rest @ ..]) => {
                    if let Some(text) = after_zeros(rest, 2) {
                        self.text += inflate(text, budget)?;
                    }
                }
                _ => {}
            },
            _ => {}
        }
        if self.text > MAX_TEXT {
            return Err(PngError::TooMuchText);
        }
        Ok(())
    }
}

/// Inflates a text or a color profile for its size alone. Readers skip one that doesn't decode, but not one that fills
/// their memory.
fn inflate(data: &[u8], budget: &mut Budget) -> Result<usize, PngError> {
    budget.spend_start()?;
    let mut length = 0;
    let mut stream = Stream::new(data, MAX_INFLATED_CHUNK as u64);
    let count = |inflated: &[u8]| {
        length += inflated.len();
        if length > MAX_INFLATED_CHUNK {
            return Err(PngError::LargeChunk);
        }
        Ok(())
    };
    match stream.take(data, budget, count) {
        Ok(()) | Err(PngError::Damaged) => {}
        Err(error) => return Err(error),
    }
    budget.spend(length as u64)?;
    Ok(length)
}

/// Returns what follows the n-th zero.
fn after_zeros(data: &[u8], n: usize) -> Option<&[u8]> {
    let zero = memchr::memchr_iter(0, data).nth(n - 1)?;
    data.get(zero + 1..)
}
