//! Which PNGs are accepted (the contract's section on images).

use local::images::png_chunk;
use miniz_oxide::deflate::compress_to_vec_zlib;
use put_image::image::png::{MAX_INFLATED, PngError, check};

const RGB: [u8; 5] = [8, 2, 0, 0, 0];

fn header(width: u32, height: u32, rest: [u8; 5]) -> Vec<u8> {
    let data = [&width.to_be_bytes()[..], &height.to_be_bytes(), &rest].concat();
    png_chunk(*b"IHDR", &data)
}

/// Image data: rows, each behind its filter type.
fn data(rows: &[u8]) -> Vec<u8> {
    png_chunk(*b"IDAT", &compress_to_vec_zlib(rows, 6))
}

fn end() -> Vec<u8> {
    png_chunk(*b"IEND", b"")
}

/// 3 × 2 pixels of three bytes.
fn rows() -> Vec<u8> {
    b"\x00abcdefghi\x04jklmnopqr".to_vec()
}

fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    [&b"\x89PNG\r\n\x1A\n"[..], &chunks.concat()].concat()
}

#[track_caller]
fn assert_accepted(chunks: &[Vec<u8>]) {
    let checked = check(&png(chunks), MAX_INFLATED);
    assert!(checked.is_ok(), "{checked:?} {chunks:02X?}");
}

#[track_caller]
fn assert_refused(chunks: &[Vec<u8>], error: PngError) {
    let checked = check(&png(chunks), MAX_INFLATED);
    assert_eq!(checked, Err(error), "{chunks:02X?}");
}

#[test]
fn what_decodes_is_accepted() {
    let (header_, data_) = (header(3, 2, RGB), data(&rows()));
    let (dimensions, inflated) =
        check(&png(&[header_.clone(), data_.clone(), end()]), MAX_INFLATED).unwrap();
    assert_eq!(
        (dimensions.width(), dimensions.height(), inflated),
        (3, 2, 20)
    );
    assert_accepted(&[header_.clone(), data_.clone(), end(), b"trailing".to_vec()]);
    let text = png_chunk(*b"tEXt", b"Comment\0hello");
    assert_accepted(&[header_.clone(), text.clone(), data_.clone(), text, end()]);
    let unknown = png_chunk(*b"prVt", b"private");
    assert_accepted(&[header_.clone(), unknown, data_, end()]);
    // The compressed data in pieces, one of them empty.
    let compressed = compress_to_vec_zlib(&rows(), 0);
    let pieces = [&compressed[..5], &[], &compressed[5..]].map(|piece| png_chunk(*b"IDAT", piece));
    assert_accepted(&[header_, pieces.concat(), end()]);
}

#[test]
fn every_colour_type_and_depth_is_accepted() {
    let palette = png_chunk(*b"PLTE", b"rgbRGB");
    for (colour, samples, depths) in [
        (0, 1, &[1, 2, 4, 8, 16][..]),
        (2, 3, &[8, 16]),
        (3, 1, &[1, 2, 4, 8]),
        (4, 2, &[8, 16]),
        (6, 4, &[8, 16]),
    ] {
        for &depth in depths {
            let row = |width: usize| 1 + (width * samples * usize::from(depth)).div_ceil(8);
            let whole = vec![0; row(11) * 9];
            assert_accepted(&[
                header(11, 9, [depth, colour, 0, 0, 0]),
                palette.clone(),
                data(&whole),
                end(),
            ]);
            // The seven passes of 11 × 9 pixels: columns and rows of each.
            let passes = [(2, 2), (1, 2), (3, 1), (3, 3), (6, 2), (5, 5), (11, 4)];
            let bytes = passes.map(|(columns, rows)| row(columns) * rows);
            let interlaced = vec![0; bytes.iter().sum()];
            let header = header(11, 9, [depth, colour, 0, 0, 1]);
            assert_accepted(&[header.clone(), palette.clone(), data(&interlaced), end()]);
            let less = data(&interlaced[1..]);
            assert_refused(&[header, palette.clone(), less, end()], PngError::Damaged);
        }
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let text = png_chunk(*b"tEXt", b"Comment\0hello");
    let whole = png(&[header(3, 2, RGB), text, data(&rows()), end()]);
    for at in 0..whole.len() {
        assert!(check(&whole[..at], MAX_INFLATED).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            assert!(
                check(&flipped, MAX_INFLATED).is_err(),
                "bit {bit} of byte {at}"
            );
        }
    }
}

#[test]
fn image_data_that_does_not_decode_is_refused() {
    let refused =
        |data: Vec<u8>| assert_refused(&[header(3, 2, RGB), data, end()], PngError::Damaged);
    let compressed = compress_to_vec_zlib(&rows(), 6);
    // No data, none that is zlib's, a stream that is cut before or in its checksum, and a wrong checksum.
    refused(Vec::new());
    refused(png_chunk(*b"IDAT", b""));
    refused(png_chunk(*b"IDAT", b"no zlib at all"));
    refused(png_chunk(*b"IDAT", &compressed[..compressed.len() - 10]));
    for cut in 1..=4 {
        refused(png_chunk(*b"IDAT", &compressed[..compressed.len() - cut]));
    }
    let mut wrong = compressed.clone();
    *wrong.last_mut().unwrap() ^= 1;
    refused(png_chunk(*b"IDAT", &wrong));
    // Fewer rows than the header says, more, and one with a filter that there isn't.
    refused(data(&rows()[..19]));
    refused(data(&rows()[..10]));
    refused(data(&[&rows()[..], &[0]].concat()));
    refused(data(&[&rows()[..10], b"\x05jklmnopqr"].concat()));
    // One of two pieces is lost.
    let compressed = compress_to_vec_zlib(&rows(), 0);
    refused(png_chunk(*b"IDAT", &compressed[..12]));
    refused(png_chunk(*b"IDAT", &compressed[12..]));
}

#[test]
fn broken_structure_is_refused() {
    let (header_, data_) = (header(3, 2, RGB), data(&rows()));
    let text = png_chunk(*b"tEXt", b"a\0b");
    let refused = |chunks: &[Vec<u8>]| assert_refused(chunks, PngError::Damaged);
    refused(&[text.clone(), header_.clone(), data_.clone(), end()]);
    refused(&[header_.clone(), header_.clone(), data_.clone(), end()]);
    refused(&[header_.clone(), data_.clone(), png_chunk(*b"IEND", b"x")]);
    refused(&[header_.clone(), data_.clone(), text, data_.clone(), end()]);
    refused(&[
        header_.clone(),
        png_chunk(*b"CrIt", b""),
        data_.clone(),
        end(),
    ]);
    assert_refused(&[header_, data_.clone()], PngError::Cut);
    let indexed = header(3, 2, [8, 3, 0, 0, 0]);
    let rows = data(&[0; 8]);
    refused(&[indexed.clone(), rows.clone(), end()]);
    refused(&[indexed, png_chunk(*b"PLTE", b"rgbr"), rows, end()]);
    for length in [0, 771] {
        let palette = png_chunk(*b"PLTE", &vec![7; length]);
        let indexed = header(3, 2, [8, 3, 0, 0, 0]);
        refused(&[indexed, palette, data(&[0; 8]), end()]);
    }
    for rest in [
        [3, 2, 0, 0, 0],
        [16, 3, 0, 0, 0],
        [8, 1, 0, 0, 0],
        [8, 2, 1, 0, 0],
        [8, 2, 0, 0, 2],
    ] {
        refused(&[header(3, 2, rest), data_.clone(), end()]);
    }
    let error = check(&png(&[header(0, 2, RGB), data_, end()]), MAX_INFLATED);
    assert!(error.is_err());
}

#[test]
fn animations_are_refused() {
    let animation = png_chunk(*b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0]);
    let frame = [
        0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0,
    ];
    let frame = png_chunk(*b"fcTL", &frame);
    let (header, data) = (header(3, 2, RGB), data(&rows()));
    for chunks in [
        [header.clone(), animation.clone(), data.clone(), end()],
        [header.clone(), data.clone(), animation, end()],
        [header, frame, data, end()],
    ] {
        assert_refused(&chunks, PngError::Animated);
    }
}

#[test]
fn images_that_fill_a_readers_memory_are_refused() {
    let refused = |width, height, rest: [u8; 5], message: &str| {
        let chunks = [header(width, height, rest), data(&rows()), end()];
        let error = check(&png(&chunks), MAX_INFLATED).unwrap_err();
        assert_eq!(error.to_string(), message);
    };
    let pixels = "the image has more than 100 megapixels";
    refused(0x7FFF_FFFF, 0x7FFF_FFFF, RGB, pixels);
    refused(30_000, 30_000, [1, 0, 0, 0, 0], pixels);
    refused(10_000, 10_001, RGB, pixels);
    let inflated = "the PNGs of the request inflate beyond 256 MiB";
    refused(10_000, 10_000, RGB, inflated);
    // Within the pixels, but not within what is left of the request's budget.
    let chunks = [header(3, 2, RGB), data(&rows()), end()];
    assert!(check(&png(&chunks), 20).is_ok());
    assert_eq!(check(&png(&chunks), 19), Err(PngError::InflatesTooFar));
}

#[test]
fn chunks_that_fill_a_readers_memory_are_refused() {
    let zeros = |length: usize| compress_to_vec_zlib(&vec![0; length], 9);
    let chunk =
        |kind: [u8; 4], head: &[u8], length| png_chunk(kind, &[head, &zeros(length)].concat());
    for (kind, head) in [
        (*b"zTXt", &b"Comment\0\0"[..]),
        (*b"iCCP", b"profile\0\0"),
        (*b"iTXt", b"Comment\0\x01\0en\0Kommentar\0"),
    ] {
        let with = |length| {
            [
                header(3, 2, RGB),
                chunk(kind, head, length),
                data(&rows()),
                end(),
            ]
        };
        assert_accepted(&with(1 << 20));
        assert_refused(&with((1 << 20) + 1), PngError::LargeChunk);
        // It counts, and so do many of them.
        assert_eq!(
            check(&png(&with(1000)), 1019),
            Err(PngError::InflatesTooFar)
        );
        // Readers pass over one that doesn't decode. It counts all the same, as it may be inflated far before that.
        let broken = png_chunk(kind, &[head, b"no zlib"].concat());
        assert_accepted(&[header(3, 2, RGB), broken, data(&rows()), end()]);
    }
    let cut = &zeros(1 << 20)[..900];
    let cut = png_chunk(*b"zTXt", &[b"Comment\0\0", cut].concat());
    let many = [header(3, 2, RGB), cut.repeat(257), data(&rows()), end()];
    assert_refused(&many, PngError::InflatesTooFar);
    let behind = chunk(*b"zTXt", b"Comment\0\0", 100 << 20);
    assert_refused(
        &[header(3, 2, RGB), data(&rows()), behind, end()],
        PngError::LargeChunk,
    );
}
