//! The function as Lambda invokes it, but in this process: an event's JSON in, the response's JSON out, with the same
//! `lambda_http` conversions as the deployed function.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt as _;
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, Context, LambdaEvent, Request, Service as _, service_fn};
use put_image::event;
use put_image::handler::App;
use put_image::telemetry::Steps;
use serde_json::Value;
use uuid::Uuid;

use crate::Error;

/// The outcome of an invocation.
#[derive(Debug)]
pub struct Invoked {
    /// The response, as the Runtime API would get it.
    pub response: Value,
    pub steps: Steps,
}

/// Returns the context of an invocation that begins now and is ended after `timeout`.
pub fn context(timeout: Duration) -> Context {
    let killed = (SystemTime::now() + timeout)
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut context = Context::default();
    context.request_id = Uuid::new_v4().to_string();
    context.deadline = u64::try_from(killed.as_millis()).unwrap_or(u64::MAX);
    context
}

/// Has the function respond to an event, then do everything that it does after a response. An error is what Lambda
/// calls a function error: no gateway writes such an event.
pub async fn invoke(app: &App, event: &[u8], context: Context) -> Result<Invoked, Error> {
    let request = context.request_id.clone();
    let invoked = respond(app, event, context).await;
    app.empty_trash(&request).await;
    invoked
}

/// Has the function respond to an event, as if the process ended right after the response.
pub async fn respond(app: &App, event: &[u8], context: Context) -> Result<Invoked, Error> {
    let payload: LambdaRequest = serde_json::from_slice(event)?;
    let steps = OnceLock::new();
    let mut function = event::service(service_fn(async |request: Request| {
        let response = app.handle(request).await?;
        if let Some(known) = response.extensions().get::<Steps>() {
            steps.get_or_init(|| *known);
        }
        Ok::<_, Infallible>(response)
    }));
    // lambda_http panics on a body that isn't the Base64 it claims to be, and lambda_runtime catches it.
    let invocation = async { function.call(LambdaEvent::new(payload, context)).await };
    let called = AssertUnwindSafe(invocation).catch_unwind().await;
    let Ok(response) = called.map_err(|_| "the event can't be converted to a request")?;
    Ok(Invoked {
        response: serde_json::to_value(response)?,
        steps: steps.get().copied().unwrap_or_default(),
    })
}

/// Returns the content type and the body of an event's request.
pub fn content(event: &[u8]) -> Option<(String, Bytes)> {
    let request = put_image::event::request(serde_json::from_slice(event).ok()?);
    let header = request.headers().get("content-type")?;
    let content_type = header.to_str().ok()?.to_owned();
    let body = match request.into_body() {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => return None,
    };
    Some((content_type, body))
}
