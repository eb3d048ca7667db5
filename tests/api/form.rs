//! Which bodies are forms: what clients send is read, and what two parsers could read in two ways is refused.

use futures_util::FutureExt as _;
use put_image::form::{Form as Parsed, MAX_PARTS};

const TYPE: &str = "multipart/form-data; boundary=b";

const AMBIGUOUS: &str = "a boundary is not a line of its own, or the form goes on after its end";
const NO_BOUNDARY: &str =
    "Content-Type has no usable boundary: one, of 1 to 70 printable characters";
const NOT_MULTIPART: &str = "Content-Type is not multipart/form-data";
const MALFORMED: &str = "the form is malformed";
const PART_HEADERS: &str = "a part's headers are malformed, or longer than 8192 bytes";
const UNCLOSED: &str = "the form has no closing boundary";
const UNNAMED: &str = "a part has no Content-Disposition: form-data with exactly one name";

fn part(name: &str, content: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
}

fn read(content_type: &str, body: &str) -> Result<(Option<String>, Option<String>), String> {
    let form = Parsed::read(content_type, body.to_owned().into());
    // A body in memory is read without waiting.
    let form = form
        .now_or_never()
        .unwrap()
        .map_err(|error| error.to_string())?;
    let submission_id = form.submission_id.map(|id| id.as_str().to_owned());
    Ok((
        submission_id,
        form.admin.map(|admin| admin.as_str().to_owned()),
    ))
}

#[track_caller]
fn assert_read(content_type: &str, body: &str, submission_id: Option<&str>, admin: Option<&str>) {
    let expected = (submission_id.map(str::to_owned), admin.map(str::to_owned));
    assert_eq!(read(content_type, body), Ok(expected), "{body}");
}

#[track_caller]
fn assert_refused(content_type: &str, body: &str, why: &str) {
    assert_eq!(read(content_type, body), Err(why.to_owned()), "{body}");
}

#[test]
fn what_clients_send_is_read() {
    let form = part("submissionId", "1") + &part("admin", "") + "--b--";
    assert_read(TYPE, &form, Some("1"), None);
    let quoted = "Multipart/Form-Data; charset=utf-8; Boundary=\"b\"";
    assert_read(quoted, &form, Some("1"), None);
    assert_read(
        TYPE,
        &format!("preamble\r\n{form}\r\nepilogue"),
        Some("1"),
        None,
    );
    assert_read(TYPE, &format!("\r\n{form}\r\n"), Some("1"), None);
    let padded = part("admin", "1").replace("--b\r\n", "--b \t\r\n") + "--b-- \r\n";
    assert_read(TYPE, &padded, None, Some("1"));
    // A boundary inside a line is data.
    let inside = part("admin", "x--b--a--b--") + "--b-- x--b";
    assert_read(TYPE, &inside, None, Some("x--b--a--b--"));
    assert_read(TYPE, "--b--\r\n", None, None);
    let headers =
        "Content-Type: text/plain; charset=utf-8\r\ncontent-disposition:form-data;name=admin";
    assert_read(
        TYPE,
        &format!("--b\r\n{headers}\r\n\r\n1\r\n--b--"),
        None,
        Some("1"),
    );
    let odd = "multipart/form-data; boundary=----=_x/y:z?";
    assert_read(odd, &form.replace("--b", "------=_x/y:z?"), Some("1"), None);
}

#[test]
fn content_types_without_one_boundary_are_refused() {
    assert_refused("text/plain; boundary=b", "--b--", NOT_MULTIPART);
    assert_refused("", "--b--", NOT_MULTIPART);
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary=\"b \"",
        "multipart/form-data; boundary=\"b",
        "multipart/form-data; boundary=b c",
        &format!("multipart/form-data; boundary={}", "b".repeat(71)),
    ] {
        assert_refused(content_type, "--b--", NO_BOUNDARY);
    }
}

#[test]
fn forms_that_do_not_end_are_refused() {
    let whole = part("admin", "1") + "--b--";
    for end in 1..whole.len() {
        assert!(read(TYPE, &whole[..end]).is_err(), "{end}");
    }
    assert_refused(TYPE, "", "the request has no body");
    assert_refused(TYPE, &part("admin", "1"), UNCLOSED);
    assert_refused(TYPE, "text", UNCLOSED);
}

#[test]
fn boundaries_that_could_be_missed_are_refused() {
    let form = part("admin", "1") + "--b--";
    assert_refused(TYPE, &format!("x{form}"), AMBIGUOUS);
    assert_refused(TYPE, &format!("x\n{form}"), AMBIGUOUS);
    assert_refused(TYPE, &format!("{form}c"), AMBIGUOUS);
    assert_refused(TYPE, &format!("{form}\r\n{form}"), AMBIGUOUS);
    assert_refused(TYPE, &form.replace("--b\r\n", "--bx\r\n"), MALFORMED);
    let longer = part("admin", "1") + "--bx\r\nX: y\r\n\r\n1\r\n--b--";
    assert_refused(TYPE, &longer, MALFORMED);
}

/// Behind half a line break a boundary is data, for multer as for RFC 2046. A text can't hold one, an image neither.
#[test]
fn boundaries_behind_half_a_line_break_are_data() {
    for half in ["\n", "\r"] {
        let content = format!("1{half}--b{half}");
        let body = part("unknown", &content) + &part("admin", "1") + "--b--";
        assert_read(TYPE, &body, None, Some("1"));
        let body = part("admin", &content) + "--b--";
        assert_refused(TYPE, &body, "admin: has a control character in it");
    }
}

#[test]
fn a_part_does_not_swallow_the_next() {
    let next = part("admin", "1") + "--b--";
    assert_refused(TYPE, &format!("--b\r\n{next}"), MALFORMED);
    assert_refused(TYPE, &format!("--b\r\n\r\n{next}"), UNNAMED);
    assert_refused(TYPE, &format!("--b\r\n\r\nx\r\n{next}"), UNNAMED);
    // Without its blank line, an empty part ends in the next one's boundary.
    let headers = "--b\r\nContent-Disposition: form-data; name=submissionId\r\n";
    assert_refused(TYPE, &format!("{headers}{next}"), PART_HEADERS);
    assert_refused(TYPE, &format!("{headers}\r\n{next}"), PART_HEADERS);
}

#[test]
fn part_headers_that_parsers_read_differently_are_refused() {
    for (headers, why) in [
        ("Content-Disposition: form-data", UNNAMED),
        ("Content-Disposition: attachment; name=a", UNNAMED),
        ("Content-Disposition: form-data; name=a; name=c", UNNAMED),
        (
            "Content-Disposition: form-data; name=a; name*=utf-8''c",
            UNNAMED,
        ),
        ("Content-Type: text/plain", UNNAMED),
        (
            "Content-Disposition: form-data; name=a\r\ncontent-disposition: form-data; name=c",
            PART_HEADERS,
        ),
        (
            "Content-Disposition: form-data; name=a\r\n ; name=c",
            MALFORMED,
        ),
        ("Content-Disposition : form-data; name=a", MALFORMED),
        ("Content-Disposition: form-data; name=\"a\0\"", PART_HEADERS),
        ("Content-Disposition: form-data; name=a\nX: y", PART_HEADERS),
        (
            "Content-Disposition: form-data; name=a\r\nno colon",
            MALFORMED,
        ),
    ] {
        let body = format!("--b\r\n{headers}\r\n\r\n1\r\n--b--");
        assert_refused(TYPE, &body, why);
    }
    let many = "X-Header: value\r\n".repeat(10_000);
    let headers = format!("{many}Content-Disposition: form-data; name=a");
    assert_refused(
        TYPE,
        &format!("--b\r\n{headers}\r\n\r\n1\r\n--b--"),
        PART_HEADERS,
    );
}

#[test]
fn contents_that_are_encoded_once_more_are_refused() {
    for (encoding, is_identity) in [
        ("7bit", true),
        ("8BIT", true),
        ("binary", true),
        ("base64", false),
        ("quoted-printable", false),
    ] {
        let body = |name: &str| {
            let disposition = format!("Content-Disposition: form-data; name={name}");
            let encoding = format!("Content-Transfer-Encoding: {encoding}");
            format!("--b\r\n{disposition}\r\n{encoding}\r\n\r\n1\r\n--b--")
        };
        if is_identity {
            assert_read(TYPE, &body("admin"), None, Some("1"));
        } else {
            let why = "admin: has a Content-Transfer-Encoding";
            assert_refused(TYPE, &body("admin"), why);
        }
        assert_read(TYPE, &body("unknown"), None, None);
    }
}

#[test]
fn misspelt_fields_are_refused() {
    for (name, field) in [
        ("SubmissionID", "submissionId"),
        ("submission_id", "submissionId"),
        ("Admin", "admin"),
        ("id-type", "idType"),
        ("idimage", "idImage"),
        ("ID_BACK_IMAGE", "idBackImage"),
        ("selfie-image", "selfieImage"),
    ] {
        let why = format!("{field}: the field's name is spelt in another way");
        assert_refused(TYPE, &(part(name, "1") + "--b--"), &why);
    }
    let others = part("administrator", "1") + &part("image", "x") + "--b--";
    assert_read(TYPE, &others, None, None);
}

#[test]
fn texts_are_short_and_clean() {
    let text = |value: &str| part("admin", value) + "--b--";
    assert_read(TYPE, &text(&"a".repeat(256)), None, Some(&"a".repeat(256)));
    let why = "admin: longer than 256 bytes";
    assert_refused(TYPE, &text(&"a".repeat(257)), why);
    assert_refused(TYPE, &text("\u{FFFD}"), "admin: not UTF-8");
    for control in [
        "a\0b",
        "a\tb",
        "a\r\nb",
        "a\u{1b}[31m",
        "a\u{85}b",
        "\u{7f}",
    ] {
        let why = "admin: has a control character in it";
        assert_refused(TYPE, &text(control), why);
    }
    let twice = part("admin", "") + &part("admin", "1") + "--b--";
    assert_refused(TYPE, &twice, "admin: sent more than once");
}

#[test]
fn parts_are_counted() {
    let most = part("a", "1").repeat(MAX_PARTS);
    assert_read(TYPE, &(most.clone() + "--b--"), None, None);
    let more = most + &part("a", "1") + "--b--";
    assert_refused(TYPE, &more, "the form has more than 64 parts");
}
