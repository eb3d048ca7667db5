//! JPEG (ITU-T T.81, annex B), checked from its first marker to its last for what the readers of ID images open. No
//! pixel is decoded, so damage inside the entropy-coded data is not seen.

use super::dimensions::{Dimensions, DimensionsError};

mod tables;

use self::tables::{Tables, has};

/// The most scans that a JPEG may have. libjpeg's own progression has 10; each costs a reader a pass over all pixels.
const MAX_SCANS: u32 = 100;

/// The most blocks of one interleaved unit (T.81, B.2.3).
const MAX_BLOCKS_IN_UNIT: u32 = 10;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DHT: u8 = 0xC4;
const DQT: u8 = 0xDB;

/// Returns whether a file claims to be a JPEG.
pub(super) fn is_jpeg(file: &[u8]) -> bool {
    file.starts_with(&[0xFF, SOI])
}

/// Checks a file from its start of image to its end of image. What follows is allowed: cameras append previews.
///
/// # Errors
///
/// [`JpegError`] says what a reader would stumble over.
pub fn check(file: &[u8]) -> Result<Dimensions, JpegError> {
    let mut rest = file.strip_prefix(&[0xFF, SOI]).ok_or(JpegError::Damaged)?;
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    loop {
        let (marker, after) = next_marker(rest)?;
        if marker == EOI {
            let frame = frame.filter(|_| scans > 0).ok_or(JpegError::Damaged)?;
            return Ok(frame.dimensions);
        }
        let (segment, after) = split_segment(marker, after)?;
        rest = after;
        match marker {
            DQT => tables.define_quantization(segment)?,
            DHT => tables.define_huffman(segment)?,
            SOS => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(JpegError::TooManyScans);
                }
                let frame = frame.as_ref().ok_or(JpegError::Damaged)?;
                frame.check_scan(segment, &tables)?;
                rest = skip_entropy_coded(rest)?;
            }
            // JPG and DAC, which stand among the markers of frames.
            0xC8 | 0xCC => {}
            // The frames, and DHP of a hierarchical JPEG, which comes before its frames.
            0xC0..=0xCF | 0xDE if frame.is_some() => return Err(JpegError::Damaged),
            0xC0..=0xCF | 0xDE => frame = Some(Frame::parse(marker, segment)?),
            _ => {}
        }
    }
}

/// Splits off the next marker, behind any fill bytes (T.81, B.1.1.2).
fn next_marker(file: &[u8]) -> Result<(u8, &[u8]), JpegError> {
    let (&first, mut rest) = file.split_first().ok_or(JpegError::Cut)?;
    if first != 0xFF {
        return Err(JpegError::Damaged);
    }
    loop {
        let (&byte, after) = rest.split_first().ok_or(JpegError::Cut)?;
        if byte != 0xFF {
            return Ok((byte, after));
        }
        rest = after;
    }
}

/// Splits off a marker's segment, without its length (T.81, B.1.1.4). Markers without one can't stand here: a second
/// start of image, restarts outside a scan, and the reserved ones of table B.1.
fn split_segment(marker: u8, file: &[u8]) -> Result<(&[u8], &[u8]), JpegError> {
    if !matches!(marker, 0xC0..=0xCF | SOS | DQT..=0xDF | 0xE0..=0xEF | 0xFE) {
        return Err(JpegError::Damaged);
    }
    let (length, _) = file.split_first_chunk().ok_or(JpegError::Cut)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length < 2 {
        return Err(JpegError::Damaged);
    }
    let (segment, rest) = file.split_at_checked(length).ok_or(JpegError::Cut)?;
    Ok((&segment[2..], rest))
}

/// Skips a scan's entropy-coded data, of which there must be some, up to the marker that ends it (T.81, B.1.1.5): in
/// the data, 0xFF is followed by a stuffed zero, or it is a restart marker.
fn skip_entropy_coded(data: &[u8]) -> Result<&[u8], JpegError> {
    let mut markers = 0;
    for at in memchr::memchr_iter(0xFF, data) {
        match data.get(at + 1).ok_or(JpegError::Cut)? {
            0x00 => {}
            0xD0..=0xD7 => markers += 2,
            // A fill byte before a marker, which comes next.
            0xFF => markers += 1,
            _ if at > markers => return Ok(&data[at..]),
            _ => return Err(JpegError::Damaged),
        }
    }
    Err(JpegError::Cut)
}

/// What a frame header says (T.81, B.2.2).
struct Frame {
    dimensions: Dimensions,
    progressive: bool,
    components: Vec<Component>,
}

/// A component of a frame: its ID, how many blocks of it are in an interleaved unit, and its quantization table.
struct Component {
    id: u8,
    blocks: u32,
    quantization: u8,
}

impl Frame {
    fn parse(marker: u8, segment: &[u8]) -> Result<Self, JpegError> {
        let progressive = match marker {
            0xC0 | 0xC1 => false,
            0xC2 => true,
            0xC3 => return Err(JpegError::Process("a lossless JPEG")),
            0xC9..=0xCF => return Err(JpegError::Process("an arithmetic-coded JPEG")),
            _ => return Err(JpegError::Process("a hierarchical JPEG")),
        };
        let &[precision, h1, h0, w1, w0, count, ref specifications @ ..] = segment else {
            return Err(JpegError::Damaged);
        };
        if precision != 8 {
            return Err(JpegError::Precision);
        }
        let width = u16::from_be_bytes([w1, w0]).into();
        let height = u16::from_be_bytes([h1, h0]).into();
        let dimensions = Dimensions::new(width, height)?;
        if ![1, 3, 4].contains(&count) {
            return Err(JpegError::Components);
        }
        let (specifications, []) = specifications.as_chunks() else {
            return Err(JpegError::Damaged);
        };
        if specifications.len() != usize::from(count) {
            return Err(JpegError::Damaged);
        }
        let components = specifications
            .iter()
            .copied()
            .map(Component::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            dimensions,
            progressive,
            components,
        })
    }

    /// Checks a scan header (T.81, B.2.3) and whether the tables are there that the scan uses.
    fn check_scan(&self, segment: &[u8], tables: &Tables) -> Result<(), JpegError> {
        let (&count, rest) = segment.split_first().ok_or(JpegError::Damaged)?;
        let count = usize::from(count);
        let Some((selectors, &[start, end, approximation])) = rest.split_at_checked(2 * count)
        else {
            return Err(JpegError::Damaged);
        };
        if !(1..=4).contains(&count) {
            return Err(JpegError::Damaged);
        }
        let (high, low) = (approximation >> 4, approximation & 0x0F);
        if self.progressive && !is_progression(count, start, end, high, low) {
            return Err(JpegError::Damaged);
        }
        let (codes_dc, needs_ac) = if self.progressive {
            // Refining a DC coefficient takes plain bits.
            (start == 0 && high == 0, start > 0)
        } else {
            (true, true)
        };

        let mut left: Vec<&Component> = self.components.iter().collect();
        let mut blocks = 0;
        for selector in selectors.chunks_exact(2) {
            let (id, dc, ac) = (selector[0], selector[1] >> 4, selector[1] & 0x0F);
            let at = left.iter().position(|component| component.id == id);
            let component = left.remove(at.ok_or(JpegError::Damaged)?);
            blocks += component.blocks;
            let complete = has(tables.quantization, component.quantization)
                && (!codes_dc || has(tables.dc, dc))
                && (!needs_ac || has(tables.ac, ac));
            if !complete {
                return Err(JpegError::MissingTable);
            }
        }
        if count > 1 && blocks > MAX_BLOCKS_IN_UNIT {
            return Err(JpegError::Damaged);
        }
        Ok(())
    }
}

impl Component {
    fn parse([id, sampling, quantization]: [u8; 3]) -> Result<Self, JpegError> {
        let (horizontal, vertical) = (sampling >> 4, sampling & 0x0F);
        if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
            return Err(JpegError::Sampling);
        }
        Ok(Self {
            id,
            blocks: u32::from(horizontal) * u32::from(vertical),
            quantization,
        })
    }
}

/// Returns whether a progressive JPEG may have such a scan (T.81, G.1.1.1): DC coefficients alone, or AC coefficients
/// of one component; refined by a bit at a time.
fn is_progression(components: usize, start: u8, end: u8, high: u8, low: u8) -> bool {
    let band = if start == 0 {
        end == 0
    } else {
        components == 1 && start <= end && end <= 63
    };
    band && low <= 13 && (high == 0 || high == low + 1)
}

/// Why a JPEG is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The file ends before its end-of-image marker.
    #[error("the JPEG is cut off")]
    Cut,
    /// A marker, a segment or a scan is not what it must be.
    #[error("the JPEG is damaged")]
    Damaged,
    /// It is coded by a process that readers don't open, by its name and article.
    #[error("{0}; send a baseline or progressive one")]
    Process(&'static str),
    /// It has more or fewer than 8 bits a sample.
    #[error("the JPEG doesn't have 8 bits a sample")]
    Precision,
    /// It has none, two, or more than four components.
    #[error("the JPEG doesn't have 1, 3 or 4 components")]
    Components,
    /// A sampling factor is out of range.
    #[error("the JPEG has a sampling factor that is not 1 to 4")]
    Sampling,
    /// A scan uses a table that is not there.
    #[error("the JPEG lacks a table that it uses")]
    MissingTable,
    /// It has more scans than [`MAX_SCANS`].
    #[error("the JPEG has more than {MAX_SCANS} scans")]
    TooManyScans,
    /// Its dimensions are out of range.
    #[error(transparent)]
    Dimensions(#[from] DimensionsError),
}
