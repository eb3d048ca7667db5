//! Where callers differ: each of these values is accepted, and an image is stored byte for byte. Forms are in `form.rs`.

use base64::alphabet::STANDARD;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
use rstest::rstest;

use crate::helpers::*;
use testkit::images;

/// The image's Base64, with a line break after each 76 characters.
fn wrapped(image: &[u8], line_break: &str) -> String {
    let text = BASE64_STANDARD.encode(image);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    lines.join(line_break) + line_break
}

fn prefixed(prefix: &str, image: &[u8]) -> String {
    format!("{prefix}{}", BASE64_STANDARD.encode(image))
}

/// The Base64 of an encoder that leaves junk in the bits of the last symbol that belong to no byte.
fn with_unused_bits(image: &[u8]) -> String {
    let mut text = BASE64_STANDARD_NO_PAD.encode(image);
    let junk = [0, 0, 0b1111, 0b11][text.len() % 4];
    let symbols = STANDARD.as_str();
    let last = text.pop().and_then(|last| symbols.find(last)).unwrap();
    text + &symbols[last | junk..=last | junk]
}

#[rstest]
#[case::padded(|image: &[u8]| BASE64_STANDARD.encode(image))]
#[case::without_padding(|image: &[u8]| BASE64_STANDARD_NO_PAD.encode(image))]
#[case::wrapped_by_base64(|image: &[u8]| wrapped(image, "\n"))]
#[case::wrapped_by_mime(|image: &[u8]| wrapped(image, "\r\n"))]
#[case::wrapped_by_carriage_returns(|image: &[u8]| wrapped(image, "\r"))]
#[case::an_empty_line_before(|image: &[u8]| format!("\n\n{}", BASE64_STANDARD.encode(image)))]
#[case::whitespace_around(|image: &[u8]| format!(" \t\r\n{} \r\n", BASE64_STANDARD.encode(image)))]
#[case::all_unused_bits_set(with_unused_bits)]
#[case::prefix(|image: &[u8]| prefixed("data:image/png;base64,", image))]
#[case::prefix_of_another_format(|image: &[u8]| prefixed("data:image/jpeg;base64,", image))]
#[case::prefix_of_no_image(|image: &[u8]| prefixed("data:application/octet-stream;base64,", image))]
#[case::prefix_of_a_text(|image: &[u8]| prefixed("data:text/plain;base64,", image))]
#[case::prefix_of_no_type(|image: &[u8]| prefixed("data:;base64,", image))]
#[case::prefix_of_null(|image: &[u8]| prefixed("data:null;base64,", image))]
#[case::prefix_of_undefined(|image: &[u8]| prefixed("data:undefined;base64,", image))]
#[case::prefix_with_a_charset(|image: &[u8]| prefixed("DATA:Image/JPEG;charset=utf-8;Base64,", image))]
#[case::prefix_with_a_long_name(|image: &[u8]| {
    prefixed(&format!("data:image/jpeg;name={}.jpg;base64,", "a,b".repeat(99)), image)
})]
#[case::line_break_after_the_prefix(|image: &[u8]| prefixed("data:image/png;base64,\r\n", image))]
#[case::prefixed_and_wrapped(|image: &[u8]| format!("data:image/png;base64,{}", wrapped(image, "\n")))]
#[case::prefixed_with_unused_bits(|image: &[u8]| format!("data:;base64,{}", with_unused_bits(image)))]
#[tokio::test]
async fn base64_as_encoders_write_it(
    #[case] encode: fn(&[u8]) -> String,
    #[values(500, 501, 502)] size: usize,
) {
    let app = TestApp::start().await;
    let image = images::png(size, 7);
    let form = Form::selfie(&[]).with("selfieImage", encode(&image));
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.images().await, Form::selfie(&image).images());
}

#[tokio::test]
async fn texts_with_whitespace_around_and_other_case() {
    let app = TestApp::start().await;
    let form = Form::full()
        .with("submissionId", format!("\r\n{SUBMISSION} "))
        .with("admin", "\tADMIN@example.COM\n")
        .with("idType", " passport ");
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    let record = app.record(SUBMISSION).await;
    assert_eq!(
        (&record["idType"], &record["updatedBy"]),
        (&"passport".into(), &"Admin@Example.com".into())
    );
}

#[tokio::test]
async fn jpegs_with_trailing_bytes_keep_them() {
    let app = TestApp::start().await;
    let image = [
        images::jpeg(300, 1),
        b"appended by a camera".to_vec(),
        images::jpeg(200, 2),
    ]
    .concat();
    let form = Form::selfie(&image);
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.images().await, form.images());
}
