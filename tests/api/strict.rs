//! Where data would be lost: each of these is `invalid_payload`, and stores nothing.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};

use crate::helpers::*;
use local::images;

#[tokio::test]
async fn base64_that_would_decode_to_something_else() {
    let app = App::start().await;
    let image = images::png(500, 6);
    let text = BASE64_STANDARD.encode(&image);
    let form = |text: String| Form::full().with("selfieImage", text);
    assert!(text.contains('+') && text.contains('/'));
    for (form, why) in [
        (form(text.replace('+', " ")), "+ became a blank"),
        (form(text.replacen("AAAA", "AA AA", 1)), "a blank inside"),
        (form(text.replacen("AAAA", "AA\tAA", 1)), "a tab inside"),
        (
            form(BASE64_URL_SAFE.encode(&image)),
            "the URL-safe alphabet",
        ),
        (form(text.replace('+', "%2B")), "URL-encoded"),
        (form(format!("{text}=")), "too much padding"),
        (form(format!("{text}{text}")), "two texts in a row"),
        (
            form(format!("data:text/plain;base64,{text}")),
            "not a data URL of an image",
        ),
        (
            form(format!("data:image/png,{text}")),
            "not a data URL of Base64",
        ),
        (form(format!("\u{feff}{text}")), "a byte order mark"),
        (form(hex::encode(&image)), "hex"),
    ] {
        app.assert_refused(&form, INVALID_PAYLOAD, why).await;
    }
}

#[tokio::test]
async fn images_that_are_none() {
    let app = App::start().await;
    let (jpeg, png) = (images::jpeg(400, 1), images::png(400, 2));
    for (image, why) in [
        (jpeg[..399].to_vec(), "a JPEG without its last byte"),
        (png[..399].to_vec(), "a PNG without its last byte"),
        (png[..388].to_vec(), "a PNG without IEND"),
        (jpeg[1..].to_vec(), "a JPEG without its first byte"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec(), "a GIF"),
        (b"RIFF\x1A\x00\x00\x00WEBPVP8L".to_vec(), "a WebP"),
        (b"\x00\x00\x00\x18ftypheic".to_vec(), "a HEIC"),
        (b"%PDF-1.7\n%%EOF".to_vec(), "a PDF"),
        (
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
            "an SVG",
        ),
        (BASE64_STANDARD.encode(&png).into_bytes(), "Base64 twice"),
        (vec![0], "one byte"),
    ] {
        app.assert_refused(
            &Form::full().with_image("addressImage", &image),
            INVALID_PAYLOAD,
            why,
        )
        .await;
        let declared = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(&image));
        app.assert_refused(
            &Form::full().with("addressImage", declared),
            INVALID_PAYLOAD,
            why,
        )
        .await;
    }
}

#[tokio::test]
async fn one_bad_image_of_four_stores_none() {
    let app = App::start().await;
    for field in ["idImage", "idBackImage", "selfieImage", "addressImage"] {
        app.assert_refused(
            &Form::full().with(field, "aGVsbG8="),
            INVALID_PAYLOAD,
            field,
        )
        .await;
    }
    assert!(app.objects().await.is_empty());
}

#[tokio::test]
async fn bodies_that_are_no_form() {
    let app = App::start().await;
    let form = Form::full().body();
    let multipart = format!("multipart/form-data; boundary={BOUNDARY}");
    let unclosed = &form[..form.len() - 4];
    let half = &form[..form.len() / 2];
    for (content_type, body, why) in [
        ("", &form[..], "no content type"),
        (
            "application/x-www-form-urlencoded",
            b"submissionId=1",
            "another form",
        ),
        ("application/json", b"{}", "JSON"),
        (
            "multipart/mixed; boundary=test-boundary",
            &form,
            "another multipart",
        ),
        ("multipart/form-data", &form, "no boundary"),
        (
            "multipart/form-data; boundary=other",
            &form,
            "another boundary",
        ),
        (&multipart, b"", "empty"),
        (&multipart, unclosed, "no closing boundary"),
        (&multipart, half, "half a form"),
    ] {
        app.assert_event_refused(&event(Some(KEY), content_type, body), INVALID_PAYLOAD, why)
            .await;
    }
}
