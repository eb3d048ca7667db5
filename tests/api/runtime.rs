//! The binary against a Runtime API that does what the real one may, too.

use local::server;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::helpers::*;

/// Reads a request, from the function. Returns its head in lower case, and its body.
pub async fn read(client: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(
            client.read_line(&mut head).await.unwrap(),
            0,
            "the function is gone"
        );
    }
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    client.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn it_keeps_to_the_runtime_api() {
    let listener = server::bind(0, "the Runtime API", "").await.unwrap();
    let mut function = binary(&server::url(&listener).unwrap(), &nowhere().await);
    let mut process = function.env("AWS_LAMBDA_LOG_LEVEL", "OFF").spawn().unwrap();
    let mut client = BufReader::new(listener.accept().await.unwrap().0);
    let next = "get /2018-06-01/runtime/invocation/next http/1.1\r\n";

    assert!(read(&mut client).await.0.starts_with(next));
    client
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();

    assert!(
        read(&mut client).await.0.starts_with(next),
        "nothing to do: it asks again"
    );
    let event = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\nLambda-Runtime-Invocation-Id: first\r\n\
                 Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
    client.write_all(event.as_bytes()).await.unwrap();

    let (head, body) = read(&mut client).await;
    assert!(
        head.starts_with("post /2018-06-01/runtime/invocation/one/response http/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\nlambda-runtime-invocation-id: first\r\n"),
        "{head}"
    );
    assert!(body.starts_with(r#"{"statusCode":400,"#), "{body}");
    client
        .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nlate")
        .await
        .unwrap();

    assert!(
        read(&mut client).await.0.starts_with(next),
        "a response that is not accepted is not the end"
    );
    let event = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: two\r\nLambda-Runtime-Deadline-Ms: 0\r\n\
                 Content-Length: 4\r\n\r\nnull";
    client.write_all(event.as_bytes()).await.unwrap();

    let (head, body) = read(&mut client).await;
    assert!(
        head.starts_with("post /2018-06-01/runtime/invocation/two/response http/1.1\r\n"),
        "{head}"
    );
    assert!(!head.contains("lambda-runtime-invocation-id"), "{head}");
    assert!(body.starts_with(r#"{"statusCode":400,"#), "{body}");
    client
        .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();

    assert!(read(&mut client).await.0.starts_with(next));
    client
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        .await
        .unwrap();
    // An event of no request can't be answered.
    assert!(!process.wait().await.unwrap().success());
}
