//! The storage accepts any credentials, wherever a request has its signature, and still verifies checksums.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioExecutor;
use local::server;
use rstest::rstest;
use tempfile::TempDir;

const CONTENT: &[u8] = b"content";

/// A client with the credentials of a caller, and a bucket.
async fn bucket(token: Option<&str>) -> (Client, TempDir) {
    let folder = TempDir::new().unwrap();
    let endpoints = server::embedded(folder.path()).await.unwrap();
    let credentials = Credentials::new(
        "AKIAOFTHECALLER",
        "secret",
        token.map(str::to_owned),
        None,
        "",
    );
    let config = endpoints.s3().config().to_builder();
    let client = Client::from_conf(config.credentials_provider(credentials).build());
    client
        .create_bucket()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    (client, folder)
}

async fn stored(client: &Client) -> Vec<u8> {
    let object = client.get_object().bucket("bucket").key("key").send();
    object.await.unwrap().body.collect().await.unwrap().to_vec()
}

#[rstest]
#[case::keys(None)]
#[case::a_session(Some("to+ken=="))]
#[tokio::test]
async fn a_callers_own_credentials_are_accepted(#[case] token: Option<&str>) {
    let (client, _folder) = bucket(token).await;
    let put = client.put_object().bucket("bucket").key("key");
    put.body(ByteStream::from_static(CONTENT))
        .send()
        .await
        .unwrap();
    assert_eq!(stored(&client).await, CONTENT);
}

/// The SDK sends it in chunks, and its checksum at the end.
#[tokio::test]
async fn a_file_in_chunks_is_stored_as_it_is() {
    let (client, folder) = bucket(None).await;
    let file = folder.path().join("file");
    std::fs::write(&file, CONTENT).unwrap();
    let put = client.put_object().bucket("bucket").key("key");
    let file = ByteStream::from_path(file).await.unwrap();
    put.body(file).send().await.unwrap();
    assert_eq!(stored(&client).await, CONTENT);
}

#[tokio::test]
async fn a_presigned_url_is_accepted() {
    let (client, _folder) = bucket(None).await;
    let put = client.put_object().bucket("bucket").key("key");
    put.body(ByteStream::from_static(CONTENT))
        .send()
        .await
        .unwrap();
    let hour = PresigningConfig::expires_in(Duration::from_hours(1)).unwrap();
    let get = client.get_object().bucket("bucket").key("key");
    let url = get.presigned(hour).await.unwrap().uri().parse().unwrap();
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    let response = http.build_http::<Empty<Bytes>>().get(url).await.unwrap();
    let object = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(object, CONTENT);
}

#[tokio::test]
async fn a_wrong_checksum_is_refused() {
    let (client, _folder) = bucket(None).await;
    let put = client.put_object().bucket("bucket").key("key");
    // Of nothing.
    let put = put.checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let refused = put.body(ByteStream::from_static(CONTENT)).send().await;
    assert_eq!(refused.unwrap_err().code(), Some("BadDigest"));
}
