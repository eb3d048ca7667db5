//! The PNG container (PNG specification, third edition, sections 5 and 11), walked from its
//! signature to its last chunk. No pixel is decoded: the size of what is read is the size of the file.

use crate::image::Dimensions;

/// The eight bytes that every PNG starts with (section 5.2).
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1A\n";

/// The colour type whose pixels are indexes into `PLTE` (section 11.2.1).
const INDEXED: u8 = 3;

/// The dimensions of a complete PNG, or `None` if it is cut, broken or something else.
///
/// Complete means: the signature, a readable `IHDR` first and once, `IDAT`s in one run and not all empty,
/// behind a `PLTE` if the colours are indexed, `IEND`, and a good CRC on every chunk up to there. What
/// follows `IEND` is no part of the image.
#[must_use]
pub fn dimensions(file: &[u8]) -> Option<Dimensions> {
    let (header, mut rest) = Chunk::split(file.strip_prefix(SIGNATURE)?)?;
    let dimensions = parse_header(&header)?;
    let indexed = header.data[9] == INDEXED;
    let (mut has_palette, mut data, mut in_data) = (false, 0, false);
    loop {
        let (chunk, after) = Chunk::split(rest)?;
        rest = after;
        let was_in_data = std::mem::replace(&mut in_data, chunk.kind == b"IDAT");
        match chunk.kind {
            b"IHDR" => return None,
            b"PLTE" => has_palette = true,
            b"IDAT" if indexed && !has_palette => return None,
            b"IDAT" if data > 0 && !was_in_data => return None,
            b"IDAT" => data += chunk.data.len(),
            b"IEND" => return (data > 0 && chunk.data.is_empty()).then_some(dimensions),
            _ => {}
        }
    }
}

/// A chunk whose CRC is good.
struct Chunk<'a> {
    kind: &'a [u8; 4],
    data: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The first chunk, and what follows it (section 5.3).
    fn split(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (length, rest) = text.split_first_chunk()?;
        let length = u32::from_be_bytes(*length).try_into().ok()?;
        let kind = rest.first_chunk()?;
        let (checked, rest) = rest.split_at_checked(kind.len().checked_add(length)?)?;
        let (crc, rest) = rest.split_first_chunk()?;
        let good = kind.iter().all(u8::is_ascii_alphabetic)
            && crc32fast::hash(checked) == u32::from_be_bytes(*crc);
        good.then_some((
            Self {
                kind,
                data: &checked[kind.len()..],
            },
            rest,
        ))
    }
}

/// The header's dimensions (section 11.2.1), if all of it is legal.
fn parse_header(chunk: &Chunk<'_>) -> Option<Dimensions> {
    let (width, rest) = chunk.data.split_first_chunk()?;
    let (height, rest) = rest.split_first_chunk()?;
    // Table 12: the depths of greyscale, true colour, indexed, greyscale and true colour with alpha.
    let legal = matches!(
        rest,
        [1 | 2 | 4 | 8 | 16, 0, 0, 0, 0 | 1]
            | [8 | 16, 2 | 4 | 6, 0, 0, 0 | 1]
            | [1 | 2 | 4 | 8, INDEXED, 0, 0, 0 | 1]
    );
    let (width, height) = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
    let in_range = i32::try_from(width).is_ok() && i32::try_from(height).is_ok();
    Dimensions::new(width, height).filter(|_| chunk.kind == b"IHDR" && legal && in_range)
}

#[cfg(test)]
mod tests {
    use super::{SIGNATURE, dimensions};
    use crate::image::Dimensions;

    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let checked = [kind, data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [
            &length[..],
            &checked,
            &crc32fast::hash(&checked).to_be_bytes(),
        ]
        .concat()
    }

    fn header(tail: [u8; 5]) -> Vec<u8> {
        chunk(b"IHDR", &[&[0, 0, 0, 3, 0, 0, 0, 2][..], &tail].concat())
    }

    #[track_caller]
    fn assert_png(chunks: &[Vec<u8>], complete: bool) {
        let expected = Dimensions::new(3, 2).filter(|_| complete);
        assert_eq!(
            dimensions(&[SIGNATURE, &chunks.concat()].concat()),
            expected,
            "{chunks:02X?}"
        );
    }

    fn good() -> [Vec<u8>; 4] {
        [
            header([8, 2, 0, 0, 0]),
            chunk(b"tEXt", b"a\0b"),
            chunk(b"IDAT", b"data"),
            chunk(b"IEND", b""),
        ]
    }

    #[test]
    fn accepts_chunks_to_the_end() {
        assert_png(&good(), true);
        assert_png(&[good().concat(), b"trailing".to_vec()], true);
        let indexed = [header([1, 3, 0, 0, 1]), chunk(b"PLTE", b"rgb")];
        let data = [
            chunk(b"IDAT", b"d"),
            chunk(b"IDAT", b""),
            chunk(b"IEND", b""),
        ];
        assert_png(
            &[indexed, [data[0].clone(), data[1..].concat()]].concat(),
            true,
        );
    }

    #[test]
    fn refuses_every_cut_and_every_flipped_bit() {
        let whole = [SIGNATURE, &good().concat()].concat();
        for at in 0..whole.len() {
            assert_eq!(dimensions(&whole[..at]), None, "cut at {at}");
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                assert_eq!(dimensions(&flipped), None, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn refuses_broken_structure() {
        let [header_chunk, text, data, end] = good();
        assert_png(
            &[
                text.clone(),
                header_chunk.clone(),
                data.clone(),
                end.clone(),
            ],
            false,
        );
        assert_png(
            &[
                header_chunk.clone(),
                header_chunk.clone(),
                data.clone(),
                end.clone(),
            ],
            false,
        );
        assert_png(&[header_chunk.clone(), end.clone()], false);
        assert_png(
            &[header_chunk.clone(), chunk(b"IDAT", b""), end.clone()],
            false,
        );
        assert_png(&[header_chunk, data.clone(), chunk(b"IEND", b"x")], false);
        let [header_chunk, text, data, end] = good();
        assert_png(&[header([8, 3, 0, 0, 0]), data.clone(), end.clone()], false);
        assert_png(
            &[header_chunk, data.clone(), text, data.clone(), end.clone()],
            false,
        );
        for tail in [
            [3, 2, 0, 0, 0],
            [16, 3, 0, 0, 0],
            [8, 1, 0, 0, 0],
            [8, 2, 1, 0, 0],
            [8, 2, 0, 0, 2],
        ] {
            assert_png(&[header(tail), data.clone(), end.clone()], false);
        }
        let empty = chunk(b"IHDR", &[0, 0, 0, 0, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
        assert_png(&[empty, data, end], false);
    }
}
