//! Inflates zlib streams (RFC 1950 and 1951) within a budget.
//!
//! zlib-rs does the work: it is the fastest crate whose block headers are cheap. It doesn't restrict references to a
//! window that the header declares to be smaller than 32 KiB, which libpng insists on; for these few streams
//! `miniz_oxide` does the work, in a buffer of the window's size.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use super::PngError;

/// The most bytes that the PNGs of one request may inflate to (the contract's section on images).
pub const MAX_INFLATED: u64 = 256 << 20;

/// The most steps in which the PNGs of one request may be inflated. A step inflates a block, or as much as the buffer
/// holds, and costs at least 1 µs, however empty its block is: empty blocks of 13 bytes each would cost 58 times the CPU of
/// an honest event of their size. To exceed this, 4.7 MB must have blocks of fewer than 47 bytes, as zlib writes with
/// `Z_HUFFMAN_ONLY` and a `memLevel` of 1 for pixels of two values.
pub const MAX_STEPS: u32 = 100_000;

/// How many steps a text or a color profile counts for: each needs an inflater of its own, which takes 1.5 µs.
pub(super) const START_STEPS: u32 = 16;

/// A step into a small window takes much longer per byte, so it counts as one step for each `WINDOW_STEP_BYTES` of the
/// window, and as at least `MIN_WINDOW_STEPS`. This lets 97 MiB through a window of 4 KiB to 16 KiB.
const MIN_WINDOW_STEPS: u32 = 4;
const WINDOW_STEP_BYTES: u32 = 1 << 10;

/// Room for what a step inflates.
const BUFFER: usize = 128 << 10;

/// What the PNGs of one request may still cost.
#[derive(Debug)]
pub struct Budget {
    bytes: u64,
    steps: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: MAX_INFLATED,
            steps: MAX_STEPS,
        }
    }
}

impl Budget {
    /// Deducts bytes that will be inflated.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), PngError> {
        self.bytes = self
            .bytes
            .checked_sub(bytes)
            .ok_or(PngError::InflatesTooFar)?;
        Ok(())
    }

    /// Deducts the start of a text's or a color profile's stream.
    pub(super) fn spend_start(&mut self) -> Result<(), PngError> {
        self.spend_steps(START_STEPS).ok_or(PngError::TooManyBlocks)
    }

    fn spend_steps(&mut self, steps: u32) -> Option<()> {
        self.steps = self.steps.checked_sub(steps)?;
        Some(())
    }
}

/// A zlib stream that arrives in pieces.
pub(super) struct Stream {
    inflater: Inflater,
    buffer: Vec<u8>,
    /// How many of the budget's steps one call of the inflater costs.
    steps: u32,
    is_complete: bool,
}

enum Inflater {
    Zlib(Inflate),
    /// The buffer is the window: references reach no further. Where the next byte goes, and whether it is full.
    Window {
        state: Box<DecompressorOxide>,
        at: usize,
        is_full: bool,
    },
}

/// What a step did: bytes read, the part of the buffer that was written, and what comes next.
struct Step {
    read: usize,
    start: usize,
    end: usize,
    next: Next,
}

#[derive(PartialEq, Eq)]
enum Next {
    Step,
    Piece,
    End,
}

impl Stream {
    /// Starts a stream of at most `length` bytes inflated, whose first bytes are here.
    pub(super) fn new(start: &[u8], length: u64) -> Self {
        let window = start.first().map_or(15, |method| 8 + (method >> 4));
        let is_small = window < 15 && length > 1 << window;
        if is_small {
            return Self {
                inflater: Inflater::Window {
                    state: Box::default(),
                    at: 0,
                    is_full: false,
                },
                buffer: vec![0; 1 << window],
                steps: MIN_WINDOW_STEPS.max((1 << window) / WINDOW_STEP_BYTES),
                is_complete: false,
            };
        }
        Self {
            inflater: Inflater::Zlib(Inflate::new(true, 15)),
            buffer: vec![0; BUFFER],
            steps: 1,
            is_complete: false,
        }
    }

    /// Inflates the next piece, and hands what comes out to `sink`. What follows the end of the stream is ignored.
    pub(super) fn take(
        &mut self,
        mut piece: &[u8],
        budget: &mut Budget,
        mut sink: impl FnMut(&[u8]) -> Result<(), PngError>,
    ) -> Result<(), PngError> {
        while !self.is_complete {
            let exceeded = match self.inflater {
                Inflater::Zlib(_) => PngError::TooManyBlocks,
                Inflater::Window { .. } => PngError::SmallWindow,
            };
            budget.spend_steps(self.steps).ok_or(exceeded)?;
            let step = self.inflater.step(piece, &mut self.buffer)?;
            piece = &piece[step.read..];
            sink(&self.buffer[step.start..step.end])?;
            match step.next {
                Next::Step => {}
                Next::Piece => break,
                Next::End => self.is_complete = true,
            }
        }
        Ok(())
    }

    /// Returns whether the stream ended, with the right checksum.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl Inflater {
    fn step(&mut self, piece: &[u8], buffer: &mut [u8]) -> Result<Step, PngError> {
        match self {
            Self::Zlib(inflate) => {
                let (read, written) = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(piece, buffer, InflateFlush::Block)?;
                let read = usize::try_from(inflate.total_in() - read).unwrap_or(piece.len());
                let end = usize::try_from(inflate.total_out() - written).unwrap_or(buffer.len());
                // More output may follow even if no input is left.
                let has_more = read < piece.len() || end == buffer.len();
                let next = match status {
                    Status::StreamEnd => Next::End,
                    Status::Ok if has_more => Next::Step,
                    Status::Ok | Status::BufError => Next::Piece,
                };
                Ok(Step {
                    read,
                    start: 0,
                    end,
                    next,
                })
            }
            Self::Window { state, at, is_full } => {
                let mut flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER
                    | inflate_flags::TINFL_FLAG_COMPUTE_ADLER32
                    | inflate_flags::TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY
                    | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
                if !*is_full {
                    // References don't reach back before the start.
                    flags |= inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
                }
                let start = *at;
                let (status, read, written) = decompress(state, piece, buffer, start, flags);
                let end = start + written;
                *is_full |= end == buffer.len();
                *at = end % buffer.len();
                let next = match status {
                    TINFLStatus::Done => Next::End,
                    TINFLStatus::HasMoreOutput | TINFLStatus::BlockBoundary => Next::Step,
                    TINFLStatus::NeedsMoreInput => Next::Piece,
                    _ => return Err(PngError::Damaged),
                };
                Ok(Step {
                    read,
                    start,
                    end,
                    next,
                })
            }
        }
    }
}

impl From<InflateError> for PngError {
    fn from(_: InflateError) -> Self {
        Self::Damaged
    }
}
