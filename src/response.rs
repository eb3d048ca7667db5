//! The response that API Gateway makes an answer of.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::error::Error;
use crate::event::Payload;

/// A response, as it is serialized for Lambda.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// HTTP status.
    pub status_code: u16,
    /// Headers, by their lower-case names.
    pub headers: BTreeMap<&'static str, String>,
    /// JSON text.
    pub body: String,
    /// Always false: the body is text.
    pub is_base64_encoded: bool,
    /// None to set. Payload 2.0 has the member, and `cargo lambda watch` insists on it; 1.0 doesn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookies: Option<[String; 0]>,
}

impl Response {
    /// The response to an event of this format whose request ended so.
    #[must_use]
    pub fn new(payload: Payload, result: &Result<(), Error>) -> Self {
        let mut headers = BTreeMap::from([("content-type", "application/json".to_owned())]);
        let (status_code, body) = match result {
            Ok(()) => (200, json!({ "message": "complete to update image." })),
            Err(error) => {
                headers.insert("x-error-detail", error.detail());
                let (status_code, code, message) = error.row();
                (
                    status_code,
                    json!({ "errorCode": code, "message": message }),
                )
            }
        };
        let cookies = (payload == Payload::V2).then_some([]);
        Self {
            status_code,
            headers,
            body: body.to_string(),
            is_base64_encoded: false,
            cookies,
        }
    }
}
