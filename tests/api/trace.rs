//! The trace that an invocation belongs to is in the log and at the storage.

use local::server;
use serde_json::Value;
use testkit::faults::End::Error;
use testkit::faults::Operation::DeleteObject;
use testkit::faults::When;
use testkit::lambda::{Lambda, trace};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::binary::{answer, logged};
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

/// Accepts a connection and reads a request. Returns its head in lower case; `None` if the connection is closed without
/// one.
async fn accept(listener: &TcpListener) -> (BufReader<TcpStream>, Option<String>) {
    let (client, _) = listener.accept().await.unwrap();
    let (mut client, mut head) = (BufReader::new(client), String::new());
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await.unwrap() == 0 {
            return (client, None);
        }
    }
    let head = head.to_lowercase();
    let length = header(&head, "content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    client.read_exact(&mut body).await.unwrap();
    (client, Some(head))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find_map(|(it, value)| (it == name).then_some(value))
}

#[tokio::test]
async fn calls_to_storage_carry_it() {
    let runtime_api = server::bind(0, "the Runtime API", "").await.unwrap();
    let storage = server::bind(0, "storage", "").await.unwrap();
    let mut command = binary(
        &server::url(&runtime_api).unwrap(),
        &server::url(&storage).unwrap(),
    );
    let _function = command.env("AWS_LAMBDA_LOG_LEVEL", "OFF").spawn().unwrap();
    let event = Form::full().event().to_string();
    let invocation = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    let sent = trace(invocation);
    let serve_event = async {
        let (mut client, _) = accept(&runtime_api).await;
        let head = format!(
            "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {invocation}\r\nLambda-Runtime-Trace-Id: {sent}\r\n\
             Lambda-Runtime-Deadline-Ms: 4000000000000\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn\r\n\
             Content-Length: {}\r\n\r\n",
            event.len()
        );
        client.write_all((head + &event).as_bytes()).await.unwrap();
        client
    };
    // Every connection is closed without a response. Those of warming up belong to no trace.
    let find_trace = async {
        loop {
            let head = accept(&storage).await.1.unwrap_or_default();
            if let Some(trace) = header(&head, "x-amzn-trace-id") {
                return trace.to_owned();
            }
        }
    };
    let calls = async { tokio::join!(serve_event, find_trace) };
    let (_connection, trace) = soon("a call of the trace", calls).await;
    assert_eq!(trace, sent.to_lowercase());
}
