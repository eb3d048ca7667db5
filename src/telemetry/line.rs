//! A log line as JSON, from whose members CloudWatch makes metrics ("Embedded metric format specification").

use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tracing::Level;

use crate::timestamp;

/// A line, and which of its members are metrics. A member whose value is null is left out.
#[derive(Debug, Default)]
pub(super) struct Line {
    members: Map<String, Value>,
    metrics: Vec<Value>,
}

impl Line {
    pub(super) fn new(level: Level, message: &str, request_id: &str) -> Self {
        let mut line = Self::default();
        line.set("timestamp", timestamp::now());
        line.set("level", level.as_str());
        line.set("message", message);
        line.set("requestId", request_id);
        line
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.members.insert(name.to_owned(), value);
        }
    }

    pub(super) fn metric(&mut self, name: &str, unit: &str, value: impl Into<Value>) {
        self.set(name, value);
        if self.members.contains_key(name) {
            self.metrics.push(json!({ "Name": name, "Unit": unit }));
        }
    }

    /// Sets a duration's metric in milliseconds, rounded to the microsecond.
    pub(super) fn duration(&mut self, name: &str, duration: Option<Duration>) {
        let milliseconds = duration.map(|duration| (duration.as_secs_f64() * 1e6).round() / 1e3);
        self.metric(name, "Milliseconds", milliseconds);
    }

    /// Returns the line with its line break. With a namespace, each metric has the dimension `FunctionName`, and
    /// `Requests` is also counted by `Code`.
    pub(super) fn finish(mut self, namespace: Option<&str>, function: &str) -> String {
        if let Some(namespace) = namespace {
            self.set("FunctionName", function);
            let directive = |dimensions: &[&str], metrics: &[Value]| json!({ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics });
            let mut directives = vec![directive(&["FunctionName"], &self.metrics)];
            if self.members.contains_key("Code") {
                let requests = json!({ "Name": "Requests", "Unit": "Count" });
                directives.push(directive(&["FunctionName", "Code"], &[requests]));
            }
            let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
            let aws = json!({ "Timestamp": now, "CloudWatchMetrics": directives });
            self.set("_aws", aws);
        }
        format!("{}\n", Value::Object(self.members))
    }
}
