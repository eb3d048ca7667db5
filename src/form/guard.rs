//! What multer would read and another parser could read differently, refused: so that what was checked on the way
//! here, by a firewall for example, is what is stored.
//!
//! multer splits the body. This module takes the boundary out of `Content-Type`, looks at the lines that begin with
//! it, and reads a part's name by the same strict grammar.

use memchr::memmem;
use multer::Field as Part;

use super::FormError;
use super::header_params::HeaderParams;

/// The most parts that a form may have. It documents seven fields; the contract names the number.
pub const MAX_PARTS: usize = 64;

/// The most bytes that a part's headers may take. Real ones take some 200, and a file name on Linux at most 255.
pub(super) const MAX_PART_HEADERS: usize = 8 * 1024;

/// The longest boundary (RFC 2046, section 5.1.1).
pub const MAX_BOUNDARY: usize = 70;

const CONTENT_DISPOSITION: &str = "content-disposition";
const CONTENT_TRANSFER_ENCODING: &str = "content-transfer-encoding";

/// Returns the boundary that a `Content-Type` names.
pub(super) fn boundary(content_type: &str) -> Result<String, FormError> {
    let params = HeaderParams::parse(content_type.as_bytes()).ok_or(FormError::NoBoundary)?;
    if !params.value.eq_ignore_ascii_case(b"multipart/form-data") {
        return Err(FormError::NotMultipart);
    }
    let [boundary] = params.values("boundary")[..] else {
        return Err(FormError::NoBoundary);
    };
    let boundary = str::from_utf8(boundary).map_err(|_| FormError::NoBoundary)?;
    let printable = boundary.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if boundary.is_empty() || boundary.len() > MAX_BOUNDARY || !printable || boundary.ends_with(' ')
    {
        return Err(FormError::NoBoundary);
    }
    Ok(boundary.to_owned())
}

/// Checks the lines that begin with the boundary: where multer looks for them, and that the form ends with the last.
pub(super) fn check_delimiters(body: &[u8], boundary: &str) -> Result<(), FormError> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut parts = 0;
    let mut closed = false;
    for at in memmem::find_iter(body, &delimiter) {
        let (before, after) = (&body[..at], &body[at + delimiter.len()..]);
        if !before.is_empty() && !before.ends_with(b"\r\n") {
            // Inside a line it is data. multer would begin at the first one all the same.
            if parts == 0 && !closed {
                return Err(FormError::AmbiguousBoundary);
            }
            continue;
        }
        if closed {
            return Err(FormError::AmbiguousBoundary);
        }
        if let Some(epilogue) = after.strip_prefix(b"--") {
            closed = true;
            if epilogue
                .first()
                .is_some_and(|byte| !byte.is_ascii_whitespace())
            {
                return Err(FormError::AmbiguousBoundary);
            }
        } else {
            parts += 1;
            if parts > MAX_PARTS {
                return Err(FormError::TooManyParts);
            }
            check_part_headers(after)?;
        }
    }
    if closed {
        Ok(())
    } else {
        Err(FormError::NoClosingBoundary)
    }
}

/// Checks what multer's header map can't tell any more: a header that was repeated, and lines that end in half a line
/// break. `part` starts behind its boundary.
fn check_part_headers(part: &[u8]) -> Result<(), FormError> {
    let window = &part[..part.len().min(MAX_PART_HEADERS)];
    let end = memmem::find(window, b"\r\n\r\n").ok_or(FormError::PartHeaders)?;
    let lines = || window[..end + 2].split_inclusive(|&byte| byte == b'\n');

    let is_plain = |line: &[u8]| {
        line.iter()
            .all(|&byte| byte == b'\t' || !byte.is_ascii_control())
    };
    if !lines().all(|line| line.strip_suffix(b"\r\n").is_some_and(is_plain)) {
        return Err(FormError::PartHeaders);
    }
    for header in [CONTENT_DISPOSITION, CONTENT_TRANSFER_ENCODING] {
        let is_header = |line: &&[u8]| {
            let name = line.split(|&byte| byte == b':').next();
            name.is_some_and(|name| name.eq_ignore_ascii_case(header.as_bytes()))
        };
        if lines().filter(is_header).count() > 1 {
            return Err(FormError::PartHeaders);
        }
    }
    Ok(())
}

/// Returns the name of a part, which must be the only one for every parser.
pub(super) fn name<'a>(part: &'a Part<'_>) -> Result<&'a [u8], FormError> {
    let header = part.headers().get(CONTENT_DISPOSITION);
    let disposition = header.and_then(|header| HeaderParams::parse(header.as_bytes()));
    let disposition = disposition.ok_or(FormError::UnnamedPart)?;
    let is_form_data = disposition.value.eq_ignore_ascii_case(b"form-data");
    // RFC 7578, section 4.2, doesn't allow RFC 5987's `name*` here: parsers differ on it.
    match disposition.values("name")[..] {
        [name] if is_form_data && disposition.values("name*").is_empty() => Ok(name),
        _ => Err(FormError::UnnamedPart),
    }
}

/// Returns whether a part's content is encoded once more. The header is deprecated (RFC 7578, section 4.7); three of
/// its values change nothing.
pub(super) fn is_encoded(part: &Part<'_>) -> bool {
    let Some(encoding) = part.headers().get(CONTENT_TRANSFER_ENCODING) else {
        return false;
    };
    let encoding = encoding.as_bytes().trim_ascii();
    ![&b"7bit"[..], b"8bit", b"binary"]
        .iter()
        .any(|identity| encoding.eq_ignore_ascii_case(identity))
}
