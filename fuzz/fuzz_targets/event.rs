//! Raw event JSON to a response, or to a request that is all that the later steps take for granted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use put_image::event::Event;
use put_image::request::Request;
use put_image::response::Response;

fuzz_target!(|json: &[u8]| {
    let Ok(event) = serde_json::from_slice::<Event>(json) else { return };
    let payload = event.payload();
    let parsed = Request::parse(event);
    if let Ok(request) = &parsed {
        for text in [Some(&request.submission_id), Some(&request.admin), request.id_type.as_ref()].into_iter().flatten() {
            assert!(!text.is_empty() && text.len() <= 256 && text.trim() == text);
        }
        assert!(request.images.len() <= 4);
    }
    let response = Response::new(payload, &parsed.map(|_| ()));
    assert!([200, 400].contains(&response.status_code));
    let printable = |text: &String| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    assert!(response.headers.values().all(printable));
    serde_json::to_string(&response).unwrap();
});
