//! The requests that the gateway has answered: a line each in the terminal, and events for who watches in a browser.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hyper::{Method, Uri};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::definition::Answer;

/// How many requests are kept for a page that is opened later.
const KEPT: usize = 100;

/// A request, and how it was answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    #[serde(skip)]
    started: Instant,
    /// Milliseconds since 1970.
    time: u64,
    route: String,
    status: u16,
    /// The `errorCode`; `ok`, or the message of an answer that is the gateway's own.
    code: String,
    detail: String,
    pub(crate) bytes_in: usize,
    bytes_out: usize,
    milliseconds: f64,
    /// Milliseconds of decode, read, upload and commit, of those that the request came to.
    steps: [Option<f64>; 4],
}

impl Answered {
    pub(crate) fn begin(method: &Method, uri: &Uri) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: Instant::now(),
            time: u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or_default(),
            route: format!("{method} {}", uri.path()),
            status: 0,
            code: String::new(),
            detail: String::new(),
            bytes_in: 0,
            bytes_out: 0,
            milliseconds: 0.0,
            steps: [None; 4],
        }
    }

    pub(crate) fn steps(&mut self, steps: [Option<Duration>; 4]) {
        self.steps = steps.map(|step| step.map(milliseconds));
    }

    pub(crate) fn end(&mut self, answer: &Answer) {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = match answer.status {
            200 => Some("ok"),
            _ => body["errorCode"].as_str().or(body["message"].as_str()),
        };
        let code = code.unwrap_or_default();
        let mut headers = answer.headers.iter();
        let detail = headers.find(|(name, _)| name == "x-error-detail");
        // What the gateway doesn't tell the caller is told the developer.
        let detail = match (detail, code) {
            (Some((_, detail)), _) => detail,
            (None, "Forbidden") => "no x-api-key, or no project has it",
            (None, "Missing Authentication Token") => "not the method and path of the API",
            (None, _) => "",
        };
        self.status = answer.status;
        code.clone_into(&mut self.code);
        detail.clone_into(&mut self.detail);
        self.bytes_out = answer.body.len();
        self.milliseconds = milliseconds(self.started.elapsed());
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A line for the terminal: what it was, how it was answered, bytes in and out, and how long it took.
impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIM: Style = Style::new().dimmed();
        let style = match self.status {
            200..300 => AnsiColor::Green,
            400..500 => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        let style = style.on_default();
        let Self {
            route,
            status,
            code,
            detail,
            bytes_in,
            bytes_out,
            milliseconds,
            ..
        } = self;
        write!(
            f,
            "{route:14} {style}{status} {code:18}{style:#} {bytes_in:>9} B in {bytes_out:>4} B out {milliseconds:>7.1} ms"
        )?;
        if !detail.is_empty() {
            write!(f, "  {DIM}{detail}{DIM:#}")?;
        }
        Ok(())
    }
}

/// The last requests, and all that come, as server-sent events.
#[derive(Debug)]
pub struct Requests {
    last: Mutex<VecDeque<Bytes>>,
    live: broadcast::Sender<Bytes>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
            live: broadcast::Sender::new(KEPT),
        }
    }
}

impl Requests {
    pub(crate) fn push(&self, answered: &Answered) {
        let json = serde_json::to_string(answered).unwrap_or_default();
        let event = Bytes::from(format!("data: {json}\n\n"));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == KEPT {
            last.pop_front();
        }
        last.push_back(event.clone());
        // That nobody watches is no error.
        let _ = self.live.send(event);
    }

    /// Tells that a request's cleaning up has ended, so that storage is as the request leaves it.
    pub(crate) fn settled(&self) {
        let _ = self
            .live
            .send(Bytes::from_static(b"event: settled\ndata:\n\n"));
    }

    /// Returns the last requests and then those to come. A watcher that is too slow misses some.
    pub fn watch(&self) -> impl Stream<Item = Bytes> + Send + use<> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Subscribed under the lock: no request is in both, and none in neither.
        let (live, last) = (self.live.subscribe(), last.clone());
        let live = stream::unfold(live, async |mut live| {
            loop {
                match live.recv().await {
                    Ok(event) => return Some((event, live)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        });
        stream::iter(last).chain(live)
    }
}
