//! A warning names each object that can't be deleted, or that may still be in use.

use std::time::Duration;

use put_image::domain::ImageField;
use rstest::rstest;
use testkit::faults::End::{self, Cut, Error, Late, Never};
use testkit::faults::Operation::{DeleteObject, PutObject};
use testkit::faults::When;
use testkit::images;

use crate::helpers::*;
use crate::log::LOG;

/// Asserts that one warning names the key.
#[track_caller]
pub fn assert_warned(key: &str, message: &str) {
    let lines = LOG.lines_with(key);
    let [line] = &lines[..] else {
        panic!("one line: {lines:?}");
    };
    assert!(
        line.contains("\"level\":\"WARN\"") && line.contains(message),
        "{line}"
    );
}

#[rstest]
#[case::denied(Error(403, "AccessDenied"))]
#[case::slowed_down(Error(503, "SlowDown"))]
#[case::cut(Cut)]
#[case::no_response(Never)]
#[tokio::test]
async fn a_replaced_object_that_can_not_be_deleted(#[case] end: End) {
    let app = TestApp::with_images().await;
    let replaced = app.objects().await;
    app.faults.fail(DeleteObject, When::Always, end);
    assert_eq!(app.put(&Form::seeded(1)).await.row(), SUCCESS);
    assert_eq!(app.objects().await.len(), 2 * ImageField::ALL.len());
    for key in replaced.keys() {
        assert_warned(key, "an object is left over");
    }
}

#[tokio::test]
async fn an_upload_that_got_no_response() {
    let app = TestApp::start_with(SHORT).await;
    app.faults.fail(PutObject, When::Always, Never);
    let form = Form::selfie(&images::png(300, 1));
    app.assert_refused_because(&form, PROCESSING_ERROR, FAULT)
        .await;
    let hits = app.faults.hits();
    let (_, key) = hits[0].call[1..].split_once('/').unwrap();
    assert_warned(
        key,
        "an upload got no response: its object may be left over",
    );
}

#[tokio::test]
async fn an_upload_that_got_a_response_is_deleted_without_a_warning() {
    let app = TestApp::start_with(SHORT).await;
    let denied = Error(403, "AccessDenied");
    app.faults.fail(PutObject, When::Nth(1), denied);
    let no_delay = Late(Duration::ZERO);
    app.faults.fail(DeleteObject, When::Always, no_delay);
    app.assert_refused_because(&Form::full(), PROCESSING_ERROR, FAULT)
        .await;
    let hits = app.faults.hits().into_iter();
    let deletions = hits.filter(|hit| hit.fault.operation == DeleteObject);
    let keys = deletions.map(|hit| hit.call[1..].split_once('/').unwrap().1.to_owned());
    let keys: Vec<String> = keys.collect();
    assert_eq!(keys.len(), ImageField::ALL.len());
    let warnings = keys.iter().flat_map(|key| LOG.lines_with(key));
    assert_eq!(warnings.collect::<Vec<_>>(), [""; 0]);
}
