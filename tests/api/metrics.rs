//! The metrics of a request: what CloudWatch makes of the lines, and that they name nobody.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local::faults::{End, Fault, Operation, When};
use local::function::context;
use local::images;
use put_image::deadline::TIMEOUT;
use put_image::handler::App as Function;
use put_image::storage::Limits;
use put_image::telemetry::Metrics;
use serde_json::{Value, json};

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
    assert!(uuid::Uuid::parse_str(line["requestId"].as_str().unwrap()).is_ok());
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

/// The metrics but for durations and sizes, whose names and units alone are told.
fn told(lines: &[(Value, Vec<Value>)]) -> Vec<Value> {
    let all = lines.iter().flat_map(|(_, metrics)| metrics.clone());
    all.map(|mut metric| {
        if metric[2] != "Count" {
            metric[3].take();
        }
        metric
    })
    .collect()
}

fn start(app: &App) -> (Function, Output) {
    let output = Output::default();
    let storage = app
        .behind_faults
        .storage(app.stack.config.clone(), Limits::default());
    let metrics = Metrics::new("Test".to_owned(), "f".to_owned(), output.clone());
    (Function::new(storage).with_metrics(Some(metrics)), output)
}

async fn put(function: &Function, form: &Form) -> Answer {
    invoke(function, &form.event(), Duration::from_secs(20)).await
}

#[tokio::test]
async fn a_put_is_counted_by_code_and_its_images_by_field_and_format() {
    let app = App::start().await;
    let (function, output) = start(&app);
    let request = |cold: u8| {
        vec![
            json!([["f"], "Requests", "Count", 1]),
            json!([["f"], "ColdStarts", "Count", cold]),
            json!([["f"], "BodyBytes", "Bytes", null]),
            json!([["f"], "DecodeDuration", "Milliseconds", null]),
            json!([["f"], "ReadDuration", "Milliseconds", null]),
            json!([["f"], "UploadDuration", "Milliseconds", null]),
            json!([["f"], "CommitDuration", "Milliseconds", null]),
            json!([["f"], "TotalDuration", "Milliseconds", null]),
            json!([["f", "ok"], "Requests", "Count", 1]),
        ]
    };
    let image = |field: &str, format: &str| {
        [
            json!([["f", field, format], "Images", "Count", 1]),
            json!([["f", field, format], "ImageBytes", "Bytes", null]),
        ]
    };
    assert_eq!(put(&function, &Form::full()).await.row(), SUCCESS);
    let lines = output.take();
    let images = [
        ("idImage", "jpg"),
        ("idBackImage", "png"),
        ("selfieImage", "jpg"),
        ("addressImage", "png"),
    ];
    let images = images
        .into_iter()
        .flat_map(|(field, format)| image(field, format));
    assert_eq!(
        told(&lines),
        request(1).into_iter().chain(images).collect::<Vec<_>>()
    );
    assert_eq!(lines[0].0["BodyBytes"], Form::full().body().len());
    assert_eq!(lines[1].0["ImageBytes"], 900);

    assert_eq!(
        put(&function, &Form::selfie(&images::png(300, 1)))
            .await
            .row(),
        SUCCESS
    );
    let expected: Vec<Value> = request(0)
        .into_iter()
        .chain(image("selfieImage", "png"))
        .collect();
    assert_eq!(
        told(&output.take()),
        expected,
        "the second request is no cold start"
    );
}

#[tokio::test]
async fn a_refusal_is_counted_by_its_code_with_the_steps_that_it_came_to() {
    let app = App::start().await;
    let (function, output) = start(&app);
    let rows = [
        (Form::full().with("idImage", "?"), "invalid_payload", false),
        (Form::full().without("admin"), "missing_data", false),
        (
            Form::full().with_key(KEY_WITHOUT_PROJECT),
            "invalid_project",
            true,
        ),
        (
            Form::full().with("admin", "nobody@example.com"),
            "invalid_admin",
            true,
        ),
        (
            Form::full().with("submissionId", "none"),
            "invalid_submission",
            true,
        ),
        (Form::texts(), "invalid_data", true),
        (Form::full().with("idType", "x"), "invalid_idType", true),
        (Form::full().with_key(KEY_OF_TWO), "processing_error", true),
    ];
    for (form, code, reads) in rows {
        put(&function, &form).await;
        let lines = output.take();
        assert_eq!(lines.len(), 1, "{code}: no images are put");
        let (line, metrics) = &lines[0];
        assert_eq!(
            metrics.last(),
            Some(&json!([["f", code], "Requests", "Count", 1]))
        );
        assert_eq!(line.get("ReadDuration").is_some(), reads, "{code}");
        assert!(
            line.get("UploadDuration").is_none() && line.get("CommitDuration").is_none(),
            "{code}"
        );
    }
}

#[tokio::test]
async fn no_line_says_who() {
    let app = App::start().await;
    let (function, output) = start(&app);
    put(&function, &Form::full()).await;
    put(
        &function,
        &Form::full()
            .with("submissionId", "injected")
            .with_key("injected"),
    )
    .await;
    for (line, _) in output.take() {
        let line = line.to_string();
        for who in ["demo", "example", "injected"] {
            assert!(!line.contains(who), "{line}");
        }
    }
}

#[tokio::test]
async fn a_line_leads_to_the_log_and_the_trace() {
    let app = App::start().await;
    let (function, output) = start(&app);
    let mut context = context(TIMEOUT);
    let request_id = context.request_id.clone();
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0";
    context.xray_trace_id = Some(trace.to_owned());
    let event = Form::texts().event().to_string();
    local::function::invoke(&function, event.as_bytes(), context)
        .await
        .unwrap();
    let (line, _) = &output.take()[0];
    assert_eq!(
        (&line["requestId"], &line["xrayTraceId"]),
        (
            &request_id.into(),
            &"1-5759e988-bd862e3fe1be46a994272793".into()
        )
    );
}

#[tokio::test]
async fn objects_that_can_not_be_deleted_are_counted() {
    let app = App::start().await;
    let (function, output) = start(&app);
    assert_eq!(put(&function, &Form::full()).await.row(), SUCCESS);
    output.take();
    app.faults.inject(Fault {
        operation: Operation::DeleteObject,
        when: When::Nth(1),
        takes_effect: false,
        end: End::Error(403, "AccessDenied"),
    });
    assert_eq!(put(&function, &Form::full()).await.row(), SUCCESS);
    let lines = output.take();
    assert_eq!(
        lines.last().unwrap().1,
        [json!([["f"], "CleanupFailures", "Count", 1])]
    );
}
