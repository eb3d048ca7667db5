//! Which JPEGs are accepted (the contract's section on images).

use put_image::image::jpeg::{JpegError, check};

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

#[track_caller]
fn assert_accepted(segments: &[&[u8]]) {
    let dimensions = check(&jpeg(segments));
    let size = dimensions.map(|dimensions| (dimensions.width(), dimensions.height()));
    assert_eq!(size, Ok((3, 2)), "{segments:02X?}");
}

#[track_caller]
fn assert_refused(segments: &[&[u8]], error: JpegError) {
    assert_eq!(check(&jpeg(segments)), Err(error), "{segments:02X?}");
}

#[test]
fn what_encoders_and_cameras_write_is_accepted() {
    let (frame_, scan_) = (grey_frame(), grey_scan());
    assert_accepted(&[&tables(), &frame_, &scan_]);
    assert_accepted(&[&frame_, &tables(), &scan_, &scan_]);
    assert_accepted(&[&tables(), &frame_, &scan_, b"\xFF\xFF"]);
    assert_accepted(&[&tables(), &frame_, &scan_, END, b"appended", START]);
    // A thumbnail inside a segment, and fill bytes before one.
    let thumbnail = segment(0xE1, &[START, END].concat());
    assert_accepted(&[&thumbnail, b"\xFF\xFF", &tables(), &frame_, &scan_]);
    let colour = frame(0xC1, &[(1, 0x22), (2, 0x11), (3, 0x11)]);
    assert_accepted(&[&tables(), &colour, &scan(&[1, 2, 3], [0, 63, 0])]);
    let one_by_one = [scan(&[1], [0, 63, 0]), scan(&[3], [0, 63, 0])].concat();
    assert_accepted(&[&tables(), &colour, &one_by_one]);
    let cmyk = frame(0xC0, &[(1, 0x11), (2, 0x11), (3, 0x11), (4, 0x11)]);
    assert_accepted(&[&tables(), &cmyk, &scan(&[1, 2, 3, 4], [0, 63, 0])]);
}

#[test]
fn progressive_scans_are_accepted() {
    let colour = frame(0xC2, &[(1, 0x22), (2, 0x11), (3, 0x11)]);
    let first = scan(&[1, 2, 3], [0, 0, 0x01]);
    let refined = scan(&[1, 2, 3], [0, 0, 0x10]);
    let band = scan(&[2], [1, 63, 0x02]);
    assert_accepted(&[&tables(), &colour, &first, &band, &refined]);
    // Refining needs no DC table.
    assert_accepted(&[&quantization(0), &colour, &refined]);
    for parameters in [[0, 1, 0], [1, 64, 0], [5, 4, 0], [0, 0, 0x20], [0, 0, 0x0E]] {
        let wrong = scan(&[1], parameters);
        assert_refused(&[&tables(), &colour, &wrong], JpegError::Damaged);
    }
    let interleaved = scan(&[1, 2], [1, 63, 0]);
    assert_refused(&[&tables(), &colour, &interleaved], JpegError::Damaged);
}

#[test]
fn every_cut_is_told() {
    let whole = jpeg(&[&tables(), &grey_frame(), &grey_scan(), &grey_scan()]);
    for end in 2..whole.len() {
        assert_eq!(check(&whole[..end]), Err(JpegError::Cut), "{end}");
    }
}

#[test]
fn processes_that_readers_do_not_open_are_refused() {
    for (marker, name) in [
        (0xC3, "a lossless JPEG"),
        (0xC5, "a hierarchical JPEG"),
        (0xC6, "a hierarchical JPEG"),
        (0xC7, "a hierarchical JPEG"),
        (0xC9, "an arithmetic-coded JPEG"),
        (0xCA, "an arithmetic-coded JPEG"),
        (0xCB, "an arithmetic-coded JPEG"),
        (0xCD, "an arithmetic-coded JPEG"),
        (0xCE, "an arithmetic-coded JPEG"),
        (0xCF, "an arithmetic-coded JPEG"),
        (0xDE, "a hierarchical JPEG"),
    ] {
        let frame = frame(marker, &[(1, 0x11)]);
        assert_refused(&[&tables(), &frame, &grey_scan()], JpegError::Process(name));
    }
}

#[test]
fn frames_out_of_range_are_refused() {
    let with = |at: usize, value: u8| {
        let mut frame = grey_frame();
        frame[at] = value;
        frame
    };
    let refused = |frame: &[u8], error| assert_refused(&[&tables(), frame, &grey_scan()], error);
    for precision in [0, 12, 255] {
        refused(&with(4, precision), JpegError::Precision);
    }
    for sampling in [0x00, 0x01, 0x10, 0x15, 0x51] {
        refused(&with(11, sampling), JpegError::Sampling);
    }
    for components in [0, 2, 5, 255] {
        refused(&with(9, components), JpegError::Components);
    }
    refused(&with(9, 3), JpegError::Damaged);
    for at in [6, 8] {
        let error = check(&jpeg(&[&tables(), &with(at, 0), &grey_scan()])).unwrap_err();
        assert_eq!(error.to_string(), "the image has no pixels");
    }
    let large = segment(0xC0, b"\x08\xFF\xFF\xFF\xFF\x01\x01\x11\x00");
    let error = check(&jpeg(&[&tables(), &large, &grey_scan()])).unwrap_err();
    assert_eq!(error.to_string(), "the image has more than 100 megapixels");
    let unit = frame(0xC0, &[(1, 0x42), (2, 0x21), (3, 0x11)]);
    let scan = scan(&[1, 2, 3], [0, 63, 0]);
    assert_refused(&[&tables(), &unit, &scan], JpegError::Damaged);
}

#[test]
fn scans_without_their_tables_are_refused() {
    let (frame, scan) = (grey_frame(), grey_scan());
    let all = [quantization(0), huffman(0x00), huffman(0x10)];
    for missing in 0..all.len() {
        let mut tables = all.to_vec();
        tables.remove(missing);
        let tables = tables.concat();
        assert_refused(&[&tables, &frame, &scan], JpegError::MissingTable);
        // Behind the scan is too late.
        let late = &all[missing];
        assert_refused(&[&tables, &frame, &scan, late], JpegError::MissingTable);
    }
    let others = [quantization(1), huffman(0x01), huffman(0x11)].concat();
    assert_refused(&[&others, &frame, &scan], JpegError::MissingTable);
}

#[test]
fn tables_that_can_not_be_are_refused() {
    let refused = |table: &[u8]| {
        let segments = [&tables()[..], table, &grey_frame(), &grey_scan()];
        assert_refused(&segments, JpegError::Damaged);
    };
    refused(&quantization(0x04));
    refused(&quantization(0x20));
    refused(&segment(0xDB, &[0; 64]));
    refused(&huffman(0x04));
    refused(&huffman(0x20));
    refused(&segment(0xC4, &[0; 16]));
    // Three codes of one bit, a DC symbol of 16 bits, and fewer symbols than codes.
    refused(&segment(0xC4, &[&[0x10, 3][..], &[0; 18]].concat()));
    refused(&segment(0xC4, &[&[0x00, 1][..], &[0; 15], &[16]].concat()));
    refused(&segment(0xC4, &[&[0x10, 1][..], &[0; 15]].concat()));
}

#[test]
fn broken_structure_is_refused() {
    let (tables, frame, scan) = (tables(), grey_frame(), grey_scan());
    let refused = |segments: &[&[u8]]| assert_refused(segments, JpegError::Damaged);
    refused(&[&tables, &scan, &frame]);
    refused(&[&tables, &frame]);
    refused(&[&tables, &frame, &scan[..10]]);
    refused(&[&tables, &frame, &scan[..10], b"\xFF\xD0\xFF\xFF"]);
    refused(&[&tables, &frame, &frame, &scan]);
    refused(&[START, &tables, &frame, &scan]);
    refused(&[b"\xFF\x02\x00\x02", &tables, &frame, &scan]);
    refused(&[&tables, &frame, &scan, b"\xFF\x01"]);
    refused(&[b"\xFF\xD0", &tables, &frame, &scan]);
    refused(&[b"\xFF\xE0\x00\x01", &tables, &frame, &scan]);
    refused(&[b"garbage", &tables, &frame, &scan]);
    for ids in [&[][..], &[2], &[1, 1], &[1, 2, 3, 4, 5]] {
        refused(&[&tables, &frame, &super::jpeg::scan(ids, [0, 63, 0])]);
    }
    assert_eq!(check(b""), Err(JpegError::Damaged));
}

#[test]
fn scans_are_counted() {
    let scans = |count| grey_scan().repeat(count);
    assert_accepted(&[&tables(), &grey_frame(), &scans(100)]);
    assert_refused(
        &[&tables(), &grey_frame(), &scans(101)],
        JpegError::TooManyScans,
    );
}
