//! Inflates zlib streams (RFC 1950 and 1951) by zlib-rs, within a budget.

use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use super::PngError;

/// The most bytes that the PNGs of one request may inflate to (the contract's section on images).
pub const MAX_INFLATED: u64 = 256 << 20;

/// The most steps in which the PNGs of one request may be inflated. A step inflates a block, or as much as the buffer
/// holds. An empty block costs about 1 µs, in 13 bytes: this allows a request about four times the CPU of an honest one.
/// An encoder that writes blocks of fewer than 36 bytes for 4.7 MB is not known.
pub const MAX_STEPS: u32 = 1 << 17;

/// Room for what a step inflates.
const BUFFER: usize = 128 << 10;

/// The steps, at most, in which a small window is watched.
const WINDOW_STEPS: u64 = 1 << 16;

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
    /// Takes bytes that will be inflated.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), PngError> {
        self.bytes = self
            .bytes
            .checked_sub(bytes)
            .ok_or(PngError::InflatesTooFar)?;
        Ok(())
    }

    fn spend_step(&mut self) -> Result<(), PngError> {
        self.steps = self.steps.checked_sub(1).ok_or(PngError::TooManyBlocks)?;
        Ok(())
    }
}

/// A zlib stream that arrives in pieces.
pub(super) struct Stream {
    inflate: Inflate,
    buffer: Vec<u8>,
    is_complete: bool,
}

impl Stream {
    /// Starts a stream of `length` bytes inflated, whose first bytes are here.
    ///
    /// zlib lets a reference reach beyond the window that the header declares, by as much as the step has written before
    /// it; libpng's steps are rows. So steps are small where the window is.
    pub(super) fn new(start: &[u8], length: u64) -> Self {
        let has_largest_window = start.first().is_none_or(|method| method >> 4 == 7);
        let step = if has_largest_window {
            BUFFER
        } else {
            usize::try_from(length.div_ceil(WINDOW_STEPS))
                .map_or(BUFFER, |step| step.clamp(1, BUFFER))
        };
        Self {
            inflate: Inflate::new(true, 0),
            buffer: vec![0; step],
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
            budget.spend_step()?;
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(piece, &mut self.buffer, InflateFlush::Block)?;
            let read = usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.inflate.total_out() - written).unwrap_or(usize::MAX);
            piece = piece.get(read..).unwrap_or_default();
            sink(self.buffer.get(..written).unwrap_or_default())?;
            match status {
                Status::StreamEnd => self.is_complete = true,
                // More may come out although nothing is left to go in.
                Status::Ok if !piece.is_empty() || written == self.buffer.len() => {}
                Status::Ok | Status::BufError => break,
            }
        }
        Ok(())
    }

    /// Returns whether the stream ended, with the right checksum.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl From<InflateError> for PngError {
    fn from(_: InflateError) -> Self {
        Self::Damaged
    }
}
