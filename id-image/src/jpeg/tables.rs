//! The tables that a JPEG's scans use (T.81, B.2.4): which are defined so far, and whether a scan can use them.

use super::JpegError;

/// Which quantization, DC and AC tables are defined. libjpeg looks at a Huffman table's codes only when a scan uses them.
#[derive(Debug, Default)]
pub(super) struct Tables {
    quantization: [bool; 4],
    dc: [Huffman; 4],
    ac: [Huffman; 4],
}

#[derive(Clone, Copy, Debug, Default)]
enum Huffman {
    #[default]
    Missing,
    Unusable,
    Usable,
}

impl Tables {
    /// Notes the tables of a DQT segment (T.81, B.2.4.1).
    pub(super) fn define_quantization(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        while let Some((&[head], rest)) = segment.split_first_chunk() {
            // Readers take any other precision than 0 for 16 bits.
            let size = if head >> 4 == 0 { 64 } else { 128 };
            segment = rest.get(size..).ok_or(JpegError::Damaged)?;
            *slot(&mut self.quantization, head & 0x0F)? = true;
        }
        Ok(())
    }

    /// Notes the tables of a DHT segment (T.81, B.2.4.2).
    pub(super) fn define_huffman(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        while let Some((&[head], rest)) = segment.split_first_chunk() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(JpegError::Damaged)?;
            let size = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(size).ok_or(JpegError::Damaged)?;
            segment = rest;
            if size > 256 {
                return Err(JpegError::Damaged);
            }
            // A DC symbol is a number of bits (T.81, F.1.2.1).
            let (tables, last_symbol) = match head >> 4 {
                0 => (&mut self.dc, 15),
                1 => (&mut self.ac, 255),
                _ => return Err(JpegError::Damaged),
            };
            let is_usable = is_code(counts) && symbols.iter().all(|&symbol| symbol <= last_symbol);
            *slot(tables, head & 0x0F)? = if is_usable {
                Huffman::Usable
            } else {
                Huffman::Unusable
            };
        }
        Ok(())
    }

    pub(super) fn check_quantization(&self, slot: u8) -> Result<(), JpegError> {
        match self.quantization.get(usize::from(slot)) {
            Some(true) => Ok(()),
            Some(false) | None => Err(JpegError::MissingTable),
        }
    }

    pub(super) fn check_dc(&self, slot: u8) -> Result<(), JpegError> {
        check(self.dc, slot)
    }

    pub(super) fn check_ac(&self, slot: u8) -> Result<(), JpegError> {
        check(self.ac, slot)
    }
}

fn slot<T>(slots: &mut [T; 4], slot: u8) -> Result<&mut T, JpegError> {
    slots.get_mut(usize::from(slot)).ok_or(JpegError::Damaged)
}

fn check(tables: [Huffman; 4], slot: u8) -> Result<(), JpegError> {
    match tables.get(usize::from(slot)) {
        Some(Huffman::Usable) => Ok(()),
        Some(Huffman::Unusable) => Err(JpegError::Damaged),
        Some(Huffman::Missing) | None => Err(JpegError::MissingTable),
    }
}

/// Returns whether a code can have as many words of each length from 1 to 16 bits as `counts` says, none of them all
/// ones (T.81, annex C). libjpeg calls any other table bogus.
fn is_code(counts: &[u8; 16]) -> bool {
    let mut free: u32 = 1;
    for &count in counts {
        let Some(left @ 1..) = (2 * free).checked_sub(count.into()) else {
            return false;
        };
        free = left;
    }
    true
}
