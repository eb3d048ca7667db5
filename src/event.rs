//! The event as Lambda passes it: reduced to what the function needs, then converted to a request by `lambda_http`.
//!
//! `lambda_http` builds a URL from the caller's `Host`, `X-Forwarded-Proto`, path and query, and panics if it can't.
//! The function needs none of them. If an event has both of API Gateway's maps, `lambda_http` also keeps only the last
//! of two headers with the same name; here both survive, so that the function can refuse them. If an event has only
//! `headers`, with two spellings of a name, `aws_lambda_events` has already dropped one; no gateway writes such an
//! event.

use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::http::{HeaderMap, HeaderValue};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt as _;
use lambda_http::tower::util::MapRequest;
use lambda_http::{Adapter, IntoResponse, LambdaEvent, Request, Service};

/// The headers that the function reads.
const HEADERS: [&str; 3] = ["content-type", "content-encoding", "x-api-key"];

/// A request handler, as a service for Lambda's events.
pub type EventService<'a, R, S> =
    MapRequest<Adapter<'a, R, S>, fn(LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest>>;

/// Turns a request handler into a service for Lambda's events, for `lambda_runtime::Runtime::new` and for anything else
/// that invokes the function.
pub fn service<'a, R, S>(handler: S) -> EventService<'a, R, S>
where
    S: Service<Request, Response = R>,
    S::Future: Send + 'a,
    R: IntoResponse,
{
    Adapter::from(handler)
        .map_request(|event| LambdaEvent::new(needed(event.payload), event.context))
}

/// Converts an event to the request that the function's handler gets. Panics if the event says that its body is Base64
/// and it isn't; no gateway writes such an event.
pub fn request(event: LambdaRequest) -> Request {
    needed(event).into()
}

/// Reduces an event to what the function needs.
fn needed(event: LambdaRequest) -> LambdaRequest {
    match event {
        LambdaRequest::ApiGatewayV1(event) => {
            let mut needed = ApiGatewayProxyRequest::default();
            needed.http_method = event.http_method;
            needed.multi_value_headers = headers(&event.multi_value_headers, &event.headers);
            needed.request_context.identity.api_key = event.request_context.identity.api_key;
            needed.body = event.body;
            needed.is_base64_encoded = event.is_base64_encoded;
            LambdaRequest::ApiGatewayV1(needed)
        }
        LambdaRequest::ApiGatewayV2(event) => {
            let mut needed = ApiGatewayV2httpRequest::default();
            needed.request_context.http.method = event.request_context.http.method;
            needed.headers = headers(&event.headers, &HeaderMap::new());
            needed.body = event.body;
            needed.is_base64_encoded = event.is_base64_encoded;
            LambdaRequest::ApiGatewayV2(needed)
        }
        // The other types are not compiled in.
        other => other,
    }
}

/// Merges the headers that the function reads. `last` repeats the last value of each name, unless an event has only
/// that map.
fn headers(all: &HeaderMap, last: &HeaderMap) -> HeaderMap {
    let mut merged = HeaderMap::new();
    for name in HEADERS {
        let mut values: Vec<&HeaderValue> = all.get_all(name).iter().collect();
        let unlisted = last.get(name).filter(|value| !values.contains(value));
        values.extend(unlisted);
        for value in values {
            merged.append(name, value.clone());
        }
    }
    merged
}
