//! The binary against a Runtime API that does what the real one may, too.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// Reads a request. Returns its head in lower case, and its body.
async fn read(client: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(client.read_line(&mut head).await.unwrap(), 0, "the function is gone");
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    client.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn it_keeps_to_the_runtime_api() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_put-image"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string().as_str()),
            ("AWS_LAMBDA_LOG_LEVEL", "OFF"),
            // Nothing listens there: no event here gets as far as the storage.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local-secret"),
            ("PROJECTS_TABLE", "p"),
            ("SUBMISSIONS_TABLE", "s"),
            ("IMAGES_BUCKET", "i"),
        ])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut client = BufReader::new(listener.accept().await.unwrap().0);
    let next = "get /2018-06-01/runtime/invocation/next http/1.1\r\n";

    assert!(read(&mut client).await.0.starts_with(next));
    client.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();

    assert!(read(&mut client).await.0.starts_with(next), "nothing to do: it asks again");
    let event = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\nLambda-Runtime-Invocation-Id: first\r\n\
                 Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
    client.write_all(event.as_bytes()).await.unwrap();

    let (head, body) = read(&mut client).await;
    assert!(head.starts_with("post /2018-06-01/runtime/invocation/one/response http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nlambda-runtime-invocation-id: first\r\n"), "{head}");
    assert!(body.starts_with(r#"{"statusCode":400,"#), "{body}");
    client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nlate").await.unwrap();

    assert!(read(&mut client).await.0.starts_with(next), "a response that is not accepted is not the end");
    let event = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: two\r\nLambda-Runtime-Deadline-Ms: 0\r\n\
                 Content-Length: 4\r\n\r\nnull";
    client.write_all(event.as_bytes()).await.unwrap();

    let (head, body) = read(&mut client).await;
    assert!(head.starts_with("post /2018-06-01/runtime/invocation/two/response http/1.1\r\n"), "{head}");
    assert!(!head.contains("lambda-runtime-invocation-id"), "{head}");
    assert!(body.starts_with(r#"{"statusCode":400,"#), "{body}");
    client.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await.unwrap();

    assert!(read(&mut client).await.0.starts_with(next));
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    // An event of no request can't be answered.
    assert!(!process.wait().await.unwrap().success());
}
