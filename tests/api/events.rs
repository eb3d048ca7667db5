//! What the function reads of an event in each of the four forms, and what it ignores. A good event of each is in
//! `samples.rs`.

use std::collections::BTreeSet;

use local::function::{context, invoke};
use put_image::deadline::TIMEOUT;
use rstest::rstest;
use serde_json::{Value, json};

use crate::helpers::*;

/// The four forms, each made of an event of payload 1.0 with a text body.
type AsEvent = fn(Value) -> Value;

const REST: AsEvent = |rest| rest;
const REST_BASE64: AsEvent = encoded;
const HTTP: AsEvent = |rest| payload_2(&rest);
const HTTP_BASE64: AsEvent = |rest| encoded(payload_2(&rest));

/// Payload 2.0 has a member `cookies` that `cargo lambda watch` insists on; 1.0 has no such member.
#[rstest]
#[case::rest(REST, "body headers isBase64Encoded multiValueHeaders statusCode")]
#[case::http(
    HTTP,
    "body cookies headers isBase64Encoded multiValueHeaders statusCode"
)]
#[tokio::test]
async fn responses_have_the_members_of_the_events_format(
    #[case] form: AsEvent,
    #[case] expected: &str,
) {
    let app = TestApp::start().await;
    let event = form(Form::full().event()).to_string();
    let invoked = invoke(&app.function, event.as_bytes(), context(TIMEOUT)).await;
    let response = invoked.unwrap().response;
    let members = response.as_object().unwrap().keys();
    let members: BTreeSet<&str> = members.map(String::as_str).collect();
    assert_eq!(members, expected.split(' ').collect());
}

/// Whether an event has both maps or one, and in which case the names are.
#[rstest]
#[case::both_maps(|_: &mut Value| {})]
#[case::one_value_of_each_alone(|event: &mut Value| event["multiValueHeaders"] = Value::Null)]
#[case::lists_alone(|event: &mut Value| event["headers"] = Value::Null)]
#[case::other_case(|event: &mut Value| {
    let content_type = event["headers"]["content-type"].as_str().unwrap().to_owned();
    event["headers"] = json!({});
    event["multiValueHeaders"] = json!({});
    set_header(event, "X-API-Key", &[KEY]);
    set_header(event, "CONTENT-TYPE", &[&content_type]);
})]
#[tokio::test]
async fn headers_are_found(#[case] change: fn(&mut Value)) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    change(&mut event);
    assert_eq!(app.invoke(&event).await.row(), SUCCESS);
}

const TYPE: &str = "multipart/form-data; boundary=test-boundary";
const ONE_TYPE: &str = "send one Content-Type, without a comma";

/// Parsers differ on which one counts, so a body could be read in two ways.
#[rstest]
#[case::equal(&[TYPE, TYPE])]
#[case::another_boundary_first(&["multipart/form-data; boundary=other", TYPE])]
#[case::another_boundary_last(&[TYPE, "multipart/form-data; boundary=other"])]
#[case::text_first(&["text/plain", TYPE])]
#[case::text_last(&[TYPE, "text/plain"])]
#[case::quoted_boundaries(&["multipart/form-data; boundary=\"test-boundary\"", TYPE])]
#[case::an_empty_one(&["", TYPE])]
#[case::three(&[TYPE, TYPE, TYPE])]
#[tokio::test]
async fn two_content_types_are_refused(
    #[case] values: &[&str],
    #[values(REST, REST_BASE64, HTTP, HTTP_BASE64)] form: AsEvent,
) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    set_header(&mut event, "content-type", values);
    app.assert_event_refused_because(&form(event), INVALID_PAYLOAD, ONE_TYPE)
        .await;
}

/// What a REST API makes of two headers whose names differ in case, and what no gateway makes.
#[rstest]
#[case::names_of_different_case(|event: &mut Value| {
    set_header(event, "Content-Type", &["multipart/form-data; boundary=other"]);
})]
#[case::half_a_boundary_each(|event: &mut Value| {
    set_header(event, "content-type", &["multipart/form-data; boundary=\"test", "boundary\""]);
})]
#[case::maps_that_differ(|event: &mut Value| {
    event["headers"]["content-type"] = json!("multipart/form-data; boundary=other");
})]
#[tokio::test]
async fn two_content_types_in_a_rest_event_are_refused(#[case] change: fn(&mut Value)) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    change(&mut event);
    app.assert_event_refused_because(&event, INVALID_PAYLOAD, ONE_TYPE)
        .await;
}

#[rstest]
#[case::known_key_first(&[KEY, KEY_WITHOUT_PROJECT])]
#[case::known_key_last(&[KEY_WITHOUT_PROJECT, KEY])]
#[case::equal(&[KEY, KEY])]
#[case::empty_first(&["", KEY])]
#[case::empty_last(&[KEY, ""])]
#[tokio::test]
async fn two_keys_are_no_key(
    #[case] values: &[&str],
    #[values(REST, REST_BASE64, HTTP, HTTP_BASE64)] form: AsEvent,
) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    set_header(&mut event, "x-api-key", values);
    let detail = "x-api-key: no project has this key";
    app.assert_event_refused_because(&form(event), UNKNOWN_PROJECT, detail)
        .await;
}

/// The key of a request, as the gateway that authenticated it knows it.
#[rstest]
#[case::same(json!(KEY), SUCCESS)]
#[case::none(Value::Null, SUCCESS)]
#[case::another(json!(KEY_WITHOUT_PROJECT), UNKNOWN_PROJECT)]
#[case::empty(json!(""), UNKNOWN_PROJECT)]
#[case::blank(json!(" \t"), UNKNOWN_PROJECT)]
#[case::other_case(json!(KEY.to_uppercase()), UNKNOWN_PROJECT)]
#[tokio::test]
async fn the_headers_key_is_the_gateways(#[case] gateways: Value, #[case] row: Row) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    event["requestContext"]["identity"] = json!({ "apiKey": gateways });
    if row == SUCCESS {
        assert_eq!(app.invoke(&event).await.row(), SUCCESS);
        return;
    }
    let calls = app.faults.calls().len();
    let detail = "x-api-key: doesn't match the key that the gateway authenticated";
    app.assert_event_refused_because(&event, row, detail).await;
    assert_eq!(app.faults.calls().len(), calls, "refused without a read");
}

#[rstest]
#[case::get("GET")]
#[case::post("POST")]
#[case::patch("PATCH")]
#[case::delete("DELETE")]
#[case::head("HEAD")]
#[case::options("OPTIONS")]
#[case::lower_case("put")]
#[case::unknown("PROPFIND")]
#[tokio::test]
async fn other_methods_are_refused(
    #[case] method: &str,
    #[values(REST, REST_BASE64, HTTP, HTTP_BASE64)] form: AsEvent,
) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    event["httpMethod"] = method.into();
    event["requestContext"]["httpMethod"] = method.into();
    app.assert_event_refused_because(&form(event), INVALID_PAYLOAD, "send PUT")
        .await;
}

/// The function needs none of this, so no caller can make it fail with it.
#[rstest]
#[case::two_protocols("X-Forwarded-Proto", "https, http")]
#[case::blank_protocol("X-Forwarded-Proto", " ")]
#[case::empty_protocol("X-Forwarded-Proto", "")]
#[case::odd_protocol("X-Forwarded-Proto", "1:/[")]
#[case::host_with_a_space("Host", "a b")]
#[case::host_with_a_port_too_large("Host", "abc:99999")]
#[case::empty_host("Host", "")]
#[case::host_of_brackets("Host", "[")]
#[case::host_of_other_letters("Host", "b\u{fc}cher\u{FFFD}")]
#[case::cookie("Cookie", "a=\u{e9}; b")]
#[case::trace("X-Amzn-Trace-Id", "Root=\u{e9}")]
#[tokio::test]
async fn an_odd_header_changes_nothing(
    #[case] name: &str,
    #[case] value: &str,
    #[values(REST, REST_BASE64, HTTP, HTTP_BASE64)] form: AsEvent,
) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    set_header(&mut event, name, &[value]);
    assert_eq!(app.invoke(&form(event)).await.row(), SUCCESS);
}

#[rstest]
#[case::quotation_mark(&["rawQueryString"], json!("a=\"b\""))]
#[case::space_in_the_query(&["rawQueryString"], json!("a b"))]
#[case::letters_in_the_query(&["rawQueryString"], json!("\u{e9}=\u{FFFD}"))]
#[case::fragment(&["rawQueryString"], json!("a#b?c"))]
#[case::broken_escape(&["rawQueryString"], json!("%zz&=&&"))]
#[case::raw_path(&["rawPath"], json!(":99999"))]
#[case::raw_path_with_a_space(&["rawPath"], json!("/a b\"?"))]
#[case::cookies(&["cookies"], json!(["a=\"\u{e9}\"", "b\n"]))]
#[case::query(&["queryStringParameters"], json!({ "a b": "\"", "": "\u{FFFD}" }))]
#[case::queries(&["multiValueQueryStringParameters"], json!({ "a b": ["\"", "#"], "": [""] }))]
#[case::stage_variables(&["stageVariables"], json!({ "a": "b" }))]
#[case::domain(&["requestContext", "domainName"], json!("a b:99999"))]
#[case::stage(&["requestContext", "stage"], json!("a b?\"#"))]
#[case::path_in_the_context(&["requestContext", "path"], json!(":99999"))]
#[tokio::test]
async fn an_odd_member_changes_nothing(
    #[case] path: &[&str],
    #[case] value: Value,
    #[values(REST, HTTP)] form: AsEvent,
) {
    let app = TestApp::start().await;
    let mut event = form(Form::full().event());
    let member = path.iter().fold(&mut event, |value, name| &mut value[name]);
    *member = value;
    assert_eq!(app.invoke(&event).await.row(), SUCCESS);
}

#[rstest]
#[case::port(":99999")]
#[case::brackets("@[/Image")]
#[tokio::test]
async fn an_odd_path_changes_nothing(#[case] path: &str) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    event["path"] = path.into();
    assert_eq!(app.invoke(&event).await.row(), SUCCESS);
}

#[rstest]
#[case::null_body("body", Value::Null, "the request has no body")]
#[case::empty_body("body", json!(""), "the request has no body")]
#[case::null_headers("headers", Value::Null, "Content-Type isn't multipart/form-data")]
#[case::no_headers("headers", json!({}), "Content-Type isn't multipart/form-data")]
#[tokio::test]
async fn without_a_form(#[case] member: &str, #[case] value: Value, #[case] detail: &str) {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    if member == "headers" {
        event["multiValueHeaders"] = Value::Null;
    }
    event[member] = value;
    app.assert_event_refused_because(&event, INVALID_PAYLOAD, detail)
        .await;
}

/// As gzip makes it, and as a gateway without binary media types passes that on.
#[rstest]
#[case::bytes(vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0x4B], None)]
#[case::text("\u{1F}\u{FFFD}\u{8}\0\0\0\0\0\0\u{3}K".into(), None)]
#[case::zlib(vec![0x78, 0x9C, 0x4B], None)]
#[case::zstandard(vec![0x28, 0xB5, 0x2F, 0xFD, 4], None)]
#[case::brotli("\u{b}\u{FFFD}".into(), Some("br"))]
#[case::gzip_by_its_header("x".into(), Some("gzip"))]
// Whoever decompresses the body first reads another form.
#[case::gzip_before_a_form([b"\x1F\x8B\x08\r\n", &Form::full().body()[..]].concat(), Some("gzip"))]
#[tokio::test]
async fn a_compressed_body_is_named(#[case] body: Vec<u8>, #[case] encoding: Option<&str>) {
    let app = TestApp::start().await;
    let mut event = event(Some(KEY), TYPE, &body);
    if let Some(encoding) = encoding {
        set_header(&mut event, "Content-Encoding", &[encoding]);
    }
    let detail = "the body is compressed: send it without Content-Encoding";
    app.assert_event_refused_because(&event, INVALID_PAYLOAD, detail)
        .await;
}

/// A gateway may decompress a body and leave the header.
#[tokio::test]
async fn a_decompressed_body_is_read_despite_its_header() {
    let app = TestApp::start().await;
    let mut event = Form::full().event();
    set_header(&mut event, "Content-Encoding", &["gzip"]);
    assert_eq!(app.invoke(&event).await.row(), SUCCESS);
}
