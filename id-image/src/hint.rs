//! What callers send by mistake in place of an image's Base64, recognized so that the refusal says what to change. Only
//! the beginning of a text is looked at where that is enough.

use super::base64::{self, without_prefix};
use super::foreign;
use super::text::{QUOTES, is_invisible};

/// How many line ends are no coincidence. A JPEG of 8 KB has about as many.
const MIN_LINE_ENDS: usize = 32;

/// How many bytes count as the beginning of a text.
const MAX_HEAD: usize = 1024;

/// The smallest image, a PNG of one pixel, has 67 bytes, which are 90 characters.
const MIN_IMAGE: usize = 90;

/// What happened to a file that went through a text.
pub(super) const MANGLED: &str =
    "the image was read as text before it was encoded: read the file as bytes";

/// How the Base64 of a JPEG and of a PNG begins.
const STARTS: [&str; 2] = ["/9j/", "iVBORw0KGgo"];

/// Finds what is most likely wrong with a field's text that holds no image: first by what the text is as a whole, then by
/// the first character that can't be in Base64.
pub(super) fn find(text: &[u8]) -> Option<&'static str> {
    let it = Refused::new(text);
    Some(match it.offending {
        _ if is_utf16(it.content) => "UTF-16 text: save the Base64 as ASCII or UTF-8",
        _ if it.is_file() => "not Base64: send the image's Base64 text, not the image itself",
        _ if it.is_invisible() => "has an invisible character",
        _ if it.is_empty_url() => "the data: URL is empty",
        _ if it.is_url() && it.has_prefix => "two data: prefixes: send one, or none",
        _ if it.is_url() => "the data: URL has no ;base64, before its content",
        _ if it.head.contains("-----BEGIN") => "PEM lines: send the Base64 between them",
        _ if it.is_encoded(is_hex) => "hexadecimal: encode the bytes as Base64",
        _ if it.is_encoded_twice() => "encoded as Base64 twice",
        _ if is_mangled(&it.decoded) => MANGLED,
        _ if it.is_reference() => "the name of a file, not its content",
        _ if it.is_python() => "a Python bytes literal (b'...'): decode it to a str",
        _ if it.is_quoted() => "in quotation marks",
        _ if it.is_short() => {
            "too short for an image: a path, null, [object Object], {{name}} or the like"
        }
        _ if it.is_encoded(is_numbers) => "a list of numbers: encode the bytes as Base64",
        [b'\\', b'/', ..] => "an escaped slash (\\/): decode the JSON first",
        [b'\\', b'n' | b'r', ..] => "an escaped line break (\\n): decode the text first",
        [b'\\', b'u', ..] => "an escape such as \\u003d: decode the JSON first",
        [b'\\', ..] => "a backslash: decode the text first",
        [b'%', digit, ..] if digit.is_ascii_hexdigit() => {
            "percent-encoded (%2B): send the Base64 as it is"
        }
        [b'&', entity @ ..] if entity.iter().take(8).any(|&byte| byte == b';') => {
            "an HTML entity such as &#43;: decode it first"
        }
        [b';' | b',', ..] if it.head.contains("base64,") => {
            "an incomplete data: prefix: send a whole one, or none"
        }
        _ if it.is_wrapped() => "text around the Base64, such as JSON, HTML or CSS: remove it",
        [b'-' | b'_', ..] if it.is_url_safe() => {
            "the URL-safe alphabet (- and _): use the standard one (+ and /)"
        }
        [b' ' | b'\t', ..] if it.is_indented() => {
            "whitespace at a line's start or end: indentation, or a + decoded as a space"
        }
        [b'\t', ..] => "a tab inside the Base64: remove it",
        [b' ', ..] if it.begins() => "whitespace inside the Base64, perhaps a + decoded as a space",
        [b'=', ..] => "misplaced padding (=): quoted-printable, or several texts in a row",
        _ if it.has_no_beginning() => "the beginning of the Base64 is missing",
        _ if it.is_cut_off() => "the Base64 is cut off",
        _ => return None,
    })
}

/// A text that holds no image, and what the hints look at.
struct Refused<'a> {
    has_prefix: bool,
    /// The text, without its `data:` prefix.
    content: &'a [u8],
    /// The beginning of the content.
    head: String,
    /// The rest of the content, from the first character that can't be where it is.
    offending: &'a [u8],
    /// What the content before that decodes to, or its beginning.
    decoded: Vec<u8>,
    /// The same as text.
    decoded_head: String,
}

impl<'a> Refused<'a> {
    fn new(text: &'a [u8]) -> Self {
        let content = without_prefix(text);
        let offending = offending(content);
        let base64 = content[..content.len() - offending.len()].iter().copied();
        let symbols = base64.filter(|&byte| is_symbol(byte));
        let mut symbols: Vec<u8> = symbols.take(MAX_HEAD).collect();
        if symbols.len() % 4 == 1 {
            symbols.pop();
        }
        let decoded = base64::decode(&symbols).unwrap_or_default();
        Self {
            has_prefix: content.len() < text.len(),
            content,
            head: lossy(content),
            offending,
            decoded_head: lossy(&decoded),
            decoded,
        }
    }

    /// Returns whether it is a file's content, as bytes or as what a UTF-8 text made of them.
    fn is_file(&self) -> bool {
        let is_foreign = foreign::name(self.content).is_some() && !self.offending.is_empty();
        let is_image =
            self.content.starts_with(b"\xFF\xD8") || self.content.starts_with(b"\x89PNG");
        let is_base64 = self.offending.len() < self.content.len();
        is_foreign || is_image || !is_base64 && is_mangled(self.content)
    }

    fn is_invisible(&self) -> bool {
        let first = lossy(self.offending).chars().next();
        // A byte order mark that was encoded as UTF-8 twice is visible.
        first.is_some_and(|char| is_invisible(char) && char != '\t')
            || self.head.starts_with("\u{EF}\u{BB}\u{BF}")
    }

    fn is_url(&self) -> bool {
        starts_with(self.content, "data:")
    }

    fn is_empty_url(&self) -> bool {
        self.has_prefix && self.content.is_empty() || self.is_url() && self.content.ends_with(b",")
    }

    /// Returns whether it is written in the given way, or decodes to something that is.
    fn is_encoded(&self, way: fn(&str) -> bool) -> bool {
        way(&self.head) || way(&self.decoded_head)
    }

    /// Returns whether it is a path, an address, or curl's `@file`.
    fn is_reference(&self) -> bool {
        let is_scheme = |char: char| char.is_ascii_alphanumeric() || "+-.:".contains(char);
        let scheme = self.head.split_once("://").map(|(scheme, _)| scheme);
        let (_, extension) = self.head.rsplit_once('.').unwrap_or_default();
        // A class name mixes upper and lower case: System.Drawing.Bitmap. An e-mail address isn't a file.
        let is_extension = (2..=6).contains(&extension.len())
            && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (extension.to_lowercase() == extension || extension.to_uppercase() == extension);
        self.head.starts_with('@')
            || self.head.starts_with('/') && !self.begins()
            || scheme.is_some_and(|scheme| scheme.chars().all(is_scheme))
            || is_extension && !self.head.contains('@') && self.content.len() <= MAX_HEAD
    }

    fn is_python(&self) -> bool {
        self.head.starts_with("b'") || self.head.starts_with("b\"")
    }

    fn is_quoted(&self) -> bool {
        let tail = lossy(&self.content[self.content.len().saturating_sub(4)..]);
        self.head.starts_with(QUOTES) || tail.ends_with(QUOTES)
    }

    /// Returns whether it is what a program writes for a value that is missing or isn't text. None of these is padded.
    fn is_short(&self) -> bool {
        self.content.len() < MIN_IMAGE && !self.content.ends_with(b"=") && !self.begins()
    }

    /// Returns whether it decodes to Base64, even as UTF-16, with a `data:` prefix or in quotation marks.
    fn is_encoded_twice(&self) -> bool {
        let is_base64 = |&byte: &u8| is_symbol(byte) || b"=\r\n".contains(&byte);
        self.decoded.len() >= 16 && self.decoded.iter().all(is_base64)
            || is_utf16(&self.decoded)
            || holds_base64(&self.decoded_head)
    }

    fn is_wrapped(&self) -> bool {
        let is_wrapped = self.head.starts_with(['{', '[', '<']) || holds_base64(&self.head);
        is_wrapped && !self.offending.is_empty() && !self.begins()
    }

    fn is_url_safe(&self) -> bool {
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=\r\n".contains(byte);
        self.content.iter().all(is_base64)
    }

    /// Returns whether there is whitespace around lines, and none inside.
    fn is_indented(&self) -> bool {
        let mut lines = self.content.split(|byte| b"\r\n".contains(byte));
        lines.all(|line| !line.trim_ascii().iter().any(|byte| b" \t".contains(byte)))
    }

    /// Returns whether it begins like the Base64 of a JPEG or PNG, or is the start of one.
    fn begins(&self) -> bool {
        let visible = self.head.chars().filter(|char| !char.is_whitespace());
        let start: String = visible.take(11).collect();
        let is_start = |of: &str| start.starts_with(of) || of.starts_with(&start);
        !start.is_empty() && STARTS.into_iter().any(is_start)
    }

    fn is_cut_off(&self) -> bool {
        let ends = ["", "...", "\u{2026}"].map(str::as_bytes);
        let is_cut_inside_a_byte = count_symbols(self.content) % 4 == 1;
        ends.contains(&self.offending) && (self.begins() || is_cut_inside_a_byte)
    }

    fn has_no_beginning(&self) -> bool {
        let starts = ["9j/", "j/4", "VBORw0KGgo", "BORw0KGgo", "Rw0KGgo"];
        starts.iter().any(|start| self.head.starts_with(start))
    }
}

/// Returns what begins with the first character that can't be in Base64, or with the first `=` of misplaced padding.
fn offending(text: &[u8]) -> &[u8] {
    let is_base64 = |&byte: &u8| is_symbol(byte) || b"\r\n".contains(&byte);
    let (base64, rest) = split(text, is_base64);
    let (padding, after) = split(rest, |byte| b"=\r\n".contains(byte));
    let padded = memchr::memchr_iter(b'=', padding).count();
    let is_misplaced = match after.first() {
        None => padded > (4 - count_symbols(base64) % 4) % 4,
        Some(&byte) => padded > 0 && is_symbol(byte),
    };
    if is_misplaced { rest } else { after }
}

/// Splits a text at the first byte that isn't of the given kind.
fn split(text: &[u8], is_of_kind: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !is_of_kind(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn count_symbols(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| is_symbol(byte)).count()
}

fn is_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// Returns whether every second byte is NUL and the others are ASCII, after a byte order mark or what a gateway made of it.
fn is_utf16(text: &[u8]) -> bool {
    let mut units = text.get(6..).unwrap_or_default().chunks_exact(2).take(8);
    let is_text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    units.len() > 0 && units.all(|unit| unit.contains(&0) && is_text(unit[0] | unit[1]))
}

/// Returns whether a JPEG or PNG was treated as text, which replaced or encoded its first bytes or changed its line
/// endings.
fn is_mangled(file: &[u8]) -> bool {
    let first_chunk = file[..file.len().min(32)].utf8_chunks().next();
    let text = first_chunk.map_or("", |chunk| chunk.valid());
    let is_inside = |mark: &str| text.find(mark).is_some_and(|at| at > 0);
    text.starts_with('\u{FFFD}')
        || text.starts_with("\u{FF}\u{D8}")
        || ["JFIF", "Exif", "PNG"].into_iter().any(is_inside)
        || [&b"\xFF\0\xD8"[..], b"\x89\0P", b"\x89PNG\n", b"\x89PNG\r\r"]
            .iter()
            .any(|start| file.starts_with(start))
}

/// Returns whether a file was written as text on Windows: each of its line feeds follows a carriage return. By chance, one
/// in 256 does.
pub(super) fn has_windows_line_ends(file: &[u8]) -> bool {
    let feeds = || memchr::memchr_iter(b'\n', file);
    feeds().all(|at| file[..at].ends_with(b"\r")) && feeds().count() >= MIN_LINE_ENDS
}

/// Returns whether a text has the hexadecimal digits of a JPEG or PNG, as one word or byte by byte.
fn is_hex(text: &str) -> bool {
    let is_digit = |char: &char| char.is_ascii_alphanumeric() && *char != 'x';
    let digits: String = text.to_ascii_lowercase().chars().filter(is_digit).collect();
    holds(&digits, &["ffd8ff", "89504e47"])
}

/// Returns whether a text is a program's array of bytes: `[255, 216, 255]`, signed as Java's, or with spaces as Go's.
fn is_numbers(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.contains([',', ' ']) && 3 * digits > text.len()
}

fn holds_base64(text: &str) -> bool {
    holds(text, &STARTS) || text.contains("base64,")
}

fn holds(text: &str, marks: &[&str]) -> bool {
    marks.iter().any(|mark| text.contains(mark))
}

fn starts_with(text: &[u8], start: &str) -> bool {
    let head = text.get(..start.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

/// Returns the beginning of a text; what isn't UTF-8 is replaced.
fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(MAX_HEAD)]).into_owned()
}
