//! Where callers differ: each of these forms is accepted, and stores the image byte for byte.

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};

use crate::helpers::*;
use local::images;

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

#[tokio::test]
async fn base64_as_encoders_write_it() {
    let app = App::start().await;
    for size in 500..503 {
        let image = images::png(size, 7);
        let text = BASE64_STANDARD.encode(&image);
        for (value, why) in [
            (text.clone(), "padded"),
            (BASE64_STANDARD_NO_PAD.encode(&image), "without padding"),
            (wrapped(&image, "\n"), "wrapped by base64"),
            (wrapped(&image, "\r\n"), "wrapped by MIME"),
            (wrapped(&image, "\r"), "wrapped by carriage returns"),
            (
                format!("data:image/png;base64,{text}"),
                "with a data prefix",
            ),
            (
                format!("data:image/jpeg;base64,{text}"),
                "with a wrong data prefix",
            ),
            (
                format!("data:image/png;base64,{}", wrapped(&image, "\n")),
                "prefixed and wrapped",
            ),
            (format!(" \t\r\n{text} \r\n"), "with blanks around"),
        ] {
            app.assert_stores(
                &Form::selfie(&[]).with("selfieImage", value),
                "selfieImage",
                &image,
                why,
            )
            .await;
        }
    }
}

#[tokio::test]
async fn texts_with_blanks_around_and_other_case() {
    let app = App::start().await;
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
async fn multipart_as_clients_write_it() {
    let app = App::start().await;
    let image = images::jpeg(640, 9);
    let text = BASE64_STANDARD.encode(&image);
    let form = |disposition: &str, quote: &str| {
        let part = |name: &str, extra: &str, value: &str| {
            format!(
                "--x y\r\n{disposition}: form-data; name={quote}{name}{quote}{extra}\r\n\r\n{value}\r\n"
            )
        };
        let file = "; filename=\"a.b64\"\r\nContent-Type: application/octet-stream; charset=utf-8";
        part("submissionId", "", SUBMISSION)
            + &part(
                "admin",
                "\r\nContent-Type: text/plain; charset=UTF-8",
                ADMIN,
            )
            + &part("selfieImage", file, &text)
    };
    let plain = form("Content-Disposition", "\"");
    for (content_type, body, why) in [
        (
            "multipart/form-data; boundary=\"x y\"",
            plain.clone() + "--x y--\r\n",
            "quoted boundary, file part",
        ),
        (
            "multipart/form-data; boundary=\"x y\"",
            plain.clone() + "--x y--",
            "no line end after the end",
        ),
        (
            "multipart/form-data; charset=utf-8; boundary=\"x y\"",
            form("content-disposition", "") + "--x y--\r\n",
            "unquoted names",
        ),
        (
            "multipart/form-data; boundary=\"x y\"",
            format!("preamble\r\n{plain}--x y--\r\nepilogue"),
            "preamble and epilogue",
        ),
        (
            "Multipart/Form-Data;boundary=x-y",
            plain.replace("x y", "x-y") + "--x-y--\r\n",
            "unquoted boundary",
        ),
        (
            "multipart/form-data; boundary=----=_x/y:z?",
            plain.replace("x y", "----=_x/y:z?") + "------=_x/y:z?--\r\n",
            "odd boundary",
        ),
    ] {
        let answer = app
            .invoke(&event(Some(KEY), content_type, body.as_bytes()))
            .await;
        assert_eq!(answer.row(), SUCCESS, "{why}: {answer:?}");
        assert_eq!(
            app.image(SUBMISSION, "selfieImage").await.as_ref(),
            Some(&image),
            "{why}"
        );
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_never_decoded() {
    let app = App::start().await;
    let image = images::png(300, 1);
    let form = Form::selfie(&image)
        .and("comment", b"\xFF not UTF-8".to_vec())
        .and("otherImage", "not Base64")
        .and("otherImage", "x".repeat(1000))
        .and(
            "odd\"\r\nContent-Transfer-Encoding: base64\r\nX-Header: \"",
            "encoded in its own way",
        );
    app.assert_stores(&form, "selfieImage", &image, "unknown fields")
        .await;
    assert_eq!(app.objects().await.len(), 1);
}

#[tokio::test]
async fn up_to_64_parts() {
    let app = App::start().await;
    let image = images::png(300, 1);
    let with_parts = |n: usize| {
        (3..n).fold(Form::selfie(&image), |form, i| {
            form.and(&format!("x{i}"), "y")
        })
    };
    app.assert_stores(&with_parts(64), "selfieImage", &image, "64 parts")
        .await;
    app.assert_refused(&with_parts(65), INVALID_PAYLOAD, "65 parts")
        .await;
}

#[tokio::test]
async fn jpegs_with_trailing_bytes_keep_them() {
    let app = App::start().await;
    let image = [
        images::jpeg(300, 1),
        b"appended by a camera".to_vec(),
        images::jpeg(200, 2),
    ]
    .concat();
    app.assert_stores(
        &Form::selfie(&image),
        "selfieImage",
        &image,
        "trailing bytes",
    )
    .await;
}
