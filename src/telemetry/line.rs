//! A log line as JSON, from whose members CloudWatch makes metrics ("Embedded metric format specification").

use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::timestamp;

/// Returns a duration in milliseconds, rounded to the microsecond.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Writes a line with its line break. Members without a value are left out. With a namespace, each metric has the
/// dimension `FunctionName`, and `Requests` is also counted by `Code`.
pub(super) fn format(mut line: Value, namespace: Option<&str>, function: &str) -> String {
    line["timestamp"] = timestamp::now().into();
    if let Some(members) = line.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    if let Some(namespace) = namespace {
        let names = line.as_object().into_iter().flat_map(Map::keys);
        let metrics: Vec<Value> = names.filter_map(|name| metric(name)).collect();
        let directive = |dimensions: &[&str], metrics: &[Value]| json!({ "Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics });
        let mut directives = vec![directive(&["FunctionName"], &metrics)];
        if line.get("Code").is_some() {
            let requests: Vec<Value> = metric("Requests").into_iter().collect();
            directives.push(directive(&["FunctionName", "Code"], &requests));
        }
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        line["FunctionName"] = function.into();
        line["_aws"] = json!({ "Timestamp": now, "CloudWatchMetrics": directives });
    }
    format!("{line}\n")
}

/// Returns the definition of the metric with this name; `None` if such a member isn't a metric.
fn metric(name: &str) -> Option<Value> {
    let unit = match name {
        "Requests" | "ColdStarts" | "CleanupFailures" => "Count",
        _ if name.ends_with("Bytes") => "Bytes",
        _ if name.ends_with("Duration") => "Milliseconds",
        _ => return None,
    };
    Some(json!({ "Name": name, "Unit": unit }))
}
