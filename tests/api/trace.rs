//! The trace that an invocation belongs to: in the log and at the storage.

use std::process::Stdio;

use local::faults::{End, Fault, Operation, When};
use local::lambda::{Lambda, TRACE};
use local::server;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::binary::{answer, over};
use crate::helpers::*;

const ID: &str = "1-5759e988-bd862e3fe1be46a994272793";

#[tokio::test]
async fn its_id_is_in_every_line_of_the_request() {
    let app = App::start().await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let replaced: Vec<String> = app.objects().await.into_keys().collect();
    app.faults.inject(Fault {
        operation: Operation::DeleteObject,
        when: When::Always,
        takes_effect: false,
        end: End::Error(403, "AccessDenied"),
    });
    let mut command = over(&app);
    command
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_LAMBDA_LOG_LEVEL", "INFO");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let lambda = Lambda::start(command).await.unwrap();
    let put = answer(&lambda, &Form::full().event()).await;
    assert_eq!(put.row(), SUCCESS);
    lambda.idle().await.unwrap();
    let log = lambda.end().await.unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for text in replaced.iter().map(String::as_str).chain(["put image"]) {
        let lines = lines.iter().filter(|line| line.to_string().contains(text));
        assert_eq!(lines.count(), 1, "{text}: {log}");
    }
    let (started, of_request): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line["message"] == "started");
    assert_eq!(started[0]["version"], put_image::VERSION);
    for line in of_request {
        // The request's own line has its facts on the top level, the others' have them in their span.
        let (line, trace) = match line["message"].as_str() {
            Some("put image") => (line, ID),
            _ => (&line["span"], TRACE),
        };
        assert_eq!(line["xrayTraceId"], trace, "{log}");
        assert!(line["requestId"].is_string(), "{log}");
    }
}

/// Reads a request. Returns its head in lower case; `None` if the connection is closed without one.
async fn read(client: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await.unwrap() == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    client.read_exact(&mut body).await.unwrap();
    Some(head)
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
    let serve_event = async {
        let mut client = BufReader::new(runtime_api.accept().await.unwrap().0);
        read(&mut client).await;
        let head = format!(
            "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\nLambda-Runtime-Trace-Id: {TRACE}\r\n\
             Lambda-Runtime-Deadline-Ms: 4000000000000\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn\r\n\
             Content-Length: {}\r\n\r\n",
            event.len()
        );
        client.write_all((head + &event).as_bytes()).await.unwrap();
        client
    };
    // Every connection is ended without an answer: first those of warming up, which is of no trace.
    let find_call = async {
        loop {
            let mut client = BufReader::new(storage.accept().await.unwrap().0);
            let Some(head) = read(&mut client).await else {
                continue;
            };
            let mut lines = head.lines();
            if let Some(trace) = lines.find_map(|line| line.strip_prefix("x-amzn-trace-id: ")) {
                return trace.to_owned();
            }
        }
    };
    let (_connection, trace) = tokio::join!(serve_event, find_call);
    assert_eq!(trace, TRACE.to_lowercase());
}
