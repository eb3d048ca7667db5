//! An image field's text to bytes: an optional `data:` prefix, line breaks anywhere, padding or none, the standard
//! alphabet, and nothing else.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Simd};

/// AVX2 or NEON where the processor has it. Bits that belong to no byte must be zero, or two texts would stand for one
/// image.
static ENGINE: LazyLock<Simd> = LazyLock::new(|| {
    let config = GeneralPurposeConfig::new();
    Simd::standard(config.with_decode_padding_mode(DecodePaddingMode::Indifferent))
});

/// How far a `data:image/...;base64,` prefix is looked for, in bytes. Real ones have some 25, or a file name more.
const MAX_PREFIX: usize = 1024;

/// Decodes a field's text, which has no blanks around it.
///
/// # Errors
///
/// [`Base64Error`] for any character outside the standard alphabet but line breaks.
///
/// ```
/// use put_image::image::base64::{Base64Error, decode};
///
/// assert_eq!(decode(b"data:image/png;base64,+/8\r\nA").unwrap(), [0xFB, 0xFF, 0x00]);
/// assert_eq!(decode(b"+/ A"), Err(Base64Error::BlankInside));
/// ```
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Base64Error> {
    let text = without_prefix(text);
    // Most texts have no line breaks, and those that have fail within their first lines.
    if let Ok(bytes) = ENGINE.decode(text) {
        return Ok(bytes);
    }
    let text = without_line_breaks(text);
    ENGINE.decode(&text).map_err(|_| why_not(&text))
}

/// Says what is most likely wrong with a text that is not Base64.
fn why_not(text: &[u8]) -> Base64Error {
    // A JPEG or a PNG, as bytes or as what becomes of their first byte in a UTF-8 text.
    let image_starts = [&b"\xFF\xD8"[..], b"\x89PNG", b"\xEF\xBF\xBD"];
    if image_starts.iter().any(|start| text.starts_with(start)) {
        Base64Error::NotEncoded
    } else if memchr::memchr2(b' ', b'\t', text).is_some() {
        Base64Error::BlankInside
    } else {
        Base64Error::OtherAlphabet
    }
}

/// Takes off a `data:image/...;base64,` prefix (RFC 2397). What it says of the format is not believed.
fn without_prefix(text: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"data:image/";
    const END: &[u8] = b";base64,";
    let head = &text[..text.len().min(MAX_PREFIX)];
    if !head
        .get(..SCHEME.len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    {
        return text;
    }
    let end = head
        .windows(END.len())
        .position(|window| window.eq_ignore_ascii_case(END));
    end.map_or(text, |end| &text[end + END.len()..])
}

fn without_line_breaks(text: &[u8]) -> Cow<'_, [u8]> {
    let mut rest = text;
    let mut joined = Vec::new();
    while let Some(line_end) = memchr::memchr2(b'\r', b'\n', rest) {
        if joined.is_empty() {
            joined.reserve_exact(text.len());
        }
        joined.extend_from_slice(&rest[..line_end]);
        rest = &rest[line_end + 1..];
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    joined.extend_from_slice(rest);
    Cow::Owned(joined)
}

/// Why a text is not Base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Base64Error {
    /// It has a character that is not of the standard alphabet, or ends in the middle of a byte.
    #[error("not Base64 of the standard alphabet")]
    OtherAlphabet,
    /// It has a blank inside: a `+` that a client encoded wrongly. To skip it would change the image.
    #[error("a blank inside the Base64, perhaps a + that was encoded wrongly")]
    BlankInside,
    /// It is an image that was sent as it is.
    #[error("not Base64: send the image's Base64 text, not the image itself")]
    NotEncoded,
}

#[cfg(test)]
mod tests {
    use super::{Base64Error, decode};

    #[track_caller]
    fn assert_decodes(text: &str, bytes: &str) {
        assert_eq!(decode(text.as_bytes()), Ok(bytes.into()), "{text}");
    }

    #[test]
    fn accepts_what_encoders_make() {
        assert_decodes("", "");
        assert_decodes("YQ==", "a");
        assert_decodes("YQ", "a");
        assert_decodes("YWI=", "ab");
        assert_decodes("YWJj", "abc");
        assert_decodes("YW\nJj\r\nYWJj\r", "abcabc");
        assert_decodes("\n\nYWJj", "abc");
        assert_decodes("data:image/jpeg;base64,YWJj", "abc");
        assert_decodes("DATA:Image/JPEG;charset=utf-8;Base64,YWJj", "abc");
        let name = "a,b".repeat(99);
        assert_decodes(
            &format!("data:image/jpeg;name={name}.jpg;base64,YWJj"),
            "abc",
        );
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
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
            "YWJj,YWJj",
        ] {
            assert_eq!(
                decode(text.as_bytes()),
                Err(Base64Error::OtherAlphabet),
                "{text}"
            );
        }
        for text in ["YW Jj", "YW\tJj", "YW\nJ j", "data:image/png;base64, YWJj"] {
            assert_eq!(
                decode(text.as_bytes()),
                Err(Base64Error::BlankInside),
                "{text}"
            );
        }
        assert_eq!(decode(b"\xFF\xD8\xFF \x00"), Err(Base64Error::NotEncoded));
        assert_eq!(
            decode("\u{FFFD}PNG\r\n".as_bytes()),
            Err(Base64Error::NotEncoded)
        );
    }
}
