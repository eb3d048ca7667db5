//! The API's definition, `openapi.yaml`: the route, where the key is, and the gateway's own responses.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{Method, Response, StatusCode};
use serde_json::Value;

use crate::Error;

/// `openapi.yaml` of this repository.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");

/// What the gateway needs from the definition.
#[derive(Debug)]
pub struct Definition {
    pub method: Method,
    /// With the stage.
    pub path: String,
    pub key_header: HeaderName,
    /// For a request whose body can't be read. It isn't in the definition.
    pub(crate) bad_request: Response<Bytes>,
    pub(crate) missing_authentication_token: Response<Bytes>,
    pub(crate) forbidden: Response<Bytes>,
    pub(crate) too_many_requests: Response<Bytes>,
    pub(crate) too_large: Response<Bytes>,
    pub(crate) failed: Response<Bytes>,
    pub(crate) timed_out: Response<Bytes>,
}

impl Definition {
    pub fn load() -> Result<Self, Error> {
        let openapi: Value = serde_saphyr::from_str(OPENAPI)?;
        let (path, methods) = first(&openapi["paths"]).ok_or("openapi.yaml has no path")?;
        let (method, operation) = first(methods).ok_or("openapi.yaml has no method")?;
        let servers = openapi["servers"].as_array().into_iter().flatten();
        let stage = servers
            .filter_map(|server| server["url"].as_str()?.rsplit_once('/'))
            .next_back();
        let (_, stage) = stage.ok_or("openapi.yaml has no server with a stage")?;
        let key_header = openapi["components"]["securitySchemes"]["apiKey"]["name"].as_str();
        let response = |status, example| {
            example_response(&openapi, operation, status, example)
                .ok_or_else(|| format!("openapi.yaml has no {example} for {status}"))
        };
        Ok(Self {
            method: method.to_uppercase().parse()?,
            path: format!("/{stage}{path}"),
            key_header: key_header.ok_or("openapi.yaml has no apiKey")?.parse()?,
            bad_request: Response::builder()
                .status(StatusCode::BAD_REQUEST)
                .header(CONTENT_TYPE, "application/json")
                .body(Bytes::from_static(br#"{"message":"Bad Request"}"#))?,
            missing_authentication_token: response(403, "missing-authentication-token")?,
            forbidden: response(403, "forbidden")?,
            too_many_requests: response(429, "too-many-requests")?,
            too_large: response(413, "invalid-payload")?,
            failed: response(502, "processing-error")?,
            timed_out: response(504, "processing-error")?,
        })
    }
}

fn first(object: &Value) -> Option<(&String, &Value)> {
    object.as_object()?.iter().next()
}

/// Returns the response that an example shows, with the headers whose value the definition fixes.
fn example_response(
    openapi: &Value,
    operation: &Value,
    status: u16,
    example: &str,
) -> Option<Response<Bytes>> {
    let response = resolve(openapi, operation["responses"].get(status.to_string())?)?;
    let (content_type, content) = first(&response["content"])?;
    let example = resolve(openapi, content["examples"].get(example)?)?;
    let mut answer = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type);
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let schema = &resolve(openapi, header)?["schema"];
        let value = schema["const"].as_str().or(schema["enum"][0].as_str())?;
        answer = answer.header(name, value);
    }
    answer.body(example["value"].to_string().into()).ok()
}

/// Follows a `$ref` within the document, if the value is one.
pub fn resolve<'a>(openapi: &'a Value, value: &'a Value) -> Option<&'a Value> {
    match value.get("$ref") {
        None => Some(value),
        Some(reference) => openapi.pointer(reference.as_str()?.strip_prefix('#')?),
    }
}
