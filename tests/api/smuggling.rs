//! Forms that two parsers could read in two ways: refused, or read in the one way that is checked.

use crate::helpers::*;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use local::images;

/// A good form's texts, then parts as given, then the end.
fn form(parts: &str) -> Vec<u8> {
    let texts = String::from_utf8(Form::texts().body()).unwrap();
    let texts = texts
        .strip_suffix(&format!("--{BOUNDARY}--\r\n"))
        .unwrap()
        .to_owned();
    format!("{texts}{parts}--{BOUNDARY}--\r\n").into_bytes()
}

#[tokio::test]
async fn ambiguous_parts_are_refused() {
    let app = App::start().await;
    let image = BASE64_STANDARD.encode(images::png(200, 1));
    let part = |headers: &str| format!("--{BOUNDARY}\r\n{headers}\r\n\r\n{image}\r\n");
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let good = form(&part("Content-Disposition: form-data; name=selfieImage"));
    assert_eq!(
        app.invoke(&event(Some(KEY), &content_type, &good))
            .await
            .row(),
        SUCCESS
    );
    let nested =
        format!("--n\r\nContent-Disposition: form-data; name=selfieImage\r\n\r\n{image}\r\n--n--");
    for (parts, why) in [
        (
            part(
                r#"Content-Disposition: form-data; filename="\"; name=idImage; x="; name="selfieImage""#,
            ),
            "an escaped quote",
        ),
        (
            part("Content-Disposition: form-data; name=selfieImage").replace(&image, &nested),
            "nested multipart",
        ),
        (
            part("Content-Disposition: form-data; name=selfieImage")
                .replace(&image, &format!("{image}\0")),
            "a NUL",
        ),
        (
            part("Content-Disposition: form-data; name=selfieImage").replace("\r\n", "\n"),
            "line feeds alone",
        ),
        (
            part("Content-Disposition: form-data; name=\"selfieImage\"; name=\"idImage\""),
            "two names",
        ),
        (
            part("Content-Disposition: form-data; name=\"x\"; name*=utf-8''selfieImage"),
            "an extended name",
        ),
        (
            part("Content-Disposition: form-data; name=\"selfieImage\0\""),
            "a NUL in a name",
        ),
        (
            part("Content-Disposition: form-data; name=\"self\r\n ieImage\""),
            "a folded header",
        ),
        (
            part("X: y\nContent-Disposition: form-data; name=\"selfieImage\""),
            "a bare line feed",
        ),
        (part("Content-Type: text/plain"), "no name"),
        (
            part(
                "Content-Disposition: form-data; name=selfieImage\r\nContent-Transfer-Encoding: base64",
            ),
            "encoded twice",
        ),
        (format!("--{BOUNDARY}\r\n\r\n{image}\r\n"), "no headers"),
        (
            format!(
                "--{BOUNDARY}\r\n{}",
                part("Content-Disposition: form-data; name=selfieImage")
            ),
            "an empty part before",
        ),
        (format!("--{BOUNDARY}x\r\n"), "a longer boundary"),
        (
            format!("x\n--{BOUNDARY}\r\n"),
            "a boundary behind a bare line feed",
        ),
        (
            format!(
                "{}--{BOUNDARY}--\r\n",
                part("Content-Disposition: form-data; name=selfieImage")
            ),
            "two forms",
        ),
        (
            part(&("X: y\r\n".repeat(10_000) + "Content-Disposition: form-data; name=selfieImage")),
            "10,000 headers",
        ),
        (
            "--test-boundary\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n".repeat(100_000),
            "100,000 parts",
        ),
    ] {
        app.assert_event_refused(
            &event(Some(KEY), &content_type, &form(&parts)),
            INVALID_PAYLOAD,
            why,
        )
        .await;
    }
}

#[tokio::test]
async fn a_name_inside_a_file_name_is_no_name() {
    let app = App::start().await;
    let good = images::png(300, 2);
    let disposition =
        "Content-Disposition: form-data; filename=\"x; name=selfieImage \"; name=\"addressImage\"";
    let parts = format!(
        "--{BOUNDARY}\r\n{disposition}\r\n\r\n{}\r\n",
        BASE64_STANDARD.encode(&good)
    );
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = app
        .invoke(&event(Some(KEY), &content_type, &form(&parts)))
        .await;
    assert_eq!(answer.row(), SUCCESS);
    assert_eq!(app.image(SUBMISSION, "addressImage").await, Some(good));
    assert_eq!(app.image(SUBMISSION, "selfieImage").await, None);
}
