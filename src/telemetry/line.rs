//! A log line as JSON, from whose members CloudWatch makes metrics ("Embedded metric format specification").

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tracing::level_filters::LevelFilter;

use crate::timestamp;

/// A line, and which of its members are metrics.
#[derive(Debug)]
pub(super) struct Line {
    members: Map<String, Value>,
    metrics: Vec<Value>,
}

impl Line {
    pub(super) fn new(level: LevelFilter, message: &str) -> Self {
        let mut line = Self {
            members: Map::new(),
            metrics: Vec::new(),
        };
        line.set("timestamp", timestamp::now());
        line.set("level", level.to_string().to_uppercase());
        line.set("message", message);
        line
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.members.insert(name.to_owned(), value.into());
    }

    /// Sets a text member, if its value is known.
    pub(super) fn text(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.set(name, value.to_string());
        }
    }

    pub(super) fn metric(&mut self, name: &str, unit: &str, value: impl Into<Value>) {
        self.set(name, value);
        self.metrics.push(json!({ "Name": name, "Unit": unit }));
    }

    /// Sets a duration's metric in milliseconds, rounded to the microsecond, if the duration is known.
    pub(super) fn duration(&mut self, name: &str, duration: Option<Duration>) {
        if let Some(duration) = duration {
            let milliseconds = (duration.as_secs_f64() * 1e6).round() / 1e3;
            self.metric(name, "Milliseconds", milliseconds);
        }
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
            let now = i64::try_from(now).unwrap_or_default();
            self.set(
                "_aws",
                json!({ "Timestamp": now, "CloudWatchMetrics": directives }),
            );
        }
        format!("{}\n", Value::Object(self.members))
    }
}
