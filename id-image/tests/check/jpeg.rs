//! Which JPEGs are accepted (the contract's section on images).

use id_image::DimensionsError;
use id_image::jpeg::{JpegError, check};
use rstest::rstest;

const START: &[u8] = b"\xFF\xD8";
const END: &[u8] = b"\xFF\xD9";
const DATA: &[u8] = b"\x12\xFF\x00\x34\xFF\xD0\x56";

/// A marker's segment.
fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker][..], &length, payload].concat()
}

fn quantization(slot: u8) -> Vec<u8> {
    segment(0xDB, &[&[slot][..], &[1; 64]].concat())
}

/// A table with one code of one bit, in a slot from 0x00 (DC) or 0x10 (AC) on.
fn huffman(slot: u8) -> Vec<u8> {
    segment(0xC4, &[&[slot, 1][..], &[0; 16]].concat())
}

/// A frame of 3 × 2 pixels with components by ID and sampling.
fn frame(marker: u8, components: &[(u8, u8)]) -> Vec<u8> {
    let count = u8::try_from(components.len()).unwrap();
    let specifications: Vec<u8> = components
        .iter()
        .flat_map(|&(id, sampling)| [id, sampling, 0])
        .collect();
    segment(
        marker,
        &[&[8, 0, 2, 0, 3, count][..], &specifications].concat(),
    )
}

/// A scan of components by ID, with its spectral selection and approximation.
fn scan(ids: &[u8], parameters: [u8; 3]) -> Vec<u8> {
    let count = u8::try_from(ids.len()).unwrap();
    let selectors: Vec<u8> = ids.iter().flat_map(|&id| [id, 0]).collect();
    let header = segment(0xDA, &[&[count][..], &selectors, &parameters].concat());
    [&header, DATA].concat()
}

fn tables() -> Vec<u8> {
    [quantization(0), huffman(0x00), huffman(0x10)].concat()
}

fn grey_frame() -> Vec<u8> {
    frame(0xC0, &[(1, 0x11)])
}

fn grey_scan() -> Vec<u8> {
    scan(&[1], [0, 63, 0])
}

fn jpeg(segments: &[&[u8]]) -> Vec<u8> {
    [START, &segments.concat(), END].concat()
}

fn checked(segments: &[&[u8]]) -> Result<(u32, u32), JpegError> {
    let dimensions = check(&jpeg(segments))?;
    Ok((dimensions.width(), dimensions.height()))
}

/// Checks a good JPEG with something between its tables and its frame.
fn with_segment(between: &[u8]) -> Result<(u32, u32), JpegError> {
    checked(&[&tables(), between, &grey_frame(), &grey_scan()])
}

/// Checks a good JPEG with something after its scan.
fn with_ending(after: &[u8]) -> Result<(u32, u32), JpegError> {
    checked(&[&tables(), &grey_frame(), &grey_scan(), after])
}

/// Checks a JPEG of this frame and one scan.
fn with_frame(frame: &[u8]) -> Result<(u32, u32), JpegError> {
    checked(&[&tables(), frame, &grey_scan()])
}

fn color_frame(marker: u8) -> Vec<u8> {
    frame(marker, &[(1, 0x22), (2, 0x11), (3, 0x11)])
}

/// Checks a color JPEG of these scans.
fn with_scans(marker: u8, scans: &[u8]) -> Result<(u32, u32), JpegError> {
    checked(&[&tables(), &color_frame(marker), scans])
}

const ACCEPTED: Result<(u32, u32), JpegError> = Ok((3, 2));
const DAMAGED: Result<(u32, u32), JpegError> = Err(JpegError::Damaged);

#[rstest]
#[case::tables_first([tables(), grey_frame(), grey_scan()].concat())]
#[case::tables_after_the_frame([grey_frame(), tables(), grey_scan()].concat())]
#[case::fill_bytes_before_the_end([tables(), grey_frame(), grey_scan(), b"\xFF\xFF".to_vec()].concat())]
#[case::a_preview_after_the_end([tables(), grey_frame(), grey_scan(), [END, b"appended", START].concat()].concat())]
#[case::a_thumbnail([segment(0xE1, b"\xFF\xD8\xFF\xD9"), tables(), grey_frame(), grey_scan()].concat())]
#[case::cmyk([
    tables(),
    frame(0xC0, &[(1, 0x11), (2, 0x11), (3, 0x11), (4, 0x11)]),
    scan(&[1, 2, 3, 4], [0, 63, 0]),
].concat())]
#[case::a_scan_without_data([tables(), grey_frame(), grey_scan()[..10].to_vec()].concat())]
#[case::a_component_with_the_factor_3([tables(), frame(0xC0, &[(1, 0x33)]), grey_scan()].concat())]
fn what_encoders_and_cameras_write_is_accepted(#[case] segments: Vec<u8>) {
    assert_eq!(checked(&[&segments]), ACCEPTED);
}

#[rstest]
#[case::extended_sequential(0xC1, scan(&[1, 2, 3], [0, 63, 0]))]
#[case::one_component_a_scan(0xC0, [scan(&[1], [0, 63, 0]), scan(&[3], [0, 63, 0])].concat())]
#[case::in_libjpegs_order(0xC0, [scan(&[3, 2], [0, 63, 0]), scan(&[1], [0, 63, 0])].concat())]
#[case::progressive(
    0xC2,
    [scan(&[1, 2, 3], [0, 0, 0x01]), scan(&[2], [1, 63, 0x02]), scan(&[1, 2, 3], [0, 0, 0x10])].concat()
)]
fn scans_that_libjpeg_takes_are_accepted(#[case] marker: u8, #[case] scans: Vec<u8>) {
    assert_eq!(with_scans(marker, &scans), ACCEPTED);
}

#[rstest]
#[case::out_of_order(0xC0, scan(&[2, 1, 3], [0, 63, 0]))]
#[case::more_than_one_of_all(0xC0, scan(&[1, 2, 3], [0, 63, 0]).repeat(2))]
#[case::band_with_dc(0xC2, scan(&[1], [0, 1, 0]))]
#[case::band_too_high(0xC2, scan(&[1], [1, 64, 0]))]
#[case::band_backwards(0xC2, scan(&[1], [5, 4, 0]))]
#[case::two_bits_at_once(0xC2, scan(&[1], [0, 0, 0x20]))]
#[case::shifted_too_far(0xC2, scan(&[1], [0, 0, 0x0E]))]
#[case::band_of_two(0xC2, scan(&[1, 2], [1, 63, 0]))]
#[case::no_components(0xC0, scan(&[], [0, 63, 0]))]
#[case::unknown_component(0xC0, scan(&[4], [0, 63, 0]))]
#[case::component_twice(0xC0, scan(&[1, 1], [0, 63, 0]))]
#[case::five_components(0xC0, scan(&[1, 2, 3, 4, 5], [0, 63, 0]))]
fn scans_that_libjpeg_refuses_are_refused(#[case] marker: u8, #[case] scans: Vec<u8>) {
    assert_eq!(with_scans(marker, &scans), DAMAGED);
}

#[test]
fn refining_needs_no_dc_table() {
    let refined = scan(&[1, 2, 3], [0, 0, 0x10]);
    let segments = [&quantization(0)[..], &color_frame(0xC2), &refined];
    assert_eq!(checked(&segments), ACCEPTED);
}

#[rstest]
#[case::a_byte(b"x")]
#[case::a_zero(b"\0")]
#[case::fill_bytes(b"\xFF\xFF\xFF")]
#[case::a_stuffed_byte(b"\xFF\0")]
#[case::many(&[b'x'; 600])]
#[case::a_restart_marker(b"\xFF\xD3")]
#[case::a_segment_of_another_kind(b"\xFF\xDC\0\x04\0\x02")]
#[case::a_comment_of_no_length(b"\xFF\xFE\0\0")]
#[case::application_data_of_length_1(b"\xFF\xE5\0\x01")]
fn stray_bytes_between_segments_are_skipped(#[case] stray: &[u8]) {
    assert_eq!(with_segment(stray), ACCEPTED);
    assert_eq!(with_ending(stray), ACCEPTED);
    // Pillow looks at the first three bytes, and so do others.
    let first = checked(&[stray, &tables(), &grey_frame(), &grey_scan()]);
    assert_eq!(first, if stray[0] == 0xFF { ACCEPTED } else { DAMAGED });
}

#[rstest]
#[case::start_of_image(START)]
#[case::reserved(b"\xFF\x02\0\x02")]
#[case::tem(b"\xFF\x01")]
#[case::jpg(b"\xFF\xC8\0\x02")]
#[case::jpg0(b"\xFF\xF0\0\x02")]
#[case::exp(b"\xFF\xDF\0\x03\x11")]
#[case::a_length_below_2(b"\xFF\xDB\0\x01")]
#[case::restart_interval_too_short(b"\xFF\xDD\0\x03\0")]
#[case::restart_interval_too_long(b"\xFF\xDD\0\x05\0\0\0")]
#[case::jfif_without_its_version(b"\xFF\xE0\0\x07JFIF\0")]
#[case::adobe_without_its_version(b"\xFF\xEE\0\x07Adobe")]
#[case::profile_without_its_number(b"\xFF\xE2\0\x0EICC_PROFILE\0")]
#[case::photoshop_resource_without_a_name(b"\xFF\xED\0\x16Photoshop 3.0\x008BIM\x03\xED")]
fn segments_on_which_readers_give_up_are_refused(#[case] segment: &[u8]) {
    assert_eq!(with_segment(segment), DAMAGED);
}

const BYTE: u16 = 1;
const TEXT: u16 = 2;
const SHORT: u16 = 3;
const RATIONAL: u16 = 5;
const UNDEFINED: u16 = 7;

/// EXIF data with a resolution's unit, and its value of this type.
fn exif(kind: u16, value: &[u8]) -> Vec<u8> {
    let size = if kind == RATIONAL { 8 } else { 1 };
    let count = u32::try_from(value.len()).unwrap() / size;
    let (inline, later) = match value.len() {
        0..=4 => ([value, &[0; 4]].concat()[..4].to_vec(), &[][..]),
        _ => (38_u32.to_be_bytes().to_vec(), value),
    };
    let unit = b"\x01\x28\0\x03\0\0\0\x01\0\x02\0\0";
    let entry = [
        &b"\x01\x1A"[..],
        &kind.to_be_bytes(),
        &count.to_be_bytes(),
        &inline,
    ]
    .concat();
    let directory = [&b"\0\x02"[..], unit, &entry, &[0; 4]].concat();
    [&b"Exif\0\0MM\0*\0\0\0\x08"[..], &directory, later].concat()
}

/// Pillow 13 raises an `IndexError`.
#[rstest]
#[case::a_byte(exif(BYTE, &[72]))]
#[case::an_undefined_byte(exif(UNDEFINED, &[72]))]
#[case::an_empty_text(exif(TEXT, b"\0"))]
#[case::a_digit(exif(TEXT, b"7\0"))]
#[case::after_two_prefixes([b"Exif\0\0", &exif(BYTE, &[72])[..]].concat())]
fn an_incomplete_resolution_is_refused(#[case] exif: Vec<u8>) {
    let segment = |data: &[u8]| segment(0xE1, data);
    let refused = Err(JpegError::Resolution);
    assert_eq!(with_segment(&segment(&exif)), refused);
    // Split over two segments.
    let (first, second) = exif.split_at(20);
    let split = [segment(first), segment(&[b"Exif\0\0", second].concat())].concat();
    assert_eq!(with_segment(&split), refused);
    // JFIF has the resolution, too, so that Pillow doesn't look for it.
    let jfif = b"\xFF\xE0\0\x0EJFIF\0\x01\x02\x01\0\x48\0\x48";
    assert_eq!(
        with_segment(&[jfif, &segment(&exif)[..]].concat()),
        ACCEPTED
    );
    // Pillow looks only up to the first scan.
    assert_eq!(with_ending(&segment(&exif)), ACCEPTED);
}

#[rstest]
#[case::a_fraction(exif(RATIONAL, b"\0\0\0\x48\0\0\0\x01"))]
#[case::divided_by_zero(exif(RATIONAL, &[0; 8]))]
#[case::no_value(exif(BYTE, &[]))]
#[case::two_bytes(exif(BYTE, &[72, 1]))]
#[case::a_letter(exif(TEXT, b"x\0"))]
#[case::a_text(exif(TEXT, b"72\0"))]
#[case::a_number(exif(SHORT, &[72]))]
#[case::no_unit(exif(BYTE, &[72]).into_iter().map(|byte| if byte == 0x28 { 0x27 } else { byte }).collect())]
#[case::cut_off(exif(BYTE, &[72])[..37].to_vec())]
#[case::no_tiff(b"Exif\0\0hello".to_vec())]
#[case::nothing(b"Exif\0\0".to_vec())]
fn exif_data_that_pillow_reads_or_ignores_is_accepted(#[case] exif: Vec<u8>) {
    assert_eq!(with_segment(&segment(0xE1, &exif)), ACCEPTED);
}

#[test]
fn every_truncation_is_detected() {
    let color = [tables(), color_frame(0xC0)].concat();
    let scans = [scan(&[1], [0, 63, 0]), scan(&[2, 3], [0, 63, 0])].concat();
    let whole = jpeg(&[&color, &scans]);
    for end in 2..whole.len() {
        assert_eq!(check(&whole[..end]), Err(JpegError::Cut), "{end}");
    }
}

#[rstest]
#[case::lossless(&[0xC3], "a lossless JPEG")]
#[case::hierarchical(&[0xC5, 0xC6, 0xC7, 0xDE], "a hierarchical JPEG")]
#[case::arithmetic(&[0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF], "an arithmetic-coded JPEG")]
#[case::jpeg_ls(&[0xF7], "a JPEG-LS")]
fn processes_that_readers_do_not_open_are_refused(
    #[case] markers: &[u8],
    #[case] name: &'static str,
) {
    for &marker in markers {
        let frame = frame(marker, &[(1, 0x11)]);
        assert_eq!(with_frame(&frame), Err(JpegError::Process(name)));
    }
}

/// A frame of one component with another byte in its segment.
fn altered(at: usize, value: u8) -> Vec<u8> {
    let mut frame = grey_frame();
    frame[at] = value;
    frame
}

#[rstest]
#[case::precision_of_0(altered(4, 0), JpegError::Precision)]
#[case::precision_of_12(altered(4, 12), JpegError::Precision)]
#[case::no_rows(altered(6, 0), JpegError::Dimensions(DimensionsError::Empty))]
#[case::no_columns(altered(8, 0), JpegError::Dimensions(DimensionsError::Empty))]
#[case::no_components(altered(9, 0), JpegError::Components)]
#[case::two_components(altered(9, 2), JpegError::Components)]
#[case::five_components(altered(9, 5), JpegError::Components)]
#[case::components_missing(altered(9, 3), JpegError::Damaged)]
#[case::sampling_of_0(altered(11, 0x01), JpegError::Sampling)]
#[case::vertical_sampling_of_0(altered(11, 0x10), JpegError::Sampling)]
#[case::sampling_of_5(altered(11, 0x51), JpegError::Sampling)]
#[case::vertical_sampling_of_5(altered(11, 0x15), JpegError::Sampling)]
#[case::sampling_of_2_of_3(frame(0xC0, &[(1, 0x31), (2, 0x21), (3, 0x11)]), JpegError::UnevenSampling)]
#[case::vertical_sampling_of_2_of_3(frame(0xC0, &[(1, 0x13), (2, 0x12), (3, 0x11)]), JpegError::UnevenSampling)]
#[case::sampling_of_3_of_4(frame(0xC0, &[(1, 0x11), (2, 0x31), (3, 0x41)]), JpegError::UnevenSampling)]
#[case::two_frames(grey_frame().repeat(2), JpegError::Damaged)]
fn frames_out_of_range_are_refused(#[case] frame: Vec<u8>, #[case] error: JpegError) {
    assert_eq!(with_frame(&frame), Err(error));
}

/// A frame of this size and these components.
fn sized(marker: u8, width: u16, height: u16, components: &[(u8, u8)]) -> Vec<u8> {
    let mut frame = frame(marker, components);
    frame[5..7].copy_from_slice(&height.to_be_bytes());
    frame[7..9].copy_from_slice(&width.to_be_bytes());
    frame
}

#[rstest]
#[case::too_wide(65_501, 1, "the image is more than 65500 pixels wide or high")]
#[case::too_high(1, 65_501, "the image is more than 65500 pixels wide or high")]
#[case::a_pixel_too_many(9_459, 9_460, "the image has more than 89478485 pixels")]
fn dimensions_are_limited(#[case] width: u16, #[case] height: u16, #[case] message: &str) {
    let error = with_frame(&sized(0xC0, width, height, &[(1, 0x11)])).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case::widest(65_500, 1_366)]
#[case::highest(1_366, 65_500)]
#[case::largest(9_459, 9_459)]
fn the_largest_dimensions_are_accepted(#[case] width: u16, #[case] height: u16) {
    let frame = sized(0xC0, width, height, &[(1, 0x11)]);
    assert_eq!(with_frame(&frame), Ok((width.into(), height.into())));
}

#[test]
fn a_unit_of_more_than_ten_blocks_is_refused() {
    let unit = frame(0xC0, &[(1, 0x42), (2, 0x21), (3, 0x11)]);
    let scan = scan(&[1, 2, 3], [0, 63, 0]);
    assert_eq!(checked(&[&tables(), &unit, &scan]), DAMAGED);
}

#[rstest]
#[case::quantization(&[huffman(0x00), huffman(0x10)], quantization(0))]
#[case::dc(&[quantization(0), huffman(0x10)], huffman(0x00))]
#[case::ac(&[quantization(0), huffman(0x00)], huffman(0x10))]
#[case::other_slots(&[quantization(1), huffman(0x01), huffman(0x11)], tables())]
fn scans_without_their_tables_are_refused(#[case] others: &[Vec<u8>], #[case] late: Vec<u8>) {
    let (tables, frame, scan) = (others.concat(), grey_frame(), grey_scan());
    let missing = Err(JpegError::MissingTable);
    assert_eq!(checked(&[&tables, &frame, &scan]), missing);
    assert_eq!(checked(&[&tables, &frame, &scan, &late]), missing);
    assert_eq!(checked(&[&tables, &frame, &late, &scan]), ACCEPTED);
}

#[rstest]
#[case::quantization_slot_4(quantization(0x04))]
#[case::quantization_too_short(segment(0xDB, &[0; 64]))]
#[case::quantization_of_16_bits_too_short(segment(0xDB, &[&[0x10][..], &[0; 127]].concat()))]
#[case::huffman_slot_4(huffman(0x04))]
#[case::huffman_class_2(huffman(0x20))]
#[case::huffman_too_short(segment(0xC4, &[0; 16]))]
#[case::fewer_symbols_than_codes(segment(0xC4, &[&[0x10, 1][..], &[0; 15]].concat()))]
#[case::huffman_of_more_than_256(segment(0xC4, &[&[0x10][..], &[20; 16], &[0; 320]].concat()))]
fn tables_that_can_not_be_are_refused(#[case] table: Vec<u8>) {
    assert_eq!(with_segment(&table), DAMAGED);
}

#[rstest]
#[case::three_codes_of_one_bit(&[0x10, 3], &[0; 3])]
#[case::the_code_of_all_ones(&[0x10, 2], &[0; 2])]
#[case::the_code_of_all_ones_later(&[0x10, 1, 1, 2], &[0; 4])]
#[case::a_dc_symbol_of_16_bits(&[0x00, 1], &[16])]
fn tables_of_impossible_codes_are_refused_where_they_are_used(
    #[case] counts: &[u8],
    #[case] symbols: &[u8],
) {
    let mut table = counts.to_vec();
    table.resize(17, 0);
    table.extend(symbols);
    assert_eq!(with_segment(&segment(0xC4, &table)), DAMAGED);
    table[0] += 1;
    assert_eq!(with_segment(&segment(0xC4, &table)), ACCEPTED);
}

#[test]
fn codes_that_leave_all_ones_unused_are_accepted() {
    let counts = [&[0x10][..], &[1; 16], &[0; 16]].concat();
    assert_eq!(with_segment(&segment(0xC4, &counts)), ACCEPTED);
}

#[test]
fn quantization_of_16_bits_is_accepted() {
    for precision in [0x10, 0xF0] {
        let table = [&[precision][..], &[1; 128]].concat();
        assert_eq!(with_segment(&segment(0xDB, &table)), ACCEPTED);
    }
}

#[rstest]
#[case::scan_before_the_frame([tables(), grey_scan(), grey_frame()].concat())]
#[case::no_scan([tables(), grey_frame()].concat())]
#[case::nothing(Vec::new())]
fn broken_structure_is_refused(#[case] segments: Vec<u8>) {
    assert_eq!(checked(&[&segments]), DAMAGED);
}

#[test]
fn no_bytes_are_no_jpeg() {
    assert_eq!(check(b""), Err(JpegError::Damaged));
}

#[test]
fn scans_are_counted() {
    let scans = |count| scan(&[1], [0, 63, 0]).repeat(count);
    assert_eq!(with_scans(0xC0, &scans(100)), ACCEPTED);
    assert_eq!(with_scans(0xC0, &scans(101)), Err(JpegError::TooManyScans));
}

const SUBSAMPLED: &[(u8, u8)] = &[(1, 0x22), (2, 0x11), (3, 0x11)];
const FULL: &[(u8, u8)] = &[(1, 0x11), (2, 0x11), (3, 0x11)];
const FOUR: &[(u8, u8)] = &[(1, 0x11), (2, 0x11), (3, 0x11), (4, 0x11)];

/// Checks an image of this size with a scan of its first component, this many times.
fn with_size(
    marker: u8,
    size: (u16, u16),
    components: &[(u8, u8)],
    scans: usize,
) -> Result<(u32, u32), JpegError> {
    let band = if marker == 0xC2 {
        [1, 63, 0]
    } else {
        [0, 63, 0]
    };
    let frame = sized(marker, size.0, size.1, components);
    checked(&[&tables(), &frame, &scan(&[1], band).repeat(scans)])
}

#[rstest]
#[case::a_phones_12_megapixels(0xC2, (4032, 3024), SUBSAMPLED, 100)]
#[case::a_phones_50_megapixels(0xC2, (8192, 6144), SUBSAMPLED, 20)]
#[case::full_color(0xC2, (6900, 6900), FULL, 10)]
#[case::four_components(0xC2, (6300, 6300), FOUR, 10)]
#[case::the_largest_in_gray(0xC2, (8900, 8900), &[(1, 0x11)], 10)]
fn progressive_photos_are_accepted(
    #[case] marker: u8,
    #[case] size: (u16, u16),
    #[case] components: &[(u8, u8)],
    #[case] scans: usize,
) {
    let result = with_size(marker, size, components, scans);
    assert_eq!(result, Ok((size.0.into(), size.1.into())));
}

#[rstest]
#[case::scans_of_large_images(0xC2, (6700, 6700), FULL, 34)]
#[case::scans_that_are_not_progressive(0xC0, (6700, 6700), FULL, 34)]
#[case::pixels_of_three_components(0xC2, (7000, 7000), FULL, 1)]
#[case::pixels_of_three_components_that_are_not_progressive(0xC0, (7000, 7000), FULL, 1)]
#[case::pixels_of_four_components(0xC2, (6400, 6400), FOUR, 1)]
#[case::pixels_of_subsampled_ones(0xC2, (8300, 8300), SUBSAMPLED, 1)]
fn images_that_fill_a_readers_memory_or_time_are_refused(
    #[case] marker: u8,
    #[case] size: (u16, u16),
    #[case] components: &[(u8, u8)],
    #[case] scans: usize,
) {
    let result = with_size(marker, size, components, scans);
    assert_eq!(result, Err(JpegError::TooCostly));
}
