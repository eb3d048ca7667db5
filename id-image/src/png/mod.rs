//! PNG (PNG specification, third edition), checked by decoding all of it. The pixels are thrown away.

mod ancillary;
mod header;
mod inflate;
mod rows;

use self::ancillary::Ancillary;
use self::header::{Color, Header};
pub use self::inflate::{Budget, MAX_INFLATED, MAX_STEPS};
use self::inflate::{START_STEPS, Stream};
use self::rows::Rows;
use super::dimensions::{Dimensions, DimensionsError};

/// What a file begins with (section 5.2).
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Returns whether a file claims to be a PNG.
pub(super) fn is_png(file: &[u8]) -> bool {
    file.starts_with(SIGNATURE)
}

/// Checks a file from its signature to `IEND`; what follows is not part of the image.
///
/// # Errors
///
/// [`PngError`] says why it doesn't decode, or which limit it exceeds.
pub fn check(file: &[u8], budget: &mut Budget) -> Result<Dimensions, PngError> {
    let chunks = file.strip_prefix(SIGNATURE).ok_or(PngError::Damaged)?;
    let (first, mut rest) = Chunk::split(chunks)?;
    let header = match &first.kind {
        b"IHDR" => Header::parse(first.data)?,
        b"CgBI" => return Err(PngError::Apple),
        _ => return Err(PngError::Damaged),
    };
    let mut has_palette = false;
    let mut image: Option<Image> = None;
    let mut ancillary = Ancillary::default();
    loop {
        let (chunk, after) = Chunk::split(rest)?;
        rest = after;
        let is_between = image.as_ref().is_some_and(|image| image.is_over);
        match &chunk.kind {
            b"IDAT" if is_between || header.color == Color::Indexed && !has_palette => {
                return Err(PngError::Damaged);
            }
            b"IDAT" => {
                let image = match &mut image {
                    Some(image) => image,
                    None => image.insert(Image::new(&header, budget)?),
                };
                image.take(chunk.data, budget)?;
                continue;
            }
            b"PLTE" => {
                if has_palette || image.is_none() && !is_palette(chunk.data, header.color) {
                    return Err(PngError::Damaged);
                }
                has_palette = true;
            }
            b"IEND" => break,
            _ if chunk.is_critical() => return Err(PngError::Damaged),
            _ => ancillary.check(chunk, &header, budget)?,
        }
        if let Some(image) = &mut image {
            image.is_over = true;
        }
    }
    if !image.is_some_and(|image| image.is_complete()) {
        return Err(PngError::Damaged);
    }
    Ok(header.dimensions)
}

/// A chunk whose CRC is right (section 5.3).
#[derive(Clone, Copy)]
struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Splits off a file's next chunk.
    fn split(file: &'a [u8]) -> Result<(Self, &'a [u8]), PngError> {
        let (length, file) = file.split_first_chunk().ok_or(PngError::Cut)?;
        let (kind, data) = file.split_first_chunk().ok_or(PngError::Cut)?;
        let length = u32::from_be_bytes(*length);
        // libpng 1.6.58 also refuses a type whose third letter is lowercase, which is reserved.
        let is_type = kind.iter().all(u8::is_ascii_alphabetic) && kind[2].is_ascii_uppercase();
        if !is_type || length > i32::MAX as u32 {
            return Err(PngError::Damaged);
        }
        let (data, rest) = data
            .split_at_checked(length as usize)
            .ok_or(PngError::Cut)?;
        let (crc, rest) = rest.split_first_chunk().ok_or(PngError::Cut)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(kind);
        hasher.update(data);
        if hasher.finalize() != u32::from_be_bytes(*crc) {
            return Err(PngError::Damaged);
        }
        Ok((Self { kind: *kind, data }, rest))
    }

    /// Returns whether a reader must know it (section 5.4).
    const fn is_critical(&self) -> bool {
        self.kind[0].is_ascii_uppercase()
    }
}

/// The image data, which comes in chunks that follow each other.
struct Image {
    /// Created at the first byte, since the first chunk may be empty.
    stream: Option<Stream>,
    /// The size inflated, in bytes.
    length: u64,
    rows: Rows,
    is_over: bool,
}

impl Image {
    fn new(header: &Header, budget: &mut Budget) -> Result<Self, PngError> {
        let rows = Rows::expected(header);
        budget.spend(rows.bytes())?;
        Ok(Self {
            stream: None,
            length: rows.bytes(),
            rows,
            is_over: false,
        })
    }

    fn take(&mut self, data: &[u8], budget: &mut Budget) -> Result<(), PngError> {
        if data.is_empty() {
            return Ok(());
        }
        let rows = &mut self.rows;
        self.stream
            .get_or_insert_with(|| Stream::new(data, self.length))
            .take(data, budget, |inflated| rows.take(inflated))
    }

    fn is_complete(&self) -> bool {
        let is_inflated = self.stream.as_ref().is_some_and(Stream::is_complete);
        is_inflated && self.rows.is_complete()
    }
}

/// Returns whether libpng accepts this as a palette (section 11.2.2), or skips it.
fn is_palette(data: &[u8], color: Color) -> bool {
    match color {
        Color::Indexed => data.len().is_multiple_of(3) && (3..=768).contains(&data.len()),
        Color::Rgb | Color::RgbAlpha => !data.is_empty(),
        Color::Gray | Color::GrayAlpha => true,
    }
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
    /// It is a PNG as Xcode packages it in apps, which only Apple's software opens.
    #[error("an Apple CgBI file; convert it with pngcrush -revert-iphone-optimizations")]
    Apple,
    #[error("a text or color-profile chunk of the PNG inflates beyond 1 MiB")]
    LargeChunk,
    #[error("the PNG's text chunks inflate beyond 64 MiB in total")]
    TooMuchText,
    #[error("the request's PNGs inflate beyond {} MiB in total", MAX_INFLATED >> 20)]
    InflatesTooFar,
    #[error(
        "the request's PNGs have more than {MAX_STEPS} compressed blocks, each text or profile counting as {START_STEPS}"
    )]
    TooManyBlocks,
    /// A small window takes more time for each byte.
    #[error(
        "the PNG declares too small a compression window for its size; save it with a larger one"
    )]
    SmallWindow,
    #[error(transparent)]
    Dimensions(#[from] DimensionsError),
}
