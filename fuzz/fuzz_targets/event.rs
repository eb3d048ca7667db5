//! Raw event JSON to a response, or to a request that is all that the later steps take for granted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use put_image::event::Event;
use put_image::request::Request;
use put_image::response::Response;
use serde_json::Value;

fuzz_target!(|json: &[u8]| {
    let event = Event::parse(json.into());
    if let Some(body) = oracle(json)
        && let Ok(request) = Event::parse(json.into()).into_request()
    {
        assert_eq!(request.body, body.as_bytes());
    }
    let payload = event.payload();
    let parsed = Request::parse(event);
    if let Ok(request) = &parsed {
        for text in [
            Some(&request.submission_id),
            Some(&request.admin),
            request.id_type.as_ref(),
        ]
        .into_iter()
        .flatten()
        {
            assert!(!text.is_empty() && text.len() <= 256 && text.trim() == text);
        }
        assert!(request.images.len() <= 4);
    }
    let response = Response::new(payload, &parsed.map(|_| ()));
    assert!([200, 400].contains(&response.status_code));
    let printable = |text: &String| {
        text.bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    assert!(response.headers.values().all(printable));
    serde_json::to_string(&response).unwrap();
});

/// The body as another parser reads it, if it is a text and no name is written with escapes.
fn oracle(json: &[u8]) -> Option<String> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(json) else {
        return None;
    };
    let is_text = matches!(
        members.get("isBase64Encoded"),
        None | Some(Value::Null | Value::Bool(false))
    );
    let Some(Value::String(body)) = members.remove("body") else {
        return None;
    };
    (is_text && !json.windows(2).any(|window| window == b"\\u")).then_some(body)
}
