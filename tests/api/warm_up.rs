//! What is done before the first event, so that its request waits for nothing of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local::clients::Endpoints;
use local::server;
use put_image::storage::Limits;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use crate::helpers::*;
use crate::log::LOG;

/// A port of its own in front of a server, that counts the connections through it.
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
    let app = App::start().await;
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
    let answer = invoke(
        &function_over(storage),
        &Form::full().event(),
        Duration::from_secs(20),
    )
    .await;
    assert_eq!(answer.row(), SUCCESS);
    assert_eq!(connections.load(Ordering::SeqCst), warm);
}

#[tokio::test]
async fn a_failed_warm_up_leaves_the_storage_usable() {
    let app = App::start().await;
    let missing = put_image::config::Config {
        images_bucket: "no-such-bucket".to_owned(),
        ..app.stack.config.clone()
    };
    let storage = app.stack.endpoints.storage(missing, Limits::default());
    storage.warm_up().await;
    // The submission is none, which was found by reading.
    let event = Form::full().with("submissionId", "x").event();
    let answer = invoke(&function_over(storage), &event, Duration::from_secs(20)).await;
    assert_eq!(answer.row(), INVALID_SUBMISSION);
}

#[tokio::test]
async fn a_failed_warm_up_is_logged() {
    let app = App::start().await;
    let missing = put_image::config::Config {
        images_bucket: "no-such-bucket-of-a-warm-up".to_owned(),
        ..app.stack.config.clone()
    };
    let storage = app.stack.endpoints.storage(missing, Limits::default());
    storage.warm_up().await;
    assert!(!LOG.lines_with("GetBucketLocation: 404").is_empty());

    let mut command = binary(&nowhere().await, &nowhere().await);
    let output = command.output().await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    // It went on to ask for an event, which can't be had here either.
    assert!(
        log.contains("not warmed up") && log.lines().last().unwrap().starts_with("Error"),
        "{log}"
    );
    assert!(!output.status.success());
}
