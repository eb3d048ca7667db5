//! Metrics of a request in CloudWatch's embedded metric format: lines of JSON on standard output, of which
//! CloudWatch makes metrics without a call ("Embedded metric format specification").
//!
//! Every dimension has a bounded number of values: nothing of a project or a submission is one.

use std::env;
use std::fmt;
use std::io::{Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::summary::{Summary, code, milliseconds};
use crate::trace::Trace;

/// Where the metrics of one process go.
pub struct Metrics {
    namespace: String,
    function: String,
    cold: AtomicBool,
    output: Mutex<Box<dyn Write + Send>>,
}

/// A metric's name, unit and value.
type Metric = (&'static str, &'static str, Value);

impl Metrics {
    /// To standard output, in the namespace that `METRICS_NAMESPACE` names; `None` if it names none.
    #[must_use]
    pub fn from_env(output: Stdout) -> Option<Self> {
        let namespace = env::var("METRICS_NAMESPACE")
            .ok()
            .filter(|namespace| !namespace.is_empty())?;
        Some(Self::new(
            namespace,
            env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            output,
        ))
    }

    /// In a namespace, with the function's name as a dimension of each metric.
    pub fn new(namespace: String, function: String, output: impl Write + Send + 'static) -> Self {
        Self {
            namespace,
            function,
            cold: AtomicBool::new(true),
            output: Mutex::new(Box::new(output)),
        }
    }

    /// A request that has ended: `Requests` by its code, how long each step that it came to took, and its images by
    /// field and format.
    pub fn request(
        &self,
        ids: Ids<'_>,
        summary: &Summary,
        result: &Result<(), Error>,
        elapsed: Duration,
    ) {
        let cold = self.cold.swap(false, Ordering::Relaxed);
        let steps = [
            ("DecodeDuration", summary.decode),
            ("ReadDuration", summary.read),
            ("UploadDuration", summary.upload),
            ("CommitDuration", summary.commit),
            ("TotalDuration", Some(elapsed)),
        ];
        let steps = steps
            .into_iter()
            .filter_map(|(name, duration)| Some((name, milliseconds(duration?))));
        let mut metrics: Vec<Metric> = vec![
            ("Requests", "Count", 1.into()),
            ("ColdStarts", "Count", u8::from(cold).into()),
            ("EventBytes", "Bytes", summary.event_size.into()),
        ];
        metrics.extend(steps.map(|(name, duration)| (name, "Milliseconds", duration.into())));
        let mut request = Document::new(ids);
        self.add(&mut request, &[], &metrics);
        self.add(&mut request, &[("Code", code(result).1)], &metrics[..1]);
        let images = summary.images().map(|(field, format, size)| {
            let mut image = Document::new(ids);
            let metrics = [
                ("Images", "Count", 1.into()),
                ("ImageBytes", "Bytes", size.into()),
            ];
            self.add(
                &mut image,
                &[("Field", field.name()), ("Format", format.extension())],
                &metrics,
            );
            image
        });
        self.write([request].into_iter().chain(images));
    }

    /// Objects that could not be deleted after a request.
    pub fn cleanup_failures(&self, ids: Ids<'_>, count: usize) {
        let mut document = Document::new(ids);
        self.add(
            &mut document,
            &[],
            &[("CleanupFailures", "Count", count.into())],
        );
        self.write([document]);
    }

    /// Adds metrics with the function's name and further dimensions.
    fn add(&self, document: &mut Document, dimensions: &[(&str, &str)], metrics: &[Metric]) {
        let dimensions = [("FunctionName", self.function.as_str())]
            .into_iter()
            .chain(dimensions.iter().copied());
        let names = metrics
            .iter()
            .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
            .collect::<Value>();
        document.directives.push(json!({
            "Namespace": self.namespace,
            "Dimensions": [dimensions.clone().map(|(name, _)| name).collect::<Value>()],
            "Metrics": names,
        }));
        document
            .members
            .extend(dimensions.map(|(name, value)| (name.to_owned(), value.into())));
        document.members.extend(
            metrics
                .iter()
                .map(|(name, _, value)| ((*name).to_owned(), value.clone())),
        );
    }

    /// Writes documents, a line each, at once. Whether it succeeds is nothing to the request.
    fn write(&self, documents: impl IntoIterator<Item = Document>) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let now = u64::try_from(now).unwrap_or_default();
        let lines = documents.into_iter().map(
            |Document {
                 directives,
                 mut members,
             }| {
                members.insert(
                    "_aws".to_owned(),
                    json!({ "Timestamp": now, "CloudWatchMetrics": directives }),
                );
                Value::Object(members).to_string() + "\n"
            },
        );
        let lines: String = lines.collect();
        let _ = self
            .output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(lines.as_bytes());
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// What leads from a metric to the request: in the document, and never a dimension.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    /// Lambda's ID of the request.
    pub request: &'a str,
    /// The trace that it belongs to.
    pub trace: &'a Trace,
}

/// One document: which of its members are metrics and which are dimensions, and the members.
struct Document {
    directives: Vec<Value>,
    members: Map<String, Value>,
}

impl Document {
    fn new(ids: Ids<'_>) -> Self {
        let ids = [
            ("requestId", Some(ids.request)),
            ("xrayTraceId", ids.trace.id()),
        ];
        let members = ids
            .into_iter()
            .filter_map(|(name, id)| Some((name.to_owned(), id?.into())));
        Self {
            directives: Vec::new(),
            members: members.collect(),
        }
    }
}
