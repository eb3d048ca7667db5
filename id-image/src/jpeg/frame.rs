//! A JPEG's frame and its scans (T.81, B.2.2 and B.2.3).

use super::JpegError;
use super::tables::Tables;
use crate::Dimensions;

/// The longest side that libjpeg opens (`JPEG_MAX_DIMENSION`).
const MAX_SIDE: u32 = 65_500;

/// The most blocks of one interleaved unit (T.81, B.2.3).
const MAX_BLOCKS_IN_UNIT: u32 = 10;

/// The most bytes that a reader may need for an image that it must buffer, since its scans each have a part of it: two
/// for each sample's coefficient, and four for each pixel. Pillow 13.0.0 needs 507 MB for 50.3 megapixels of three
/// components that aren't subsampled, and so stays under 500 MB here; a phone's 50 megapixels, subsampled, take 352.
const MAX_BUFFERED: u64 = 480_000_000;

/// The most samples of all scans of such an image together. Pillow takes 0.6 ns for each in a nearly empty scan, plus
/// 0.5 s for the pixels, and so stays under 2 s here. A phone's 50 megapixels in libjpeg's ten scans have 400 million,
/// or 700 million if they aren't subsampled.
const MAX_SCANNED: u64 = 1_500_000_000;

/// What a frame header says, and what its scans have covered so far.
pub(super) struct Frame {
    dimensions: Dimensions,
    is_progressive: bool,
    components: Vec<Component>,
    scans: Scans,
}

/// How a frame's scans divide the image, as the first one shows.
#[derive(Clone, Copy)]
enum Scans {
    None,
    /// The only one has all of the image.
    One,
    /// A reader must buffer the image. The samples of its scans so far.
    Several {
        samples: u64,
    },
}

/// A component of a frame: its ID, how many blocks of it are in an interleaved unit, its samples, and its quantization
/// table.
struct Component {
    id: u8,
    blocks: u32,
    samples: u64,
    quantization: u8,
}

impl Frame {
    pub(super) fn parse(marker: u8, segment: &[u8]) -> Result<Self, JpegError> {
        let is_progressive = match marker {
            0xC0 | 0xC1 => false,
            0xC2 => true,
            0xC3 => return Err(JpegError::Process("a lossless JPEG")),
            0xC9..=0xCF => return Err(JpegError::Process("an arithmetic-coded JPEG")),
            0xF7 => return Err(JpegError::Process("a JPEG-LS")),
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
        let dimensions = Dimensions::new(width, height, MAX_SIDE)?;
        if ![1, 3, 4].contains(&count) {
            return Err(JpegError::Components);
        }
        let (specifications, []) = specifications.as_chunks() else {
            return Err(JpegError::Damaged);
        };
        if specifications.len() != usize::from(count) {
            return Err(JpegError::Damaged);
        }
        Ok(Self {
            dimensions,
            is_progressive,
            components: components(specifications, dimensions)?,
            scans: Scans::None,
        })
    }

    pub(super) const fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    /// Checks a scan header, and that the tables that the scan uses are defined.
    pub(super) fn check_scan(&mut self, segment: &[u8], tables: &Tables) -> Result<(), JpegError> {
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
        if self.is_progressive && !is_progression(count, start, end, high, low) {
            return Err(JpegError::Damaged);
        }
        let (codes_dc, needs_ac) = if self.is_progressive {
            // Refining a DC coefficient takes plain bits.
            (start == 0 && high == 0, start > 0)
        } else {
            (true, true)
        };

        let mut used = Vec::new();
        for (at, selector) in selectors.chunks_exact(2).enumerate() {
            let (id, dc, ac) = (selector[0], selector[1] >> 4, selector[1] & 0x0F);
            // Searches as libjpeg does, which matters if the order differs or two components share an ID.
            let mut later = at..self.components.len();
            let found = later.find(|&at| self.components[at].id == id);
            let component = found.ok_or(JpegError::Damaged)?;
            if used.contains(&component) {
                return Err(JpegError::Damaged);
            }
            used.push(component);
            tables.check_quantization(self.components[component].quantization)?;
            if codes_dc {
                tables.check_dc(dc)?;
            }
            if needs_ac {
                tables.check_ac(ac)?;
            }
        }
        let used = || used.iter().map(|&at| &self.components[at]);
        if count > 1 && used().map(|component| component.blocks).sum::<u32>() > MAX_BLOCKS_IN_UNIT {
            return Err(JpegError::Damaged);
        }
        let scanned = used().map(|component| component.samples).sum::<u64>();
        let samples = match self.scans {
            Scans::None if !self.is_progressive && count == self.components.len() => {
                self.scans = Scans::One;
                return Ok(());
            }
            // libjpeg expects the end of the image.
            Scans::One => return Err(JpegError::Damaged),
            Scans::None => scanned,
            Scans::Several { samples } => samples + scanned,
        };
        self.scans = Scans::Several { samples };
        if samples > MAX_SCANNED || self.buffered() > MAX_BUFFERED {
            return Err(JpegError::TooCostly);
        }
        Ok(())
    }

    /// Returns how many bytes a reader needs to buffer the image.
    fn buffered(&self) -> u64 {
        let pixels = u64::from(self.dimensions.width()) * u64::from(self.dimensions.height());
        let samples: u64 = self
            .components
            .iter()
            .map(|component| component.samples)
            .sum();
        2 * samples + 4 * pixels
    }
}

/// Parses the components' specifications.
fn components(
    specifications: &[[u8; 3]],
    dimensions: Dimensions,
) -> Result<Vec<Component>, JpegError> {
    let factors = || {
        specifications
            .iter()
            .map(|&[_, sampling, _]| (u32::from(sampling >> 4), u32::from(sampling & 0x0F)))
    };
    if factors().any(|(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
        return Err(JpegError::Sampling);
    }
    let (mut largest_h, mut largest_v) = (1, 1);
    for (h, v) in factors() {
        (largest_h, largest_v) = (h.max(largest_h), v.max(largest_v));
    }
    if factors().any(|(h, v)| largest_h % h != 0 || largest_v % v != 0) {
        return Err(JpegError::UnevenSampling);
    }
    let component = |(&[id, _, quantization], (h, v)): (&[u8; 3], _)| Component {
        id,
        blocks: h * v,
        samples: u64::from(dimensions.width().div_ceil(largest_h / h))
            * u64::from(dimensions.height().div_ceil(largest_v / v)),
        quantization,
    };
    Ok(specifications
        .iter()
        .zip(factors())
        .map(component)
        .collect())
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
