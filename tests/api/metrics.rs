//! The metrics that CloudWatch makes of a request's line.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use local::clients::Endpoints;
use put_image::domain::ImageField;
use put_image::handler::App;
use put_image::storage::Limits;
use put_image::telemetry::Telemetry;
use put_image::telemetry::logging::LevelFilter;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::faults::End::{self, Cut, Error};
use testkit::faults::Operation::{self, DeleteObject, UpdateItem};
use testkit::faults::When;
use testkit::images;

use crate::helpers::*;

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// The lines since the last call, and the metrics that CloudWatch makes of each: dimensions, name, unit, value.
    fn take(&self) -> Vec<(Value, Vec<Value>)> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line.clone(), extract(&line))).collect()
    }
}

/// As the "Embedded metric format specification" says: each name of a dimension or a metric is a member.
fn extract(line: &Value) -> Vec<Value> {
    assert!(line["_aws"]["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
    let mut metrics = Vec::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "Test");
        for dimensions in directive["Dimensions"].as_array().unwrap() {
            let values: Vec<&str> = dimensions
                .as_array()
                .unwrap()
                .iter()
                .map(|name| line[name.as_str().unwrap()].as_str().unwrap())
                .collect();
            for metric in directive["Metrics"].as_array().unwrap() {
                let value = &line[metric["Name"].as_str().unwrap()];
                assert!(value.is_number(), "{metric} of {line}");
                metrics.push(json!([values, metric["Name"], metric["Unit"], value]));
            }
        }
    }
    metrics
}

/// The metrics of some lines; durations and sizes without their values.
fn metrics(lines: &[(Value, Vec<Value>)]) -> BTreeSet<String> {
    let all = lines.iter().flat_map(|(_, metrics)| metrics.clone());
    all.map(|mut metric| {
        if metric[2] != "Count" {
            metric[3].take();
        }
        metric.to_string()
    })
    .collect()
}

fn start(app: &TestApp) -> (App, Output) {
    start_over(app, &app.behind_faults)
}

fn start_over(app: &TestApp, endpoints: &Endpoints) -> (App, Output) {
    let output = Output::default();
    let storage = endpoints.storage(app.stack.config.clone(), Limits::default());
    // A level that hides every request's line, unless it carries metrics.
    let telemetry = Telemetry::new(LevelFilter::OFF, output.clone())
        .with_metrics("Test".to_owned(), "f".to_owned());
    (App::new(storage, telemetry), output)
}

/// The metrics of a request that went all the way with images of these fields.
fn success(cold: u8, fields: &[ImageField]) -> BTreeSet<String> {
    let mut metrics = vec![
        json!([["f"], "Requests", "Count", 1]),
        json!([["f"], "ColdStarts", "Count", cold]),
        json!([["f"], "BodyBytes", "Bytes", null]),
    ];
    for field in fields {
        let name = format!("{}Bytes", field.name());
        metrics.push(json!([["f"], name, "Bytes", null]));
    }
    let steps = ["Decode", "Read", "Upload", "Commit", "Total"];
    let duration = |step| json!([["f"], format!("{step}Duration"), "Milliseconds", null]);
    metrics.extend(steps.map(duration));
    metrics.push(json!([["f", "ok"], "Requests", "Count", 1]));
    metrics.iter().map(Value::to_string).collect()
}

#[tokio::test]
async fn a_request_is_one_line_that_counts_it_by_code_and_its_bytes_by_field() {
    let app = TestApp::start().await;
    let (function, output) = start(&app);
    let forms = [Form::full(), Form::selfie(&images::png(300, 1))];
    for form in &forms {
        assert_eq!(put(&function, form).await.row(), SUCCESS);
    }
    let lines = output.take();
    assert_eq!(lines.len(), 2);
    assert_eq!(metrics(&lines[..1]), success(1, &ImageField::ALL));
    assert_eq!(metrics(&lines[1..]), success(0, &[ImageField::SelfieImage]));
    assert_eq!(lines[0].0["BodyBytes"], forms[0].body().len());
    assert_eq!(lines[0].0["idImageBytes"], 900);
    assert_eq!(lines[0].0["idBackImageFormat"], "png");
}

#[rstest]
#[case::a_bad_image(Form::full().with("idImage", "?"), "invalid_payload", false)]
#[case::no_admin(Form::full().without("admin"), "missing_data", false)]
#[case::an_unknown_key(Form::full().with_key(KEY_WITHOUT_PROJECT), "invalid_project", true)]
#[case::a_stranger(Form::full().with("admin", "nobody@example.com"), "invalid_admin", true)]
#[case::no_such_submission(Form::full().with("submissionId", "none"), "invalid_submission", true)]
#[case::no_image(Form::texts(), "invalid_data", true)]
#[case::an_unknown_id_type(Form::full().with("idType", "x"), "invalid_idType", true)]
#[case::a_key_of_two_projects(Form::full().with_key(KEY_OF_TWO), "processing_error", true)]
#[tokio::test]
async fn a_refusal_is_counted_by_its_code_with_the_steps_that_it_reached(
    #[case] form: Form,
    #[case] code: &str,
    #[case] reads: bool,
) {
    let app = TestApp::start().await;
    let (function, output) = start(&app);
    put(&function, &form).await;
    let lines = output.take();
    let [(line, metrics)] = &lines[..] else {
        panic!("one line: {lines:?}");
    };
    assert_eq!(
        metrics.last(),
        Some(&json!([["f", code], "Requests", "Count", 1]))
    );
    assert_eq!(line.get("ReadDuration").is_some(), reads);
    let later = ["UploadDuration", "CommitDuration", "idImageBytes"];
    assert!(later.iter().all(|name| line.get(name).is_none()), "{line}");
}

#[rstest]
#[case::one_that_can_not_be_deleted((DeleteObject, When::Nth(1)), Error(403, "AccessDenied"), SUCCESS, 1)]
#[case::all_in_doubt((UpdateItem, When::Always), Cut, PROCESSING_ERROR, 2 * ImageField::ALL.len())]
#[tokio::test]
async fn objects_that_may_be_left_over_are_counted(
    #[case] (operation, when): (Operation, When),
    #[case] end: End,
    #[case] row: Row,
    #[case] count: usize,
) {
    let app = TestApp::with_images().await;
    let (function, output) = start(&app);
    app.faults.fail(operation, when, end);
    assert_eq!(put(&function, &Form::full()).await.row(), row);
    let lines = output.take();
    let expected = [json!([["f"], "CleanupFailures", "Count", count])];
    assert_eq!(lines.last().unwrap().1, expected);
}

#[tokio::test]
async fn uploads_that_were_never_sent_leave_nothing_to_count() {
    let app = TestApp::start().await;
    let endpoints = Endpoints {
        s3: "no URL".to_owned(),
        ..app.behind_faults.clone()
    };
    let (function, output) = start_over(&app, &endpoints);
    let answer = put(&function, &Form::full()).await;
    assert_eq!(answer.row(), PROCESSING_ERROR);
    assert_eq!(output.take().len(), 1);
}
