//! The response that API Gateway makes an answer of, the same for both payload formats.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::error::Error;

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
}

impl Response {
    fn new(status_code: u16, body: &serde_json::Value) -> Self {
        let headers = BTreeMap::from([("content-type", "application/json".to_owned())]);
        Self { status_code, headers, body: body.to_string(), is_base64_encoded: false }
    }
}

impl From<&Result<(), Error>> for Response {
    fn from(result: &Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::new(200, &json!({ "message": "complete to update image." })),
            Err(error) => {
                let (status, code, message) = error.row();
                let mut response = Self::new(status, &json!({ "errorCode": code, "message": message }));
                response.headers.insert("x-error-detail", error.detail());
                response
            }
        }
    }
}
