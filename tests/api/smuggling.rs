//! Forms that two parsers could read in two ways: refused, or read in the one way that is checked.

use crate::helpers::*;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use rstest::rstest;
use testkit::images;

const TYPE: &str = "multipart/form-data; boundary=test-boundary";

/// A good form's texts, then parts as given, then the end.
fn form(parts: &str) -> Vec<u8> {
    let texts = String::from_utf8(Form::texts().body()).unwrap();
    let texts = texts
        .strip_suffix(&format!("--{BOUNDARY}--\r\n"))
        .unwrap()
        .to_owned();
    format!("{texts}{parts}--{BOUNDARY}--\r\n").into_bytes()
}

/// A part of an image's Base64 with these headers.
fn part(headers: &str) -> String {
    let image = BASE64_STANDARD.encode(images::png(200, 1));
    format!("--{BOUNDARY}\r\n{headers}\r\n\r\n{image}\r\n")
}

fn selfie() -> String {
    part("Content-Disposition: form-data; name=selfieImage")
}

/// A selfie in a form within the part.
fn nested() -> String {
    let inner = selfie().replace(BOUNDARY, "n") + "--n--";
    let head = "Content-Type: multipart/mixed; boundary=n\r\n";
    format!(
        "--{BOUNDARY}\r\n{head}Content-Disposition: form-data; name=selfieImage\r\n\r\n{inner}\r\n"
    )
}

/// A text that holds a whole form whose lines end in half a line break.
fn decoy(half: &str) -> String {
    let decoy = String::from_utf8(form(&selfie())).unwrap();
    let decoy = decoy
        .replace("\r\n", half)
        .replace(SUBMISSION, "another-submission");
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=note\r\n\r\nx{half}{decoy}\r\n{}",
        selfie()
    )
}

const BACKSLASH: &str = "a part's Content-Disposition has a backslash before a quotation mark: \
                         use a filename without them";
const DISPOSITION: &str = "a part needs a Content-Disposition with exactly one name, and no name*";
const FOLDED: &str = "a part's header is folded: write it on one line";
const HEADERS: &str = "a part's headers are malformed, repeated, or longer than 8192 bytes";
const LINE_ENDS: &str = "lines must end with CRLF";
const LONE: &str = "a boundary isn't on a line of its own, or the form continues after its end";
const NESTED: &str = "selfieImage: has a Content-Type of multipart or message";
const MALFORMED: &str = "the form is malformed";

#[rstest]
#[case::escaped_quote(
    part(r#"Content-Disposition: form-data; filename="\"; name=idImage; x="; name="selfieImage""#),
    BACKSLASH
)]
#[case::nested_form(nested(), NESTED)]
#[case::nul(selfie().replacen("AAAA", "AA\0AA", 1), "selfieImage: has an invisible character")]
#[case::line_feeds_alone(selfie().replace("\r\n", "\n"), LINE_ENDS)]
#[case::decoy_of_line_feeds(decoy("\n"), LINE_ENDS)]
#[case::decoy_of_carriage_returns(decoy("\r"), LINE_ENDS)]
#[case::two_names(
    part("Content-Disposition: form-data; name=\"selfieImage\"; name=\"idImage\""),
    DISPOSITION
)]
#[case::extended_name(
    part("Content-Disposition: form-data; name=\"x\"; name*=utf-8''selfieImage"),
    DISPOSITION
)]
#[case::nul_in_a_name(
    part("Content-Disposition: form-data; name=\"selfieImage\0\""),
    HEADERS
)]
#[case::folded_header(
    part("Content-Disposition: form-data; name=\"self\r\n ieImage\""),
    FOLDED
)]
#[case::bare_line_feed(
    part("X: y\nContent-Disposition: form-data; name=\"selfieImage\""),
    LINE_ENDS
)]
#[case::no_name(part("Content-Type: text/plain"), DISPOSITION)]
#[case::encoded_twice(
    part("Content-Disposition: form-data; name=selfieImage\r\nContent-Transfer-Encoding: base64"),
    "selfieImage: Content-Transfer-Encoding is base64: send the content as it is, without this header"
)]
#[case::multipart(
    part(
        "Content-Disposition: form-data; name=selfieImage\r\nContent-Type: Multipart/mixed; boundary=n"
    ),
    NESTED
)]
#[case::message(
    part("Content-Type: message/rfc822\r\nContent-Disposition: form-data; name=selfieImage"),
    NESTED
)]
#[case::two_content_types(
    part(
        "Content-Type: text/plain\r\nContent-Disposition: form-data; name=selfieImage\r\ncontent-type: message/rfc822"
    ),
    HEADERS
)]
#[case::no_headers(selfie().replace("Content-Disposition: form-data; name=selfieImage\r\n", ""), MALFORMED)]
#[case::empty_part_before(format!("--{BOUNDARY}\r\n{}", selfie()), MALFORMED)]
#[case::longer_boundary(format!("--{BOUNDARY}x\r\n"), HEADERS)]
#[case::boundary_after_a_bare_line_feed(format!("x\n--{BOUNDARY}\r\n"), LINE_ENDS)]
#[case::two_forms(format!("{}--{BOUNDARY}--\r\n", selfie()), LONE)]
#[case::ten_thousand_headers(part(&("X: y\r\n".repeat(10_000) + "Content-Disposition: form-data; name=selfieImage")), HEADERS)]
#[case::hundred_thousand_parts(part("Content-Disposition: form-data; name=x").repeat(100_000), "the form has more than 64 parts")]
#[tokio::test]
async fn ambiguous_parts_are_refused(#[case] parts: String, #[case] detail: &str) {
    let app = TestApp::start().await;
    let event = event(Some(KEY), TYPE, &form(&parts));
    app.assert_event_refused_because(&event, INVALID_PAYLOAD, detail)
        .await;
}

#[tokio::test]
async fn a_part_that_is_not_ambiguous_is_stored() {
    let app = TestApp::start().await;
    let answer = app.invoke(&event(Some(KEY), TYPE, &form(&selfie()))).await;
    assert_eq!(answer.row(), SUCCESS);
}

#[tokio::test]
async fn a_name_inside_a_file_name_is_no_name() {
    let app = TestApp::start().await;
    let good = images::png(300, 2);
    let disposition =
        "Content-Disposition: form-data; filename=\"x; name=selfieImage \"; name=\"addressImage\"";
    let parts = format!(
        "--{BOUNDARY}\r\n{disposition}\r\n\r\n{}\r\n",
        BASE64_STANDARD.encode(&good)
    );
    let answer = app.invoke(&event(Some(KEY), TYPE, &form(&parts))).await;
    assert_eq!(answer.row(), SUCCESS);
    assert_eq!(app.image(SUBMISSION, "addressImage").await, Some(good));
    assert_eq!(app.image(SUBMISSION, "selfieImage").await, None);
}
