//! What callers send by mistake in place of an image's Base64, recognized so that the refusal says what to change. Only
//! refused texts are looked at.

mod looks;

use self::looks::{is_hex, is_list_of_numbers, is_mangled, is_placeholder, is_reference, is_utf16};
use super::base64::without_prefix;
use super::{base64, foreign};
use crate::domain::{QUOTES, is_invisible};

/// How much of a text is looked at where its beginning says enough, in bytes.
const MAX_HEAD: usize = 1024;

/// A mistake: what the caller reads, and whether a text shows it.
type Hint = (&'static str, fn(&Refused) -> bool);

/// All that are recognized. The first that applies is the one that the caller reads.
const HINTS: [Hint; 28] = [
    ("UTF-16 text: save the Base64 as ASCII or UTF-8", |it| {
        is_utf16(it.content)
    }),
    (
        "not Base64: send the image's Base64 text, not the image itself",
        |it| it.is_image_itself(),
    ),
    ("has an invisible character", |it| {
        it.offending.starts_with(is_invisible) && !it.offending.starts_with('\t')
            // A byte order mark, encoded as UTF-8 twice.
            || it.head.starts_with("\u{EF}\u{BB}\u{BF}")
    }),
    ("the data: URL is empty", |it| it.is_empty_url()),
    ("two data: prefixes: send one, or none", |it| {
        starts_with(it.content, "data:") && it.has_prefix
    }),
    ("the data: URL has no ;base64, before its content", |it| {
        starts_with(it.content, "data:")
    }),
    (
        "PEM lines (-----BEGIN): send the Base64 between them",
        |it| it.head.contains("-----BEGIN"),
    ),
    (
        "the name of a program's object, such as [object Object] or null, not its content",
        |it| is_placeholder(&it.head) || is_placeholder(&it.decoded_head),
    ),
    ("a list of numbers: encode the bytes as Base64", |it| {
        is_list_of_numbers(&it.head) || is_list_of_numbers(&it.decoded_head)
    }),
    ("hexadecimal: encode the bytes as Base64", |it| {
        is_hex(&it.head) || is_hex(&it.decoded_head)
    }),
    (
        "a Python bytes literal (b'...'): decode it to a str",
        |it| it.head.starts_with("b'") || it.head.starts_with("b\""),
    ),
    ("in quotation marks", |it| {
        it.head.starts_with(QUOTES) || it.tail.ends_with(QUOTES)
    }),
    ("JSON or XML around the Base64", |it| {
        it.head.starts_with(['{', '[']) || (it.head.starts_with('<') && it.head.contains('>'))
    }),
    ("the name of a file, not its content", |it| {
        is_reference(&it.head)
    }),
    (
        "an incomplete data: prefix: send a whole one, or none",
        |it| it.head.to_ascii_lowercase().contains("base64,"),
    ),
    ("encoded as Base64 twice", |it| it.is_encoded_twice()),
    (
        "the image was read as text before it was encoded: read the file as bytes",
        |it| is_mangled(&it.decoded),
    ),
    ("an escaped slash (\\/): decode the JSON first", |it| {
        it.offending.starts_with("\\/")
    }),
    ("an escaped line break (\\n): decode the text first", |it| {
        it.offending.starts_with("\\n") || it.offending.starts_with("\\r")
    }),
    ("an escape such as \\u003d: decode the JSON first", |it| {
        it.offending.starts_with("\\u")
    }),
    ("a backslash: decode the text first", |it| {
        it.offending.starts_with('\\')
    }),
    ("percent-encoded (%2B): send a multipart form", |it| {
        it.offending.starts_with('%') && are_hex_digits(it.offending.get(1..3))
    }),
    ("an HTML entity such as &#43;: decode it first", |it| {
        it.offending.starts_with('&')
    }),
    (
        "the URL-safe alphabet (- and _): use the standard one (+ and /)",
        |it| it.is_url_safe(),
    ),
    (
        "a blank inside the Base64, perhaps a + that was encoded wrongly",
        |it| it.offending.starts_with([' ', '\t']),
    ),
    (
        "padding (=) inside or too much: quoted-printable, or several texts in a row",
        |it| it.offending.starts_with('='),
    ),
    ("the Base64 is cut off", |it| it.is_cut_off()),
    ("the beginning of the Base64 is missing", |it| {
        let starts = ["9j/", "j/4", "VBORw0KGgo", "BORw0KGgo", "Rw0KGgo"];
        starts.iter().any(|start| it.head.starts_with(start))
    }),
];

/// Finds what is most likely wrong with a field's text that holds no image.
pub(super) fn find(text: &[u8]) -> Option<&'static str> {
    let refused = Refused::new(text);
    let hint = HINTS.iter().find(|(_, applies)| applies(&refused));
    hint.map(|(hint, _)| *hint)
}

/// A text that holds no image, and what the hints look at.
struct Refused<'a> {
    has_prefix: bool,
    /// The text, without its `data:` prefix.
    content: &'a [u8],
    /// The beginning of the content.
    head: String,
    /// The end of the content.
    tail: String,
    /// What begins with the first character that can't be where it is.
    offending: String,
    /// What the beginning of the content before that decodes to.
    decoded: Vec<u8>,
    /// The same as text.
    decoded_head: String,
}

impl<'a> Refused<'a> {
    fn new(text: &'a [u8]) -> Self {
        let content = without_prefix(text);
        let (base64, offending) = content.split_at(first_offending(content));
        let symbols = base64.iter().copied().filter(|&byte| is_symbol(byte));
        let symbols: Vec<u8> = symbols.take(MAX_HEAD).collect();
        let whole = &symbols[..symbols.len() - usize::from(symbols.len() % 4 == 1)];
        let decoded = base64::decode(whole).unwrap_or_default();
        Self {
            has_prefix: content.len() < text.len(),
            content,
            head: lossy(content),
            tail: lossy(&content[content.len().saturating_sub(4)..]),
            offending: lossy(offending),
            decoded_head: lossy(&decoded),
            decoded,
        }
    }

    /// Returns whether it is a file's content, as bytes or as what became of them in a UTF-8 text.
    fn is_image_itself(&self) -> bool {
        let is_foreign = foreign::name(self.content).is_some() && !self.offending.is_empty();
        let starts = [&b"\xFF\xD8"[..], b"\x89PNG"];
        let is_image = starts.iter().any(|start| self.content.starts_with(start));
        is_foreign || is_image || is_mangled(self.content)
    }

    fn is_empty_url(&self) -> bool {
        (self.has_prefix && self.content.is_empty())
            || (starts_with(self.content, "data:") && self.content.ends_with(b","))
    }

    /// Returns whether it decodes to Base64, be it UTF-16, with a `data:` prefix or in quotation marks.
    fn is_encoded_twice(&self) -> bool {
        let is_base64 = |&byte: &u8| is_symbol(byte) || b"=\r\n".contains(&byte);
        let is_long = self.decoded.len() >= 16;
        let decoded = self.decoded_head.trim_start_matches(QUOTES);
        is_long && self.decoded.iter().all(is_base64)
            || is_utf16(&self.decoded)
            || starts_with(decoded.as_bytes(), "data:")
            || decoded.starts_with("/9j/")
            || decoded.starts_with("iVBORw0KGgo")
    }

    fn is_url_safe(&self) -> bool {
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=\r\n".contains(byte);
        self.offending.starts_with(['-', '_']) && self.content.iter().all(is_base64)
    }

    /// Returns whether it begins as a JPEG's or a PNG's Base64, and then ends in the middle.
    fn is_cut_off(&self) -> bool {
        let symbols = self.content.iter().copied().filter(|&byte| is_symbol(byte));
        let start: Vec<u8> = symbols.take(11).collect();
        let is_start = |of: &&[u8]| start.starts_with(of) || of.starts_with(&start);
        let is_image = [&b"/9j"[..], b"iVBORw0KGgo"].iter().any(is_start);
        let ends = self.offending.is_empty() || self.offending.starts_with(['.', '\u{2026}']);
        is_image && ends && !start.is_empty()
    }
}

/// Returns where the first character is that can't be in Base64, or the first `=` of misplaced padding; the length if
/// there is none.
fn first_offending(text: &[u8]) -> usize {
    let is_line_break = |byte: u8| byte == b'\r' || byte == b'\n';
    let is_base64 = |&byte: &u8| is_symbol(byte) || byte == b'=' || is_line_break(byte);
    if let Some(at) = text.iter().position(|byte| !is_base64(byte)) {
        return at;
    }
    let Some(at) = text.iter().position(|&byte| byte == b'=') else {
        return text.len();
    };
    let (rest, is_padding) = (&text[at..], |byte: &&u8| **byte == b'=');
    let is_end = rest.iter().filter(is_padding).count() <= 2;
    if is_end && !rest.iter().copied().any(is_symbol) {
        text.len()
    } else {
        at
    }
}

fn is_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

fn are_hex_digits(digits: Option<&str>) -> bool {
    digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn starts_with(text: &[u8], start: &str) -> bool {
    let head = text.get(..start.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

/// Returns the beginning of a text; what isn't UTF-8 is replaced.
fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(MAX_HEAD)]).into_owned()
}
