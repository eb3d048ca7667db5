//! The event that API Gateway sends: of payload 1.0 (REST) and 2.0 (HTTP API, function URL, `cargo
//! lambda watch`) just what both have, the headers and the body. An event can be damaged in any way
//! and still becomes an [`Event`], so that it is answered like any other bad request.

use std::fmt;

use base64::Engine as _;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::base64_text::ENGINE;
use crate::error::Reason;

/// An API key as the caller sent it. It can be hashed, and nothing else: it can't get into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
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
    pub body: Vec<u8>,
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

/// An event, whole or damaged. Deserializing one fails only where the JSON is malformed, or has what no
/// gateway writes: half of a surrogate pair in a member's name, or a number out of range for an event.
#[derive(Debug)]
pub struct Event {
    payload: Payload,
    request: Result<HttpRequest, Reason>,
}

impl Event {
    const DAMAGED: Self = Self { payload: Payload::V1, request: Err(Reason::DamagedEvent) };

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

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EventVisitor)
    }
}

/// The members of an event that we read, each still as it stands there: the body is copied once, out
/// of its JSON string.
#[derive(Default)]
struct Members<'de> {
    headers: Option<&'de RawValue>,
    multi_value_headers: Option<&'de RawValue>,
    body: Option<&'de RawValue>,
    is_base64_encoded: Option<&'de RawValue>,
    version: Option<&'de RawValue>,
}

impl Members<'_> {
    fn payload(&self) -> Payload {
        match self.version.map(RawValue::get) {
            Some("\"2.0\"") => Payload::V2,
            _ => Payload::V1,
        }
    }

    fn request(&self) -> Result<HttpRequest, Reason> {
        let headers = Headers::parse(self.headers, self.multi_value_headers)?;
        let envelope = match self.is_base64_encoded.map(RawValue::get) {
            None | Some("false" | "null") => Envelope::Text,
            Some("true") => Envelope::Base64,
            Some(_) => return Err(Reason::DamagedEvent),
        };
        let body = match self.body.map(RawValue::get) {
            None | Some("null") => return Err(Reason::NoBody),
            Some(json) => string_content(json).ok_or(Reason::DamagedEvent)?,
        };
        Ok(HttpRequest {
            api_key: ApiKey::new(&combined(&headers.api_key)),
            content_type: combined(&headers.content_type),
            body: envelope.open(body)?,
        })
    }
}

/// How the body's bytes were made into text.
enum Envelope {
    Text,
    Base64,
}

impl Envelope {
    fn open(&self, escaped: &str) -> Result<Vec<u8>, Reason> {
        match self {
            Self::Text => unescape(escaped).ok_or(Reason::DamagedBody),
            // Base64 has nothing to escape but `/`, which some encoders do.
            Self::Base64 if escaped.contains('\\') => {
                let text = unescape(escaped).ok_or(Reason::DamagedBody)?;
                ENGINE.decode(text).map_err(|_| Reason::DamagedBody)
            }
            Self::Base64 => ENGINE.decode(escaped).map_err(|_| Reason::DamagedBody),
        }
    }
}

/// The headers that we read, with all their values. All others are passed over, however many.
#[derive(Default)]
struct Headers {
    api_key: Vec<String>,
    content_type: Vec<String>,
}

impl Headers {
    fn parse(single: Option<&RawValue>, multi: Option<&RawValue>) -> Result<Self, Reason> {
        let parse = |raw: Option<&RawValue>| {
            let present = raw.map(RawValue::get).filter(|json| *json != "null");
            present.map(serde_json::from_str::<Self>).transpose().map_err(|_| Reason::DamagedEvent)
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

/// What stands between the quotes of a JSON string; `None` for any other value.
fn string_content(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// The bytes of a JSON string's content, in one pass into one allocation. `None` for an escape that
/// stands for no character.
///
/// `serde_json` would copy a body with escapes in it twice and grow its buffer by doubling.
fn unescape(content: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(content.len());
    let mut rest = content.as_bytes();
    while let Some(stop) = memchr::memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..stop]);
        let (&escape, after) = rest[stop + 1..].split_first()?;
        rest = after;
        text.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 0x08,
            b'f' => 0x0C,
            b'"' | b'\\' | b'/' => escape,
            b'u' => {
                let (character, after) = unescape_utf16(rest)?;
                rest = after;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        });
    }
    text.extend_from_slice(rest);
    Some(text)
}

/// The character behind a `\u`, of one UTF-16 code unit or a pair, and what follows it.
fn unescape_utf16(text: &[u8]) -> Option<(char, &[u8])> {
    let unit = |text: &[u8]| u16::from_str_radix(std::str::from_utf8(text.get(..4)?).ok()?, 16).ok();
    let first = unit(text)?;
    let rest = &text[4..];
    let (units, rest) = match rest.strip_prefix(b"\\u") {
        Some(second) if (0xD800..0xDC00).contains(&first) => (vec![first, unit(second)?], &second[4..]),
        _ => (vec![first], rest),
    };
    let character = char::decode_utf16(units).next()?.ok()?;
    Some((character, rest))
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key::<String>()? {
            let value = Some(map.next_value::<&RawValue>()?);
            match name.as_str() {
                "headers" => members.headers = value,
                "multiValueHeaders" => members.multi_value_headers = value,
                "body" => members.body = value,
                "isBase64Encoded" => members.is_base64_encoded = value,
                "version" => members.version = value,
                _ => {}
            }
        }
        Ok(Event { payload: members.payload(), request: members.request() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Event, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Event::DAMAGED)
    }

    fn visit_unit<E>(self) -> Result<Event, E> {
        Ok(Event::DAMAGED)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Event, E> {
        Ok(Event::DAMAGED)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Event, E> {
        Ok(Event::DAMAGED)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Event, E> {
        Ok(Event::DAMAGED)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Event, E> {
        Ok(Event::DAMAGED)
    }

    fn visit_str<E>(self, _: &str) -> Result<Event, E> {
        Ok(Event::DAMAGED)
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiKey, Event, HttpRequest};
    use crate::error::Reason;

    fn request(json: &str) -> Result<HttpRequest, Reason> {
        serde_json::from_str::<Event>(json).expect(json).into_request()
    }

    #[track_caller]
    fn assert_body(json: &str, body: &str) {
        assert_eq!(request(json).map(|r| r.body), Ok(body.as_bytes().to_vec()), "{json}");
    }

    #[track_caller]
    fn assert_key(headers: &str, key: Option<&str>) {
        let json = format!(r#"{{{headers},"body":""}}"#);
        assert_eq!(request(&json).expect(&json).api_key, key.and_then(ApiKey::new), "{json}");
    }

    #[test]
    fn takes_the_body_out_of_its_envelope() {
        assert_body(r#"{"headers":{},"body":"a\r\n\"\\\/\t\b\f\u00e9é\ud83d\ude00z"}"#, "a\r\n\"\\/\t\u{8}\u{c}éé😀z");
        assert_body(r#"{"headers":{},"body":"YS8v","isBase64Encoded":true}"#, "a//");
        assert_body(r#"{"headers":{},"body":"Ly\/\/","isBase64Encoded":false}"#, "Ly//");
        assert_body(r#"{"headers":{},"body":"PT8\/","isBase64Encoded":true}"#, "=??");
        assert_body(r#"{"headers":{},"body":"","isBase64Encoded":null}"#, "");
    }

    #[test]
    fn finds_headers_in_any_case_and_form() {
        assert_key(r#""headers":{"X-Api-KEY":" k "}"#, Some("k"));
        assert_key(r#""multiValueHeaders":{"x-api-key":["k"]}"#, Some("k"));
        assert_key(r#""headers":null,"multiValueHeaders":{"x-api-key":["a","b"]}"#, Some("a,b"));
        assert_key(r#""headers":{"x-api-key":"b"},"multiValueHeaders":{"x-api-key":["a","b"]}"#, Some("a,b"));
        assert_key(r#""headers":{"x-api-key":"k"},"multiValueHeaders":{}"#, Some("k"));
        assert_key(r#""headers":{"x-api-key":"\t "}"#, None);
        assert_key(r#""headers":{"x-api-key":7,"a":{}}"#, None);
    }

    #[test]
    fn damaged_events_have_a_reason() {
        for (json, reason) in [
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
            (r#"{"headers":{},"body":{"a":1}}"#, Reason::DamagedEvent),
            (r#"{"headers":{},"body":"a","isBase64Encoded":"true"}"#, Reason::DamagedEvent),
            (r#"{"headers":{},"body":"not Base64","isBase64Encoded":true}"#, Reason::DamagedBody),
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
        assert_eq!(key.hash(), "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
    }
}
