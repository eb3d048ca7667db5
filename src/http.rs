//! HTTP at the edge of the handler: what it takes from a request, and the documented responses.

use bytes::Bytes;
use lambda_http::http::Method;
use lambda_http::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use lambda_http::http::request::Parts;
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt as _, Response};
use serde_json::json;

use crate::domain::ApiKey;
use crate::error::Error;
use crate::form::{Form, FormError};

/// Reads a request's form: row 1.
pub(crate) async fn form(head: &Parts, body: Body) -> Result<Form, FormError> {
    if head.method != Method::PUT {
        return Err(FormError::Method);
    }
    let body: Bytes = match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => Bytes::new(),
    };
    // A gateway that decompresses the body leaves the header, so a plain form is accepted. Anything else is refused: a
    // plain form could follow a compressed one, which is what a parser in front of the function would read.
    let begins_as_form = body.trim_ascii_start().starts_with(b"--");
    let encoding = header(head, CONTENT_ENCODING.as_str());
    let is_encoded = !["", "identity"].contains(&encoding.trim());
    match Form::read(&header(head, CONTENT_TYPE.as_str()), body).await {
        Ok(_) | Err(FormError::BoundaryNotInBody) if is_encoded && !begins_as_form => {
            Err(FormError::Compressed)
        }
        form => form,
    }
}

/// Returns the caller's key. Two of them are joined to a key that no project has.
pub(crate) fn api_key(head: &Parts) -> Option<ApiKey> {
    ApiKey::parse(&header(head, "x-api-key"))
}

/// Returns a header's value. Several are joined by commas (RFC 9110, section 5.3), so that we never pick one of them.
fn header(head: &Parts, name: &str) -> String {
    let values = head.headers.get_all(name).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    values.collect::<Vec<_>>().join(",")
}

/// Returns the API key that the gateway authenticated.
pub(crate) fn gateway_key(head: &Parts) -> Option<&str> {
    let RequestContext::ApiGatewayV1(context) = head.request_context_ref()? else {
        return None;
    };
    context.identity.api_key.as_deref()
}

/// Makes the documented response.
pub(crate) fn response(result: &Result<(), Error>) -> Response<Body> {
    let json = match result {
        Ok(()) => json!({ "message": "complete to update image." }),
        Err(error) => {
            json!({ "errorCode": error.code(), "message": error.message() })
        }
    };
    let mut response = Response::new(Body::Text(json.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    let Err(error) = result else { return response };
    *response.status_mut() = error.status();
    let headers = response.headers_mut();
    if let Ok(detail) = HeaderValue::try_from(error.detail()) {
        headers.insert("x-error-detail", detail);
    }
    if error.status().is_server_error() {
        // Seconds. Throttling and a lost connection are usually over by then.
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
