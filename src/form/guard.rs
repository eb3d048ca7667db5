//! Rejects forms that two parsers could read differently, so that what was checked on the way here, by a firewall for
//! example, is what is stored.
//!
//! multer splits the body. This module takes the boundary out of `Content-Type`, looks at the lines that begin with it,
//! and reads a part's name with the same strict grammar.

use memchr::memmem;
use multer::Field as Part;

use super::FormError;
use super::header_params::HeaderParams;

/// The most parts that a form may have. The contract documents seven fields, and states this limit.
pub const MAX_PARTS: usize = 64;

/// The most bytes that a part's headers may take. Real ones take about 200, and a file name on Linux at most 255.
pub(super) const MAX_PART_HEADERS: usize = 8 * 1024;

/// The longest boundary (RFC 2046, section 5.1.1).
pub const MAX_BOUNDARY: usize = 70;

const CONTENT_DISPOSITION: &str = "content-disposition";
const CONTENT_TYPE: &str = "content-type";
const CONTENT_TRANSFER_ENCODING: &str = "content-transfer-encoding";

/// Returns the boundary that a `Content-Type` names.
pub(super) fn boundary(content_type: &str) -> Result<String, FormError> {
    // Payload 2.0 joins two headers with the same name by a comma, which looks the same as a comma in a quoted
    // boundary.
    if content_type.contains(',') {
        return Err(FormError::TwoContentTypes);
    }
    let params = HeaderParams::parse(content_type.as_bytes()).map_err(|_| FormError::NoBoundary)?;
    if !params.value.eq_ignore_ascii_case(b"multipart/form-data") {
        return Err(FormError::NotMultipart);
    }
    let boundary = params.the("boundary").unwrap_or_default();
    let is_printable = boundary.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let has_length = (1..=MAX_BOUNDARY).contains(&boundary.len());
    if !is_printable || !has_length || boundary.ends_with(b" ") {
        return Err(FormError::NoBoundary);
    }
    Ok(String::from_utf8_lossy(boundary).into_owned())
}

/// Checks the lines that begin with the boundary: that they are where multer looks for them, and that the form ends
/// with the last one.
pub(super) fn check_delimiters(body: &[u8], boundary: &str) -> Result<(), FormError> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut parts = 0;
    let mut closed = false;
    let mut starts_inside_line = false;
    for at in memmem::find_iter(body, &delimiter) {
        let (before, after) = (&body[..at], &body[at + delimiter.len()..]);
        if !before.is_empty() && !before.ends_with(b"\r\n") {
            // Other parsers also end a part after half a line break.
            if before.ends_with(b"\n") || before.ends_with(b"\r") {
                return Err(FormError::LineEnds);
            }
            // Inside a line it is data, but multer would start at the first one anyway.
            starts_inside_line |= parts == 0 && !closed;
            continue;
        }
        if closed {
            return Err(FormError::AmbiguousBoundary);
        }
        if let Some(epilogue) = after.strip_prefix(b"--") {
            closed = true;
            let next = epilogue.first();
            if next.is_some_and(|byte| !byte.is_ascii_whitespace()) {
                return Err(FormError::AmbiguousBoundary);
            }
        } else {
            parts += 1;
            if parts > MAX_PARTS {
                return Err(FormError::TooManyParts);
            }
            check_part_headers(after, &delimiter)?;
        }
    }
    if parts == 0 && !closed && is_compressed(body) {
        Err(FormError::Compressed)
    } else if parts == 0 && !closed {
        Err(FormError::BoundaryNotInBody)
    } else if starts_inside_line {
        Err(FormError::AmbiguousBoundary)
    } else if !closed {
        Err(FormError::NoClosingBoundary)
    } else {
        Ok(())
    }
}

/// Returns whether a body starts like gzip, zlib or Zstandard, or like one of them after a gateway turned the body into
/// text.
fn is_compressed(body: &[u8]) -> bool {
    const STARTS: [&[u8]; 6] = [
        b"\x1F\x8B",
        b"\x1F\xEF\xBF\xBD",
        b"x\x9C",
        b"x\xEF\xBF\xBD",
        b"\x28\xB5\x2F\xFD",
        b"\x28\xEF\xBF\xBD\x2F\xEF\xBF\xBD",
    ];
    STARTS.iter().any(|start| body.starts_with(start))
}

/// Checks what multer's header map doesn't show: repeated headers, and lines that end in half a line break. `part`
/// starts after its boundary.
fn check_part_headers(part: &[u8], delimiter: &[u8]) -> Result<(), FormError> {
    let window = &part[..part.len().min(MAX_PART_HEADERS)];
    let end = memmem::find(window, b"\r\n\r\n");
    let headers = end.map_or(window, |end| &window[..end + 2]);
    if has_half_line_break(headers) {
        return Err(FormError::LineEnds);
    }
    if end.is_none() && window.len() == part.len() && memmem::find(part, delimiter).is_none() {
        return Err(FormError::NoClosingBoundary);
    }
    let is_fold = |text: &[u8]| text.starts_with(b"\r\n") && matches!(text[2], b' ' | b'\t');
    if headers.windows(3).any(is_fold) {
        return Err(FormError::FoldedHeader);
    }
    let is_plain = |&byte: &u8| matches!(byte, b'\t' | b'\r' | b'\n') || !byte.is_ascii_control();
    if end.is_none() || !headers.iter().all(is_plain) {
        return Err(FormError::PartHeaders);
    }
    let lines = || headers.split_inclusive(|&byte| byte == b'\n');
    for header in [CONTENT_DISPOSITION, CONTENT_TYPE, CONTENT_TRANSFER_ENCODING] {
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

/// Returns whether a CR or LF is not part of a CRLF. The last byte may be half of one that was cut off.
fn has_half_line_break(text: &[u8]) -> bool {
    let is_half = |pair: &[u8]| (pair[0] == b'\r') != (pair[1] == b'\n');
    text.starts_with(b"\n") || text.windows(2).any(is_half)
}

/// Returns a part's name, which must be the only one that any parser could read.
pub(super) fn name<'a>(part: &'a Part<'_>) -> Result<&'a [u8], FormError> {
    let header = part.headers().get(CONTENT_DISPOSITION);
    let disposition = HeaderParams::parse(header.ok_or(FormError::UnnamedPart)?.as_bytes())?;
    if !disposition.value.eq_ignore_ascii_case(b"form-data") {
        return Err(FormError::NotFormData);
    }
    let name = disposition.the("name").filter(|name| !name.is_empty());
    name.ok_or(FormError::UnnamedPart)
}

/// Returns the name of the encoding that a part's content has on top of its own. The header is deprecated (RFC 7578,
/// section 4.7); three of its values change nothing.
pub(super) fn encoding(part: &Part<'_>) -> Option<&'static str> {
    let header = part.headers().get(CONTENT_TRANSFER_ENCODING)?;
    let encoding = header.as_bytes().trim_ascii();
    let is = |name: &&str| encoding.eq_ignore_ascii_case(name.as_bytes());
    if ["7bit", "8bit", "binary"].iter().any(is) {
        return None;
    }
    let known = ["base64", "quoted-printable"].into_iter().find(is);
    Some(known.unwrap_or("not 7bit, 8bit or binary"))
}

/// Returns whether a part says that it contains other parts or a message: other parsers would look inside.
pub(super) fn is_nested(part: &Part<'_>) -> bool {
    let content_type = part.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| {
        let mut types = value.as_bytes().split(|&byte| byte == b'/');
        let kind = types.next().unwrap_or_default().trim_ascii();
        kind.eq_ignore_ascii_case(b"multipart") || kind.eq_ignore_ascii_case(b"message")
    })
}
