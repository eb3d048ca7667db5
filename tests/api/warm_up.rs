//! Everything that the first request needs is set up before the first event arrives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local::clients::Endpoints;
use local::server;
use put_image::config::Config;
use put_image::storage::Limits;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::helpers::*;
use crate::log::LOG;

/// Listens on a port of its own in front of a server, and counts the connections.
async fn counted(url: &str, connections: &Arc<AtomicUsize>) -> String {
    let server: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    let listener = server::bind(0, "a counter", "").await.unwrap();
    let front = server::url(&listener).unwrap();
    let connections = Arc::clone(connections);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    front
}

#[tokio::test]
async fn the_first_request_needs_no_new_connection() {
    let app = TestApp::start().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let endpoints = Endpoints {
        dynamodb: counted(&app.stack.endpoints.dynamodb, &connections).await,
        s3: counted(&app.stack.endpoints.s3, &connections).await,
    };
    let before = app.stored().await;
    let storage = endpoints.storage(app.stack.config.clone(), Limits::default());
    storage.warm_up().await;
    let warm = connections.load(Ordering::SeqCst);
    assert!(warm > 0);
    assert_eq!(app.stored().await, before, "warming up changes nothing");
    let function = function_over(storage);
    assert_eq!(put(&function, &Form::full()).await.row(), SUCCESS);
    assert_eq!(connections.load(Ordering::SeqCst), warm);
}

#[tokio::test]
async fn a_failed_warm_up_is_logged_and_the_next_request_is_served() {
    let app = TestApp::start().await;
    let config = Config {
        images_bucket: "no-such-bucket".to_owned(),
        ..app.stack.config.clone()
    };
    let storage = app.stack.endpoints.storage(config, Limits::default());
    storage.warm_up().await;
    assert!(!LOG.lines_with("GetBucketLocation: 404").is_empty());
    // Both records are read.
    let form = Form::full().with("submissionId", "x");
    let answer = put(&function_over(storage), &form).await;
    assert_eq!(answer.row(), INVALID_SUBMISSION);
}
