//! The binary as Lambda runs it.

use std::ffi::OsStr;

use local::faults::Operation;
use local::lambda::Lambda;
use put_image::function::TIMEOUT;
use tokio::process::Command;

use crate::helpers::*;
use crate::images;

const BINARY: &str = env!("CARGO_BIN_EXE_put-image");

async fn start(app: &App) -> Lambda {
    let log = [("AWS_LAMBDA_LOG_LEVEL", OsStr::new("ERROR"))];
    Lambda::start(BINARY, &app.behind_faults, &app.stack.config, log)
        .await
        .unwrap()
}

/// The status of a process' answer; `None` if it gives none.
pub async fn status(lambda: &Lambda, event: &str) -> Option<u16> {
    let response = lambda.invoke(event.to_owned(), TIMEOUT).await.ok()?;
    Some(Answer::from_response(&serde_json::from_slice(&response).unwrap()).status)
}

#[tokio::test]
async fn a_missing_variable_ends_it_at_start_and_is_named() {
    let variables = ["PROJECTS_TABLE", "SUBMISSIONS_TABLE", "IMAGES_BUCKET"];
    for missing in variables {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(
            variables
                .iter()
                .filter(|name| **name != missing)
                .map(|name| (name, "x")),
        );
        let output = command.output().await.unwrap();
        assert!(!output.status.success());
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(
            log.contains(&format!(
                "the environment variable {missing} is missing or empty"
            )),
            "{log}"
        );
    }
}

#[tokio::test]
async fn it_answers_before_it_deletes_what_was_replaced() {
    let app = App::start().await;
    let lambda = start(&app).await;
    assert_eq!(
        status(&lambda, &Form::full().event().to_string()).await,
        Some(200)
    );
    let first = app.objects().await;
    // The deletions are held back until the answer is there.
    let gates: Vec<_> = (1..=4)
        .map(|nth| app.faults.hold(Operation::DeleteObject, nth))
        .collect();
    let form = Form::full().with_image("idImage", &images::png(400, 8));
    assert_eq!(status(&lambda, &form.event().to_string()).await, Some(200));
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

#[tokio::test]
async fn it_survives_what_is_no_event() {
    let app = App::start().await;
    let lambda = start(&app).await;
    for event in [
        "null",
        "[]",
        "{}",
        "\"\"",
        "0",
        "{\"body\":1}",
        "",
        "{",
        "nonsense",
        r#"{"\ud83d":0}"#,
    ] {
        assert_eq!(status(&lambda, event).await, Some(400), "{event}");
    }
    assert_eq!(
        status(&lambda, &Form::full().event().to_string()).await,
        Some(200)
    );
}
