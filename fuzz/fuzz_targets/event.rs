//! Raw event JSON to a request, and its form to what all later steps take for granted. lambda_http panics over nothing
//! but a body that isn't the Base64 it claims to be.

#![no_main]

use std::panic::catch_unwind;

use futures_util::FutureExt as _;
use lambda_http::Body;
use lambda_http::request::LambdaRequest;
use libfuzzer_sys::fuzz_target;
use put_image::error::Error;
use put_image::form::Form;

fuzz_target!(|json: &[u8]| {
    let Ok(event) = serde_json::from_slice::<LambdaRequest>(json) else {
        return;
    };
    let is_encoded = match &event {
        LambdaRequest::ApiGatewayV1(event) => event.is_base64_encoded,
        LambdaRequest::ApiGatewayV2(event) => event.is_base64_encoded,
        _ => unreachable!("no other type is compiled in"),
    };
    // libFuzzer's own panic hook ends the process.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let request = catch_unwind(|| put_image::event::request(event));
    std::panic::set_hook(hook);
    let Ok(request) = request else {
        assert!(is_encoded);
        return;
    };
    let content_type = String::from_utf8_lossy(
        request
            .headers()
            .get("content-type")
            .map_or(b"", |value| value.as_bytes()),
    )
    .into_owned();
    let body = match request.into_body() {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => return,
    };
    let form = Form::read(&content_type, body)
        .now_or_never()
        .expect("a body in memory is read at once");
    match form {
        Ok(form) => {
            let texts = [
                form.submission_id.as_ref().map(|id| id.as_str()),
                form.admin.as_ref().map(|admin| admin.as_str()),
            ];
            for text in texts.into_iter().flatten() {
                assert!(!text.is_empty() && text.len() <= 256 && text.trim() == text);
                assert!(!text.contains(char::is_control));
            }
        }
        Err(error) => {
            let detail = Error::from(error).detail();
            assert!(
                detail
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic()),
                "{detail}"
            );
        }
    }
});
