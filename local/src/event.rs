//! The payload 1.0 event that an API Gateway REST API makes from a request: AWS, "Lambda proxy integrations in API
//! Gateway", input format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hyper::Request;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use put_image::domain::ImageField;
use serde_json::{Value, json};
use uuid::Uuid;

/// The values of each name.
type Values<'a> = BTreeMap<&'a str, Vec<Cow<'a, str>>>;

/// The event for a `PUT /Image` on the stage `v3`.
///
/// The API has no binary media types, so the body becomes text; bytes that are not UTF-8 are replaced.
pub fn rest(head: &Parts, source: IpAddr, body: &[u8]) -> Value {
    let mut headers = Values::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers.entry(name.as_str()).or_default().push(value);
    }
    let mut query = Values::new();
    let pairs = head.uri.query().unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        query.entry(name).or_default().push(value.into());
    }
    let query = (!query.is_empty()).then_some(&query);
    let header = last(&headers);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    json!({
        "resource": "/Image",
        "path": "/Image",
        "httpMethod": "PUT",
        "headers": header,
        "multiValueHeaders": headers,
        "queryStringParameters": query.map(last),
        "multiValueQueryStringParameters": query,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "127.0.0.1",
            "domainPrefix": "127",
            "httpMethod": "PUT",
            "identity": {
                // The gateway checks the first one and reports that one, whatever the headers say.
                "apiKey": headers.get("x-api-key").and_then(|keys| keys.first()),
                "sourceIp": source,
                "userAgent": header.get("user-agent"),
            },
            "path": "/v3/Image",
            "protocol": "HTTP/1.1",
            "requestId": Uuid::new_v4().to_string(),
            "requestTimeEpoch": now.unwrap_or_default().as_secs() * 1000,
            "resourceId": "local",
            "resourcePath": "/Image",
            "stage": "v3",
        },
        "body": String::from_utf8_lossy(body),
        "isBase64Encoded": false,
    })
}

/// The last value of each name.
fn last<'a>(values: &'a Values<'a>) -> BTreeMap<&'a str, &'a str> {
    let values = values.iter();
    values
        .filter_map(|(name, values)| Some((*name, values.last()?.as_ref())))
        .collect()
}

/// The event of a request for a submission of the demo project, with the first image as `idImage` and so on.
pub fn put(submission_id: &str, images: &[Vec<u8>]) -> Value {
    let mut form = String::new();
    let mut field = |name: &str, value: &str| {
        let head = "--boundary\r\nContent-Disposition: form-data; name=\"";
        form.extend([head, name, "\"\r\n\r\n", value, "\r\n"]);
    };
    field("submissionId", submission_id);
    field("admin", "Admin@Example.com");
    field("idType", "passport");
    for (name, image) in ImageField::ALL.iter().zip(images) {
        field(name.name(), &BASE64_STANDARD.encode(image));
    }
    form.push_str("--boundary--\r\n");
    let (mut head, ()) = Request::new(()).into_parts();
    for (name, value) in [
        ("content-type", "multipart/form-data; boundary=boundary"),
        ("x-api-key", "demo-key-for-the-local-stack"),
    ] {
        head.headers.insert(name, HeaderValue::from_static(value));
    }
    rest(&head, Ipv4Addr::LOCALHOST.into(), form.as_bytes())
}
