//! The worst input of each kind at growing sizes: time has to grow with the size and no faster, so that the throughput
//! stays the same. Then PNGs, which are inflated. `cargo bench --bench worst_case`

#![allow(clippy::expect_used, reason = "what is measured is known to be good")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use futures_util::FutureExt as _;
use local::images::png_chunk;
use miniz_oxide::deflate::compress_to_vec_zlib;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use put_image::form::Form;
use put_image::image::png::MAX_INFLATED;
use put_image::image::{base64, jpeg, png as image_png};

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

/// A form of one part, full of a text.
fn measure_form(bencher: Bencher<'_, '_>, size: usize, text: &[u8]) {
    let start = b"--boundary\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let form = repeated(start, text, size, b"\r\n--boundary--");
    measure(bencher, &form, |form| {
        let form = Form::read(
            "multipart/form-data; boundary=boundary",
            form.to_vec().into(),
        );
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
        base64::decode(text).is_ok()
    });
}

/// A scan of stuffed bytes and restart markers.
#[divan::bench(args = SIZES)]
fn jpeg_of_stuffing(bencher: Bencher<'_, '_>, size: usize) {
    let whole = local::images::jpeg(200, 1);
    let scan = memchr::memmem::find(&whole, b"\xFF\xDA").expect("a scan") + 10;
    let image = repeated(&whole[..scan], b"\xFF\x00\xFF\xD0", size, b"\xFF\xD9");
    assert!(jpeg::check(&image).is_ok());
    measure(bencher, &image, jpeg::check);
}

/// The smallest segments.
#[divan::bench(args = SIZES)]
fn jpeg_of_segments(bencher: Bencher<'_, '_>, size: usize) {
    let image = repeated(b"\xFF\xD8", b"\xFF\xFE\x00\x02", size, b"\xFF\xD9");
    measure(bencher, &image, jpeg::check);
}

/// The smallest chunks.
#[divan::bench(args = SIZES)]
fn png_of_chunks(bencher: Bencher<'_, '_>, size: usize) {
    let whole = local::images::png(200, 1);
    let (start, end) = whole.split_at(8 + 25);
    let image = repeated(start, &png_chunk(*b"tEXt", b""), size, end);
    measure_png(bencher, &image);
}

fn measure_png(bencher: Bencher<'_, '_>, image: &[u8]) {
    assert!(image_png::check(image, MAX_INFLATED).is_ok());
    measure(bencher, image, |image| {
        image_png::check(image, MAX_INFLATED)
    });
}

/// A photo of about 1 MB: smooth, with a camera's noise.
#[divan::bench]
fn png_photo(bencher: Bencher<'_, '_>) {
    let (width, height) = (720_u16, 540_u16);
    let mut seed = 1;
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let noise = local::images::random(&mut seed).to_le_bytes();
            for (channel, noise) in noise.into_iter().take(3).enumerate() {
                let smooth = (usize::from(x) * (channel + 1) / 8 + usize::from(y) / 4) % 200;
                pixels.push(u8::try_from(smooth).unwrap_or_default() + noise % 64);
            }
        }
    }
    let mut image = Vec::new();
    let mut encoder = Encoder::new(&mut image, width.into(), height.into());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(Filter::Adaptive);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("an image");
    drop(writer);
    println!("{} bytes", image.len());
    measure_png(bencher, &image);
}

/// An image of one colour that inflates to 64 MiB, the most that four of a request may be.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let size = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[1, 0, 0, 0, 0],
    ]
    .concat();
    let row = 1 + width.div_ceil(8);
    let rows = vec![0; row as usize * height as usize];
    let data = png_chunk(*b"IDAT", &compress_to_vec_zlib(&rows, 9));
    let (head, end) = (png_chunk(*b"IHDR", &size), png_chunk(*b"IEND", b""));
    [&b"\x89PNG\r\n\x1A\n"[..], &head, &data, &end].concat()
}

/// Four at once, which share what may be inflated.
fn measure_four(bencher: Bencher<'_, '_>, image: &[u8]) {
    let check = |_| image_png::check(black_box(image), MAX_INFLATED / 4);
    assert!(check(0).is_ok());
    bencher.bench(|| (0..4).map(check).collect::<Vec<_>>());
}

/// Long rows, and rows of one pixel.
#[divan::bench(args = [(80_000_000, 1), (1, 33_000_000)])]
fn png_bombs(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    let image = bomb(width, height);
    measure_four(bencher, &image);
}

/// Text chunks that inflate to 64 MiB.
#[divan::bench]
fn png_text_bombs(bencher: Bencher<'_, '_>) {
    let text = [&b"a\0\0"[..], &compress_to_vec_zlib(&vec![0; 1 << 20], 9)].concat();
    let whole = local::images::png(200, 1);
    let (start, end) = whole.split_at(8 + 25);
    let image = [start, &png_chunk(*b"zTXt", &text).repeat(63), end].concat();
    measure_four(bencher, &image);
}
