//! What an operator sees: log lines, and the metrics in them. None of it holds a key, an e-mail or an image.

mod line;
pub mod logging;
mod request_log;

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::level_filters::LevelFilter;

use self::line::Line;
pub use self::request_log::Steps;
pub(crate) use self::request_log::{RequestLog, Step};
use crate::error::Error;

/// Writes one line of JSON for each request. If a namespace is set, CloudWatch makes metrics from its members, without
/// an API call. Every dimension has a bounded number of values, so nothing about a project or a submission is one.
pub struct Telemetry {
    level: LevelFilter,
    namespace: Option<String>,
    function: String,
    is_cold: AtomicBool,
    output: Mutex<Box<dyn Write + Send>>,
}

impl Telemetry {
    /// Writes to standard output at the log's level, with metrics in the namespace that `METRICS_NAMESPACE` names.
    pub(crate) fn from_env() -> Self {
        let telemetry = Self::new(logging::level(), io::stdout());
        match env::var("METRICS_NAMESPACE") {
            Ok(namespace) if !namespace.is_empty() => {
                let function = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
                telemetry.with_metrics(namespace, function)
            }
            _ => telemetry,
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
            Err(Error::Processing(_)) => LevelFilter::ERROR,
            Ok(()) | Err(_) => LevelFilter::INFO,
        };
        if level > self.level && self.namespace.is_none() {
            return;
        }
        let error = result.as_ref().err();
        let cold_starts = u8::from(self.is_cold.swap(false, Ordering::Relaxed));
        let mut line = Line::new(level, "put image");
        line.set("requestId", log.context.request_id.as_str());
        line.text("xrayTraceId", log.trace_id());
        line.set("status", error.map_or(200, |error| error.status().as_u16()));
        line.set("Code", error.map_or("ok", Error::code));
        line.text("detail", error);
        line.text("project", log.project.as_ref());
        line.text("submission", log.submission.as_ref());
        line.metric("Requests", "Count", 1);
        line.metric("ColdStarts", "Count", cold_starts);
        line.metric("BodyBytes", "Bytes", log.body_bytes);
        for (field, format, size) in &log.images {
            let name = field.name();
            line.set(&format!("{name}Format"), format.extension());
            line.metric(&format!("{name}Bytes"), "Bytes", *size);
        }
        line.duration("DecodeDuration", log.steps.decode);
        line.duration("ReadDuration", log.steps.read);
        line.duration("UploadDuration", log.steps.upload);
        line.duration("CommitDuration", log.steps.commit);
        line.duration("TotalDuration", Some(log.elapsed()));
        self.write(line);
    }

    /// Counts objects that are left over, or may be, as a metric. Warnings name them.
    pub(crate) fn left_over(&self, request_id: &str, count: usize) {
        if self.namespace.is_some() {
            let mut line = Line::new(LevelFilter::WARN, "objects may be left over");
            line.set("requestId", request_id);
            line.metric("CleanupFailures", "Count", count);
            self.write(line);
        }
    }

    fn write(&self, line: Line) {
        let line = line.finish(self.namespace.as_deref(), &self.function);
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // A request doesn't depend on its log line.
        let _ = output.write_all(line.as_bytes());
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
