//! The requests that the gateway has responded to: a line each in the terminal, and events for browsers that watch.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use admin::terminal::printable;
use anstyle::{AnsiColor, Style};
use axum::response::sse::Event;
use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::Response;
use hyper::http::request::Parts;
use put_image::telemetry::Steps;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

/// How many requests are kept.
const KEPT: usize = 50;

/// A request and its response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    /// The `x-amzn-requestid` of the response.
    id: String,
    /// Milliseconds since 1970.
    time: u128,
    route: String,
    status: u16,
    /// The `errorCode`; `ok`, or the message of the gateway's own response.
    code: String,
    detail: String,
    is_gateways: bool,
    bytes_in: usize,
    bytes_out: usize,
    milliseconds: f64,
    /// The steps that the request reached, and their milliseconds.
    steps: Vec<(&'static str, f64)>,
    /// Arguments of the curl command that repeats it, the method and the path first.
    curl: Vec<String>,
}

impl Answered {
    pub(crate) fn new(
        id: &str,
        parts: &Parts,
        curl: Vec<String>,
        bytes_in: usize,
        response: &Response<Bytes>,
        steps: Steps,
        elapsed: Duration,
    ) -> Self {
        let status = response.status().as_u16();
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let error = body["errorCode"].as_str().or(body["message"].as_str());
        let code = match status {
            200 => "ok",
            _ => error.unwrap_or_default(),
        };
        let header = response.headers().get("x-error-detail");
        // For the developer: the gateway doesn't say this to the caller.
        let detail = match (header.and_then(|detail| detail.to_str().ok()), code) {
            (Some(detail), _) => detail,
            (None, "Forbidden") => "no x-api-key, or one that the gateway doesn't know",
            (None, "Missing Authentication Token") => "not the method and path of the API",
            (None, "Bad Request") => "the client went away before the end of the body",
            (None, _) => "",
        };
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let Steps {
            decode,
            read,
            upload,
            commit,
        } = steps;
        let all = [
            ("decode", decode),
            ("read", read),
            ("upload", upload),
            ("commit", commit),
        ];
        let reached = all.into_iter();
        let steps = reached.filter_map(|(step, taken)| Some((step, milliseconds(taken?))));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            id: id.to_owned(),
            time: now.unwrap_or_default().as_millis(),
            route: format!("{} {}", parts.method, parts.uri.path()),
            status,
            code: code.to_owned(),
            detail: detail.to_owned(),
            // The function's own statuses; its errors have a code.
            is_gateways: !matches!(status, 200 | 400 | 500) || code == "Bad Request",
            bytes_in,
            bytes_out: response.body().len(),
            milliseconds: milliseconds(elapsed),
            steps: steps.collect(),
            curl,
        }
    }
}

/// A line for the terminal. What has a fixed width comes first, so that nothing moves the columns.
impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIM: Style = Style::new().dimmed();
        let color = match self.status {
            200..300 => AnsiColor::Green,
            400..500 => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        let style = color.on_default();
        let seconds = self.time / 1000;
        let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
        write!(f, "{hours:02}:{minutes:02}:{:02}Z", seconds % 60)?;
        write!(f, "  {DIM}{}{DIM:#}", self.id)?;
        write!(
            f,
            "  {:>8} B in {:>3} B out {:>7.1} ms",
            self.bytes_in, self.bytes_out, self.milliseconds
        )?;
        let (status, code) = (self.status, &self.code);
        let route = printable(&self.route);
        write!(f, "  {route}  {style}{status} {code}{style:#}")?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(f, "  {DIM}{}{DIM:#}", self.detail)
    }
}

/// The last requests, the newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(watch::Sender<VecDeque<Answered>>);

impl Requests {
    pub(crate) fn push(&self, answered: Answered) {
        self.0.send_modify(|last| {
            last.truncate(KEPT - 1);
            last.push_front(answered);
        });
    }

    pub(crate) fn clear(&self) {
        self.0.send_modify(VecDeque::clear);
    }

    /// Returns the last requests as they are now and whenever one arrives: server-sent events of JSON.
    pub(crate) fn watch(&self) -> impl Stream<Item = Event> + Send + use<> {
        let mut last = self.0.subscribe();
        last.mark_changed();
        stream::unfold(last, async |mut last| {
            last.changed().await.ok()?;
            let event = Event::default().json_data(&*last.borrow_and_update());
            Some((event.ok()?, last))
        })
    }
}
