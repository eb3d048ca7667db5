//! The binary as Lambda runs it.

use std::process::Stdio;

use local::clients::Endpoints;
use local::schema;
use put_image::deadline::TIMEOUT;
use put_image::domain::ImageField;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::faults::Gate;
use testkit::faults::Operation::DeleteObject;
use testkit::lambda::{self, Lambda};
use tokio::process::Command;

use crate::helpers::*;

const BINARY: &str = env!("CARGO_BIN_EXE_put-image-under-test");
const SECRET: &str = "s3cret";

/// The command that runs the function over an app's faults, without output.
pub fn over(app: &TestApp) -> Command {
    let mut command = lambda::command(BINARY, &app.behind_faults, &app.stack.config);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The command that does so with a log of a level, to read when it has ended.
pub fn logged(app: &TestApp, level: &str) -> Command {
    let mut command = over(app);
    command.env("AWS_LAMBDA_LOG_LEVEL", level);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process' response.
pub async fn answer(lambda: &Lambda, event: &Value) -> Answer {
    let outcome = lambda.invoke(event.to_string(), TIMEOUT).await.unwrap();
    Answer::from_response(&serde_json::from_slice(&outcome.unwrap()).unwrap())
}

/// The command that runs the function over a DynamoDB and an S3 at one URL; nothing needs to listen there.
pub fn at(storage: &str) -> Command {
    let endpoints = Endpoints {
        dynamodb: storage.to_owned(),
        s3: storage.to_owned(),
    };
    let mut command = lambda::command(BINARY, &endpoints, &schema::config(""));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const MISSING: &str = "is missing or empty: set it to the name that the template gives";
// The SDK would panic, and the log would name a line of its source.
const EMPTY: &str = "is empty: set it to a URL, or remove it";

#[rstest]
#[case::no_projects("PROJECTS_TABLE", None, MISSING)]
#[case::no_submissions("SUBMISSIONS_TABLE", None, MISSING)]
#[case::no_images("IMAGES_BUCKET", None, MISSING)]
#[case::empty_projects("PROJECTS_TABLE", Some(""), MISSING)]
#[case::empty_submissions("SUBMISSIONS_TABLE", Some(""), MISSING)]
#[case::empty_images("IMAGES_BUCKET", Some(""), MISSING)]
#[case::endpoint_of_all_services("AWS_ENDPOINT_URL", Some(""), EMPTY)]
#[case::endpoint_of_s3("AWS_ENDPOINT_URL_S3", Some(""), EMPTY)]
#[case::endpoint_of_dynamodb("AWS_ENDPOINT_URL_DYNAMODB", Some(""), EMPTY)]
#[case::endpoint_of_credentials("AWS_ENDPOINT_URL_STS", Some(""), EMPTY)]
#[tokio::test]
async fn a_wrong_variable_ends_it_at_start_and_is_named(
    #[case] name: &str,
    #[case] value: Option<&str>,
    #[case] why: &str,
) {
    let mut command = at("http://127.0.0.1:1");
    command.env_remove(name).envs(value.map(|it| (name, it)));
    let output = soon("the binary to end", command.output()).await.unwrap();
    assert!(!output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    let error = format!("the environment variable {name} {why}");
    assert!(log.lines().any(|line| line.ends_with(&error)), "{log}");
    let started = format!("started version=\"{}\"", put_image::VERSION);
    assert!(log.contains(&started), "{log}");
}

#[tokio::test]
async fn the_log_names_the_host_that_cant_be_reached() {
    let nowhere = nowhere().await;
    let lambda = Lambda::start(at(&nowhere)).await.unwrap();
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
    let mut git = std::process::Command::new("git");
    let head = git.args(["rev-parse", "--short=12", "HEAD"]).output();
    let head = match head {
        Ok(head) if head.status.success() => String::from_utf8(head.stdout).unwrap(),
        _ => return println!("skipped: no git repository"),
    };
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), head.trim());
    assert_eq!(put_image::VERSION, version);
}

#[tokio::test]
async fn it_responds_before_it_deletes_what_was_replaced() {
    let app = TestApp::start().await;
    let lambda = Lambda::start(over(&app)).await.unwrap();
    assert_eq!(answer(&lambda, &Form::full().event()).await.row(), SUCCESS);
    let first = app.objects().await;
    let deletions = (1..=first.len()).map(|nth| app.faults.hold(DeleteObject, nth));
    let deletions: Vec<_> = deletions.collect();
    let form = Form::seeded(1);
    assert_eq!(answer(&lambda, &form.event()).await.row(), SUCCESS);
    let objects = app.objects().await;
    assert!(first.keys().all(|key| objects.contains_key(key)));
    assert_eq!(app.images().await, form.images());
    deletions.iter().for_each(Gate::open);
    lambda.idle().await.unwrap();
    assert_eq!(app.objects().await.len(), ImageField::ALL.len());
}

fn good_event() -> Value {
    Form::full().with("comment", SECRET).event()
}

fn with(name: &str, value: Value) -> String {
    let mut event = good_event();
    event[name] = value;
    event.to_string()
}

/// Such an event is a function error that reveals nothing of the event, to the caller or in the log at any level. The
/// next request is served.
#[rstest]
#[case::empty(String::new())]
#[case::half_of_an_object(format!("{{\"{SECRET}"))]
#[case::no_json(format!("{SECRET} is not JSON"))]
#[case::null("null".to_owned())]
#[case::list(format!("[\"{SECRET}\"]"))]
#[case::half_a_character(format!("\"{SECRET}\\ud83d\""))]
#[case::event_of_another_service(
    json!({ "Records": [{ "messageId": SECRET, "body": SECRET, "eventSource": "aws:sqs" }] }).to_string()
)]
#[case::body_that_is_no_text(with("body", json!({ SECRET: SECRET })))]
#[case::body_that_is_no_base64(with("isBase64Encoded", json!(true)))]
#[case::text_for_a_flag(with("isBase64Encoded", json!(SECRET)))]
#[case::text_for_headers(with("headers", json!(SECRET)))]
#[case::no_method(with("requestContext", json!({ "stage": SECRET })))]
#[tokio::test]
async fn it_survives_an_event_that_no_gateway_writes(#[case] event: String) {
    let app = TestApp::start().await;
    let lambda = Lambda::start(logged(&app, "TRACE")).await.unwrap();
    let error = lambda.invoke(event, TIMEOUT).await.unwrap().unwrap_err();
    assert!(!error.contains(SECRET), "{error}");
    assert_eq!(answer(&lambda, &good_event()).await.row(), SUCCESS);
    let log = lambda.end().await.unwrap();
    let private = [
        SECRET,
        KEY,
        "example.com",
        "idImage\"",
        "iVBORw0KGgo",
        "/9j/",
    ];
    let leaks = private.iter().filter(|private| log.contains(**private));
    assert_eq!(leaks.collect::<Vec<_>>(), [&""; 0], "{log}");
    assert!(log.contains("put image"), "{log}");
}
