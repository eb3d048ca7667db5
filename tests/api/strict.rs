//! Where data would be lost: each of these is `invalid_payload`, and stores nothing. What callers send by mistake is in
//! `mistakes`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rstest::rstest;

use crate::helpers::*;
use testkit::images;

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
#[tokio::test]
async fn images_that_are_none(
    #[case] image: &[u8],
    #[case] detail: &str,
    #[values("", "data:image/png;base64,")] prefix: &str,
) {
    let app = TestApp::start().await;
    let value = format!("{prefix}{}", BASE64_STANDARD.encode(image));
    let form = Form::full().with("addressImage", value);
    let detail = format!("addressImage: {detail}");
    app.assert_refused_because(&form, INVALID_PAYLOAD, &detail)
        .await;
}

#[rstest]
#[tokio::test]
async fn one_bad_image_of_four_stores_none(
    #[values("idImage", "idBackImage", "selfieImage", "addressImage")] field: &str,
) {
    let app = TestApp::start().await;
    let form = Form::full().with(field, "aGVsbG8=");
    let detail = format!("{field}: neither a JPEG nor a PNG");
    app.assert_refused_because(&form, INVALID_PAYLOAD, &detail)
        .await;
    assert!(app.objects().await.is_empty());
}

/// A good image beside it would be stored, and this one lost.
#[rstest]
#[case::list("selfieImage[]")]
#[case::index("selfieImage[0]")]
#[case::index_after_a_dot("selfieImage.0")]
#[case::blank_at_the_end("selfieImage ")]
#[case::blank_inside("selfie Image")]
#[case::wrapped("image[selfieImage]")]
#[case::in_single_quotes("'selfieImage'")]
#[case::byte_order_mark("\u{FEFF}selfieImage")]
#[case::zero_width_space("\u{200B}selfieImage")]
#[case::lower_case("selfieimage")]
#[tokio::test]
async fn a_selfie_with_a_misspelled_name(#[case] name: &str) {
    let app = TestApp::start().await;
    let form = Form::texts().with_image("idImage", &png());
    let form = form.with_image(name, &jpeg());
    let detail = "selfieImage: misspelled field name";
    app.assert_refused_because(&form, INVALID_PAYLOAD, detail)
        .await;
}

/// A name that only resembles a documented one is unknown, whatever its value is.
#[rstest]
#[case::another_word("selfieConsent")]
#[case::a_count("idImageCount")]
#[case::a_count_in_snake_case("id_image_count")]
#[case::a_suffix("idImage_file")]
#[case::a_text_fields_member("admin[note]")]
#[tokio::test]
async fn an_image_in_an_unknown_field_is_ignored(#[case] name: &str) {
    let app = TestApp::start().await;
    let form = Form::selfie(&png()).with(name, BASE64_STANDARD.encode(jpeg()));
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.objects().await.len(), 1);
}

const MULTIPART: &str = "multipart/form-data; boundary=test-boundary";
const NOT_MULTIPART: &str = "Content-Type isn't multipart/form-data";

#[rstest]
#[case::no_content_type("", NOT_MULTIPART, |form| form)]
#[case::another_form("application/x-www-form-urlencoded", NOT_MULTIPART, |_| b"submissionId=1".into())]
#[case::json("application/json", NOT_MULTIPART, |_| b"{}".into())]
#[case::another_multipart("multipart/mixed; boundary=test-boundary", NOT_MULTIPART, |form| form)]
#[case::no_boundary("multipart/form-data", "Content-Type needs one boundary, of 1 to 70 printable characters", |form| form)]
#[case::another_boundary("multipart/form-data; boundary=other", "the boundary isn't in the body: let the client set Content-Type", |form| form)]
#[case::empty(MULTIPART, "the request has no body", |_| Vec::new())]
#[case::no_closing_boundary(MULTIPART, "the form has no closing boundary", |form: Vec<u8>| form[..form.len() - 4].into())]
#[case::half_a_form(MULTIPART, "the form has no closing boundary", |form: Vec<u8>| form[..form.len() / 2].into())]
#[tokio::test]
async fn bodies_that_are_no_form(
    #[case] content_type: &str,
    #[case] detail: &str,
    #[case] change: fn(Vec<u8>) -> Vec<u8>,
) {
    let app = TestApp::start().await;
    let event = event(Some(KEY), content_type, &change(Form::full().body()));
    app.assert_event_refused_because(&event, INVALID_PAYLOAD, detail)
        .await;
}
