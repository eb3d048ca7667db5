//! The trace that an invocation belongs to: in the log, at the storage, and at the X-Ray daemon.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use local::faults::{End, Fault, Operation, When};
use local::lambda::{Lambda, TRACE};
use local::server;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::binary::{answer, over};
use crate::helpers::*;

const ID: &str = "1-5759e988-bd862e3fe1be46a994272793";
const PARENT: &str = "53995c3f42cd8ad8";

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
    let (started, of_request) = lines.split_first().unwrap();
    assert_eq!(
        (&started["message"], &started["version"]),
        (&"started".into(), &put_image::VERSION.into())
    );
    for line in of_request {
        assert_eq!(line["span"]["xrayTraceId"], TRACE, "{log}");
        assert!(line["span"]["requestId"].is_string(), "{log}");
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

/// The documents that the daemon gets, without what differs from run to run.
fn receive(daemon: &UdpSocket, count: usize) -> BTreeMap<String, Vec<Value>> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let mut calls: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for _ in 0..count {
        let mut datagram = [0; 4096];
        let length = daemon.recv(&mut datagram).expect("another subsegment");
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        let document = text
            .strip_prefix("{\"format\":\"json\",\"version\":1}\n")
            .unwrap();
        let document: Value = serde_json::from_str(document).unwrap();
        assert_eq!(
            (&document["type"], &document["namespace"]),
            (&"subsegment".into(), &"aws".into())
        );
        assert_eq!(
            (&document["trace_id"], &document["parent_id"]),
            (&ID.into(), &PARENT.into())
        );
        let id = document["id"].as_str().unwrap();
        assert!(
            id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}"
        );
        let (start, end) = (
            document["start_time"].as_f64().unwrap(),
            document["end_time"].as_f64().unwrap(),
        );
        assert!(
            start <= end && now - 60.0 < start && end < now + 60.0,
            "{document}"
        );
        let call = format!(
            "{} {}",
            document["name"].as_str().unwrap(),
            document["aws"]["operation"].as_str().unwrap()
        );
        calls.entry(call).or_default().push(document);
    }
    calls
}

#[tokio::test]
async fn the_daemon_gets_a_subsegment_of_each_call() {
    let app = App::start().await;
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let mut command = over(&app);
    command.env("AWS_XRAY_DAEMON_ADDRESS", address);
    let lambda = Lambda::start(command).await.unwrap();
    let put = async || {
        let answer = answer(&lambda, &Form::full().event()).await;
        lambda.idle().await.unwrap();
        answer.status
    };
    let counts = |calls: &BTreeMap<String, Vec<Value>>| -> Vec<(String, usize)> {
        calls
            .iter()
            .map(|(call, documents)| (call.clone(), documents.len()))
            .collect()
    };
    let expected = |calls: &[(&str, usize)]| -> Vec<(String, usize)> {
        calls
            .iter()
            .map(|(call, count)| ((*call).to_owned(), *count))
            .collect()
    };
    let first = [
        ("DynamoDB GetItem", 1),
        ("DynamoDB Query", 1),
        ("DynamoDB UpdateItem", 1),
        ("S3 PutObject", 4),
    ];

    assert_eq!(put().await, 200);
    let calls = receive(&daemon, 7);
    assert_eq!(counts(&calls), expected(&first));
    for document in calls.values().flatten() {
        assert_eq!(document["http"]["response"]["status"], 200);
        assert_eq!(
            (&document["error"], &document["fault"]),
            (&false.into(), &false.into()),
            "{document}"
        );
    }

    assert_eq!(put().await, 200);
    let again = [first.as_slice(), &[("S3 DeleteObject", 4)]].concat();
    let mut again = expected(&again);
    again.sort();
    assert_eq!(counts(&receive(&daemon, 11)), again);

    // One that is refused, and one that gets no answer, after its retries.
    for (operation, end, status, error, fault) in [
        (
            Operation::Query,
            End::Error(400, "AccessDeniedException"),
            json!(400),
            true,
            false,
        ),
        (Operation::Query, End::Cut, Value::Null, false, true),
    ] {
        app.faults.clear();
        app.faults.inject(Fault {
            operation,
            when: When::Always,
            takes_effect: false,
            end,
        });
        assert_eq!(put().await, 500);
        let calls = receive(&daemon, 2);
        let query = &calls["DynamoDB Query"][0];
        assert_eq!(query["http"]["response"]["status"], status);
        assert_eq!(
            (&query["error"], &query["fault"]),
            (&error.into(), &fault.into()),
            "{query}"
        );
    }
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
