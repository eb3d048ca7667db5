//! Decodes an image field's text to bytes: an optional `data:` prefix, line breaks anywhere, padding or none, the
//! standard alphabet, and nothing else.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Simd};

/// AVX2 or NEON where the processor has it. Encoders differ on padding, and on the bits of the last symbol that belong
/// to no byte.
static ENGINE: LazyLock<Simd> = LazyLock::new(|| {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    Simd::standard(config)
});

/// How far to look for a `data:...;base64,` prefix, in bytes. Real ones have about 25, plus a file name in some.
const MAX_PREFIX: usize = 1024;

/// Decodes a field's text, which has no whitespace around it.
///
/// # Errors
///
/// [`NotBase64`] for any character outside the standard alphabet except line breaks.
///
/// ```
/// use id_image::base64::{NotBase64, decode};
///
/// assert_eq!(decode(b"data:image/png;base64,+/8\r\nA").unwrap(), [0xFB, 0xFF, 0x00]);
/// assert_eq!(decode(b"+/ A"), Err(NotBase64));
/// ```
pub fn decode(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
    let text = without_prefix(text);
    // Most texts have no line breaks, and those that have fail within their first lines.
    if let Ok(bytes) = ENGINE.decode(text) {
        return Ok(bytes);
    }
    let joined = without_line_breaks(text);
    ENGINE.decode(&joined).map_err(|_| NotBase64)
}

/// Takes off a `data:...;base64,` prefix (RFC 2397). The media type that it declares is ignored.
pub(super) fn without_prefix(text: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"data:";
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

/// A text that has a character outside the standard alphabet, or ends in the middle of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not standard Base64")]
pub struct NotBase64;
