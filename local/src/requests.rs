//! The requests that the gateway has answered: a line each in the terminal, and events for who watches in a browser.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use admin::printable::printable;
use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::definition::Answer;

/// How many requests are kept for a page that is opened later.
const KEPT: usize = 100;

/// Tells that storage is as a request has left it.
const SETTLED: &[u8] = b"event: settled\ndata:\n\n";

/// What was measured of a request on its way.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) bytes_in: usize,
    pub(crate) steps: [Option<Duration>; 4],
}

/// A request, and how it was answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    /// Milliseconds since 1970.
    time: u128,
    route: String,
    status: u16,
    /// The `errorCode`; `ok`, or the message of an answer that is the gateway's own.
    code: String,
    detail: String,
    bytes_in: usize,
    bytes_out: usize,
    milliseconds: f64,
    /// Milliseconds of decode, read, upload and commit, of those that the request came to.
    steps: [Option<f64>; 4],
}

impl Answered {
    pub(crate) fn new(
        route: String,
        measured: &Measured,
        answer: &Answer,
        elapsed: Duration,
    ) -> Self {
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
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            time: now.unwrap_or_default().as_millis(),
            route,
            status: answer.status,
            code: code.to_owned(),
            detail: detail.to_owned(),
            bytes_in: measured.bytes_in,
            bytes_out: answer.body.len(),
            milliseconds: milliseconds(elapsed),
            steps: measured.steps.map(|step| step.map(milliseconds)),
        }
    }
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
        write!(
            f,
            "{:14} {style}{} {:18}{style:#} ",
            printable(&self.route),
            self.status,
            self.code
        )?;
        write!(
            f,
            "{:>9} B in {:>4} B out {:>7.1} ms",
            self.bytes_in, self.bytes_out, self.milliseconds
        )?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(f, "  {DIM}{}{DIM:#}", self.detail)
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
        // It is no error if nobody watches.
        let _ = self.live.send(event);
    }

    /// Tells that a request's cleaning up has ended, so that storage is as the request leaves it.
    pub(crate) fn settled(&self) {
        let _ = self.live.send(Bytes::from_static(SETTLED));
    }

    /// Returns the last requests and then those to come. A watcher that is too slow misses some.
    pub fn watch(&self) -> impl Stream<Item = Bytes> + Send + use<> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Subscribed under the lock: no request is in both, and none in neither.
        let (live, last) = (self.live.subscribe(), last.clone());
        let live = stream::unfold(live, async |mut live| {
            match live.recv().await {
                Ok(event) => Some((event, live)),
                // What was missed may have settled.
                Err(RecvError::Lagged(_)) => Some((Bytes::from_static(SETTLED), live)),
                Err(RecvError::Closed) => None,
            }
        });
        stream::iter(last).chain(live)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::StreamExt as _;

    use super::{Answer, Answered, KEPT, Measured, Requests};

    fn push(requests: &Requests, route: usize) {
        let answer = Answer {
            status: 200,
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let route = format!("PUT /{route}");
        let measured = Measured::default();
        requests.push(&Answered::new(route, &measured, &answer, Duration::ZERO));
    }

    #[tokio::test]
    async fn a_late_watcher_gets_the_last_requests_and_those_to_come() {
        let requests = Requests::default();
        for route in 0..=KEPT {
            push(&requests, route);
        }
        let watched = requests.watch();
        push(&requests, KEPT + 1);
        let watched: Vec<Bytes> = watched.take(KEPT + 1).collect().await;
        for (event, route) in watched.iter().zip(1..) {
            let event = std::str::from_utf8(event).unwrap();
            assert!(event.contains(&format!("\"PUT /{route}\"")), "{event}");
        }
    }
}
