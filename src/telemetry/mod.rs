//! What an operator sees: log lines, and the metrics in them. None of it holds a key, an e-mail or an image.

mod line;
pub mod logging;
mod request_log;

use std::env;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use derive_more::Debug;
use serde_json::{Value, json};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use self::line::milliseconds;
pub use self::request_log::Steps;
pub(crate) use self::request_log::{RequestLog, Step};
use crate::error::Error;

/// Writes one line of JSON for each request. If a namespace is set, CloudWatch makes metrics from its members, without
/// an API call. Every dimension has a bounded number of values, so nothing about a project or a submission is one.
#[derive(Debug)]
pub struct Telemetry {
    level: LevelFilter,
    namespace: Option<String>,
    function: String,
    is_cold: AtomicBool,
    #[debug(skip)]
    output: Mutex<Box<dyn Write + Send>>,
}

impl Telemetry {
    /// Writes to standard output at the log's level, with metrics in the namespace that `METRICS_NAMESPACE` names.
    pub(crate) fn from_env() -> Self {
        let namespace = env::var("METRICS_NAMESPACE").ok();
        Self {
            namespace: namespace.filter(|namespace| !namespace.is_empty()),
            function: env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            ..Self::new(logging::level(), io::stdout())
        }
    }

    /// Writes lines from a level up to an output: `ERROR` for a fault on our side, `INFO` for every other request.
    pub fn new(level: LevelFilter, output: impl Write + Send + 'static) -> Self {
        Self {
            level,
            namespace: None,
            function: String::new(),
            is_cold: AtomicBool::new(true),
            output: Mutex::new(Box::new(output)),
        }
    }

    /// Adds metrics in a namespace, with the function's name as a dimension. Lines with metrics are written at any
    /// level.
    #[must_use]
    pub fn with_metrics(self, namespace: String, function: String) -> Self {
        Self {
            namespace: Some(namespace),
            function,
            ..self
        }
    }

    /// Writes the line of a request that has ended.
    pub(crate) fn request(&self, log: &RequestLog, result: &Result<(), Error>) {
        let level = match result {
            Err(Error::Processing(_)) => Level::ERROR,
            Ok(()) | Err(_) => Level::INFO,
        };
        if level > self.level && self.namespace.is_none() {
            return;
        }
        let error = result.as_ref().err();
        let steps = log.steps;
        let mut line = json!({
            "level": level.to_string(),
            "message": "put image",
            "requestId": log.context.request_id,
            "xrayTraceId": log.trace_id(),
            "status": error.map_or(200, |error| error.status().as_u16()),
            "Code": error.map_or("ok", Error::code),
            "detail": error.map(ToString::to_string),
            "project": log.project.as_ref().map(ToString::to_string),
            "submission": log.submission.as_ref().map(ToString::to_string),
            "Requests": 1,
            "ColdStarts": u8::from(self.is_cold.swap(false, Ordering::Relaxed)),
            "BodyBytes": log.body_bytes,
            "DecodeDuration": steps.decode.map(milliseconds),
            "ReadDuration": steps.read.map(milliseconds),
            "UploadDuration": steps.upload.map(milliseconds),
            "CommitDuration": steps.commit.map(milliseconds),
            "TotalDuration": milliseconds(log.started.elapsed()),
        });
        for (field, format, size) in &log.images {
            line[format!("{field}Format")] = format.extension().into();
            line[format!("{field}Bytes")] = (*size).into();
        }
        self.write(line);
    }

    /// Counts objects that are left over, or may be, as a metric. Warnings name them.
    pub(crate) fn left_over(&self, request_id: &str, count: usize) {
        if self.namespace.is_some() {
            self.write(json!({
                "level": "WARN",
                "message": "objects may be left over",
                "requestId": request_id,
                "CleanupFailures": count,
            }));
        }
    }

    fn write(&self, line: Value) {
        let line = line::format(line, self.namespace.as_deref(), &self.function);
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // A request doesn't depend on its log line.
        let _ = output.write_all(line.as_bytes());
    }
}
