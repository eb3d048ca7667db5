//! The rows of a PNG as they are inflated (PNG specification, sections 7 to 9): how many there are, and how long.

use super::PngError;
use super::header::Header;

/// First column, first row, and the steps between columns and rows, of each pass of Adam7 (section 8.1).
const ADAM7: [(u32, u32, u32, u32); 7] = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
];

/// The highest filter type (section 9.2).
const PAETH: u8 = 4;

/// The rows that are still expected.
#[derive(Debug)]
pub(super) struct Rows {
    /// For each pass, last first: its rows, and the bytes of each row with its filter type.
    passes: Vec<(u64, u64)>,
    /// The bytes of the current row that are still expected; 0 at its start.
    row: u64,
    /// The bytes of all rows.
    bytes: u64,
}

impl Rows {
    /// Returns the rows that an image with this header has.
    pub(super) fn expected(header: &Header) -> Self {
        let passes = if header.interlaced {
            &ADAM7[..]
        } else {
            &[(0, 0, 1, 1)]
        };
        let (width, height) = (header.dimensions.width(), header.dimensions.height());
        let count = |size: u32, first, step| u64::from(size.saturating_sub(first).div_ceil(step));
        let sizes = passes
            .iter()
            .map(|&(x, y, dx, dy)| (count(width, x, dx), count(height, y, dy)));
        // A pass without columns has no rows either, not even their filter types.
        let passes: Vec<_> = sizes
            .filter(|&(columns, rows)| columns > 0 && rows > 0)
            .map(|(columns, rows)| (rows, 1 + (columns * header.bits_per_pixel).div_ceil(8)))
            .rev()
            .collect();
        Self {
            bytes: passes.iter().map(|(rows, length)| rows * length).sum(),
            passes,
            row: 0,
        }
    }

    /// Returns the bytes of all rows, taken or not.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes inflated data.
    pub(super) fn take(&mut self, mut data: &[u8]) -> Result<(), PngError> {
        while let Some(&first) = data.first() {
            let (rows, length) = self.passes.last_mut().ok_or(PngError::Damaged)?;
            if self.row == 0 {
                if first > PAETH {
                    return Err(PngError::Damaged);
                }
                self.row = *length;
            }
            let taken = data
                .len()
                .min(usize::try_from(self.row).unwrap_or(usize::MAX));
            data = &data[taken..];
            self.row -= taken as u64;
            if self.row == 0 {
                *rows -= 1;
                if *rows == 0 {
                    self.passes.pop();
                }
            }
        }
        Ok(())
    }

    /// Returns whether the last row has been taken.
    pub(super) fn is_complete(&self) -> bool {
        self.passes.is_empty()
    }
}
