//! What is left over is found, and nothing else is deleted.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use admin::bucket::ListedObject;
use admin::sweep::Found;
use aws_sdk_dynamodb::types::AttributeValue;
use put_image::domain::ImageField::{IdImage, SelfieImage};
use put_image::image::Format;
use put_image::records::attribute::SUBMISSION_ID;
use rstest::rstest;
use testkit::faults::{End, Fault, Faults, Operation, When};

use crate::helpers::{DEMO, Ran, TestStack, demo_key, text};

const HOUR: Duration = Duration::from_hours(1);

/// Returns what is left over, as it would be some time from now.
async fn find(app: &TestStack, later: Duration) -> Found {
    let now = SystemTime::now() + later;
    app.records.find_left_over(now).await.unwrap()
}

fn keys(left_over: &[ListedObject]) -> Vec<&str> {
    left_over.iter().map(|object| object.key.as_str()).collect()
}

/// Deletes what is left over. Returns the keys that were deleted.
async fn delete(app: &TestStack, found: &Found) -> Vec<String> {
    let mut deleted = Vec::new();
    for ListedObject { key, .. } in &found.left_over {
        if app.records.delete_left_over(key).await.unwrap() {
            deleted.push(key.clone());
        }
    }
    deleted
}

fn submissions() -> usize {
    let sample = local::records::Records::sample().unwrap();
    sample.submissions.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_what_no_record_names_and_touches_nothing_else() {
    let app = TestStack::start().await;
    app.put_demo(4, 1).await;
    let mut rest = app.objects().await;
    let left =
        [(IdImage, 1), (SelfieImage, 2), (SelfieImage, 3)].map(|(field, n)| demo_key(field, n));
    for key in &left {
        app.put_object(key).await;
    }
    for key in [
        "backup.tar",
        "demo-project/demo-submission/idImage/mine.jpg",
    ] {
        app.put_object(key).await;
        rest.push(key.to_owned());
    }
    let all = app.objects().await;

    // They are younger than an hour.
    let expected = Found {
        records: submissions(),
        named: 4,
        young: 3,
        foreign: 2,
        left_over: Vec::new(),
    };
    assert_eq!(find(&app, Duration::ZERO).await, expected);

    let found = find(&app, 2 * HOUR).await;
    assert_eq!((found.named, found.young, found.foreign), (4, 0, 2));
    assert_eq!(keys(&found.left_over), left);
    assert_eq!(app.objects().await, all, "nothing is deleted yet");

    assert_eq!(delete(&app, &found).await, left);
    rest.sort();
    assert_eq!(app.objects().await, rest);
    assert!(find(&app, 2 * HOUR).await.left_over.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_swept() {
    let app = TestStack::start().await;
    for format in Format::ALL {
        let key = demo_key(IdImage, 1).replace("jpg", format.extension());
        app.put_object(&key).await;
    }
    assert_eq!(
        find(&app, 2 * HOUR).await.left_over.len(),
        Format::ALL.len()
    );
}

#[rstest]
#[case::unknown_format(
    "demo-project/demo-submission/idImage/00000000-0000-4000-8000-000000000001.webp"
)]
#[case::unknown_field(
    "demo-project/demo-submission/portrait/00000000-0000-4000-8000-000000000001.jpg"
)]
#[case::hash_for_uuid("a/b/selfieImage/d41d8cd9-8f00-b204-e980-0998ecf8427e.png")]
#[case::upper_case_uuid("a/b/idImage/5F0C6B0A-7C1E-4D3F-9A52-0C8D4F6B7E21.jpg")]
#[case::slash_in_an_id("a/b/c/idImage/00000000-0000-4000-8000-000000000001.jpg")]
#[case::no_submission("a/idImage/00000000-0000-4000-8000-000000000001.jpg")]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_understood_is_spared(#[case] key: &str) {
    let app = TestStack::start().await;
    app.put_object(key).await;
    let found = find(&app, 2 * HOUR).await;
    assert_eq!((found.foreign, found.left_over), (1, vec![]));
    assert!(!app.records.delete_left_over(key).await.unwrap());
    assert_eq!(app.objects().await, [key]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_committed_during_a_sweep_is_spared() {
    let app = TestStack::start().await;
    let (late, left) = (demo_key(IdImage, 1), demo_key(IdImage, 2));
    app.put_object(&late).await;
    app.put_object(&left).await;
    let found = find(&app, 2 * HOUR).await;
    assert_eq!(keys(&found.left_over), [&late, &left]);
    app.name(DEMO, IdImage, &late).await;
    assert_eq!(delete(&app, &found).await, [left]);
    assert_eq!(app.objects().await, [late]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_takes_several_pages() {
    let app = TestStack::start().await;
    app.put_demo(1, 1).await;
    // A page of a scan is at most 1 MB of records, whatever is read of them.
    let padding = text(&"a".repeat(350 << 10));
    for n in 0..4 {
        let id = format!("padded-{n}");
        app.set(&id, "padding", padding.clone()).await;
    }
    // The embedded S3 keeps an object as a file.
    let bucket = app
        .folder
        .path()
        .join("s3")
        .join(&app.stack.config.images_bucket);
    for n in 0..1000 {
        fs::write(bucket.join(format!("foreign-{n}")), "").unwrap();
    }
    let found = find(&app, Duration::ZERO).await;
    assert_eq!(found.records, submissions() + 4);
    assert_eq!((found.foreign, found.named), (1000, 1));
}

/// It doesn't matter which record names an object.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_another_submission_names_is_not_left_over() {
    let app = TestStack::start().await;
    app.put_object(&demo_key(IdImage, 1)).await;
    app.name("second-submission", IdImage, &demo_key(IdImage, 1))
        .await;
    let found = find(&app, 2 * HOUR).await;
    assert_eq!((found.named, found.left_over), (1, vec![]));
}

/// Images whose record goes away between listing and deleting were not listed, and so are not deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_deletes_nothing_that_it_has_not_listed() {
    let app = TestStack::start().await;
    app.put_demo(2, 1).await;
    let named = app.objects().await;
    app.put_object(&demo_key(IdImage, 1)).await;
    let found = find(&app, 2 * HOUR).await;
    let forget = app.records.dynamodb.delete_item();
    let forget = forget.table_name(&app.stack.config.submissions_table);
    forget.key(SUBMISSION_ID, text(DEMO)).send().await.unwrap();
    assert_eq!(delete(&app, &found).await.len(), 1);
    assert_eq!(app.objects().await, named);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_fails_has_reported_what_it_deleted() {
    let app = TestStack::start().await;
    app.put_demo(1, 1).await;
    for n in 0..4 {
        app.put_object(&demo_key(IdImage, n)).await;
    }
    age(app.folder.path());
    let (faults, endpoints) = Faults::in_front_of(&app.stack).await.unwrap();
    faults.inject(Fault {
        operation: Operation::DeleteObject,
        when: When::Nth(2),
        takes_effect: false,
        end: End::Error(403, "AccessDenied"),
    });
    let mut sweep = app.command(&["sweep", "--delete", "4"]);
    let ran = Ran::new(sweep.env("AWS_ENDPOINT_URL_S3", endpoints.s3));
    assert_eq!(ran.code, Some(1));
    ran.said("can't delete");
    ran.said("AccessDenied");
    let deleted = format!("  {}\n", demo_key(IdImage, 0));
    assert!(ran.stdout.ends_with(&deleted), "{ran:?}");
    assert_eq!(app.objects().await.len(), 4);
}

/// Makes objects two hours old.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_deletes_what_is_expected_and_no_more() {
    let app = TestStack::start().await;
    let left = [demo_key(IdImage, 1), demo_key(IdImage, 2)];
    for key in &left {
        app.put_object(key).await;
    }
    app.run("sweep --delete 9")
        .said("2 objects: 0 named by 4 records, 2 younger than an hour, 0 not ours, 0 left over");
    age(app.folder.path());
    app.run("sweep --delete 9").said("is that the right table?");
    assert_eq!(app.objects().await.len(), 2);

    app.put_demo(1, 1).await;
    app.run("sweep")
        .said("Nothing was deleted: that takes --delete 2.");
    app.run("sweep --delete 1")
        .said("more than --delete 1 allows: nothing was deleted");
    assert_eq!(app.objects().await.len(), 3);

    let swept = app.run("sweep --delete 2");
    swept.said("2 deleted.");
    let printed = swept.printed();
    let deleted: Vec<_> = printed
        .lines()
        .filter(|line| line.starts_with("deleted"))
        .collect();
    assert!(
        deleted[0].ends_with(&left[0]) && deleted[1].ends_with(&left[1]),
        "{printed}"
    );
    assert_eq!(app.objects().await.len(), 1);
}

/// The record that could name an object has something else in the image's place.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_record_stops_no_sweep() {
    let app = TestStack::start().await;
    app.set(DEMO, IdImage.name(), AttributeValue::Null(true))
        .await;
    app.put_object(&demo_key(IdImage, 1)).await;
    assert_eq!(find(&app, 2 * HOUR).await.left_over.len(), 1);
}
