//! The commit takes effect once or not at all, and the response says which, whatever the wire and other requests do.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use put_image::domain::ImageField;
use rstest::rstest;
use testkit::faults::End::{self, Cut, Error, Late, Never};
use testkit::faults::Operation::{DeleteObject, GetItem, UpdateItem};
use testkit::faults::When;

use crate::clean_up::assert_warned;
use crate::helpers::*;

const SERVER_FAULT: End = Error(500, "InternalServerError");
const IMAGES: usize = ImageField::ALL.len();

#[rstest]
#[case::cut(Cut)]
#[case::server_fault(SERVER_FAULT)]
#[tokio::test]
async fn a_commit_that_did_not_take_effect_is_retried(#[case] end: End) {
    let app = TestApp::with_images().await;
    app.faults.fail(UpdateItem, When::Nth(1), end);
    let form = Form::seeded(1);
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.images().await, form.images());
    assert_eq!(app.objects().await.len(), IMAGES);
}

/// The SDK's retry meets the condition that the first attempt's success left, or no attempt gets a response at all.
#[rstest]
#[case::first_is_cut(When::Nth(1), Cut)]
#[case::first_gets_none(When::Nth(1), Never)]
#[case::first_is_a_server_fault(When::Nth(1), SERVER_FAULT)]
#[case::all_are_cut(When::Always, Cut)]
#[case::all_are_server_faults(When::Always, SERVER_FAULT)]
#[tokio::test]
async fn a_commit_whose_response_is_lost_succeeds(#[case] when: When, #[case] end: End) {
    let app = TestApp::with_images().await;
    app.faults.fail_after_effect(UpdateItem, when, end);
    let form = Form::seeded(1);
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.images().await, form.images());
    // What it replaced is known all the same, and deleted.
    assert_eq!(app.objects().await.len(), IMAGES);
}

#[rstest]
#[case::cut_and_not_there_when_read_back(false, Cut, false)]
#[case::server_fault_and_not_there_when_read_back(false, SERVER_FAULT, false)]
#[case::not_there_and_unreadable(false, Cut, true)]
#[case::there_and_unreadable(true, Cut, true)]
#[tokio::test]
async fn a_commit_in_doubt_deletes_nothing(
    #[case] takes_effect: bool,
    #[case] end: End,
    #[case] is_unreadable: bool,
) {
    let app = TestApp::with_images().await;
    let before = app.stored().await;
    if takes_effect {
        app.faults.fail_after_effect(UpdateItem, When::Always, end);
    } else {
        app.faults.fail(UpdateItem, When::Always, end);
    }
    if is_unreadable {
        // The first read is the check's.
        let denied = Error(400, "AccessDeniedException");
        app.faults.fail(GetItem, When::Nth(2), denied);
    }
    assert_eq!(app.put(&Form::seeded(1)).await.row(), PROCESSING_ERROR);
    let after = app.stored().await;
    assert_eq!(after.records != before.records, takes_effect);
    assert_eq!(after.objects.len(), 2 * IMAGES);
    assert!(!app.faults.calls().contains(&DeleteObject));
    // Either the new objects or those that they replace are left over.
    for key in after.objects.keys() {
        let warning = "a commit's outcome is unknown: this object may be left over";
        assert_warned(key, warning);
    }
}

#[rstest]
#[case::deleted(None)]
#[case::given_to_another_project(Some("closed-project"))]
#[tokio::test]
async fn a_submission_that_goes_between_check_and_commit_is_invalid(#[case] owner: Option<&str>) {
    let app = TestApp::start().await;
    let (dynamodb, table) = (
        app.stack.endpoints.dynamodb(),
        &app.stack.config.submissions_table,
    );
    let id = || AttributeValue::S(SUBMISSION.to_owned());
    let go = async || {
        if let Some(owner) = owner {
            let put = dynamodb
                .put_item()
                .table_name(table)
                .item("submissionId", id());
            let owner = AttributeValue::S(owner.to_owned());
            put.item("projectId", owner).send().await.unwrap();
        } else {
            let delete = dynamodb.delete_item().table_name(table);
            delete.key("submissionId", id()).send().await.unwrap();
        }
    };
    let form = Form::full();
    let answer = app.put_meanwhile(&form, (UpdateItem, 1), go).await;
    assert_eq!(answer.row(), INVALID_SUBMISSION);
    assert!(app.objects().await.is_empty());
    let record = app.record(SUBMISSION).await;
    assert!(record.get("idImage").is_none());
    assert_eq!(record["projectId"].as_str(), owner);
}

#[tokio::test]
async fn a_commit_that_another_one_precedes_replaces_it() {
    let app = TestApp::with_images().await;
    let other = app.undisturbed();
    let form = Form::seeded(1);
    let commit_other = async || {
        assert_eq!(put(&other, &Form::seeded(2)).await.row(), SUCCESS);
    };
    let answer = app
        .put_meanwhile(&form, (UpdateItem, 1), commit_other)
        .await;
    assert_eq!(answer.row(), SUCCESS);
    assert_eq!(app.images().await, form.images());
    assert_eq!(app.objects().await.len(), IMAGES);
}

/// A commit took effect and its response was lost. Before the SDK's retry arrives, another request has replaced the
/// images and deleted them: taking effect again, the retry would name deleted images.
#[tokio::test]
async fn a_retried_commit_does_not_bring_back_what_another_one_replaced() {
    let app = TestApp::with_images().await;
    app.faults.fail_after_effect(UpdateItem, When::Nth(1), Cut);
    let other = app.undisturbed();
    let second = Form::seeded(2);
    let commit_other = async || {
        assert_eq!(put(&other, &second).await.row(), SUCCESS);
    };
    let form = Form::seeded(1);
    let answer = app
        .put_meanwhile(&form, (UpdateItem, 2), commit_other)
        .await;
    // Whether it ever took effect can't be known anymore.
    assert_eq!(answer.row(), PROCESSING_ERROR);
    assert_eq!(app.images().await, second.images());
    // What the lost commit had replaced is left for the sweep.
    assert_eq!(app.objects().await.len(), 2 * IMAGES);
}

/// It either names images that are still there or, after another commit, has no effect.
#[rstest]
#[tokio::test]
async fn a_commit_that_arrives_late_names_no_deleted_image(
    #[values(false, true)] another_precedes: bool,
) {
    let app = TestApp::with_images().await;
    // Held until the SDK has given up on each attempt.
    let late = app.faults.hold(UpdateItem, 1);
    for nth in 2..=SHORT.max_attempts {
        let _ = app.faults.hold(UpdateItem, nth as usize);
    }
    let mut last = Form::seeded(1);
    assert_eq!(app.put(&last).await.row(), PROCESSING_ERROR);
    if another_precedes {
        last = Form::seeded(2);
        assert_eq!(put(&app.undisturbed(), &last).await.row(), SUCCESS);
    }
    late.open();
    late.passed().await;
    assert_eq!(app.images().await, last.images());
}

/// Both for the check and to read back a commit.
#[tokio::test]
async fn submissions_are_read_consistently() {
    let app = TestApp::with_images().await;
    app.faults.fail(GetItem, When::Always, Late(Duration::ZERO));
    app.faults.fail_after_effect(UpdateItem, When::Always, Cut);
    assert_eq!(app.put(&Form::seeded(1)).await.row(), SUCCESS);
    let hits = app.faults.hits().into_iter();
    let reads = hits.filter(|hit| hit.fault.operation == GetItem);
    let consistent = reads.map(|read| read.call.contains("\"ConsistentRead\":true"));
    assert_eq!(consistent.collect::<Vec<_>>(), [true, true]);
}
