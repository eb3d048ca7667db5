//! Markers and segments (T.81, B.1.1), where libjpeg and Pillow find them.

use super::{DQT, JpegError, SOS};

/// Splits off the next marker. Readers skip what comes before it: fill bytes, and any bytes that aren't a marker.
pub(super) fn next_marker(mut file: &[u8]) -> Result<(u8, &[u8]), JpegError> {
    loop {
        let at = memchr::memchr(0xFF, file).ok_or(JpegError::Cut)?;
        let ones = file[at..].iter().take_while(|&&byte| byte == 0xFF).count();
        let (&marker, rest) = file[at + ones..].split_first().ok_or(JpegError::Cut)?;
        if marker != 0 {
            return Ok((marker, rest));
        }
        file = rest;
    }
}

/// Splits off a marker's segment, without its length (T.81, B.1.1.4). A second start of image and reserved markers have
/// none; readers refuse them.
pub(super) fn split(marker: u8, file: &[u8]) -> Result<(&[u8], &[u8]), JpegError> {
    let has_segment =
        matches!(marker, 0xC0..=0xC7 | 0xC9..=0xCF | SOS | DQT..=0xDE | 0xE0..=0xEF | 0xF7 | 0xFE);
    if !has_segment {
        return Err(JpegError::Damaged);
    }
    let (length, _) = file.split_first_chunk().ok_or(JpegError::Cut)?;
    let length = match u16::from_be_bytes(*length) {
        // Readers skip these, and nothing more than the length.
        0 | 1 if matches!(marker, 0xE0..=0xEF | 0xFE) => 2,
        0 | 1 => return Err(JpegError::Damaged),
        length => usize::from(length),
    };
    let (segment, rest) = file.split_at_checked(length).ok_or(JpegError::Cut)?;
    Ok((&segment[2..], rest))
}

/// Skips a scan's entropy-coded data up to the marker that ends it (T.81, B.1.1.5): in the data, 0xFF is followed by a
/// stuffed zero, or it is a restart marker.
pub(super) fn skip_entropy_coded(data: &[u8]) -> Result<&[u8], JpegError> {
    for at in memchr::memchr_iter(0xFF, data) {
        match data.get(at + 1).ok_or(JpegError::Cut)? {
            // The last is a fill byte before a marker, which comes next.
            0x00 | 0xD0..=0xD7 | 0xFF => {}
            _ => return Ok(&data[at..]),
        }
    }
    Err(JpegError::Cut)
}

/// Checks the application segments that Pillow gives up on if they are too short.
pub(super) fn check_application(marker: u8, segment: &[u8]) -> Result<(), JpegError> {
    let shortest = match marker {
        0xE0 if segment.starts_with(b"JFIF") => 7,
        0xE2 if segment.starts_with(b"ICC_PROFILE\0") => 14,
        0xEE if segment.starts_with(b"Adobe") => 7,
        0xED if segment.starts_with(b"Photoshop 3.0\0") => return check_photoshop(&segment[14..]),
        _ => 0,
    };
    if segment.len() < shortest {
        return Err(JpegError::Damaged);
    }
    Ok(())
}

/// Checks that none of Photoshop's resources ends before its name.
fn check_photoshop(mut resources: &[u8]) -> Result<(), JpegError> {
    let mut at = 14;
    while let Some([_, _, rest @ ..]) = resources.strip_prefix(b"8BIM") {
        let (&name, rest) = rest.split_first().ok_or(JpegError::Damaged)?;
        at += 7 + usize::from(name);
        let pad = at % 2;
        let Some((size, rest)) = rest
            .get(usize::from(name) + pad..)
            .and_then(<[u8]>::split_first_chunk)
        else {
            return Ok(());
        };
        let size = u32::from_be_bytes(*size) as usize;
        at += pad + 4 + size;
        let skipped = size + at % 2;
        at += at % 2;
        resources = rest.get(skipped..).unwrap_or_default();
    }
    Ok(())
}
