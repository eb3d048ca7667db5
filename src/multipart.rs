//! `multipart/form-data` (RFC 7578, RFC 2046 section 5.1): a body to its parts, where they stand
//! in the body. It knows nothing of which fields there are. Whatever two parsers could read in two
//! ways is refused, so that what is checked is what is stored.

use std::ops::Range;

use memchr::memmem;

use crate::error::Reason;
use crate::parameters::{Parameters, is_token};

/// More parts than any caller sends: the form documents seven fields. The contract names the number.
pub const MAX_PARTS: usize = 64;

/// The bytes that one part's headers may take. Real ones take some 200; the longest file name that
/// Linux allows is 255 bytes.
pub const MAX_PART_HEADERS: usize = 8 * 1024;

/// The longest boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// One part of a form.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The field's name, without its quotes.
    pub name: &'a [u8],
    /// Where the part's content stands in the body.
    pub content: Range<usize>,
    /// Whether a `Content-Transfer-Encoding` says that the content is not what it looks like.
    pub encoded: bool,
}

/// Splits a body into its parts.
///
/// # Errors
///
/// A [`Reason`] if the content type is not a form's, or the body is not a well-formed form with a
/// closing boundary and at most [`MAX_PARTS`] parts.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, Reason> {
    let dash_boundary = dash_boundary(content_type)?;
    let mut parts = Vec::new();
    let mut part_start = None;
    let mut closed = false;
    for at in memmem::find_iter(body, &dash_boundary) {
        match &body[..at] {
            [] | [.., b'\r', b'\n'] => {}
            // Some parsers take this for a boundary: what is behind it would be another's field.
            [.., b'\r' | b'\n'] => return Err(Reason::AmbiguousBoundary),
            // Inside a line it is none for anybody.
            _ => continue,
        }
        if closed {
            return Err(Reason::AmbiguousBoundary);
        }
        if let Some(start) = part_start {
            // The line end before a boundary is the boundary's, so that an empty part has none.
            let end = at
                .checked_sub(2)
                .filter(|end| start <= *end)
                .ok_or(Reason::UnnamedPart)?;
            if parts.len() == MAX_PARTS {
                return Err(Reason::TooManyParts);
            }
            parts.push(parse_part(body, start..end)?);
        }
        let rest = &body[at + dash_boundary.len()..];
        if let Some(epilogue) = rest.strip_prefix(b"--") {
            closed = true;
            if epilogue
                .first()
                .is_some_and(|byte| !byte.is_ascii_whitespace())
            {
                return Err(Reason::AmbiguousBoundary);
            }
        } else {
            let padding = rest
                .iter()
                .take_while(|&&byte| byte == b' ' || byte == b'\t')
                .count();
            match &rest[padding..] {
                [b'\r', b'\n', ..] => part_start = Some(body.len() - rest.len() + padding + 2),
                [] => return Err(Reason::NoClosingBoundary),
                _ => return Err(Reason::AmbiguousBoundary),
            }
        }
    }
    if closed {
        Ok(parts)
    } else {
        Err(Reason::NoClosingBoundary)
    }
}

/// The two hyphens and the boundary that stand before each part.
fn dash_boundary(content_type: &str) -> Result<Vec<u8>, Reason> {
    let content_type = Parameters::parse(content_type.as_bytes()).ok_or(Reason::NoBoundary)?;
    if !content_type
        .value
        .eq_ignore_ascii_case(b"multipart/form-data")
    {
        return Err(Reason::NotMultipart);
    }
    let boundary = content_type.only("boundary").ok_or(Reason::NoBoundary)?;
    let printable = boundary.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if boundary.is_empty()
        || boundary.len() > MAX_BOUNDARY
        || !printable
        || boundary.ends_with(b" ")
    {
        return Err(Reason::NoBoundary);
    }
    Ok([b"--", boundary].concat())
}

/// Splits the part that stands there into its headers and its content.
fn parse_part(body: &[u8], range: Range<usize>) -> Result<Part<'_>, Reason> {
    let part = &body[range.clone()];
    let window = &part[..part.len().min(MAX_PART_HEADERS)];
    let (headers, content) = match memmem::find(window, b"\r\n\r\n") {
        Some(end) => (&part[..end], range.start + end + 4..range.end),
        // A part may end right after its headers: the blank line's end is the boundary's.
        None if part.len() <= MAX_PART_HEADERS => (
            part.strip_suffix(b"\r\n")
                .ok_or(Reason::MalformedPartHeaders)?,
            range.end..range.end,
        ),
        None => return Err(Reason::MalformedPartHeaders),
    };
    let (name, encoded) = parse_headers(headers)?;
    Ok(Part {
        name,
        content,
        encoded,
    })
}

/// The `name` of a part's `Content-Disposition`, the only header that a part must have, and whether its
/// content is encoded.
fn parse_headers(headers: &[u8]) -> Result<(&[u8], bool), Reason> {
    let mut name = None;
    let mut encoded = false;
    let mut lines = headers;
    while !lines.is_empty() {
        let end = memmem::find(lines, b"\r\n").unwrap_or(lines.len());
        let (header, value) = parse_header(&lines[..end])?;
        lines = lines.get(end + 2..).unwrap_or_default();

        if header.eq_ignore_ascii_case(b"Content-Disposition") {
            let disposition = Parameters::parse(value).ok_or(Reason::UnnamedPart)?;
            // `name*` is RFC 5987's, which RFC 7578 doesn't allow here: parsers differ on it.
            let form_data =
                disposition.value.eq_ignore_ascii_case(b"form-data") && !disposition.has("name*");
            let only = disposition
                .only("name")
                .filter(|_| form_data && name.is_none());
            name = Some(only.ok_or(Reason::UnnamedPart)?);
        } else if header.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            // Deprecated by RFC 7578, section 4.7. These three change nothing.
            let identity = ["7bit", "8bit", "binary"];
            encoded |= !identity
                .iter()
                .any(|encoding| value.eq_ignore_ascii_case(encoding.as_bytes()));
        }
    }
    Ok((name.ok_or(Reason::UnnamedPart)?, encoded))
}

/// A header line's name and value. A folded line, a control character or a blank before the colon
/// is refused: parsers differ on each.
fn parse_header(line: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    let colon = memchr::memchr(b':', line).ok_or(Reason::MalformedPartHeaders)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if name.is_empty() || !name.iter().copied().all(is_token) || value.iter().any(control) {
        return Err(Reason::MalformedPartHeaders);
    }
    Ok((name, value.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::{MAX_PARTS, parts};
    use crate::error::Reason;

    const TYPE: &str = "multipart/form-data; boundary=b";

    fn part(name: &str, content: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    }

    #[track_caller]
    fn assert_parts(content_type: &str, body: &str, expected: &[(&str, &str)]) {
        let parts = parts(content_type, body.as_bytes()).expect(body);
        let found: Vec<_> = parts
            .iter()
            .map(|p| {
                (
                    std::str::from_utf8(p.name).unwrap(),
                    &body.as_bytes()[p.content.clone()],
                )
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, content)| (*name, content.as_bytes()))
            .collect();
        assert_eq!(found, expected, "{body}");
    }

    #[track_caller]
    fn assert_refused(content_type: &str, body: &str, reason: Reason) {
        assert_eq!(parts(content_type, body.as_bytes()), Err(reason), "{body}");
    }

    #[test]
    fn accepts_what_clients_send() {
        let form = part("a", "1") + &part("c", "") + "--b--";
        assert_parts(TYPE, &form, &[("a", "1"), ("c", "")]);
        assert_parts(
            "Multipart/Form-Data; charset=utf-8; Boundary=\"b\"",
            &form,
            &[("a", "1"), ("c", "")],
        );
        assert_parts(
            TYPE,
            &format!("preamble\r\n{form}\r\nepilogue"),
            &[("a", "1"), ("c", "")],
        );
        assert_parts(TYPE, &format!("\r\n{form}\r\n"), &[("a", "1"), ("c", "")]);
        assert_parts(
            TYPE,
            &(part("a", "1").replace("--b\r\n", "--b \t\r\n") + "--b-- \r\n"),
            &[("a", "1")],
        );
        assert_parts(
            TYPE,
            &(part("a", "x--b\r\n--a--b--") + "--b-- x--b"),
            &[("a", "x--b\r\n--a--b--")],
        );
        assert_parts(TYPE, "--b--\r\n", &[]);
        assert_parts(
            TYPE,
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\ncontent-disposition:form-data;name=a\r\n\r\n--b--",
            &[("a", "")],
        );
    }

    #[test]
    fn refuses_content_types_without_one_boundary() {
        assert_refused("text/plain; boundary=b", "--b--", Reason::NotMultipart);
        assert_refused("", "--b--", Reason::NotMultipart);
        assert_refused("multipart/form-data", "--b--", Reason::NoBoundary);
        assert_refused(
            "multipart/form-data; boundary=",
            "--b--",
            Reason::NoBoundary,
        );
        assert_refused(
            "multipart/form-data; boundary=b; boundary=c",
            "--b--",
            Reason::NoBoundary,
        );
        let long = "b".repeat(71);
        assert_refused(
            &format!("multipart/form-data; boundary={long}"),
            &format!("--{long}--"),
            Reason::NoBoundary,
        );
    }

    #[test]
    fn refuses_bodies_that_end_early_or_go_on() {
        assert_refused(TYPE, "", Reason::NoClosingBoundary);
        assert_refused(TYPE, "no boundary", Reason::NoClosingBoundary);
        assert_refused(TYPE, &part("a", "1"), Reason::NoClosingBoundary);
        assert_refused(TYPE, &(part("a", "1") + "--b"), Reason::NoClosingBoundary);
        assert_refused(TYPE, &(part("a", "1") + "--b-"), Reason::AmbiguousBoundary);
        assert_refused(
            TYPE,
            &(part("a", "1") + "--bc--"),
            Reason::AmbiguousBoundary,
        );
        assert_refused(
            TYPE,
            &(part("a", "1") + "--b--c"),
            Reason::AmbiguousBoundary,
        );
        assert_refused(
            TYPE,
            &(part("a", "1") + "--b--\r\n" + &part("c", "2") + "--b--"),
            Reason::AmbiguousBoundary,
        );
        assert_refused(
            TYPE,
            &(part("a", "1") + "--b--").replace("\r\n", "\n"),
            Reason::AmbiguousBoundary,
        );
    }

    #[test]
    fn refuses_boundaries_behind_half_a_line_end() {
        let form = part("c", "2") + "--b--";
        for half in ["\n", "\r", "x\n", "x\r", "x\r\n\n"] {
            assert_refused(TYPE, &format!("{half}{form}"), Reason::AmbiguousBoundary);
            assert_refused(
                TYPE,
                &(part("a", &format!("1{half}--b\r\n")) + &form),
                Reason::AmbiguousBoundary,
            );
            assert_refused(TYPE, &format!("{form}{half}--b"), Reason::AmbiguousBoundary);
        }
    }

    #[test]
    fn a_part_without_headers_does_not_swallow_the_next() {
        let next = part("a", "1") + "--b--";
        assert_refused(TYPE, &format!("--b\r\n{next}"), Reason::UnnamedPart);
        assert_refused(
            TYPE,
            &format!("--b\r\n\r\n{next}"),
            Reason::MalformedPartHeaders,
        );
        assert_refused(
            TYPE,
            &format!("--b\r\n\r\nx\r\n{next}"),
            Reason::MalformedPartHeaders,
        );
        assert_refused(TYPE, &format!("--b\r\n\r\n\r\n{next}"), Reason::UnnamedPart);
    }

    #[test]
    fn refuses_headers_that_parsers_read_differently() {
        for (headers, reason) in [
            ("Content-Disposition: form-data", Reason::UnnamedPart),
            (
                "Content-Disposition: attachment; name=a",
                Reason::UnnamedPart,
            ),
            (
                "Content-Disposition: form-data; name=a; name=c",
                Reason::UnnamedPart,
            ),
            (
                "Content-Disposition: form-data; name=a; name*=utf-8''c",
                Reason::UnnamedPart,
            ),
            (
                "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=c",
                Reason::UnnamedPart,
            ),
            (
                "Content-Disposition: form-data; name=a\r\n ; name=c",
                Reason::MalformedPartHeaders,
            ),
            (
                "Content-Disposition : form-data; name=a",
                Reason::MalformedPartHeaders,
            ),
            (
                "Content-Disposition: form-data; name=\"a\0\"",
                Reason::MalformedPartHeaders,
            ),
            (
                "Content-Disposition: form-data; name=a\nX: y",
                Reason::MalformedPartHeaders,
            ),
            (
                "Content-Disposition: form-data; name=a\r\nno colon",
                Reason::MalformedPartHeaders,
            ),
            ("Content-Type: text/plain", Reason::UnnamedPart),
        ] {
            assert_refused(TYPE, &format!("--b\r\n{headers}\r\n\r\n1\r\n--b--"), reason);
        }
        let many = "X-Header: value\r\n".repeat(10_000);
        let form = format!("--b\r\n{many}Content-Disposition: form-data; name=a\r\n\r\n1\r\n--b--");
        assert_refused(TYPE, &form, Reason::MalformedPartHeaders);
    }

    #[test]
    fn notes_an_encoding() {
        for (encoding, encoded) in [
            ("7bit", false),
            ("8BIT", false),
            ("binary", false),
            ("base64", true),
            ("x", true),
        ] {
            let headers = format!(
                "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: {encoding}"
            );
            let form = format!("--b\r\n{headers}\r\n\r\n1\r\n--b--");
            assert_eq!(
                parts(TYPE, form.as_bytes()).map(|parts| parts[0].encoded),
                Ok(encoded),
                "{encoding}"
            );
        }
    }

    #[test]
    fn counts_parts() {
        let most = part("a", "1").repeat(MAX_PARTS) + "--b--";
        assert_eq!(
            parts(TYPE, most.as_bytes()).map(|parts| parts.len()),
            Ok(MAX_PARTS)
        );
        assert_refused(
            TYPE,
            &(part("a", "1").repeat(MAX_PARTS + 1) + "--b--"),
            Reason::TooManyParts,
        );
    }
}
