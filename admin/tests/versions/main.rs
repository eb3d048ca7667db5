//! Erasure and odd keys in a bucket that keeps versions: with `TEST_S3_ENDPOINT` and `TEST_DYNAMODB_ENDPOINT` set to
//! servers that do (`.ci/with-moto`); else these tests are skipped, since the embedded S3 keeps none.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(
    dead_code,
    reason = "the other test binary uses the rest of the helpers"
)]

#[path = "../admin/helpers.rs"]
mod helpers;

use std::io::stderr;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use local::clients::Endpoints;
use local::event;
use local::function::{context, invoke};
use put_image::deadline::TIMEOUT;
use put_image::domain::ImageField::{IdImage, SelfieImage};
use put_image::handler;
use put_image::records::attribute::PROJECT_ID;
use put_image::storage::Limits;
use put_image::telemetry::Telemetry;
use put_image::telemetry::logging::LevelFilter;
use serde_json::Value;
use tempfile::TempDir;
use testkit::faults::{Faults, Operation};
use uuid::Uuid;

use crate::helpers::{DEMO, DEMO_KEY, TestStack, demo_key, key, text};

/// A stack with versions, if there are servers for one.
async fn start() -> Option<TestStack> {
    let endpoint = |name| std::env::var(name).ok();
    let (Some(dynamodb), Some(s3)) = (
        endpoint("TEST_DYNAMODB_ENDPOINT"),
        endpoint("TEST_S3_ENDPOINT"),
    ) else {
        println!("skipped: no server that keeps versions");
        return None;
    };
    let prefix = format!("v{}-", Uuid::new_v4().simple());
    let app = TestStack::over(Endpoints { dynamodb, s3 }, &prefix, TempDir::new().unwrap()).await;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versioning = app.records.s3.put_bucket_versioning();
    let versioning = versioning.bucket(&app.stack.config.images_bucket);
    let versioning = versioning.versioning_configuration(enabled.build());
    versioning.send().await.unwrap();
    Some(app)
}

/// Returns the keys of all versions and delete markers.
async fn versions(app: &TestStack) -> Vec<String> {
    let list = app.records.s3.list_object_versions();
    let list = list.bucket(&app.stack.config.images_bucket);
    let listed = list.send().await.unwrap();
    let versions = listed.versions().iter().map(|version| version.key());
    let markers = listed.delete_markers().iter().map(|marker| marker.key());
    let keys = versions.chain(markers);
    keys.map(|key| key.unwrap().to_owned()).collect()
}

/// Erases the demo submission as it is now, and returns how much is gone.
async fn erase(app: &TestStack) -> usize {
    let erasure = app.records.erasure(DEMO, &[]).await.unwrap();
    app.records.erase(erasure, Duration::ZERO).await.unwrap()
}

#[tokio::test]
async fn every_version_and_delete_marker_is_erased() {
    let Some(app) = start().await else { return };
    // Replaced once, so that there are four delete markers and eight versions.
    app.put_demo(4, 1).await;
    let images = app.put_demo(4, 10).await;
    assert_eq!(app.put(DEMO_KEY, "second-submission", &images).await, 200);
    assert_eq!(versions(&app).await.len(), 16);

    assert_eq!(erase(&app).await, 12);
    let left = versions(&app).await;
    assert!(
        left.len() == 4 && left.iter().all(|key| key.contains("/second-submission/")),
        "{left:?}"
    );
    assert_eq!(app.record(DEMO).await, Value::Null);
    let again = ["demo-project".to_owned()];
    assert!(app.records.erasure(DEMO, &again).await.unwrap().is_empty());
}

/// The submission was another project's when images were put and replaced.
#[tokio::test]
async fn versions_under_an_earlier_project_are_erased() {
    let Some(app) = start().await else { return };
    app.put_demo(2, 1).await;
    app.put_demo(2, 10).await;
    app.set(DEMO, PROJECT_ID, text("closed-project")).await;
    // An object of an earlier ID, with an old version and a delete marker; and a longer key.
    let named = key("demo-project", "before", SelfieImage, 1);
    let longer = format!("{named}.bak");
    for _ in 0..2 {
        app.put_object(&named).await;
    }
    app.delete_object(&named).await;
    app.put_object(&longer).await;
    app.name(DEMO, SelfieImage, &named).await;
    assert_eq!(erase(&app).await, 9);
    assert_eq!(versions(&app).await, [longer]);
}

/// The record names nothing of the earlier project any more, where one key has nothing but an old version.
#[tokio::test]
async fn replaced_versions_of_an_earlier_project_are_erased() {
    let Some(app) = start().await else { return };
    let (deleted, left_over) = (demo_key(IdImage, 1), demo_key(SelfieImage, 2));
    app.put_object(&deleted).await;
    app.delete_object(&deleted).await;
    app.put_object(&left_over).await;
    app.set(DEMO, PROJECT_ID, text("closed-project")).await;
    assert_eq!(erase(&app).await, 3);
    assert_eq!(versions(&app).await, [""; 0]);
}

/// A request whose upload arrives after the record is gone ends as `invalid_submission`, and deletes its object again. The
/// erasure's last look, which waits for such requests, finds the version and the delete marker.
#[tokio::test]
async fn a_request_that_races_an_erasure_leaves_nothing() {
    let Some(app) = start().await else { return };
    let images = app.put_demo(4, 1).await;
    let (faults, endpoints) = Faults::in_front_of(&app.stack).await.unwrap();
    let storage = endpoints.storage(app.stack.config.clone(), Limits::default());
    let function = handler::App::new(storage, Telemetry::new(LevelFilter::ERROR, stderr()));
    let upload = faults.hold(Operation::PutObject, 1);
    let event = event::put(DEMO, &images[..1]).to_string();
    let put = invoke(&function, event.as_bytes(), context(TIMEOUT));
    let (invoked, ()) = tokio::join!(put, async {
        upload.arrived().await;
        assert_eq!(erase(&app).await, 4);
        upload.open();
    });
    assert_eq!(invoked.unwrap().response["statusCode"], 400);
    let project = ["demo-project".to_owned()];
    let again = app.records.erasure(DEMO, &project).await.unwrap();
    assert_eq!((again.record.is_some(), again.versions), (false, 2));
    app.records.erase(again, Duration::ZERO).await.unwrap();
    assert_eq!(versions(&app).await, [""; 0]);
}

/// More versions than a page of a list holds.
#[tokio::test]
async fn an_erasure_takes_several_pages() {
    let Some(app) = start().await else { return };
    for _ in 0..1100 {
        app.put_object(&demo_key(IdImage, 1)).await;
    }
    assert_eq!(erase(&app).await, 1100);
    assert_eq!(versions(&app).await, [""; 0]);
}

/// Somebody else's key that XML can't hold.
#[tokio::test]
async fn an_odd_key_stops_no_sweep_and_no_erasure() {
    let Some(app) = start().await else { return };
    let left = demo_key(IdImage, 1);
    let odd = "demo-project/demo-submission/idImage/a +%41b&<é.jpg";
    for key in ["odd \u{1}+%41/é", odd, &left] {
        app.put_object(key).await;
    }
    let later = SystemTime::now() + Duration::from_hours(2);
    let found = app.records.find_left_over(later).await.unwrap();
    assert_eq!((found.foreign, found.left_over.len()), (2, 1));
    assert_eq!(found.left_over[0].key, left);
    assert_eq!(erase(&app).await, 2);
    assert_eq!(app.record(DEMO).await, Value::Null);
}
