//! The binary as Lambda runs it.

use std::process::Stdio;

use local::clients::Endpoints;
use local::faults::Operation;
use local::lambda::{self, Lambda};
use local::schema;
use put_image::deadline::TIMEOUT;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::helpers::*;
use local::images;

pub const BINARY: &str = env!("CARGO_BIN_EXE_put-image");

/// The command that runs the function behind an app's faults, with little to read in its log.
pub fn over(app: &App) -> Command {
    let mut command = lambda::command(BINARY, &app.behind_faults, &app.stack.config);
    command.env("AWS_LAMBDA_LOG_LEVEL", "ERROR");
    command
}

/// A process' answer.
pub async fn answer(lambda: &Lambda, event: &Value) -> Answer {
    let outcome = lambda.invoke(event.to_string(), TIMEOUT).await.unwrap();
    Answer::from_response(&serde_json::from_slice(&outcome.unwrap()).unwrap())
}

#[tokio::test]
async fn a_missing_variable_ends_it_at_start_and_is_named() {
    let variables = ["PROJECTS_TABLE", "SUBMISSIONS_TABLE", "IMAGES_BUCKET"];
    let unset = variables.map(|name| (name, None));
    let empty = variables.map(|name| (name, Some("")));
    for (missing, value) in unset.into_iter().chain(empty) {
        let mut command = Command::new(BINARY);
        command
            .env_clear()
            .envs(variables.map(|name| (name, "x")))
            .env_remove(missing)
            .envs(value.map(|value| (missing, value)));
        let output = command.output().await.unwrap();
        assert!(!output.status.success());
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(
            log.contains(&format!(
                "the environment variable {missing} is missing or empty"
            )),
            "{log}"
        );
        let started = format!("started version=\"{}\"", put_image::VERSION);
        assert!(log.contains(&started), "{log}");
    }
}

/// The SDK would panic, and the log would name a line of its source.
#[rstest]
#[case::of_all_services("AWS_ENDPOINT_URL")]
#[case::of_s3("AWS_ENDPOINT_URL_S3")]
#[case::of_dynamodb("AWS_ENDPOINT_URL_DYNAMODB")]
#[tokio::test]
async fn an_empty_endpoint_ends_it_at_start_and_is_named(#[case] name: &str) {
    let output = binary(&nowhere().await, &nowhere().await)
        .env(name, "")
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    let refusal =
        format!("the environment variable {name} is empty: set it to a URL, or remove it");
    assert!(log.lines().last().unwrap().ends_with(&refusal), "{log}");
}

#[tokio::test]
async fn the_log_names_the_host_that_cant_be_reached() {
    let nowhere = nowhere().await;
    let endpoints = Endpoints {
        dynamodb: nowhere.clone(),
        s3: nowhere.clone(),
    };
    let mut command = lambda::command(BINARY, &endpoints, &schema::config(""));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let lambda = Lambda::start(command).await.unwrap();
    assert_eq!(
        answer(&lambda, &Form::full().event()).await.row(),
        PROCESSING_ERROR
    );
    let log = lambda.end().await.unwrap();
    let host = nowhere.trim_start_matches("http://");
    for message in ["not warmed up", "put image"] {
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains(message)).unwrap();
        assert!(line.contains(&format!("{host}: ")), "{line}");
    }
}

#[test]
fn its_version_is_the_commit() {
    let head = std::process::Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output();
    let head = match head {
        Ok(head) if head.status.success() => String::from_utf8(head.stdout).unwrap(),
        _ => return println!("skipped: no git repository"),
    };
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), head.trim());
    assert_eq!(put_image::VERSION, version);
}

#[tokio::test]
async fn it_answers_before_it_deletes_what_was_replaced() {
    let app = App::start().await;
    let lambda = Lambda::start(over(&app)).await.unwrap();
    let put = answer(&lambda, &Form::full().event()).await;
    assert_eq!(put.row(), SUCCESS);
    let first = app.objects().await;
    // The deletions are held back until the answer is there.
    let gates: Vec<_> = (1..=4)
        .map(|nth| app.faults.hold(Operation::DeleteObject, nth))
        .collect();
    let form = Form::full().with_image("idImage", &images::png(400, 8));
    assert_eq!(answer(&lambda, &form.event()).await.row(), SUCCESS);
    let objects = app.objects().await;
    assert!(
        first.keys().all(|key| objects.contains_key(key)),
        "deleted before the answer"
    );
    let record = app.record(SUBMISSION).await.to_string();
    assert!(first.keys().all(|key| !record.contains(key.as_str())));
    gates.iter().for_each(local::faults::Gate::open);
    lambda.idle().await.unwrap();
    assert_eq!(app.objects().await.len(), 4);
}

/// Events that no gateway writes end as a function error, and nothing of them gets into the log at any level or to
/// whoever asked; the next request is served.
#[tokio::test]
async fn it_survives_what_is_no_event() {
    const SECRET: &str = "s3cret";
    let app = App::start().await;
    let mut command = over(&app);
    command.env("AWS_LAMBDA_LOG_LEVEL", "TRACE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let lambda = Lambda::start(command).await.unwrap();
    let good = Form::full().with("comment", SECRET).event();
    let with = |name: &str, value: Value| {
        let mut event = good.clone();
        event[name] = value;
        event.to_string()
    };
    let sqs =
        json!({ "Records": [{ "messageId": SECRET, "body": SECRET, "eventSource": "aws:sqs" }] });
    for (event, why) in [
        (String::new(), "empty"),
        (format!("{{\"{SECRET}"), "not JSON"),
        (format!("{SECRET} is not JSON"), "not JSON at all"),
        ("null".to_owned(), "null"),
        (format!("[\"{SECRET}\"]"), "a list"),
        (format!("\"{SECRET}\\ud83d\""), "half a character"),
        (sqs.to_string(), "another service's event"),
        (
            with("body", json!({ SECRET: SECRET })),
            "a body that is no text",
        ),
        (
            with("isBase64Encoded", json!(true)),
            "text that claims to be Base64",
        ),
        (with("isBase64Encoded", json!(SECRET)), "a text for a flag"),
        (
            with("headers", json!({ "host": format!("{SECRET}:x") })),
            "an odd Host",
        ),
        (with("headers", json!(SECRET)), "a text for headers"),
        (
            with("requestContext", json!({ "stage": SECRET })),
            "no method",
        ),
    ] {
        let error = lambda.invoke(event, TIMEOUT).await.unwrap().unwrap_err();
        assert!(!error.contains(SECRET), "{why}: {error}");
        assert_eq!(answer(&lambda, &good).await.row(), SUCCESS, "{why}");
    }
    let log = lambda.end().await.unwrap();
    for private in [
        SECRET,
        KEY,
        "example.com",
        "idImage\"",
        "iVBORw0KGgo",
        "/9j/",
    ] {
        assert!(!log.contains(private), "{private}: {log}");
    }
    assert!(
        log.contains("user handler panicked") && log.contains("put image"),
        "{log}"
    );
}
