//! An object that can't be deleted, or whose upload may still arrive, is named by a warning.

use local::faults::End::{self, Cut, Error, Never};
use local::faults::Operation::{DeleteObject, PutObject};
use local::faults::When;
use local::images;
use put_image::domain::ImageField;
use rstest::rstest;

use crate::helpers::*;
use crate::log::LOG;

/// Asserts that one warning names the key.
#[track_caller]
fn assert_warned(key: &str, message: &str) {
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
    let app = App::with_images().await;
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
    let app = App::start_with(SHORT).await;
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
