//! The function as Lambda invokes it, but in this process: an event's JSON in, the response's JSON out, by the
//! conversions of `lambda_http` that the deployed function uses.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::FutureExt as _;
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, Context, LambdaEvent, Request, Service as _, service_fn};
use put_image::event;
use put_image::handler::{Answer, App, Leftovers};
use serde_json::Value;
use uuid::Uuid;

use crate::Error;

/// A response, and what the request leaves to be deleted once the response is on its way.
#[derive(Debug)]
pub struct Invoked {
    /// The response, as the Runtime API would get it.
    pub response: Value,
    /// For [`App::clean_up`].
    pub leftovers: Leftovers,
    /// As in [`Answer`].
    pub steps: [Option<Duration>; 4],
}

/// Returns the context of an invocation that begins now and is ended after `timeout`.
#[must_use]
pub fn context(timeout: Duration) -> Context {
    let killed = (SystemTime::now() + timeout)
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut context = Context::default();
    context.request_id = Uuid::new_v4().to_string();
    context.deadline = u64::try_from(killed.as_millis()).unwrap_or(u64::MAX);
    context
}

/// Has the function answer an event.
///
/// # Errors
///
/// What Lambda calls a function error: no gateway writes such an event.
pub async fn invoke(app: &App, event: &[u8], context: Context) -> Result<Invoked, Error> {
    let payload: LambdaRequest = serde_json::from_slice(event)?;
    let answered = OnceLock::new();
    let invocation = async {
        let mut function = event::service(service_fn(async |request: Request| {
            let Answer {
                response,
                leftovers,
                steps,
            } = app.handle(request).await;
            let _ = answered.set((leftovers, steps));
            Ok::<_, Infallible>(response)
        }));
        function.call(LambdaEvent::new(payload, context)).await
    };
    // lambda_http panics over a body that isn't the Base64 it claims to be, and lambda_runtime catches it.
    let called = AssertUnwindSafe(invocation).catch_unwind().await;
    let Ok(response) = called.map_err(|_| "the event can't be converted to a request")?;
    let answered = answered.into_inner();
    let (leftovers, steps) = answered.ok_or("the function has not answered")?;
    Ok(Invoked {
        response: serde_json::to_value(response)?,
        leftovers,
        steps,
    })
}

/// Has the function answer an event, and cleans up. Returns the response.
///
/// # Errors
///
/// As [`invoke`].
pub async fn invoke_and_clean_up(
    app: &App,
    event: &[u8],
    timeout: Duration,
) -> Result<Value, Error> {
    let invoked = invoke(app, event, context(timeout)).await?;
    app.clean_up(invoked.leftovers).await;
    Ok(invoked.response)
}

/// Returns the content type and the body of an event's request.
#[must_use]
pub fn content(event: &[u8]) -> Option<(String, Bytes)> {
    let request = put_image::event::request(serde_json::from_slice(event).ok()?);
    let content_type = request.headers().get("content-type")?;
    let content_type = content_type.to_str().ok()?.to_owned();
    let body = match request.into_body() {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => return None,
    };
    Some((content_type, body))
}
