//! The tables that a JPEG's scans use (T.81, B.2.4): which are defined so far. Their values matter to a decoder alone.

use super::JpegError;

/// The slots in which a quantization, DC or AC table is defined.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) quantization: [bool; 4],
    pub(super) dc: [bool; 4],
    pub(super) ac: [bool; 4],
}

impl Tables {
    /// Notes the tables of a DQT segment (T.81, B.2.4.1).
    pub(super) fn define_quantization(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        while let Some((&[head], rest)) = segment.split_first_chunk() {
            let size = match head >> 4 {
                0 => 64,
                1 => 128,
                _ => return Err(JpegError::Damaged),
            };
            segment = rest.get(size..).ok_or(JpegError::Damaged)?;
            define(&mut self.quantization, head & 0x0F)?;
        }
        Ok(())
    }

    /// Notes the tables of a DHT segment (T.81, B.2.4.2) whose codes can be told apart.
    pub(super) fn define_huffman(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        while let Some((&[head], rest)) = segment.split_first_chunk() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(JpegError::Damaged)?;
            let size = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(size).ok_or(JpegError::Damaged)?;
            segment = rest;
            if size > 256 || !is_prefix_code(counts) {
                return Err(JpegError::Damaged);
            }
            match head >> 4 {
                // The symbol is a number of bits (T.81, F.1.2.1).
                0 if symbols.iter().all(|&symbol| symbol <= 15) => {
                    define(&mut self.dc, head & 0x0F)?;
                }
                1 => define(&mut self.ac, head & 0x0F)?,
                _ => return Err(JpegError::Damaged),
            }
        }
        Ok(())
    }
}

fn define(slots: &mut [bool; 4], slot: u8) -> Result<(), JpegError> {
    *slots.get_mut(usize::from(slot)).ok_or(JpegError::Damaged)? = true;
    Ok(())
}

/// Returns whether a table is defined in a slot.
pub(super) fn has(slots: [bool; 4], slot: u8) -> bool {
    slots.get(usize::from(slot)) == Some(&true)
}

/// Returns whether there are as many codes as `counts` says of each length from 1 to 16 bits (T.81, annex C).
fn is_prefix_code(counts: &[u8; 16]) -> bool {
    let mut free: u32 = 1;
    for &count in counts {
        free *= 2;
        let Some(left) = free.checked_sub(count.into()) else {
            return false;
        };
        free = left;
    }
    true
}
