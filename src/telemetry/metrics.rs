//! Metrics of a request in CloudWatch's embedded metric format: lines of JSON on standard output, of which CloudWatch
//! makes metrics without a call ("Embedded metric format specification").
//!
//! Every dimension has a bounded number of values; nothing of a project or a submission is one.

use std::env;
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

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

impl Metrics {
    /// Writes to an output, in the namespace that `METRICS_NAMESPACE` names; `None` if it names none.
    #[must_use]
    pub fn from_env(output: impl Write + Send + 'static) -> Option<Self> {
        let namespace = env::var("METRICS_NAMESPACE")
            .ok()
            .filter(|namespace| !namespace.is_empty())?;
        let function = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        Some(Self::new(namespace, function, output))
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
    pub fn request(
        &self,
        ids: Ids<'_>,
        known: &Known,
        result: &Result<(), Error>,
        elapsed: Duration,
    ) {
        let cold_starts = u8::from(self.is_cold.swap(false, Ordering::Relaxed));
        let steps = [
            ("DecodeDuration", known.steps[Step::Decode as usize]),
            ("ReadDuration", known.steps[Step::Read as usize]),
            ("UploadDuration", known.steps[Step::Upload as usize]),
            ("CommitDuration", known.steps[Step::Commit as usize]),
            ("TotalDuration", Some(elapsed)),
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
        let mut request = Document::new(ids);
        self.add(&mut request, &[], &metrics);
        self.add(&mut request, &[("Code", code)], &metrics[..1]);
        let mut documents = vec![request];
        for (field, format, size) in known.images() {
            let dimensions = [("Field", field.name()), ("Format", format.extension())];
            let metrics = [
                ("Images", "Count", 1.into()),
                ("ImageBytes", "Bytes", size.into()),
            ];
            let mut image = Document::new(ids);
            self.add(&mut image, &dimensions, &metrics);
            documents.push(image);
        }
        self.write(documents);
    }

    /// Writes how many objects a request has left over, or may have.
    pub fn cleanup_failures(&self, ids: Ids<'_>, count: usize) {
        let mut document = Document::new(ids);
        let metrics = [("CleanupFailures", "Count", count.into())];
        self.add(&mut document, &[], &metrics);
        self.write(vec![document]);
    }

    /// Adds metrics with the function's name and further dimensions.
    fn add(&self, document: &mut Document, further: &[(&str, &str)], metrics: &[Metric]) {
        let mut dimensions = vec![("FunctionName", self.function.as_str())];
        dimensions.extend(further);
        let dimension_names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
        let definitions: Vec<Value> = metrics
            .iter()
            .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
            .collect();
        document.directives.push(json!({
            "Namespace": self.namespace,
            "Dimensions": [dimension_names],
            "Metrics": definitions,
        }));
        for (name, value) in dimensions {
            document.members.insert(name.to_owned(), value.into());
        }
        for (name, _, value) in metrics {
            document.members.insert((*name).to_owned(), value.clone());
        }
    }

    /// Writes documents, a line each, at once. The request doesn't depend on it.
    fn write(&self, documents: Vec<Document>) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or_default();
        let mut lines = String::new();
        for Document {
            directives,
            mut members,
        } in documents
        {
            let metadata = json!({ "Timestamp": now, "CloudWatchMetrics": directives });
            members.insert("_aws".to_owned(), metadata);
            lines += &Value::Object(members).to_string();
            lines.push('\n');
        }
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

/// What leads from a metric to its request. A member of the document, and never a dimension.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    /// Lambda's ID of the request.
    pub request: &'a str,
    /// The trace header of the invocation.
    pub trace: Option<&'a str>,
}

/// One document: which of its members are metrics and which are dimensions, and the members.
struct Document {
    directives: Vec<Value>,
    members: Map<String, Value>,
}

impl Document {
    fn new(ids: Ids<'_>) -> Self {
        let mut members = Map::new();
        members.insert("requestId".to_owned(), ids.request.into());
        if let Some(id) = ids.trace.and_then(xray::trace_id) {
            members.insert("xrayTraceId".to_owned(), id.into());
        }
        Self {
            directives: Vec::new(),
            members,
        }
    }
}
