//! The event that API Gateway sends: of payload 1.0 (REST) and 2.0 (HTTP API, function URL, `cargo
//! lambda watch`) just what both have, the headers and the body. An event can be damaged in any way
//! and still becomes an [`Event`], so that it is answered like any other bad request.

use std::fmt;
use std::ops::Range;

use bytes::BytesMut;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::base64_text;
use crate::error::Reason;
use crate::json::{BadEscape, Malformed, Object};

/// An API key as the caller sent it. It can be hashed, and nothing else: it can't get into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key that no project has: [`ApiKey::new`] makes no empty one.
    #[must_use]
    pub const fn nobodys() -> Self {
        Self(String::new())
    }

    /// A key; `None` if it is empty or blank.
    #[must_use]
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (!key.is_empty()).then(|| Self(key.to_owned()))
    }

    /// The lower-case hex SHA-256 that projects are registered under.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(&self.0))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The HTTP request that an event carries.
#[derive(Debug)]
pub struct HttpRequest {
    /// `x-api-key`, if it has a value.
    pub api_key: Option<ApiKey>,
    /// `Content-Type`; empty if there is none.
    pub content_type: String,
    /// The body's bytes, out of the event's envelope.
    pub body: BytesMut,
}

/// The format of an event, and of the response to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// 1.0, of REST APIs; what names no version is taken for it.
    #[default]
    V1,
    /// 2.0, of HTTP APIs and function URLs.
    V2,
}

/// An event, whole or damaged.
#[derive(Debug)]
pub struct Event {
    payload: Payload,
    request: Result<HttpRequest, Reason>,
}

impl Event {
    /// Reads an event's JSON. The body stays where it is, and its text takes the place of its envelope.
    #[must_use]
    pub fn parse(mut json: BytesMut) -> Self {
        match Members::find(&mut json) {
            Ok(members) => Self {
                payload: members.payload(&json),
                request: members.request(json),
            },
            Err(Malformed) => Self {
                payload: Payload::default(),
                request: Err(Reason::DamagedEvent),
            },
        }
    }

    /// The event's format.
    #[must_use]
    pub const fn payload(&self) -> Payload {
        self.payload
    }

    /// The request in it.
    ///
    /// # Errors
    ///
    /// A [`Reason`] if it has no headers or no body, or its body is not the Base64 that it claims.
    pub fn into_request(self) -> Result<HttpRequest, Reason> {
        self.request
    }
}

/// Where the members of an event stand that we read; of several of the same name, the last. A name that is
/// written with escapes, as no gateway does, is none of these.
#[derive(Default)]
struct Members {
    headers: Option<Range<usize>>,
    multi_value_headers: Option<Range<usize>>,
    body: Option<Result<Range<usize>, BadEscape>>,
    is_base64_encoded: Option<Range<usize>>,
    version: Option<Range<usize>>,
}

impl Members {
    fn find(json: &mut [u8]) -> Result<Self, Malformed> {
        let mut members = Self::default();
        let mut object = Object::open(json)?;
        while let Some(name) = object.next_name()? {
            let member = match name {
                b"body" => {
                    members.body = object.text()?;
                    continue;
                }
                b"headers" => &mut members.headers,
                b"multiValueHeaders" => &mut members.multi_value_headers,
                b"isBase64Encoded" => &mut members.is_base64_encoded,
                b"version" => &mut members.version,
                _ => &mut None,
            };
            *member = Some(object.skip()?);
        }
        Ok(members)
    }

    fn payload(&self, json: &[u8]) -> Payload {
        match value(json, self.version.as_ref()) {
            Some(b"\"2.0\"") => Payload::V2,
            _ => Payload::V1,
        }
    }

    fn request(self, mut json: BytesMut) -> Result<HttpRequest, Reason> {
        let single = value(&json, self.headers.as_ref());
        let headers = Headers::parse(single, value(&json, self.multi_value_headers.as_ref()))?;
        let is_base64 = match value(&json, self.is_base64_encoded.as_ref()) {
            None | Some(b"false") => false,
            Some(b"true") => true,
            Some(_) => return Err(Reason::DamagedEvent),
        };
        let text = self
            .body
            .ok_or(Reason::NoBody)?
            .map_err(|BadEscape| Reason::DamagedBody)?;
        let mut body = json.split_off(text.start);
        body.truncate(text.len());
        if is_base64 {
            base64_text::decode_all(&mut body).map_err(|_| Reason::DamagedBody)?;
        }
        Ok(HttpRequest {
            api_key: ApiKey::new(&combined(&headers.api_key)),
            content_type: combined(&headers.content_type),
            body,
        })
    }
}

/// A member's value as it stands there; `None` for null.
fn value<'a>(json: &'a [u8], member: Option<&Range<usize>>) -> Option<&'a [u8]> {
    Some(&json[member?.clone()]).filter(|value| value != b"null")
}

/// The headers that we read, with all their values. All others are passed over, however many.
#[derive(Default)]
struct Headers {
    api_key: Vec<String>,
    content_type: Vec<String>,
}

impl Headers {
    fn parse(single: Option<&[u8]>, multi: Option<&[u8]>) -> Result<Self, Reason> {
        let parse = |json: Option<&[u8]>| {
            json.map(serde_json::from_slice::<Self>)
                .transpose()
                .map_err(|_| Reason::DamagedEvent)
        };
        let (single, multi) = match (parse(single)?, parse(multi)?) {
            (None, None) => return Err(Reason::NoHeaders),
            (single, multi) => (single.unwrap_or_default(), multi.unwrap_or_default()),
        };
        // An event has a header's last value under one name and all of them under the other.
        let all = |multi: Vec<String>, single| if multi.is_empty() { single } else { multi };
        Ok(Self {
            api_key: all(multi.api_key, single.api_key),
            content_type: all(multi.content_type, single.content_type),
        })
    }
}

/// Several values become one by commas, as RFC 9110, section 5.3 and payload 2.0 have it: no rule of ours
/// picks one of two.
fn combined(values: &[String]) -> String {
    values.join(",")
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some(name) = map.next_key::<String>()? {
            if name.eq_ignore_ascii_case("x-api-key") {
                headers.api_key.extend(strings(map.next_value()?));
            } else if name.eq_ignore_ascii_case("content-type") {
                headers.content_type.extend(strings(map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(headers)
    }
}

/// The strings of a header's value: itself, or those in the list that it is.
fn strings(value: Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.into_iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiKey, Event, HttpRequest};
    use crate::error::Reason;

    fn request(json: &str) -> Result<HttpRequest, Reason> {
        Event::parse(json.into()).into_request()
    }

    #[track_caller]
    fn assert_body(json: &str, body: &str) {
        assert_eq!(
            request(json).map(|r| r.body),
            Ok(body.as_bytes().into()),
            "{json}"
        );
    }

    #[track_caller]
    fn assert_key(headers: &str, key: Option<&str>) {
        let json = format!(r#"{{{headers},"body":""}}"#);
        assert_eq!(
            request(&json).expect(&json).api_key,
            key.and_then(ApiKey::new),
            "{json}"
        );
    }

    #[test]
    fn takes_the_body_out_of_its_envelope() {
        assert_body(
            r#"{"headers":{},"body":"a\r\n\"\\\/\t\b\f\u00e9é\ud83d\ude00z"}"#,
            "a\r\n\"\\/\t\u{8}\u{c}éé😀z",
        );
        assert_body(
            r#"{"headers":{},"body":"YS8v","isBase64Encoded":true}"#,
            "a//",
        );
        assert_body(
            r#"{"headers":{},"body":"Ly\/\/","isBase64Encoded":false}"#,
            "Ly//",
        );
        assert_body(
            r#"{"headers":{},"body":"PT8\/","isBase64Encoded":true}"#,
            "=??",
        );
        assert_body(r#"{"headers":{},"body":"","isBase64Encoded":null}"#, "");
    }

    #[test]
    fn finds_headers_in_any_case_and_form() {
        assert_key(r#""headers":{"X-Api-KEY":" k "}"#, Some("k"));
        assert_key(r#""multiValueHeaders":{"x-api-key":["k"]}"#, Some("k"));
        assert_key(
            r#""headers":null,"multiValueHeaders":{"x-api-key":["a","b"]}"#,
            Some("a,b"),
        );
        assert_key(
            r#""headers":{"x-api-key":"b"},"multiValueHeaders":{"x-api-key":["a","b"]}"#,
            Some("a,b"),
        );
        assert_key(
            r#""headers":{"x-api-key":"k"},"multiValueHeaders":{}"#,
            Some("k"),
        );
        assert_key(r#""headers":{"x-api-key":"\t "}"#, None);
        assert_key(r#""headers":{"x-api-key":7,"a":{}}"#, None);
    }

    #[test]
    fn damaged_events_have_a_reason() {
        for (json, reason) in [
            ("", Reason::DamagedEvent),
            (r#"{"headers":{},"body":"a""#, Reason::DamagedEvent),
            (r#"{"headers":{},"body":"a"}}"#, Reason::DamagedEvent),
            (r#"{"headers":{"a":},"body":"a"}"#, Reason::DamagedEvent),
            ("null", Reason::DamagedEvent),
            ("true", Reason::DamagedEvent),
            ("-1", Reason::DamagedEvent),
            ("1.5", Reason::DamagedEvent),
            ("\"a\"", Reason::DamagedEvent),
            ("[[{}],2]", Reason::DamagedEvent),
            ("{}", Reason::NoHeaders),
            (r#"{"headers":null,"body":""}"#, Reason::NoHeaders),
            (r#"{"headers":[],"body":""}"#, Reason::DamagedEvent),
            (r#"{"headers":{}}"#, Reason::NoBody),
            (r#"{"headers":{},"body":null}"#, Reason::NoBody),
            (r#"{"headers":{},"body":{"a":1}}"#, Reason::NoBody),
            (
                r#"{"headers":{},"body":"a","isBase64Encoded":"true"}"#,
                Reason::DamagedEvent,
            ),
            (
                r#"{"headers":{},"body":"not Base64","isBase64Encoded":true}"#,
                Reason::DamagedBody,
            ),
            (r#"{"headers":{},"body":"\ud83d"}"#, Reason::DamagedBody),
            (r#"{"headers":{},"body":"\ud83dx"}"#, Reason::DamagedBody),
            (r#"{"headers":{},"body":"\ude00"}"#, Reason::DamagedBody),
        ] {
            assert_eq!(request(json).map(|r| r.body), Err(reason), "{json}");
        }
    }

    #[test]
    fn a_key_is_hashed_and_never_printed() {
        let key = ApiKey::new("secret").unwrap();
        assert_eq!(
            key.hash(),
            "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        );
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
    }
}
