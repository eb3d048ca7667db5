//! Erasure and odd keys, in a bucket that keeps versions: with `TEST_S3_ENDPOINT` and `TEST_DYNAMODB_ENDPOINT` set to
//! servers that do (`.ci/with-moto`); else these tests are skipped, since the embedded S3 keeps none.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use local::clients::Endpoints;
use local::event;
use local::faults::{Faults, Operation};
use local::function::invoke_and_clean_up;
use local::images::jpeg;
use local::records::Records;
use local::schema;
use local::stack::Stack;
use put_image::deadline::TIMEOUT;
use put_image::handler::App;
use put_image::storage::Limits;
use uuid::Uuid;

/// A stack with versions, if there are servers for one.
async fn start() -> Option<Stack> {
    let endpoint = |name| std::env::var(name).ok();
    let (Some(dynamodb), Some(s3)) = (
        endpoint("TEST_DYNAMODB_ENDPOINT"),
        endpoint("TEST_S3_ENDPOINT"),
    ) else {
        println!("skipped: no server that keeps versions");
        return None;
    };
    let config = schema::config(&format!("v{}-", Uuid::new_v4().simple()));
    let stack = Stack::over(
        Endpoints { dynamodb, s3 },
        config,
        Records::sample().unwrap(),
    )
    .await
    .unwrap();
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let bucket = &stack.config.images_bucket;
    let versioning = stack.endpoints.s3().put_bucket_versioning().bucket(bucket);
    versioning
        .versioning_configuration(enabled.build())
        .send()
        .await
        .unwrap();
    Some(stack)
}

/// Puts four images to a submission. Returns the status.
async fn put(function: &App, submission_id: &str, seed: u64) -> u64 {
    let images: Vec<_> = (0..4).map(|n| jpeg(500, seed + n)).collect();
    let event = event::put(submission_id, &images).to_string();
    let response = invoke_and_clean_up(function, event.as_bytes(), TIMEOUT)
        .await
        .unwrap();
    response["statusCode"].as_u64().unwrap()
}

async fn put_object(stack: &Stack, key: &str) {
    let put = stack.endpoints.s3().put_object().key(key);
    let put = put.bucket(&stack.config.images_bucket);
    put.body(b"x".to_vec().into()).send().await.unwrap();
}

/// Keys of all versions and delete markers.
async fn versions(stack: &Stack) -> Vec<String> {
    let listed = stack
        .endpoints
        .s3()
        .list_object_versions()
        .bucket(&stack.config.images_bucket)
        .send()
        .await
        .unwrap();
    let versions = listed
        .versions()
        .iter()
        .map(|version| version.key().unwrap().to_owned());
    versions
        .chain(
            listed
                .delete_markers()
                .iter()
                .map(|marker| marker.key().unwrap().to_owned()),
        )
        .collect()
}

#[tokio::test]
async fn every_version_and_delete_marker_is_erased() {
    let Some(stack) = start().await else { return };
    let function = stack.function();
    // Replaced once, so that there are four delete markers and eight versions.
    for seed in [1, 10] {
        assert_eq!(put(&function, "demo-submission", seed).await, 200);
    }
    assert_eq!(put(&function, "second-submission", 20).await, 200);
    assert_eq!(versions(&stack).await.len(), 16);

    let records = stack.endpoints.records(stack.config.clone());
    let erasure = records.erasure("demo-submission", None).await.unwrap();
    assert_eq!((erasure.has_record, erasure.versions), (true, 12));
    assert_eq!(records.erase(&erasure, Duration::ZERO).await.unwrap(), 12);
    let left = versions(&stack).await;
    assert!(
        left.len() == 4 && left.iter().all(|key| key.contains("/second-submission/")),
        "{left:?}"
    );
    // Again, without a record: there is nothing to do.
    let again = records
        .erasure("demo-submission", Some("demo-project"))
        .await
        .unwrap();
    assert_eq!((again.has_record, again.versions), (false, 0));
    assert_eq!(records.erase(&again, Duration::ZERO).await.unwrap(), 0);
}

/// A put whose commit comes after the record is gone ends as `invalid_submission`, and what it has uploaded and deleted
/// again is erased.
#[tokio::test]
async fn a_put_that_races_an_erasure_leaves_nothing() {
    let Some(stack) = start().await else { return };
    assert_eq!(put(&stack.function(), "demo-submission", 1).await, 200);
    let (faults, endpoints) = Faults::in_front_of(&stack).await.unwrap();
    let function = App::new(endpoints.storage(stack.config.clone(), Limits::default()));
    let gate = faults.hold(Operation::UpdateItem, 1);
    let records = stack.endpoints.records(stack.config.clone());
    let (status, erased) = tokio::join!(put(&function, "demo-submission", 10), async {
        gate.arrived().await;
        let erasure = records.erasure("demo-submission", None).await.unwrap();
        let erased = records.erase(&erasure, Duration::ZERO).await.unwrap();
        gate.open();
        erased
    });
    assert_eq!((status, erased), (400, 8));
    // What the put deleted after that is in the last look, which waits for it.
    let again = records
        .erasure("demo-submission", Some("demo-project"))
        .await
        .unwrap();
    records.erase(&again, Duration::ZERO).await.unwrap();
    assert_eq!(versions(&stack).await, [""; 0]);
}

/// More versions than a page of a list holds.
#[tokio::test]
async fn an_erasure_takes_several_pages() {
    let Some(stack) = start().await else { return };
    let key = "demo-project/demo-submission/idImage/00000000-0000-4000-8000-000000000001.jpg";
    for _ in 0..1100 {
        put_object(&stack, key).await;
    }
    let records = stack.endpoints.records(stack.config.clone());
    let erasure = records.erasure("demo-submission", None).await.unwrap();
    assert_eq!(erasure.versions, 1100);
    assert_eq!(records.erase(&erasure, Duration::ZERO).await.unwrap(), 1100);
    assert_eq!(versions(&stack).await, [""; 0]);
}

/// A key that XML can't hold, of somebody else's, stops no sweep and no erasure.
#[tokio::test]
async fn an_odd_key_stops_nothing() {
    let Some(stack) = start().await else { return };
    let left = "demo-project/demo-submission/idImage/00000000-0000-4000-8000-000000000001.jpg";
    for key in [
        "odd \u{1}+%41/é",
        "demo-project/demo-submission/idImage/a +%41b&<é.jpg",
        left,
    ] {
        put_object(&stack, key).await;
    }
    let records = stack.endpoints.records(stack.config.clone());
    let later = SystemTime::now() + Duration::from_hours(2);
    let (progress, found) = records.find_left_over(later, |_| {}).await.unwrap();
    assert_eq!(
        (progress.foreign, found.len(), found[0].key.as_str()),
        (2, 1, left)
    );
    let erasure = records.erasure("demo-submission", None).await.unwrap();
    assert_eq!(records.erase(&erasure, Duration::ZERO).await.unwrap(), 2);
    let item = stack
        .endpoints
        .dynamodb()
        .get_item()
        .table_name(&stack.config.submissions_table);
    let item = item
        .key(
            "submissionId",
            AttributeValue::S("demo-submission".to_owned()),
        )
        .send()
        .await
        .unwrap();
    assert!(item.item.is_none());
}
