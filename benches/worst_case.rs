//! The worst input of each kind. First at growing sizes: time has to grow with the size and no faster, so that the
//! throughput stays the same. Then what each costs the function's whole process, compared with an honest event of the same
//! size in the same run: at most 20 times as much. `cargo bench --bench worst_case`

#![allow(clippy::expect_used, reason = "what is measured is known to be good")]

use std::time::Duration;

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use futures_util::FutureExt as _;
use local::event;
use local::stack::Stack;
use miniz_oxide::deflate::compress_to_vec_zlib;
use put_image::deadline::TIMEOUT;
use put_image::form::Form;
use put_image::image::png::Budget;
use put_image::image::{base64 as image_base64, jpeg, png};
use serde_json::Value;
use testkit::images::png_chunk;
use testkit::lambda::{self, Lambda};

const SIZES: [usize; 4] = [64 << 10, 512 << 10, 2 << 20, 6 << 20];

/// Eight dynamic blocks, each with a code of 64 lengths and nothing but its end.
const EMPTY_BLOCKS: [u8; 107] = [
    0x04, 0x80, 0x82, 0x0D, 0x80, 0xB2, 0x6D, 0xDB, 0x36, 0xF1, 0xFF, 0x59, 0xED, 0x27, 0x00, 0x14,
    0x6C, 0x00, 0x94, 0x6D, 0xDB, 0xB6, 0x89, 0xFF, 0xCF, 0x6A, 0x3F, 0x01, 0xA0, 0x60, 0x03, 0xA0,
    0x6C, 0xDB, 0xB6, 0x4D, 0xFC, 0x7F, 0x56, 0xFB, 0x09, 0x00, 0x05, 0x1B, 0x00, 0x65, 0xDB, 0xB6,
    0x6D, 0xE2, 0xFF, 0xB3, 0xDA, 0x4F, 0x00, 0x28, 0xD8, 0x00, 0x28, 0xDB, 0xB6, 0x6D, 0x13, 0xFF,
    0x9F, 0xD5, 0x7E, 0x02, 0x40, 0xC1, 0x06, 0x40, 0xD9, 0xB6, 0x6D, 0x9B, 0xF8, 0xFF, 0xAC, 0xF6,
    0x13, 0x00, 0x0A, 0x36, 0x00, 0xCA, 0xB6, 0x6D, 0xDB, 0xC4, 0xFF, 0x67, 0xB5, 0x9F, 0x00, 0x50,
    0xB0, 0x01, 0x50, 0xB6, 0x6D, 0xDB, 0x26, 0xFE, 0x3F, 0xAB, 0xFD,
];

/// The images' bytes of the largest event.
const LARGEST: usize = 4_600_000;

/// How often each event is sent: Linux counts a process' CPU time in steps of 10 ms.
const TURNS: u32 = 50;

const CONTENT_TYPE: &str = "multipart/form-data; boundary=boundary";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    divan::main();
    let folder = tempfile::tempdir().expect("a folder");
    let stack = Stack::open(folder.path(), true).await.expect("a stack");
    let binary = env!("CARGO_BIN_EXE_put-image-under-test");
    let mut command = lambda::command(binary, &stack.endpoints, &stack.config);
    command.env("AWS_LAMBDA_LOG_LEVEL", "ERROR");
    let lambda = Lambda::start(command).await.expect("the function");
    println!("\nCPU of an event, and how many honest events of the same size cost as much:");
    let header = testkit::images::png(200, 1)[..8 + 25].to_vec();
    let end = testkit::images::png(200, 1)[8 + 25..].to_vec();
    let with_chunks = |chunk: &[u8], size: usize| vec![repeated(&header, chunk, size, &end)];
    let text = |text: &[u8]| png_chunk(*b"zTXt", &[b"a\0\0", text].concat());
    let part = "--boundary\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    for (name, event) in [
        (
            "four JPEGs",
            images(&[1, 2, 3, 4].map(|seed| testkit::images::jpeg(LARGEST / 4, seed))),
        ),
        ("a photo as PNG", images(&[photo()])),
        (
            "blocks in IDAT",
            images(&[dot(&blocks(&EMPTY_BLOCKS, LARGEST))]),
        ),
        (
            "blocks in IDAT, 1.7 MB",
            images(&[dot(&blocks(&EMPTY_BLOCKS, 1_700_000))]),
        ),
        (
            "blocks in IDAT, 64 KB",
            images(&[dot(&blocks(&EMPTY_BLOCKS, 64 << 10))]),
        ),
        (
            "blocks of fixed codes in IDAT",
            images(&[dot(&blocks(&[0x02, 0x08, 0x20, 0x80, 0], LARGEST))]),
        ),
        (
            "blocks in zTXt",
            images(&with_chunks(&text(&blocks(&EMPTY_BLOCKS, LARGEST)), 0)),
        ),
        (
            "the smallest text chunks",
            images(&with_chunks(&png_chunk(*b"zTXt", b"a\0\0x\x9C"), LARGEST)),
        ),
        (
            "as many as are allowed",
            images(&with_chunks(
                &png_chunk(*b"zTXt", b"a\0\0x\x9C"),
                7_700 * 17,
            )),
        ),
        (
            "text chunks of 1 MiB",
            images(&with_chunks(
                &text(&compress_to_vec_zlib(&vec![0; 1 << 20], 9)),
                65_000,
            )),
        ),
        (
            "the smallest chunks",
            images(&with_chunks(&png_chunk(*b"tEXt", b""), LARGEST)),
        ),
        ("IDAT of a byte", images(&[small_data()])),
        (
            "PNGs of one color, 256 MiB",
            images(&vec![bomb(8_000, 8_380, 0x78); 4]),
        ),
        (
            "PNGs of 1,000,000 rows",
            images(&vec![bomb(1, 1_000_000, 0x78); 4]),
        ),
        (
            "PNGs of a window of 4 KiB",
            images(&vec![bomb(8_000, 8_380, 0x48); 4]),
        ),
        (
            "PNGs of a window of 8 KiB",
            images(&vec![bomb(8_000, 8_380, 0x58); 4]),
        ),
        ("scans", images(&[scans(LARGEST)])),
        ("stuffed bytes and restarts", images(&[stuffing(LARGEST)])),
        ("the smallest segments", images(&[segments(LARGEST)])),
        ("stray bytes", images(&[stray(LARGEST)])),
        ("parts", with_body(part.repeat(64) + "--boundary--\r\n")),
    ] {
        let size = event.to_string().len();
        // Base64 takes four bytes for three, and the rest of an event some 2 KB.
        let image = testkit::images::jpeg((size.saturating_sub(2_000) * 3 / 4).max(150), 1);
        let honest = cost(&lambda, &images(&[image])).await;
        let cost = cost(&lambda, &event).await;
        let ratio = cost.as_secs_f64() / honest.as_secs_f64();
        let (cost, honest) = (cost.as_secs_f64() * 1e3, honest.as_secs_f64() * 1e3);
        println!("{name:30} {size:7} bytes  {cost:6.1} ms / {honest:4.1} ms = {ratio:4.1} x");
    }
}

/// Returns the CPU time that an event takes the function's process.
async fn cost(lambda: &Lambda, event: &Value) -> Duration {
    let event = Bytes::from(event.to_string());
    lambda.idle().await.expect("the function");
    let before = lambda.cpu().expect("Linux");
    for _ in 0..TURNS {
        let outcome = lambda.invoke(event.clone(), TIMEOUT).await;
        outcome.expect("the function").expect("a response");
    }
    lambda.idle().await.expect("the function");
    let after = lambda.cpu().expect("Linux");
    after.saturating_sub(before) / TURNS
}

/// An event of up to four images.
fn images(images: &[Vec<u8>]) -> Value {
    event::put("demo-submission", images)
}

fn with_body(form: String) -> Value {
    let mut event = images(&[]);
    event["body"] = form.into();
    event
}

/// Repeats a text up to a size, between a start and an end.
fn repeated(start: &[u8], text: &[u8], size: usize, end: &[u8]) -> Vec<u8> {
    let count = (size.saturating_sub(start.len() + end.len()) / text.len()).max(1);
    [start, &text.repeat(count), end].concat()
}

fn measure<T>(bencher: Bencher<'_, '_>, input: &[u8], work: impl Fn(&[u8]) -> T + Sync) {
    bencher
        .counter(BytesCount::new(input.len()))
        .bench(|| work(black_box(input)));
}

/// A form of one part, full of a text.
fn measure_form(bencher: Bencher<'_, '_>, size: usize, text: &[u8]) {
    let start = b"--boundary\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let form = repeated(start, text, size, b"\r\n--boundary--");
    measure(bencher, &form, |form| {
        let form = Form::read(CONTENT_TYPE, form.to_vec().into());
        form.now_or_never().expect("a body in memory").is_ok()
    });
}

/// What begins like a boundary.
#[divan::bench(args = SIZES)]
fn form_of_look_alikes(bencher: Bencher<'_, '_>, size: usize) {
    measure_form(bencher, size, b"\r\n--boundar");
}

/// Boundaries inside lines.
#[divan::bench(args = SIZES)]
fn form_of_boundaries_inside_lines(bencher: Bencher<'_, '_>, size: usize) {
    measure_form(bencher, size, b"x--boundary");
}

/// A line break after each character.
#[divan::bench(args = SIZES)]
fn base64_of_line_breaks(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &repeated(b"", b"A\n", size, b""), |text| {
        image_base64::decode(text).is_ok()
    });
}

/// A scan of stuffed bytes and restart markers.
fn stuffing(size: usize) -> Vec<u8> {
    let (start, _) = at_scan();
    repeated(&start, b"\xFF\x00\xFF\xD0", size, b"\xFF\xD9")
}

#[divan::bench(args = SIZES)]
fn jpeg_of_stuffing(bencher: Bencher<'_, '_>, size: usize) {
    measure_jpeg(bencher, &stuffing(size), true);
}

/// The smallest segments.
fn segments(size: usize) -> Vec<u8> {
    repeated(b"\xFF\xD8", b"\xFF\xFE\x00\x02", size, b"\xFF\xD9")
}

#[divan::bench(args = SIZES)]
fn jpeg_of_segments(bencher: Bencher<'_, '_>, size: usize) {
    measure_jpeg(bencher, &segments(size), false);
}

/// Bytes between segments that are no marker.
fn stray(size: usize) -> Vec<u8> {
    repeated(b"\xFF\xD8", b"\xFF\x00", size, b"\xFF\xD9")
}

#[divan::bench(args = SIZES)]
fn jpeg_of_stray_bytes(bencher: Bencher<'_, '_>, size: usize) {
    measure_jpeg(bencher, &stray(size), false);
}

/// The most scans, and the data of each.
fn scans(size: usize) -> Vec<u8> {
    let (mut start, scan) = at_scan();
    // Progressive, and not the DC coefficients.
    let frame = memchr::memmem::find(&start, b"\xFF\xC0").expect("a frame");
    start[frame + 1] = 0xC2;
    let band = start.len() - 3;
    start[band..].copy_from_slice(&[1, 63, 0]);
    let header = &start[scan..];
    let data = vec![0; size / 100];
    repeated(&start, &[&data, header].concat(), size, b"\xFF\xD9")
}

/// A JPEG up to its scan's data, and where that scan begins.
fn at_scan() -> (Vec<u8>, usize) {
    let whole = testkit::images::jpeg(700, 1);
    let scan = memchr::memmem::find(&whole, b"\xFF\xDA").expect("a scan");
    (whole[..scan + 10].to_vec(), scan)
}

fn measure_jpeg(bencher: Bencher<'_, '_>, image: &[u8], is_good: bool) {
    assert_eq!(jpeg::check(image).is_ok(), is_good);
    measure(bencher, image, jpeg::check);
}

/// The smallest chunks.
#[divan::bench(args = SIZES)]
fn png_of_chunks(bencher: Bencher<'_, '_>, size: usize) {
    let whole = testkit::images::png(200, 1);
    let (start, end) = whole.split_at(8 + 25);
    let image = repeated(start, &png_chunk(*b"tEXt", b""), size, end);
    measure_png(bencher, &image);
}

fn measure_png(bencher: Bencher<'_, '_>, image: &[u8]) {
    assert!(png::check(image, &mut Budget::default()).is_ok());
    measure(bencher, image, |image| {
        png::check(image, &mut Budget::default())
    });
}

/// A photo of about 1 MB: smooth, with a camera's noise, each byte less the one above.
fn photo() -> Vec<u8> {
    let (width, height) = (720_usize, 540_usize);
    let mut seed = 1;
    let mut above = vec![0_u8; 3 * width];
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(2);
        for (at, above) in above.iter_mut().enumerate() {
            let noise = testkit::images::random(&mut seed).to_le_bytes()[0] % 64;
            let smooth = (at / 3 * (at % 3 + 1) / 8 + y / 4) % 192;
            let value = u8::try_from(smooth).unwrap_or_default() + noise;
            rows.push(value.wrapping_sub(*above));
            *above = value;
        }
    }
    file(720, 540, [8, 2], &compress_to_vec_zlib(&rows, 6))
}

#[divan::bench]
fn png_photo(bencher: Bencher<'_, '_>) {
    measure_png(bencher, &photo());
}

/// A zlib stream of many blocks, then two zeros.
fn blocks(block: &[u8], size: usize) -> Vec<u8> {
    let stored = &compress_to_vec_zlib(&[0, 0], 0)[2..];
    repeated(b"\x78\x01", block, size, stored)
}

/// An image of one pixel.
fn dot(data: &[u8]) -> Vec<u8> {
    file(1, 1, [8, 0], data)
}

/// A photo whose data comes in chunks of one byte.
fn small_data() -> Vec<u8> {
    let photo = photo();
    let (start, rest) = photo.split_at(8 + 25);
    let (data, end) = rest.split_at(rest.len() - 12);
    let pieces = data[8..data.len() - 4].iter().take(LARGEST / 13);
    let pieces: Vec<_> = pieces
        .flat_map(|&byte| png_chunk(*b"IDAT", &[byte]))
        .collect();
    [start, &pieces, end].concat()
}

/// A PNG of this size, depth and color type.
fn file(width: u32, height: u32, [depth, color]: [u8; 2], data: &[u8]) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = png_chunk(*b"IHDR", &[&size[..], &[depth, color, 0, 0, 0]].concat());
    let (data, end) = (png_chunk(*b"IDAT", data), png_chunk(*b"IEND", b""));
    [&b"\x89PNG\r\n\x1A\n"[..], &header, &data, &end].concat()
}

/// An image of one color, with the window that the compressed data declares.
fn bomb(width: u32, height: u32, window: u8) -> Vec<u8> {
    let rows = vec![0; (1 + width as usize) * height as usize];
    let mut data = compress_to_vec_zlib(&rows, 9);
    data[0] = window;
    data[1] = 31 - u8::try_from(u32::from(window) * 256 % 31).unwrap_or_default();
    file(width, height, [8, 0], &data)
}

/// Four at once, which share what may be inflated: long rows, and rows of one pixel.
#[divan::bench(args = [(8_000, 8_380), (1, 1_000_000)])]
fn png_bombs(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    let image = bomb(width, height, 0x78);
    bencher.bench(|| {
        let mut budget = Budget::default();
        (0..4)
            .map(|_| png::check(black_box(&image), &mut budget).is_ok())
            .collect::<Vec<_>>()
    });
}
