//! Lambda's Runtime API (AWS, "Using the Lambda runtime API"): events in, responses out, one at a time.
//!
//! It stands in the place of `lambda_runtime`, and is built on that crate's own client, for what the crate
//! can't do: an event's bytes go to the function as they came, into one buffer of their size, and what
//! is not an event is the function's to answer. The crate keeps a second copy of each event while it puts the
//! first together, and reads all of it with `serde_json` before anybody sees it. What the crate does for
//! `SnapStart`, concurrent invocations and streamed responses is not needed here. The step after a response is its
//! own, too: Lambda sends the response on as soon as it is posted and lets the process run until it asks
//! for the next event ("Building a custom runtime", processing tasks), so that nobody waits for cleaning up.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, PooledClient, build_request};
use tracing::Instrument as _;

use crate::function::{Function, Invocation, TIMEOUT};
use crate::trace::Trace;

/// Names this invocation in a response, if the Runtime API asks for that, so that a late response is never
/// taken for another invocation's.
const INVOCATION_ID: &str = "lambda-runtime-invocation-id";

/// The memory that is made ready for an event before its size is known: Lambda's limit, and a little more. What
/// of it is not touched costs nothing.
const LARGEST_EVENT: u64 = 7 << 20;

/// Has a function answer events until the process is ended.
///
/// # Errors
///
/// If the Runtime API can't be reached, or answers as it shouldn't: Lambda then starts another process.
///
/// # Panics
///
/// Without `AWS_LAMBDA_RUNTIME_API`, which Lambda sets.
pub async fn run(function: &Function) -> Result<(), BoxError> {
    let api = PooledClient::builder().build();
    loop {
        let next = build_request()
            .uri("/2018-06-01/runtime/invocation/next")
            .body(Body::empty())?;
        let (head, body) = api.call(next).await?.into_parts();
        // Some emulators answer so while there is nothing to do.
        if head.status == StatusCode::NO_CONTENT {
            continue;
        }
        if !head.status.is_success() {
            return Err(format!("the Runtime API gives no event, but {}", head.status).into());
        }
        let invocation = invocation(&head.headers, body).await?;
        let path = format!(
            "/2018-06-01/runtime/invocation/{}/response",
            invocation.request_id
        );
        let mut response = build_request().method(Method::POST).uri(path);
        if let Some(id) = head.headers.get(INVOCATION_ID) {
            response = response.header(INVOCATION_ID, id);
        }
        let span = invocation.span();
        let answer = serde_json::to_vec(&function.handle(invocation).await)?;
        let posted = api.call(response.body(Body::from(answer))?).await;
        // Also if nobody took the response: no record names what is deleted here.
        function.clean_up().await;
        check(posted?).instrument(span).await;
    }
}

/// An event, and what the Runtime API says of it.
async fn invocation(headers: &HeaderMap, mut body: Incoming) -> Result<Invocation, BoxError> {
    let header = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
    let request_id = header("lambda-runtime-aws-request-id")
        .ok_or("the Runtime API gave an event without a request ID")?;
    let trace =
        header("lambda-runtime-trace-id").map_or_else(Trace::default, |header| Trace::new(&header));
    let deadline = header("lambda-runtime-deadline-ms").and_then(|deadline| deadline.parse().ok());
    let deadline = deadline.map(|deadline| UNIX_EPOCH + Duration::from_millis(deadline));
    let size = body
        .size_hint()
        .exact()
        .unwrap_or(LARGEST_EVENT)
        .min(LARGEST_EVENT);
    let mut event = BytesMut::with_capacity(usize::try_from(size)?);
    while let Some(frame) = body.frame().await {
        // Each piece is freed before the next is read, so that they all take the same memory.
        if let Ok(data) = frame?.into_data() {
            event.extend_from_slice(&data);
        }
    }
    Ok(Invocation {
        event,
        request_id,
        trace,
        // `cargo lambda watch` sends ten minutes after 1970 began: no deadline at all.
        deadline: deadline
            .filter(|deadline| *deadline > UNIX_EPOCH + Duration::from_hours(24))
            .unwrap_or_else(|| SystemTime::now() + TIMEOUT),
    })
}

/// Logs a response that was not accepted: it came too late, say. The process is sound, and the next event is
/// another. The answer is read to its end, so that its connection can be used again.
async fn check(answer: Response<Incoming>) {
    let (head, body) = answer.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    if !head.status.is_success() {
        let (status, answer) = (head.status.as_u16(), String::from_utf8_lossy(&body));
        tracing::error!(status, %answer, "a response was not accepted");
    }
}
