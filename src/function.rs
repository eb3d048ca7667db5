//! What Lambda calls: an event in, a response out, whatever happens in between. Objects that a
//! request no longer needs are deleted after its response is on its way.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tracing::{Instrument as _, Span, error_span};
use uuid::Uuid;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::event::{Event, Payload};
use crate::metrics::{Ids, Metrics};
use crate::put::put;
use crate::response::Response;
use crate::storage::Storage;
use crate::summary::Summary;
use crate::trace::Trace;

/// The function's timeout, as the template has it by default; also where nothing else ends a request.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// An event to answer.
#[derive(Debug)]
pub struct Invocation {
    /// The event's JSON.
    pub event: BytesMut,
    /// Lambda's ID of the request, for the log.
    pub request_id: String,
    /// The trace that it belongs to.
    pub trace: Trace,
    /// When Lambda ends the invocation.
    pub deadline: SystemTime,
}

impl Invocation {
    /// What each log line of the invocation stands in. It is of the highest level, so that no level that is set takes
    /// the IDs out of a line; their names are those of `lambda_runtime`.
    #[must_use]
    pub fn span(&self) -> Span {
        error_span!(
            "request",
            requestId = self.request_id,
            xrayTraceId = self.trace.id()
        )
    }

    /// An invocation that begins now and is ended after `timeout`.
    #[must_use]
    pub fn new(event: impl Into<BytesMut>, timeout: Duration) -> Self {
        let deadline = SystemTime::now() + timeout;
        let request_id = Uuid::new_v4().to_string();
        Self {
            event: event.into(),
            request_id,
            trace: Trace::default(),
            deadline,
        }
    }
}

/// The function of one process.
#[derive(Debug)]
pub struct Function {
    storage: Storage,
    metrics: Option<Metrics>,
    unneeded: Mutex<Vec<Unneeded>>,
}

/// Objects that one request left to be deleted.
#[derive(Debug)]
struct Unneeded {
    request_id: String,
    trace: Trace,
    span: Span,
    keys: Vec<String>,
    deadline: Deadline,
}

impl Function {
    /// A function over its storage.
    #[must_use]
    pub const fn new(storage: Storage) -> Self {
        Self {
            storage,
            metrics: None,
            unneeded: Mutex::new(Vec::new()),
        }
    }

    /// Has the function write metrics.
    #[must_use]
    pub fn with_metrics(self, metrics: Option<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Answers an event. A panic on the way is an answer of `processing_error`.
    pub async fn handle(&self, invocation: Invocation) -> Response {
        let span = invocation.span();
        let Invocation {
            event,
            request_id,
            trace,
            deadline,
        } = invocation;
        let deadline = Deadline::after(
            deadline
                .duration_since(SystemTime::now())
                .unwrap_or_default(),
        );
        let mut keys = Vec::new();
        let ids = Ids {
            request: &request_id,
            trace: &trace,
        };
        let work = trace
            .clone()
            .scope(self.answer(ids, event, deadline, &mut keys));
        let response = work.instrument(span.clone()).await;
        if !keys.is_empty() {
            let mut unneeded = self.unneeded.lock().unwrap_or_else(PoisonError::into_inner);
            unneeded.push(Unneeded {
                request_id,
                trace,
                span,
                keys,
                deadline,
            });
        }
        response
    }

    async fn answer(
        &self,
        ids: Ids<'_>,
        event: BytesMut,
        deadline: Deadline,
        unneeded: &mut Vec<String>,
    ) -> Response {
        let started = Instant::now();
        let mut payload = Payload::default();
        let mut summary = Summary::of_event(event.len());
        let work = Box::pin(async {
            let event = Event::parse(event);
            payload = event.payload();
            put(&self.storage, event, deadline, &mut summary, unneeded).await
        });
        let result = AssertUnwindSafe(work).catch_unwind().await;
        let result = result.unwrap_or_else(|_| Err(Error::fault("put", "panicked")));
        let elapsed = started.elapsed();
        summary.log(&result, elapsed);
        if let Some(metrics) = &self.metrics {
            metrics.request(ids, &summary, &result, elapsed);
        }
        Response::new(payload, &result)
    }

    /// Deletes what earlier requests left to be deleted. What can't be deleted is named in the log: no
    /// record has it, so that it does no harm, and a sweep finds it.
    pub async fn clean_up(&self) {
        let unneeded =
            std::mem::take(&mut *self.unneeded.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(unneeded.iter().map(|unneeded| self.delete_all(unneeded))).await;
    }

    async fn delete_all(
        &self,
        Unneeded {
            request_id,
            trace,
            span,
            keys,
            deadline,
        }: &Unneeded,
    ) {
        let deletions = join_all(keys.iter().map(|key| self.delete(key, *deadline)));
        let deleted = trace
            .clone()
            .scope(deletions)
            .instrument(span.clone())
            .await;
        let failures = deleted.iter().filter(|deleted| !**deleted).count();
        if let Some(metrics) = self.metrics.as_ref().filter(|_| failures > 0) {
            metrics.cleanup_failures(
                Ids {
                    request: request_id,
                    trace,
                },
                failures,
            );
        }
    }

    /// Deletes an object; whether it is.
    async fn delete(&self, key: &str, deadline: Deadline) -> bool {
        let deletion = AssertUnwindSafe(self.storage.delete(key)).catch_unwind();
        let deletion = async {
            deletion
                .await
                .unwrap_or_else(|_| Err(Error::fault("DeleteObject", "panicked")))
        };
        let deleted = deadline.clean_up(deletion).await;
        let deleted = deleted
            .unwrap_or_else(|time_is_up| Err(Error::fault("DeleteObject", time_is_up.to_string())));
        deleted
            .inspect_err(|error| tracing::warn!(key, %error, "an object is left over"))
            .is_ok()
    }
}
