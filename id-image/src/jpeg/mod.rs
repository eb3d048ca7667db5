//! JPEG (ITU-T T.81, annex B), checked from its first marker to its last, against what the readers of ID images can
//! open. No pixel is decoded, so damage inside the entropy-coded data goes unnoticed.

mod exif;
mod frame;
mod segment;
mod tables;

use self::exif::Exif;
use self::frame::Frame;
use self::tables::Tables;
use super::dimensions::{Dimensions, DimensionsError};

/// The most scans that a JPEG may have. libjpeg's own progression has 10; each costs a reader a pass over all pixels.
const MAX_SCANS: u32 = 100;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DHT: u8 = 0xC4;
const DQT: u8 = 0xDB;
const DRI: u8 = 0xDD;

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
    // Pillow recognizes a JPEG by its first three bytes.
    if rest.first().is_some_and(|&byte| byte != 0xFF) {
        return Err(JpegError::Damaged);
    }
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    let mut exif = Exif::default();
    let mut scans = 0;
    loop {
        let (marker, after) = segment::next_marker(rest)?;
        rest = after;
        match marker {
            EOI => break,
            // Readers skip a restart marker outside a scan.
            0xD0..=0xD7 => continue,
            // Pillow looks only up to the first scan, and libjpeg skips TEM, too.
            0x01 if scans > 0 => continue,
            _ => {}
        }
        let (segment, after) = segment::split(marker, rest)?;
        rest = after;
        match marker {
            DQT => tables.define_quantization(segment)?,
            DHT => tables.define_huffman(segment)?,
            SOS => {
                scans += 1;
                match scans {
                    1 => exif.check()?,
                    2..=MAX_SCANS => {}
                    _ => return Err(JpegError::TooManyScans),
                }
                let frame = frame.as_mut().ok_or(JpegError::Damaged)?;
                frame.check_scan(segment, &tables)?;
                rest = segment::skip_entropy_coded(rest)?;
            }
            // The frames; DAC, which comes among their markers; DHP of a hierarchical JPEG; JPEG-LS.
            0xC0..=0xC7 | 0xC9..=0xCF | 0xDE | 0xF7 => {
                let next = Frame::parse(marker, segment)?;
                if frame.replace(next).is_some() {
                    return Err(JpegError::Damaged);
                }
            }
            DRI if segment.len() != 2 => return Err(JpegError::Damaged),
            _ if scans == 0 => {
                segment::check_application(marker, segment)?;
                exif.note(marker, segment);
            }
            _ => {}
        }
    }
    match frame {
        Some(frame) if scans > 0 => Ok(frame.dimensions()),
        _ => Err(JpegError::Damaged),
    }
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
    /// It is coded by a process that readers don't support: the process's name with its article.
    #[error("{0}; send a baseline or progressive one")]
    Process(&'static str),
    #[error("the JPEG doesn't have 8 bits per sample")]
    Precision,
    #[error("the JPEG doesn't have 1, 3 or 4 components")]
    Components,
    #[error("the JPEG has a sampling factor outside 1 to 4")]
    Sampling,
    #[error("the JPEG has a sampling factor that doesn't divide the largest one")]
    UnevenSampling,
    /// A reader must buffer the whole image, which takes too much memory or time.
    #[error(
        "the JPEG has too many pixels or scans to buffer; send a baseline JPEG with a single scan"
    )]
    TooCostly,
    #[error("the JPEG lacks a table that it uses")]
    MissingTable,
    /// Pillow can't read its resolution.
    #[error("the JPEG's EXIF data has an incomplete XResolution")]
    Resolution,
    #[error("the JPEG has more than {MAX_SCANS} scans")]
    TooManyScans,
    #[error(transparent)]
    Dimensions(#[from] DimensionsError),
}
