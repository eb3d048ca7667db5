//! Which PNGs are accepted (the contract's section on images).

use id_image::png::{Budget, MAX_STEPS, PngError, check};
use id_image::{Dimensions, DimensionsError};
use miniz_oxide::deflate::compress_to_vec_zlib;
use rstest::rstest;

use crate::images::png_chunk;

type Result = std::result::Result<Dimensions, PngError>;

const GRAY: [u8; 5] = [8, 0, 0, 0, 0];
const RGB: [u8; 5] = [8, 2, 0, 0, 0];
const INDEXED: [u8; 5] = [8, 3, 0, 0, 0];

fn header(width: u32, height: u32, rest: [u8; 5]) -> Vec<u8> {
    let data = [&width.to_be_bytes()[..], &height.to_be_bytes(), &rest].concat();
    png_chunk(*b"IHDR", &data)
}

/// Image data: rows, each after its filter type.
fn data(rows: &[u8]) -> Vec<u8> {
    png_chunk(*b"IDAT", &compress_to_vec_zlib(rows, 6))
}

fn end() -> Vec<u8> {
    png_chunk(*b"IEND", b"")
}

/// 3 × 2 pixels of three bytes.
const ROWS: &[u8] = b"\x00abcdefghi\x04jklmnopqr";

fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    [&b"\x89PNG\r\n\x1A\n"[..], &chunks.concat()].concat()
}

fn checked(chunks: &[Vec<u8>]) -> Result {
    check(&png(chunks), &mut Budget::default())
}

/// Checks an RGB image with a chunk before its data.
fn with_chunk(kind: [u8; 4], content: &[u8]) -> Result {
    with_chunks(&png_chunk(kind, content))
}

fn with_chunks(chunks: &[u8]) -> Result {
    checked(&[header(3, 2, RGB), chunks.to_vec(), data(ROWS), end()])
}

/// Checks an RGB image with these chunks after its header.
fn with_data(chunks: Vec<u8>) -> Result {
    checked(&[header(3, 2, RGB), chunks, end()])
}

fn zeros(length: usize) -> Vec<u8> {
    compress_to_vec_zlib(&vec![0; length], 9)
}

#[test]
fn dimensions_are_the_headers() {
    let dimensions = with_data(data(ROWS)).unwrap();
    assert_eq!((dimensions.width(), dimensions.height()), (3, 2));
}

#[rstest]
#[case::text(b"tEXt", b"Comment\0hello")]
#[case::text_without_zero(b"tEXt", b"hello")]
#[case::compressed_text(b"zTXt", b"a\0\0no zlib")]
#[case::compressed_text_without_zero(b"zTXt", b"hello")]
#[case::compressed_text_that_ends_at_its_zero(b"zTXt", b"a\0")]
#[case::international_text(b"iTXt", b"a\0\x01\0en\0b\0no zlib")]
#[case::international_text_of_an_unknown_method(b"iTXt", b"a\0\x01\x01en\0b\0hello")]
#[case::international_text_cut_off(b"iTXt", b"a\0\x01\0en")]
#[case::private(b"prVt", b"private")]
#[case::cicp_with_a_matrix(b"cICP", b"\x01\x01\x01\x01")]
#[case::transparency_too_long(b"tRNS", b"1234567")]
#[case::profile_that_does_not_decode(b"iCCP", b"profile\0\0no zlib")]
#[case::palette_as_a_hint(b"PLTE", b"rgbRGB")]
#[case::palette_that_is_passed_over(b"PLTE", b"rgbR")]
#[case::time_too_short(b"tIME", b"")]
fn chunks_that_readers_pass_over_are_accepted(#[case] kind: &[u8; 4], #[case] content: &[u8]) {
    assert!(with_chunk(*kind, content).is_ok());
    let after = [data(ROWS), png_chunk(*kind, content)].concat();
    assert!(with_data(after).is_ok());
}

#[rstest]
#[case::gamma(b"gAMA", b"123")]
#[case::chromaticities(b"cHRM", &[0; 31])]
#[case::rendering_intent(b"sRGB", b"")]
#[case::pixel_size(b"pHYs", &[0; 8])]
#[case::transparency(b"tRNS", b"12345")]
#[case::background(b"bKGD", b"12345")]
#[case::profile_without_a_zero(b"iCCP", b"profile")]
#[case::profile_without_a_method(b"iCCP", b"profile\0")]
#[case::profile_of_an_unknown_method(b"iCCP", b"profile\0\x01")]
#[case::text_of_an_unknown_method(b"zTXt", b"Comment\0\x01hello")]
#[case::unknown_critical(b"CrIt", b"")]
#[case::type_with_a_digit(b"ab1D", b"")]
#[case::type_with_the_reserved_bit(b"abcd", b"")]
#[case::second_header(b"IHDR", &[0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0])]
#[case::empty_palette(b"PLTE", b"")]
fn chunks_on_which_readers_give_up_are_refused(#[case] kind: &[u8; 4], #[case] content: &[u8]) {
    assert_eq!(with_chunk(*kind, content), Err(PngError::Damaged));
}

#[rstest]
#[case::control(b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0])]
#[case::frame(b"fcTL", &[0; 26])]
#[case::frame_data(b"fdAT", &[0; 4])]
fn animations_are_refused(#[case] kind: &[u8; 4], #[case] content: &[u8]) {
    assert_eq!(with_chunk(*kind, content), Err(PngError::Animated));
    let after = [data(ROWS), png_chunk(*kind, content)].concat();
    assert_eq!(with_data(after), Err(PngError::Animated));
}

#[test]
fn apples_cgbi_is_refused_by_name() {
    let file = png(&[png_chunk(*b"CgBI", b"\x50\0\x20\x02"), header(3, 2, RGB)]);
    let error = check(&file, &mut Budget::default()).unwrap_err();
    let expected = "an Apple CgBI file; convert it with pngcrush -revert-iphone-optimizations";
    assert_eq!(error.to_string(), expected);
}

#[rstest]
#[case::gray(0, 1, &[1, 2, 4, 8, 16])]
#[case::rgb(2, 3, &[8, 16])]
#[case::indexed(3, 1, &[1, 2, 4, 8])]
#[case::gray_with_alpha(4, 2, &[8, 16])]
#[case::rgb_with_alpha(6, 4, &[8, 16])]
fn every_depth_is_accepted(#[case] color: u8, #[case] samples: usize, #[case] depths: &[u8]) {
    let palette = png_chunk(*b"PLTE", b"rgbRGB");
    for &depth in depths {
        let row = |width: usize| 1 + (width * samples * usize::from(depth)).div_ceil(8);
        let with = |interlace, length: usize| {
            let header = header(11, 9, [depth, color, 0, 0, interlace]);
            checked(&[header, palette.clone(), data(&vec![0; length]), end()])
        };
        let whole = row(11) * 9;
        assert!(with(0, whole).is_ok(), "{depth}");
        assert_eq!(with(0, whole - 1), Err(PngError::Damaged), "{depth}");
        // The seven passes of 11 × 9 pixels: columns and rows of each.
        let passes = [(2, 2), (1, 2), (3, 1), (3, 3), (6, 2), (5, 5), (11, 4)];
        let interlaced = passes.map(|(columns, rows)| row(columns) * rows);
        let interlaced = interlaced.iter().sum();
        assert!(with(1, interlaced).is_ok(), "{depth}");
        assert_eq!(with(1, interlaced - 1), Err(PngError::Damaged), "{depth}");
    }
}

#[rstest]
#[case::depth_of_3([3, 2, 0, 0, 0])]
#[case::indexed_of_16_bits([16, 3, 0, 0, 0])]
#[case::unknown_color([8, 1, 0, 0, 0])]
#[case::unknown_compression([8, 2, 1, 0, 0])]
#[case::unknown_filter([8, 2, 0, 1, 0])]
#[case::unknown_interlace([8, 2, 0, 0, 2])]
fn headers_that_can_not_be_are_refused(#[case] rest: [u8; 5]) {
    let file = [header(3, 2, rest), data(ROWS), end()];
    assert_eq!(checked(&file), Err(PngError::Damaged));
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let text = png_chunk(*b"tEXt", b"Comment\0hello");
    let whole = png(&[header(3, 2, RGB), text, data(ROWS), end()]);
    let check = |file: &[u8]| check(file, &mut Budget::default());
    for at in 0..whole.len() {
        assert!(check(&whole[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            assert!(check(&flipped).is_err(), "bit {bit} of byte {at}");
        }
    }
}

/// Splits compressed rows into chunks of at most a size.
fn pieces(compressed: &[u8], size: usize) -> Vec<u8> {
    let chunks = compressed.chunks(size);
    chunks
        .flat_map(|piece| png_chunk(*b"IDAT", piece))
        .collect()
}

#[rstest]
#[case::in_one_chunk(pieces(&compress_to_vec_zlib(ROWS, 6), 100))]
#[case::in_chunks_of_a_byte(pieces(&compress_to_vec_zlib(ROWS, 6), 1))]
#[case::stored(pieces(&compress_to_vec_zlib(ROWS, 0), 5))]
#[case::after_an_empty_chunk([png_chunk(*b"IDAT", b""), data(ROWS)].concat())]
#[case::before_an_empty_chunk([data(ROWS), png_chunk(*b"IDAT", b"")].concat())]
#[case::with_bytes_after_the_stream(
    png_chunk(*b"IDAT", &[&compress_to_vec_zlib(ROWS, 6)[..], b"more"].concat())
)]
fn image_data_that_decodes_is_accepted(#[case] chunks: Vec<u8>) {
    assert!(with_data(chunks).is_ok());
}

#[rstest]
#[case::none(Vec::new())]
#[case::empty(png_chunk(*b"IDAT", b""))]
#[case::not_of_zlib(png_chunk(*b"IDAT", b"no zlib at all"))]
#[case::fewer_rows(data(&ROWS[..10]))]
#[case::a_byte_less(data(&ROWS[..19]))]
#[case::a_byte_more(data(&[ROWS, &[0]].concat()))]
#[case::unknown_filter(data(b"\x00abcdefghi\x05jklmnopqr"))]
#[case::first_piece_alone(png_chunk(*b"IDAT", &compress_to_vec_zlib(ROWS, 0)[..12]))]
#[case::second_piece_alone(png_chunk(*b"IDAT", &compress_to_vec_zlib(ROWS, 0)[12..]))]
#[case::text_between([data(ROWS), png_chunk(*b"tEXt", b"a\0b"), data(ROWS)].concat())]
fn image_data_that_does_not_decode_is_refused(#[case] chunks: Vec<u8>) {
    assert_eq!(with_data(chunks), Err(PngError::Damaged));
}

#[rstest]
#[case(1)]
#[case(2)]
#[case(3)]
#[case(4)]
#[case(10)]
fn a_stream_without_its_end_is_refused(#[case] cut: usize) {
    let compressed = compress_to_vec_zlib(ROWS, 6);
    let cut = &compressed[..compressed.len() - cut];
    assert_eq!(with_data(png_chunk(*b"IDAT", cut)), Err(PngError::Damaged));
}

#[rstest]
#[case::the_checksum(|stream: &mut Vec<u8>| *stream.last_mut().unwrap() ^= 1)]
#[case::the_method(|stream: &mut Vec<u8>| stream[..2].copy_from_slice(&[0x79, 0x18]))]
#[case::a_dictionary(|stream: &mut Vec<u8>| stream[1] = 0xBB)]
#[case::the_headers_checksum(|stream: &mut Vec<u8>| stream[1] ^= 1)]
#[case::a_window_of_64_kib(|stream: &mut Vec<u8>| stream[..2].copy_from_slice(&[0x88, 0x1C]))]
fn a_stream_with_something_else_is_refused(#[case] change: fn(&mut Vec<u8>)) {
    let mut stream = compress_to_vec_zlib(ROWS, 6);
    change(&mut stream);
    assert_eq!(
        with_data(png_chunk(*b"IDAT", &stream)),
        Err(PngError::Damaged)
    );
}

/// Checks rows of a byte that repeat after this many rows, compressed, with a window that is declared in bits, after
/// other chunks.
fn with_window(rows: usize, bits: u8, before: &[u8]) -> Result {
    let mut seed = 1;
    let random = |_| [0, crate::images::random(&mut seed).to_le_bytes()[0]];
    let block: Vec<u8> = (0..rows).flat_map(random).collect();
    let mut stream = compress_to_vec_zlib(&block.repeat(3), 9);
    stream[0] = (bits - 8) << 4 | 8;
    stream[1] = 0;
    stream[1] = 31 - u8::try_from(u16::from_be_bytes([stream[0], 0]) % 31).unwrap();
    let height = u32::try_from(3 * rows).unwrap();
    let data = png_chunk(*b"IDAT", &stream);
    checked(&[header(1, height, GRAY), before.to_vec(), data, end()])
}

#[rstest]
#[case::of_256_bytes(128, 8)]
#[case::of_1_kib(512, 10)]
#[case::of_16_kib(8192, 14)]
fn references_reach_as_far_as_the_declared_window(
    #[case] rows: usize,
    #[case] bits: u8,
    #[values(vec![], png_chunk(*b"IDAT", b""))] before: Vec<u8>,
) {
    assert!(with_window(rows, bits, &before).is_ok());
    assert!(with_window(rows + 1, bits + 1, &before).is_ok());
    assert_eq!(with_window(rows + 1, bits, &before), Err(PngError::Damaged));
}

#[test]
fn a_small_window_is_named_as_the_limit_that_is_exceeded() {
    let rows = vec![0; 4001 * 2200];
    let mut stream = compress_to_vec_zlib(&rows, 9);
    stream[..2].copy_from_slice(&[0x08, 0x1D]);
    let file = [
        header(4000, 2200, GRAY),
        png_chunk(*b"IDAT", &stream),
        end(),
    ];
    assert_eq!(checked(&file), Err(PngError::SmallWindow));
}

#[rstest]
#[case::of_32_kib(0x78)]
#[case::of_256_bytes(0x08)]
fn references_do_not_reach_back_before_the_start(#[case] method: u8) {
    // Fixed codes: a literal, a match of three bytes two bytes back, the end. The checksum is never reached.
    let stream = [
        method,
        if method == 0x78 { 0x01 } else { 0x1D },
        0x63,
        0x00,
        0x22,
        0x00,
    ];
    let file = [header(600, 1, GRAY), png_chunk(*b"IDAT", &stream), end()];
    assert_eq!(checked(&file), Err(PngError::Damaged));
}

/// A stream of one stored block, after others.
fn after_blocks(blocks: &[u8], rows: &[u8]) -> Vec<u8> {
    let stored = &compress_to_vec_zlib(rows, 0)[2..];
    [b"\x78\x01", blocks, stored].concat()
}

#[test]
fn a_block_of_the_end_code_alone_is_accepted() {
    // Made by hand: the only code of its first block has one bit and ends the block.
    let file = include_bytes!("end-of-block-only.png");
    assert!(check(file, &mut Budget::default()).is_ok());
}

const STEPS: usize = MAX_STEPS as usize;

#[test]
fn blocks_are_counted() {
    // Empty stored blocks.
    let blocks = |count: usize| b"\0\0\0\xFF\xFF".repeat(count);
    let with = |count| with_data(png_chunk(*b"IDAT", &after_blocks(&blocks(count), ROWS)));
    assert!(with(STEPS - 10).is_ok());
    assert_eq!(with(STEPS), Err(PngError::TooManyBlocks));
    let in_text = |count| {
        let text = after_blocks(&blocks(count), b"hello");
        with_chunk(*b"zTXt", &[b"a\0\0", &text[..]].concat())
    };
    assert!(in_text(STEPS - 26).is_ok());
    assert_eq!(in_text(STEPS - 16), Err(PngError::TooManyBlocks));
    // Each needs an inflater of its own.
    let texts = |count| with_chunks(&png_chunk(*b"zTXt", b"a\0\0x\x9C").repeat(count));
    assert!(texts(STEPS / 17 - 1).is_ok());
    assert_eq!(texts(STEPS / 17 + 1), Err(PngError::TooManyBlocks));
}

#[test]
fn the_pngs_of_a_request_share_a_budget() {
    let blocks = after_blocks(&b"\0\0\0\xFF\xFF".repeat(1 << 16), ROWS);
    let image = png(&[header(3, 2, RGB), png_chunk(*b"IDAT", &blocks), end()]);
    let mut budget = Budget::default();
    assert!(check(&image, &mut budget).is_ok());
    assert_eq!(check(&image, &mut budget), Err(PngError::TooManyBlocks));

    let rows = vec![0; 8001 * 11_000];
    let image = png(&[header(8000, 11_000, GRAY), data(&rows), end()]);
    let mut budget = Budget::default();
    for _ in 0..3 {
        assert!(check(&image, &mut budget).is_ok());
    }
    assert_eq!(check(&image, &mut budget), Err(PngError::InflatesTooFar));
}

#[rstest]
#[case::header_late(&[png_chunk(*b"tEXt", b"a\0b"), header(3, 2, RGB), data(ROWS), end()])]
#[case::header_twice(&[header(3, 2, RGB), header(3, 2, RGB), data(ROWS), end()])]
#[case::palette_missing(&[header(3, 2, INDEXED), data(&[0; 8]), end()])]
#[case::palette_late(&[header(3, 2, INDEXED), data(&[0; 8]), png_chunk(*b"PLTE", b"rgb"), end()])]
#[case::palette_empty(&[header(3, 2, INDEXED), png_chunk(*b"PLTE", b""), data(&[0; 8]), end()])]
#[case::palette_uneven(&[header(3, 2, INDEXED), png_chunk(*b"PLTE", b"rgbr"), data(&[0; 8]), end()])]
#[case::palette_of_257(&[header(3, 2, INDEXED), png_chunk(*b"PLTE", &[7; 771]), data(&[0; 8]), end()])]
#[case::palette_twice(&[header(3, 2, GRAY), png_chunk(*b"PLTE", b"rgb"), png_chunk(*b"PLTE", b"rgb"), data(&[0; 8]), end()])]
fn broken_structure_is_refused(#[case] chunks: &[Vec<u8>]) {
    assert_eq!(checked(chunks), Err(PngError::Damaged));
}

#[test]
fn the_end_is_needed_and_what_follows_it_is_kept() {
    assert_eq!(
        checked(&[header(3, 2, RGB), data(ROWS)]),
        Err(PngError::Cut)
    );
    let end_with_data = png_chunk(*b"IEND", b"x");
    assert!(checked(&[header(3, 2, RGB), data(ROWS), end_with_data]).is_ok());
    let appended = b"appended".to_vec();
    assert!(checked(&[header(3, 2, RGB), data(ROWS), end(), appended]).is_ok());
}

#[rstest]
#[case::no_columns(0, 2, "the image has no pixels")]
#[case::no_rows(3, 0, "the image has no pixels")]
#[case::a_pixel_too_many(9_459, 9_460, "the image has more than 89478485 pixels")]
#[case::too_wide(1_000_001, 1, "the image is more than 1000000 pixels wide or high")]
#[case::too_high(1, 1_000_001, "the image is more than 1000000 pixels wide or high")]
#[case::immense(
    u32::MAX,
    u32::MAX,
    "the image is more than 1000000 pixels wide or high"
)]
fn dimensions_are_limited(#[case] width: u32, #[case] height: u32, #[case] message: &str) {
    let error = checked(&[header(width, height, RGB), data(ROWS), end()]).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn the_longest_side_is_accepted() {
    let tall = data(&vec![0; 2_000_000]);
    assert!(checked(&[header(1, 1_000_000, GRAY), tall, end()]).is_ok());
    let too_many = PngError::Dimensions(DimensionsError::TooLarge);
    let file = [header(9_460, 9_460, RGB), data(ROWS), end()];
    assert_eq!(checked(&file), Err(too_many));
}

#[test]
fn an_image_that_inflates_too_far_is_refused() {
    let error = checked(&[header(9_400, 9_400, [8, 6, 0, 0, 0]), data(ROWS), end()]).unwrap_err();
    let expected = "the request's PNGs inflate beyond 256 MiB in total";
    assert_eq!(error.to_string(), expected);
}

#[rstest]
#[case::text(b"zTXt", b"Comment\0\0")]
#[case::profile(b"iCCP", b"profile\0\0")]
#[case::international_text(b"iTXt", b"Comment\0\x01\0en\0Kommentar\0")]
#[case::international_text_of_another_flag(b"iTXt", b"Comment\0\x02\0en\0Kommentar\0")]
fn chunks_that_inflate_far_are_refused(#[case] kind: &[u8; 4], #[case] head: &[u8]) {
    let chunk = |length| [head, &zeros(length)].concat();
    assert!(with_chunk(*kind, &chunk(1 << 20)).is_ok());
    let large = chunk((1 << 20) + 1);
    let error = with_chunk(*kind, &large).unwrap_err();
    let expected = "a text or color-profile chunk of the PNG inflates beyond 1 MiB";
    assert_eq!(error.to_string(), expected);
    let after = [data(ROWS), png_chunk(*kind, &large)].concat();
    assert_eq!(with_data(after), Err(PngError::LargeChunk));
}

#[test]
fn text_chunks_that_inflate_far_together_are_refused() {
    let text = png_chunk(*b"zTXt", &[b"a\0\0", &zeros(1 << 20)[..]].concat());
    assert!(with_chunks(&text.repeat(64)).is_ok());
    let error = with_chunks(&[text.repeat(64), png_chunk(*b"tEXt", b"a\0b")].concat());
    let expected = "the PNG's text chunks inflate beyond 64 MiB in total";
    assert_eq!(error.unwrap_err().to_string(), expected);
    // Profiles aren't text, and count for the request's budget alone.
    let profile = png_chunk(*b"iCCP", &[b"a\0\0", &zeros(1 << 20)[..]].concat());
    assert!(with_chunks(&profile.repeat(255)).is_ok());
    assert_eq!(
        with_chunks(&profile.repeat(257)),
        Err(PngError::InflatesTooFar)
    );
}

#[test]
fn a_text_that_breaks_off_counts_up_to_there() {
    let cut = &zeros(1 << 20)[..900];
    let text = png_chunk(*b"zTXt", &[b"a\0\0", cut].concat());
    assert!(with_chunks(&text).is_ok());
    assert_eq!(with_chunks(&text.repeat(80)), Err(PngError::TooMuchText));
}
