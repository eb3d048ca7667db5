//! What Lambda calls: an event in, a response out, whatever happens in between. Objects that a
//! request no longer needs are deleted after its response is on its way.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::event::{Event, Payload};
use crate::put::put;
use crate::response::Response;
use crate::storage::Storage;
use crate::summary::Summary;

/// The function's timeout, as the template has it by default; also where nothing else ends a request.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// An event to answer.
#[derive(Debug)]
pub struct Invocation {
    /// The event's JSON.
    pub event: BytesMut,
    /// Lambda's ID of the request, for the log.
    pub request_id: String,
    /// When Lambda ends the invocation.
    pub deadline: SystemTime,
}

impl Invocation {
    /// An invocation that begins now and is ended after `timeout`.
    #[must_use]
    pub fn new(event: impl Into<BytesMut>, timeout: Duration) -> Self {
        let deadline = SystemTime::now() + timeout;
        Self { event: event.into(), request_id: Uuid::new_v4().to_string(), deadline }
    }
}

/// The function of one process.
#[derive(Debug)]
pub struct Function {
    storage: Storage,
    unneeded: Mutex<Vec<Unneeded>>,
}

/// Objects that one request left to be deleted.
#[derive(Debug)]
struct Unneeded {
    request_id: String,
    keys: Vec<String>,
    deadline: Deadline,
}

impl Function {
    /// A function over its storage.
    #[must_use]
    pub const fn new(storage: Storage) -> Self {
        Self { storage, unneeded: Mutex::new(Vec::new()) }
    }

    /// Answers an event. A panic on the way is an answer of `processing_error`.
    pub async fn handle(&self, invocation: Invocation) -> Response {
        let started = Instant::now();
        let Invocation { event, request_id, deadline } = invocation;
        let mut payload = Payload::default();
        let deadline = Deadline::after(deadline.duration_since(SystemTime::now()).unwrap_or_default());
        let mut summary = Summary::default();
        let mut keys = Vec::new();
        let work = Box::pin(async {
            let event = Event::parse(event);
            payload = event.payload();
            put(&self.storage, event, deadline, &mut summary, &mut keys).await
        });
        let result = AssertUnwindSafe(work).catch_unwind().await;
        let result = result.unwrap_or_else(|_| Err(Error::fault("put", "panicked")));
        summary.log(&request_id, &result, started.elapsed());
        if !keys.is_empty() {
            let mut unneeded = self.unneeded.lock().unwrap_or_else(PoisonError::into_inner);
            unneeded.push(Unneeded { request_id, keys, deadline });
        }
        Response::new(payload, &result)
    }

    /// Deletes what earlier requests left to be deleted. What can't be deleted is named in the log: no
    /// record has it, so that it does no harm, and a sweep finds it.
    pub async fn clean_up(&self) {
        let unneeded = std::mem::take(&mut *self.unneeded.lock().unwrap_or_else(PoisonError::into_inner));
        let deletions = unneeded.iter().flat_map(|unneeded| unneeded.keys.iter().map(move |key| (unneeded, key)));
        let deletions = deletions.map(|(Unneeded { request_id, deadline, .. }, key)| async move {
            let deletion = AssertUnwindSafe(self.storage.delete(key)).catch_unwind();
            let deletion = async { deletion.await.unwrap_or_else(|_| Err(Error::fault("DeleteObject", "panicked"))) };
            let deleted = deadline.clean_up(deletion).await;
            let deleted =
                deleted.unwrap_or_else(|time_is_up| Err(Error::fault("DeleteObject", time_is_up.to_string())));
            if let Err(error) = deleted {
                tracing::warn!(requestId = request_id, key, %error, "an object is left over");
            }
        });
        join_all(deletions).await;
    }
}
