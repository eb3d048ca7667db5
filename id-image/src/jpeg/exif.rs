//! EXIF data. Pillow reads the resolution from it when it opens a JPEG, and fails on text or bytes that are too short
//! where it expects two elements (`JpegImagePlugin.JpegImageFile._read_dpi_from_exif`).

use std::collections::BTreeMap;

use super::JpegError;

const PREFIX: &[u8] = b"Exif\0\0";
const RESOLUTION_UNIT: usize = 0x128;
const X_RESOLUTION: usize = 0x11A;

/// What a JPEG says about its resolution before its first scan.
#[derive(Debug, Default)]
pub(super) struct Exif {
    /// All segments' EXIF data, joined: a TIFF file.
    data: Vec<u8>,
    /// JFIF gives the resolution, so readers don't look at the EXIF data.
    has_jfif_density: bool,
}

impl Exif {
    /// Notes an application segment.
    pub(super) fn note(&mut self, marker: u8, segment: &[u8]) {
        match (marker, segment.strip_prefix(PREFIX)) {
            (0xE0, _) if segment.starts_with(b"JFIF") && segment.len() >= 12 => {
                self.has_jfif_density |= matches!(segment[7], 1 | 2);
            }
            (0xE1, Some(data)) => self.data.extend_from_slice(data),
            _ => {}
        }
    }

    /// Checks the resolution.
    pub(super) fn check(&self) -> Result<(), JpegError> {
        // Some writers repeat the prefix.
        let data = self.data.strip_prefix(PREFIX).unwrap_or(&self.data);
        let Some(directory) = Tiff::new(data).map(|tiff| tiff.directory()) else {
            return Ok(());
        };
        if self.has_jfif_density || !directory.contains_key(&RESOLUTION_UNIT) {
            return Ok(());
        }
        let is_short = match directory.get(&X_RESOLUTION) {
            Some((1 | 7, bytes)) => bytes.len() < 2,
            // Pillow converts the first character, and fails at the second if the first was a digit.
            Some((2, text)) => match text.strip_suffix(b"\0").unwrap_or(text) {
                [] => true,
                [char] => char.is_ascii_digit(),
                _ => false,
            },
            _ => false,
        };
        if is_short {
            return Err(JpegError::Resolution);
        }
        Ok(())
    }
}

/// A TIFF file (TIFF 6.0, section 2).
struct Tiff<'a> {
    data: &'a [u8],
    is_big_endian: bool,
}

impl<'a> Tiff<'a> {
    /// Returns the file if it begins in a way that Pillow accepts, which is more than the specification allows.
    fn new(data: &'a [u8]) -> Option<Self> {
        let is_big_endian = match data.first_chunk()? {
            b"MM\0*" | b"MM*\0" | b"MM\0+" => true,
            b"II*\0" | b"II\0*" => false,
            _ => return None,
        };
        Some(Self {
            data,
            is_big_endian,
        })
    }

    /// Returns the first directory's types and values by their tags, up to where Pillow stops reading.
    fn directory(&self) -> BTreeMap<usize, (usize, &'a [u8])> {
        let mut found = BTreeMap::new();
        let offset = self.data.get(4..8).map(|offset| self.integer(offset));
        let directory = offset.and_then(|offset| self.data.get(offset..));
        let Some((count, entries)) = directory.and_then(|data| data.split_at_checked(2)) else {
            return found;
        };
        let mut out_of_line = 0;
        for entry in entries.chunks_exact(12).take(self.integer(count)) {
            let tag = self.integer(&entry[..2]);
            let kind = self.integer(&entry[2..4]);
            let size = self.integer(&entry[4..8]) * element_size(kind);
            if size == 0 || found.contains_key(&tag) {
                continue;
            }
            let value = if size <= 4 {
                &entry[8..8 + size]
            } else {
                out_of_line += size;
                if out_of_line > self.data.len() {
                    continue;
                }
                let offset = self.integer(&entry[8..]);
                let Some(value) = self.data.get(offset..offset + size) else {
                    break;
                };
                value
            };
            found.insert(tag, (kind, value));
        }
        found
    }

    fn integer(&self, bytes: &[u8]) -> usize {
        let shift = |number: usize, &byte: &u8| number << 8 | usize::from(byte);
        if self.is_big_endian {
            bytes.iter().fold(0, shift)
        } else {
            bytes.iter().rfold(0, shift)
        }
    }
}

/// Returns the size of a type's element in bytes; 0 for a type that readers skip.
const fn element_size(kind: usize) -> usize {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 => 8,
        _ => 0,
    }
}
