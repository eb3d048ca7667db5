//! An image field's text to bytes: an optional `data:` prefix, line breaks inside, padding or none,
//! the standard alphabet and nothing else. It knows nothing of images.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, Simd};
use bytes::{Buf as _, BytesMut};

use crate::error::Reason;

/// AVX2 or NEON where the machine has it. Bits that no byte uses must be zero: else two texts would
/// stand for one image.
pub(crate) static ENGINE: LazyLock<Simd> = LazyLock::new(|| {
    Simd::standard(
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    )
});

/// The longest `data:image/...;base64,` that is looked for. Real ones have some 25 characters, or a file
/// name more.
const MAX_PREFIX: usize = 1024;

/// Decodes a field's text, which has no blanks around it. The bytes take the text's place.
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
/// assert_eq!(decode(b"data:image/png;base64,+/8\r\nA"[..].into()).unwrap(), [0xFB, 0xFF, 0x00][..]);
/// assert!(decode(b" /8A"[..].into()).is_err());
/// assert!(decode(b"-_8A"[..].into()).is_err());
/// ```
pub fn decode(mut text: BytesMut) -> Result<BytesMut, Reason> {
    text.advance(prefix(&text));
    if let Err(Stop { text: rest, bytes }) = decode_all(&mut text) {
        // Few have line breaks: they are looked for only where there is something that is not Base64.
        remove_line_breaks(&mut text, rest);
        decode_from(&mut text, rest, bytes).map_err(|stop| why_not(&text[stop.text..]))?;
    }
    Ok(text)
}

/// Decodes a text that has nothing but Base64 in it. The bytes take the text's place.
pub(crate) fn decode_all(text: &mut BytesMut) -> Result<(), Stop> {
    decode_from(text, 0, 0)
}

/// Where a decoding stopped at something that is not Base64: all before it has become bytes, and all from
/// there on is as it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    text: usize,
    bytes: usize,
}

/// Decodes what stands at `from` and behind it to `to`, which comes before it.
fn decode_from(text: &mut BytesMut, mut from: usize, mut to: usize) -> Result<(), Stop> {
    /// So small that a block stays in the processor's nearest cache.
    const BLOCK: usize = 16 * 1024;
    let mut bytes = [0; BLOCK / 4 * 3];
    while from < text.len() {
        let end = text.len().min(from + BLOCK);
        let stop = Stop {
            text: from,
            bytes: to,
        };
        let length = ENGINE
            .decode_slice(&text[from..end], &mut bytes)
            .map_err(|_| stop)?;
        // Padding ends the text, so that it can't be in the middle.
        if end < text.len() && length < bytes.len() {
            return Err(stop);
        }
        text[to..to + length].copy_from_slice(&bytes[..length]);
        from = end;
        to += length;
    }
    text.truncate(to);
    Ok(())
}

/// What is most likely wrong with a text that is not Base64.
fn why_not(text: &[u8]) -> Reason {
    // A JPEG or a PNG, as bytes or as what becomes of their first byte in a UTF-8 text.
    let image = [&b"\xFF\xD8"[..], b"\x89PNG", b"\xEF\xBF\xBD"]
        .iter()
        .any(|start| text.starts_with(start));
    match memchr::memchr2(b' ', b'\t', text) {
        _ if image => Reason::NotEncoded,
        Some(_) => Reason::BlankInside,
        None => Reason::NotBase64,
    }
}

/// The length of a `data:image/...;base64,` prefix (RFC 2397), if there is one. What it says of the image's
/// type is not believed.
fn prefix(text: &[u8]) -> usize {
    const SCHEME: &[u8] = b"data:image/";
    const END: &[u8] = b";base64,";
    let head = &text[..text.len().min(MAX_PREFIX)];
    if !head
        .get(..SCHEME.len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    {
        return 0;
    }
    let end = head
        .windows(END.len())
        .position(|window| window.eq_ignore_ascii_case(END));
    end.map_or(0, |end| end + END.len())
}

/// Removes the line breaks that stand at `from` and behind it.
fn remove_line_breaks(text: &mut BytesMut, from: usize) {
    let (mut read, mut end) = (from, from);
    while let Some(run) = memchr::memchr2(b'\r', b'\n', &text[read..]) {
        text.copy_within(read..read + run, end);
        read += run + 1;
        end += run;
    }
    text.copy_within(read.., end);
    text.truncate(end + text.len() - read);
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
    use bytes::BytesMut;

    use crate::error::Reason;

    fn decode(text: &[u8]) -> Result<BytesMut, Reason> {
        super::decode(text.into())
    }

    #[track_caller]
    fn assert_decodes(text: &str, bytes: &str) {
        assert_eq!(
            decode(text.as_bytes()),
            Ok(bytes.as_bytes().into()),
            "{text}"
        );
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
        assert_decodes(
            &format!("data:image/jpeg;name={}.jpg;base64,YWJj", "a,b".repeat(99)),
            "abc",
        );
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
        assert_eq!(
            decode("\u{FFFD}PNG\r\n".as_bytes()),
            Err(Reason::NotEncoded)
        );
    }

    /// A block of text holds 12,288 bytes.
    #[test]
    fn blocks_join() {
        for length in [12_287, 12_288, 12_289, 24_575, 24_576, 24_577] {
            let bytes: Vec<u8> = (0..length)
                .map(|i: u32| i.to_le_bytes()[0] ^ i.to_le_bytes()[1])
                .collect();
            let padded = BASE64_STANDARD.encode(&bytes);
            let wrapped = padded
                .as_bytes()
                .chunks(76)
                .collect::<Vec<_>>()
                .join(&b'\n');
            for text in [
                padded.as_bytes(),
                BASE64_STANDARD_NO_PAD.encode(&bytes).as_bytes(),
                &wrapped,
            ] {
                assert!(decode(text).as_deref() == Ok(&bytes), "{length}");
            }
        }
        // Padding at the end of the first block, and more behind it.
        let text = BASE64_STANDARD.encode(vec![7; 12_287]) + "YWJj";
        assert_eq!(decode(text.as_bytes()), Err(Reason::NotBase64));
    }
}
