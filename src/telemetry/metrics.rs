//! Metrics of a request in CloudWatch's embedded metric format: lines of JSON on standard output, of which CloudWatch
//! makes metrics without a call ("Embedded metric format specification").
//!
//! Every dimension has a bounded number of values; nothing of a project or a submission is one.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use lambda_http::Context;
use serde_json::{Value, json};

use super::request_log::{Known, Step, milliseconds, status_and_code};
use super::xray;
use crate::error::Error;

/// Where the metrics of one process go.
pub struct Metrics {
    namespace: String,
    function: String,
    is_cold: AtomicBool,
    output: Mutex<Box<dyn Write + Send>>,
}

/// A metric's name, unit and value.
type Metric = (&'static str, &'static str, Value);

/// Metrics, and the dimensions that they have besides the function's name.
type Group<'a> = (&'a [(&'a str, &'a str)], &'a [Metric]);

impl Metrics {
    /// Writes to standard output, in the namespace that `METRICS_NAMESPACE` names; `None` if it names none.
    pub(crate) fn from_env() -> Option<Self> {
        let namespace = env::var("METRICS_NAMESPACE")
            .ok()
            .filter(|namespace| !namespace.is_empty())?;
        let function = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        Some(Self::new(namespace, function, io::stdout()))
    }

    /// Writes to an output, in a namespace, with the function's name as a dimension of each metric.
    pub fn new(namespace: String, function: String, output: impl Write + Send + 'static) -> Self {
        Self {
            namespace,
            function,
            is_cold: AtomicBool::new(true),
            output: Mutex::new(Box::new(output)),
        }
    }

    /// Writes the metrics of a request that has ended: `Requests` by its code, how long each step took that it came to,
    /// and its images by field and format.
    pub(crate) fn request(&self, context: &Context, known: &Known, result: &Result<(), Error>) {
        let cold_starts = u8::from(self.is_cold.swap(false, Ordering::Relaxed));
        let steps = [
            ("DecodeDuration", known.steps[Step::Decode as usize]),
            ("ReadDuration", known.steps[Step::Read as usize]),
            ("UploadDuration", known.steps[Step::Upload as usize]),
            ("CommitDuration", known.steps[Step::Commit as usize]),
            ("TotalDuration", Some(known.total)),
        ];
        let mut metrics: Vec<Metric> = vec![
            ("Requests", "Count", 1.into()),
            ("ColdStarts", "Count", cold_starts.into()),
            ("BodyBytes", "Bytes", known.body.into()),
        ];
        for (name, duration) in steps {
            if let Some(duration) = duration {
                metrics.push((name, "Milliseconds", milliseconds(duration).into()));
            }
        }
        let (_, code) = status_and_code(result);
        let by_code = (&[("Code", code)][..], &metrics[..1]);
        let mut lines = self.line(context, &[(&[], &metrics), by_code]);
        for &(field, format, size) in &known.images {
            let dimensions = [("Field", field.name()), ("Format", format.extension())];
            let metrics = [
                ("Images", "Count", 1.into()),
                ("ImageBytes", "Bytes", size.into()),
            ];
            lines += &self.line(context, &[(&dimensions, &metrics)]);
        }
        self.write(&lines);
    }

    /// Writes how many objects a request has left over, or may have.
    pub(crate) fn cleanup_failures(&self, context: &Context, count: usize) {
        let metrics = [("CleanupFailures", "Count", count.into())];
        self.write(&self.line(context, &[(&[], &metrics)]));
    }

    /// Returns a line: groups of metrics, and the IDs of their request, which are never dimensions.
    fn line(&self, context: &Context, groups: &[Group<'_>]) -> String {
        let mut line = json!({ "requestId": context.request_id, "FunctionName": self.function });
        if let Some(id) = context.xray_trace_id.as_deref().and_then(xray::trace_id) {
            line["xrayTraceId"] = id.into();
        }
        let mut directives = Vec::new();
        for (dimensions, metrics) in groups {
            let mut dimension_names = vec!["FunctionName"];
            for &(name, value) in *dimensions {
                dimension_names.push(name);
                line[name] = value.into();
            }
            let mut definitions = Vec::new();
            for (name, unit, value) in *metrics {
                definitions.push(json!({ "Name": name, "Unit": unit }));
                line[*name] = value.clone();
            }
            directives.push(json!({
                "Namespace": self.namespace,
                "Dimensions": [dimension_names],
                "Metrics": definitions,
            }));
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or_default();
        line["_aws"] = json!({ "Timestamp": now, "CloudWatchMetrics": directives });
        format!("{line}\n")
    }

    /// Writes lines at once. The request doesn't depend on it.
    fn write(&self, lines: &str) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output.write_all(lines.as_bytes());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
