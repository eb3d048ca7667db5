//! The trace that an invocation belongs to is in the log and at the storage.

use std::collections::BTreeSet;

use local::server;
use serde_json::Value;
use testkit::faults::End::Error;
use testkit::faults::Operation::DeleteObject;
use testkit::faults::When;
use testkit::lambda::{Lambda, trace};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;

use crate::binary::{answer, at, logged};
use crate::helpers::*;

#[tokio::test]
async fn its_id_is_in_every_line_of_the_request() {
    let app = TestApp::with_images().await;
    let replaced = app.objects().await.into_keys();
    let denied = Error(403, "AccessDenied");
    app.faults.fail(DeleteObject, When::Always, denied);
    let mut command = logged(&app, "INFO");
    command.env("AWS_LAMBDA_LOG_FORMAT", "JSON");
    let lambda = Lambda::start(command).await.unwrap();
    assert_eq!(answer(&lambda, &Form::full().event()).await.row(), SUCCESS);
    lambda.idle().await.unwrap();
    let log = lambda.end().await.unwrap();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (started, of_request): (Vec<_>, Vec<_>) =
        lines.partition(|line| line["message"] == "started");
    assert_eq!(started[0]["version"], put_image::VERSION);
    for text in replaced.chain(["put image".to_owned()]) {
        let lines = of_request
            .iter()
            .filter(|line| line.to_string().contains(&text));
        assert_eq!(lines.count(), 1, "{text}: {log}");
    }
    for line in of_request {
        // The request's own line has its facts on the top level, the others' have them in their span.
        let is_own = line["message"] == "put image";
        let facts = if is_own { &line } else { &line["span"] };
        let trace = trace(facts["requestId"].as_str().unwrap());
        let id = trace
            .strip_prefix("Root=")
            .unwrap()
            .split(';')
            .next()
            .unwrap();
        assert_eq!(
            facts["xrayTraceId"],
            if is_own { id } else { &trace },
            "{log}"
        );
    }
}

/// Accepts a call to storage, reads its head and closes the connection. Returns the trace that it carries.
async fn cut_off(storage: &TcpListener) -> Option<String> {
    let (client, _) = storage.accept().await.unwrap();
    let mut lines = BufReader::new(client).lines();
    while let Ok(Some(line)) = lines.next_line().await
        && !line.is_empty()
    {
        let header = line.to_lowercase();
        if header.starts_with("x-amzn-trace-id: ") {
            return line.split_once(": ").map(|(_, trace)| trace.to_owned());
        }
    }
    None
}

#[tokio::test]
async fn calls_to_storage_carry_it() {
    let storage = server::bind(0, "storage", "").await.unwrap();
    let mut command = at(&server::url(&storage).unwrap());
    command.env("AWS_LAMBDA_LOG_FORMAT", "JSON");
    let lambda = Lambda::start(command).await.unwrap();
    // The calls of warming up belong to no trace.
    let mut traces = BTreeSet::new();
    let cut_all_off = async {
        loop {
            traces.extend(cut_off(&storage).await);
        }
    };
    let event = Form::full().event();
    tokio::select! {
        () = cut_all_off => {}
        answer = answer(&lambda, &event) => assert_eq!(answer.row(), PROCESSING_ERROR),
    }
    let log = lambda.end().await.unwrap();
    let mut lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines.find(|line| line["message"] == "put image").unwrap();
    assert_eq!(traces, [trace(line["requestId"].as_str().unwrap())].into());
}
