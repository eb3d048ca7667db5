//! Files that aren't a whole JPEG or PNG: the reason names what they are.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use id_image::Image;
use id_image::png::Budget;
use rstest::rstest;

use crate::images;

fn jpeg() -> Vec<u8> {
    images::jpeg(400, 1)
}

fn png() -> Vec<u8> {
    images::png(400, 2)
}

#[rstest]
#[case::jpeg_without_its_last_byte(&jpeg()[..399], "the JPEG is cut off")]
#[case::png_without_its_last_byte(&png()[..399], "the PNG is cut off")]
#[case::png_without_its_end(&png()[..388], "the PNG is cut off")]
#[case::jpeg_without_its_first_byte(&jpeg()[1..], "neither a JPEG nor a PNG")]
#[case::gif(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "a GIF; send a JPEG or PNG")]
#[case::webp(b"RIFF\x1A\x00\x00\x00WEBPVP8L", "a WebP; send a JPEG or PNG")]
#[case::heic(b"\x00\x00\x00\x18ftypheic", "a HEIC; send a JPEG or PNG")]
#[case::avif(
    b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00",
    "an AVIF; send a JPEG or PNG"
)]
#[case::tiff(b"II*\x00\x08\x00\x00\x00", "a TIFF; send a JPEG or PNG")]
#[case::big_endian_tiff(b"MM\x00*\x00\x00\x00\x08", "a TIFF; send a JPEG or PNG")]
#[case::bmp(b"BM\x46\x00\x00\x00", "a BMP; send a JPEG or PNG")]
#[case::jpeg_2000(b"\x00\x00\x00\x0CjP  \r\n\x87\n", "a JPEG 2000; send a JPEG or PNG")]
#[case::jpeg_xl(b"\xFF\x0A\xFA\x7F\x01", "a JPEG XL; send a JPEG or PNG")]
#[case::jpeg_xl_container(b"\x00\x00\x00\x0CJXL \r\n\x87\n", "a JPEG XL; send a JPEG or PNG")]
#[case::gzip(b"\x1F\x8B\x08\x00\x00", "a gzip; send a JPEG or PNG")]
#[case::zip(b"PK\x03\x04\x14\x00", "a ZIP; send a JPEG or PNG")]
#[case::pdf(b"%PDF-1.7\n%%EOF", "a PDF; send a JPEG or PNG")]
#[case::svg(
    b"<?xml version=\"1.0\"?><svg xmlns=\"x\"/>",
    "an SVG; send a JPEG or PNG"
)]
#[case::mp4(b"\x00\x00\x00\x18ftypmp42\0", "neither a JPEG nor a PNG")]
#[case::one_byte(b"\x00", "neither a JPEG nor a PNG")]
fn are_named(
    #[case] file: &[u8],
    #[case] reason: &str,
    #[values("", "data:image/png;base64,")] prefix: &str,
) {
    let text = format!("{prefix}{}", BASE64_STANDARD.encode(file));
    let refusal = Image::decode(text.as_bytes(), &mut Budget::default()).unwrap_err();
    assert_eq!(refusal.to_string(), reason);
}
