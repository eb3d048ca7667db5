//! An image field's text to bytes: an optional `data:` prefix, line breaks inside, padding or none,
//! the standard alphabet and nothing else. It knows nothing of images.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Simd};

use crate::error::Reason;

/// AVX2 or NEON where the machine has it. Bits that no byte uses must be zero: else two texts would
/// stand for one image.
pub(crate) static ENGINE: LazyLock<Simd> = LazyLock::new(|| {
    Simd::standard(GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent))
});

/// The longest `data:image/...;base64,` that is looked for. Real ones have some 25 characters, or a file
/// name more.
const MAX_PREFIX: usize = 1024;

/// Decodes a field's text, which has no blanks around it.
///
/// # Errors
///
/// [`Reason::NotBase64`] for any character outside the standard alphabet, line breaks aside.
/// [`Reason::BlankInside`] for a blank: it is a `+` that a client encoded wrongly, and to skip it would
/// change the image without a word. [`Reason::NotEncoded`] for an image that was sent as it is.
///
/// ```
/// use put_image::base64_text::decode;
///
/// assert_eq!(decode(b"data:image/png;base64,+/8\r\nA").unwrap(), [0xFB, 0xFF, 0x00]);
/// assert!(decode(b" /8A").is_err());
/// assert!(decode(b"-_8A").is_err());
/// ```
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Reason> {
    let text = without_line_breaks(without_prefix(text));
    ENGINE.decode(&text).map_err(|_| why_not(&text))
}

/// What is most likely wrong with a text that is not Base64.
fn why_not(text: &[u8]) -> Reason {
    // A JPEG or a PNG, as bytes or as what becomes of their first byte in a UTF-8 text.
    let image = [&b"\xFF\xD8"[..], b"\x89PNG", b"\xEF\xBF\xBD"].iter().any(|start| text.starts_with(start));
    match memchr::memchr2(b' ', b'\t', text) {
        _ if image => Reason::NotEncoded,
        Some(_) => Reason::BlankInside,
        None => Reason::NotBase64,
    }
}

/// The text behind a `data:image/...;base64,` prefix (RFC 2397), or all of it. What the prefix says
/// of the image's type is not believed.
fn without_prefix(text: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"data:image/";
    const END: &[u8] = b";base64,";
    let head = &text[..text.len().min(MAX_PREFIX)];
    if !head.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME)) {
        return text;
    }
    let end = head.windows(END.len()).position(|window| window.eq_ignore_ascii_case(END));
    end.map_or(text, |end| &text[end + END.len()..])
}

/// The text without its line breaks; borrowed if it has none.
fn without_line_breaks(text: &[u8]) -> Cow<'_, [u8]> {
    let mut breaks = memchr::memchr2_iter(b'\r', b'\n', text).peekable();
    if breaks.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let mut joined = Vec::with_capacity(text.len());
    let mut start = 0;
    for end in breaks {
        joined.extend_from_slice(&text[start..end]);
        start = end + 1;
    }
    joined.extend_from_slice(&text[start..]);
    Cow::Owned(joined)
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::error::Reason;

    #[track_caller]
    fn assert_decodes(text: &str, bytes: &str) {
        assert_eq!(decode(text.as_bytes()).as_deref(), Ok(bytes.as_bytes()), "{text}");
    }

    #[test]
    fn accepts_what_encoders_make() {
        assert_decodes("", "");
        assert_decodes("YQ==", "a");
        assert_decodes("YQ", "a");
        assert_decodes("YWI=", "ab");
        assert_decodes("YWJj", "abc");
        assert_decodes("YW\nJj\r\nYWJj\r", "abcabc");
        assert_decodes("data:image/jpeg;base64,YWJj", "abc");
        assert_decodes(&format!("data:image/jpeg;name={}.jpg;base64,YWJj", "a,b".repeat(99)), "abc");
        assert_decodes("DATA:Image/JPEG;charset=utf-8;Base64,YWJj", "abc");
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "YW Jj",
            "YW\tJj",
            "YW-_",
            "YQ==YQ==",
            "YWJj=",
            "Y",
            "YR==",
            "YWJj\0",
            "YWJj\u{a0}",
            "\u{feff}YWJj",
            "data:text/plain;base64,YWJj",
            "data:image/png,YWJj",
            "data:image/png;base64, YWJj",
            "YWJj,YWJj",
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(decode(b"YW Jj"), Err(Reason::BlankInside));
        assert_eq!(decode(b"\xFF\xD8\xFF \x00"), Err(Reason::NotEncoded));
        assert_eq!(decode("\u{FFFD}PNG\r\n".as_bytes()), Err(Reason::NotEncoded));
    }
}
