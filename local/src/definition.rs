//! The API's definition, `openapi.yaml`: the route, where the key is, and the gateway's own responses.

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderName;
use serde_json::Value;

use crate::Error;

/// `openapi.yaml` of this repository.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// What the gateway needs from the definition.
#[derive(Debug)]
pub struct Definition {
    pub method: Method,
    /// With the stage.
    pub path: String,
    pub key_header: HeaderName,
    pub(crate) missing_authentication_token: Answer,
    pub(crate) forbidden: Answer,
    pub(crate) too_many_requests: Answer,
    pub(crate) too_large: Answer,
    pub(crate) failed: Answer,
    pub(crate) timed_out: Answer,
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
        let answer = |status, example| {
            answer(&openapi, operation, status, example)
                .ok_or_else(|| format!("openapi.yaml has no {example} for {status}"))
        };
        Ok(Self {
            method: method.to_uppercase().parse()?,
            path: format!("/{stage}{path}"),
            key_header: key_header.ok_or("openapi.yaml has no apiKey")?.parse()?,
            missing_authentication_token: answer(403, "missing-authentication-token")?,
            forbidden: answer(403, "forbidden")?,
            too_many_requests: answer(429, "too-many-requests")?,
            too_large: answer(413, "invalid-payload")?,
            failed: answer(502, "processing-error")?,
            timed_out: answer(504, "processing-error")?,
        })
    }
}

fn first(object: &Value) -> Option<(&String, &Value)> {
    object.as_object()?.iter().next()
}

/// The response that an example shows, with the headers that are always the same.
fn answer(openapi: &Value, operation: &Value, status: u16, example: &str) -> Option<Answer> {
    let response = resolve(openapi, operation["responses"].get(status.to_string())?)?;
    let (content_type, content) = first(&response["content"])?;
    let example = resolve(openapi, content["examples"].get(example)?)?;
    let headers = response["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, header)| {
        let schema = &resolve(openapi, header)?["schema"];
        let text = schema["const"].as_str().or(schema["enum"][0].as_str())?;
        Some((name.clone(), text.to_owned()))
    });
    let content_type = Some(("content-type".to_owned(), content_type.clone()));
    Some(Answer {
        status,
        headers: [content_type]
            .into_iter()
            .chain(headers)
            .collect::<Option<_>>()?,
        body: example["value"].to_string().into(),
    })
}

/// Follows a `$ref` within the document, if the value is one.
pub fn resolve<'a>(openapi: &'a Value, value: &'a Value) -> Option<&'a Value> {
    match value.get("$ref") {
        None => Some(value),
        Some(reference) => openapi.pointer(reference.as_str()?.strip_prefix('#')?),
    }
}
