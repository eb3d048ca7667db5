//! The event of payload 1.0 that an API Gateway REST API makes of a request: AWS, "Lambda proxy
//! integrations in API Gateway", input format.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

/// A request as the gateway took it.
#[derive(Debug)]
pub struct Received<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What stands behind `?`.
    pub query: Option<&'a str>,
    /// The client's address.
    pub source: IpAddr,
    /// Its body.
    pub body: &'a [u8],
}

/// The event for a `PUT /Image` on the stage `v3`.
///
/// The API has no binary media types, so the body becomes text; bytes that are not UTF-8 are replaced.
#[must_use]
pub fn rest(request: &Received<'_>) -> Value {
    let mut multi: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in request.headers {
        multi
            .entry(name.as_str())
            .or_default()
            .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let single: BTreeMap<&str, &String> = multi
        .iter()
        .filter_map(|(name, values)| Some((*name, values.last()?)))
        .collect();
    let query: Option<BTreeMap<&str, &str>> =
        request
            .query
            .filter(|query| !query.is_empty())
            .map(|query| {
                query
                    .split('&')
                    .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                    .collect()
            });
    let multi_query = query.as_ref().map(|query| {
        query
            .iter()
            .map(|(k, v)| (*k, vec![*v]))
            .collect::<BTreeMap<_, _>>()
    });
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    json!({
        "resource": "/Image",
        "path": "/Image",
        "httpMethod": "PUT",
        "headers": single,
        "multiValueHeaders": multi,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": multi_query,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "127.0.0.1",
            "domainPrefix": "127",
            "httpMethod": "PUT",
            "identity": {
                "apiKey": single.get("x-api-key"),
                "sourceIp": request.source,
                "userAgent": single.get("user-agent"),
            },
            "path": "/v3/Image",
            "protocol": "HTTP/1.1",
            "requestId": Uuid::new_v4().to_string(),
            "requestTimeEpoch": u64::try_from(now.as_millis()).unwrap_or_default(),
            "resourceId": "local",
            "resourcePath": "/Image",
            "stage": "v3",
        },
        "body": String::from_utf8_lossy(request.body),
        "isBase64Encoded": false,
    })
}
