//! PNG (PNG specification, third edition): one that decodes, whole. The crate `png` reads the chunks, checks their CRCs
//! and inflates the image data; this module counts the rows, which it throws away, and sets the limits.

mod rows;

use fdeflate::BoundedDecompressionError;
use png::chunk::{self, ChunkType};
use png::{
    ColorType, DecodeOptions, Decoded, DecodingError, Info, StreamingDecoder, UnfilterRegion,
};

use self::rows::Rows;
use super::dimensions::{Dimensions, DimensionsError};

/// The most bytes that the PNGs of one request may inflate to (the contract's section on images): that takes about half
/// a second.
pub const MAX_INFLATED: u64 = 256 << 20;

/// The most bytes that a text or colour-profile chunk may inflate to (the contract's section on images).
const MAX_INFLATED_CHUNK: usize = 1 << 20;

/// Room for inflated data: what the decoder looks back on, 32 KiB, and some more.
const WINDOW: usize = 128 << 10;

/// Returns whether a file claims to be a PNG (section 5.2).
pub(super) fn is_png(file: &[u8]) -> bool {
    file.starts_with(b"\x89PNG\r\n\x1A\n")
}

/// Checks a file from its signature to `IEND`; what follows is no part of the image. Returns the bytes to which its
/// chunks were inflated, too, which are at most `max_inflated`.
///
/// # Errors
///
/// [`PngError`] says why it doesn't decode, or which limit it passes.
pub fn check(file: &[u8], max_inflated: u64) -> Result<(Dimensions, u64), PngError> {
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_skip_ancillary_crc_failures(false);
    // They would be inflated without a limit.
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = StreamingDecoder::new_with_options(options);

    let mut rest = file;
    let mut dimensions = None;
    let mut rows: Option<Rows> = None;
    let mut window = vec![0; WINDOW];
    let mut region = UnfilterRegion::default();
    let mut inflated = 0;
    loop {
        let output = &mut region.as_buf(&mut window);
        let (read, event) = decoder.update(rest, Some(output))?;
        rest = &rest[read..];
        let info = decoder.info();
        match (event, info) {
            (Decoded::ChunkComplete(chunk::IHDR), Some(info)) => {
                dimensions = Some(Dimensions::new(info.width, info.height)?);
            }
            (Decoded::ChunkBegin(length, kind), Some(info)) => {
                if [chunk::acTL, chunk::fcTL, chunk::fdAT].contains(&kind) {
                    return Err(PngError::Animated);
                }
                if kind == chunk::IDAT && rows.is_none() {
                    if !has_usable_palette(info) {
                        return Err(PngError::Damaged);
                    }
                    let expected = Rows::expected(info);
                    inflated += expected.bytes();
                    rows = Some(expected);
                }
                let data = rest.get(..length as usize).ok_or(PngError::Cut)?;
                inflated += inflate_chunk(kind, data)?;
                if inflated > max_inflated {
                    return Err(PngError::InflatesTooFar);
                }
            }
            (Decoded::ChunkComplete(chunk::IEND), _) => break,
            (Decoded::Nothing, _) if rest.is_empty() => return Err(PngError::Cut),
            _ => {}
        }
        if let Some(rows) = &mut rows {
            rows.take(&window[..region.available])?;
        }
        window.copy_within(region.available..region.filled, 0);
        region.filled -= region.available;
        region.available = 0;
    }
    if !rows.is_some_and(|rows| rows.is_complete()) {
        return Err(PngError::Damaged);
    }
    Ok((dimensions.ok_or(PngError::Damaged)?, inflated))
}

/// Returns whether an indexed image has colours before its pixels (section 11.2.2).
fn has_usable_palette(info: &Info<'_>) -> bool {
    match &info.palette {
        Some(palette) => palette.len().is_multiple_of(3) && (3..=768).contains(&palette.len()),
        None => info.color_type != ColorType::Indexed,
    }
}

/// Inflates what is compressed in a text or colour-profile chunk, for its size alone: readers pass over one that
/// doesn't decode, but not over one that fills their memory.
fn inflate_chunk(kind: ChunkType, data: &[u8]) -> Result<u64, PngError> {
    let compressed = match kind {
        // A keyword, a zero, and the compression method (sections 11.3.2.3 and 11.3.3.3).
        chunk::iCCP | chunk::zTXt => after_zeros(data, 1).and_then(|data| data.get(1..)),
        // A keyword, a zero, whether it is compressed and how, a language and a translated keyword (11.3.3.4).
        chunk::iTXt => after_zeros(data, 1).and_then(|data| match data {
            [1, _method, rest @ ..] => after_zeros(rest, 2),
            _ => None,
        }),
        _ => None,
    };
    let Some(compressed) = compressed else {
        return Ok(0);
    };
    match fdeflate::decompress_to_vec_bounded(compressed, MAX_INFLATED_CHUNK) {
        Ok(inflated) => Ok(inflated.len() as u64),
        // It may have been inflated up to the limit before it was found to be broken.
        Err(BoundedDecompressionError::DecompressionError { .. }) => Ok(MAX_INFLATED_CHUNK as u64),
        Err(BoundedDecompressionError::OutputTooLarge { .. }) => Err(PngError::LargeChunk),
    }
}

/// Returns what follows the n-th zero.
fn after_zeros(data: &[u8], n: usize) -> Option<&[u8]> {
    let zero = memchr::memchr_iter(0, data).nth(n - 1)?;
    data.get(zero + 1..)
}

/// Why a PNG is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PngError {
    /// The file ends before its last chunk.
    #[error("the PNG is cut off")]
    Cut,
    /// A chunk or the image data is not what it must be.
    #[error("the PNG is damaged")]
    Damaged,
    /// It is animated: two readers could see two pictures.
    #[error("the PNG is animated; send a still one")]
    Animated,
    /// A text or colour-profile chunk inflates beyond [`MAX_INFLATED_CHUNK`].
    #[error("a text or colour-profile chunk of the PNG inflates beyond {} MiB", MAX_INFLATED_CHUNK >> 20)]
    LargeChunk,
    /// The PNGs of the request inflate too far.
    #[error("the PNGs of the request inflate beyond {} MiB", MAX_INFLATED >> 20)]
    InflatesTooFar,
    /// Its dimensions are out of range.
    #[error(transparent)]
    Dimensions(#[from] DimensionsError),
}

impl From<DecodingError> for PngError {
    fn from(_: DecodingError) -> Self {
        Self::Damaged
    }
}
