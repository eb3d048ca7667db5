//! The worst input of each kind at growing sizes: time has to grow with the size and no faster, so that the
//! throughput stays the same. `cargo bench --bench worst_case`

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use put_image::base64_text;
use put_image::event::Event;
use put_image::{jpeg, multipart, png};

const SIZES: [usize; 4] = [64 << 10, 512 << 10, 2 << 20, 6 << 20];

fn main() {
    divan::main();
}

/// Repeats a text up to a size, between a start and an end.
fn repeated(start: &[u8], text: &[u8], size: usize, end: &[u8]) -> Vec<u8> {
    let count = (size - start.len() - end.len()) / text.len();
    [start, &text.repeat(count), end].concat()
}

fn measure<T>(bencher: Bencher<'_, '_>, input: &[u8], work: impl Fn(&[u8]) -> T + Sync) {
    bencher
        .counter(BytesCount::new(input.len()))
        .bench(|| work(black_box(input)));
}

/// Each character of the body escaped.
#[divan::bench(args = SIZES)]
fn event_of_escapes(bencher: Bencher<'_, '_>, size: usize) {
    let event = repeated(br#"{"headers":{},"body":""#, br"\u0041", size, br#""}"#);
    measure(bencher, &event, |event| {
        Event::parse(event.into()).into_request().is_ok()
    });
}

/// Nothing but headers.
#[divan::bench(args = SIZES)]
fn event_of_headers(bencher: Bencher<'_, '_>, size: usize) {
    // Each takes up 16 bytes.
    let headers = (0..size / 16)
        .map(|i| format!("\"x-{i:07}\":\"v\","))
        .collect::<Vec<_>>()
        .concat();
    let event = format!(r#"{{"headers":{{{headers}"content-type":""}},"body":""}}"#);
    measure(bencher, event.as_bytes(), |event| {
        Event::parse(event.into()).into_request().is_ok()
    });
}

/// One part full of what begins like a boundary.
#[divan::bench(args = SIZES)]
fn form_of_look_alikes(bencher: Bencher<'_, '_>, size: usize) {
    let start = b"--boundary\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let form = repeated(start, b"\r\n--boundar", size, b"\r\n--boundary--");
    measure(bencher, &form, |form| {
        multipart::parts("multipart/form-data; boundary=boundary", form).is_ok()
    });
}

/// One part full of boundaries inside lines.
#[divan::bench(args = SIZES)]
fn form_of_boundaries_inside_lines(bencher: Bencher<'_, '_>, size: usize) {
    let start = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let form = repeated(start, b"x--b", size, b"\r\n--b--");
    measure(bencher, &form, |form| {
        multipart::parts("multipart/form-data; boundary=b", form).is_ok()
    });
}

/// A line break after each character.
#[divan::bench(args = SIZES)]
fn base64_of_line_breaks(bencher: Bencher<'_, '_>, size: usize) {
    let text = repeated(b"", b"A\n", size, b"");
    measure(bencher, &text, |text| {
        base64_text::decode(text.into()).is_ok()
    });
}

/// A scan of stuffed bytes and restart markers.
#[divan::bench(args = SIZES)]
fn jpeg_of_stuffing(bencher: Bencher<'_, '_>, size: usize) {
    let head = b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x02\x00\x03\x01\x01\x11\x00\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00";
    let image = repeated(head, b"\xFF\x00\xFF\xD0", size, b"\xFF\xD9");
    assert!(jpeg::dimensions(&image).is_some());
    measure(bencher, &image, jpeg::dimensions);
}

/// The smallest segments.
#[divan::bench(args = SIZES)]
fn jpeg_of_segments(bencher: Bencher<'_, '_>, size: usize) {
    let image = repeated(b"\xFF\xD8", b"\xFF\xFE\x00\x02", size, b"\xFF\xD9");
    measure(bencher, &image, jpeg::dimensions);
}

/// The smallest chunks.
#[divan::bench(args = SIZES)]
fn png_of_chunks(bencher: Bencher<'_, '_>, size: usize) {
    let chunk = |kind: &[u8], data: &[u8]| {
        let checked = [kind, data].concat();
        let length = u32::try_from(data.len()).unwrap_or_default().to_be_bytes();
        [
            &length[..],
            &checked,
            &crc32fast::hash(&checked).to_be_bytes(),
        ]
        .concat()
    };
    let start = [
        b"\x89PNG\r\n\x1A\n",
        &chunk(b"IHDR", &[0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0])[..],
    ]
    .concat();
    let end = [chunk(b"IDAT", b"data"), chunk(b"IEND", b"")].concat();
    let image = repeated(&start, &chunk(b"tEXt", b""), size, &end);
    assert!(png::dimensions(&image).is_some());
    measure(bencher, &image, png::dimensions);
}
