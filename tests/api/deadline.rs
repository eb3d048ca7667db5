//! No request outlives its deadline, whatever storage does: the caller gets a response, and no upload is left over that
//! could have been deleted.

use std::time::Duration;

use local::faults::End::Never;
use local::faults::Operation::{self, DeleteObject, GetItem, PutObject, Query, UpdateItem};
use local::faults::When::{self, Always, Nth};
use put_image::deadline::{RESERVE, TIMEOUT};
use put_image::domain::ImageField;
use put_image::storage::Limits;
use rstest::rstest;

use crate::helpers::*;

/// Only the deadline ends a call.
const ENDLESS: Limits = Limits {
    dynamodb_attempt: Duration::from_hours(1),
    dynamodb: Duration::from_hours(1),
    s3_attempt: Duration::from_hours(1),
    s3: Duration::from_hours(1),
    ..SHORT
};
const IMAGES: usize = ImageField::ALL.len();

#[rstest]
#[case::query(&[(Query, Always)], PROCESSING_ERROR, IMAGES)]
#[case::read(&[(GetItem, Always)], PROCESSING_ERROR, IMAGES)]
#[case::upload(&[(PutObject, Always)], PROCESSING_ERROR, IMAGES)]
#[case::commit(&[(UpdateItem, Always)], PROCESSING_ERROR, 2 * IMAGES)]
#[case::commit_and_reading_it_back(&[(UpdateItem, Always), (GetItem, Nth(2))], PROCESSING_ERROR, 2 * IMAGES)]
#[case::deletion(&[(DeleteObject, Always)], SUCCESS, 2 * IMAGES)]
#[tokio::test]
async fn a_call_without_a_response_ends_at_the_deadline(
    #[case] calls: &[(Operation, When)],
    #[case] row: Row,
    #[case] objects: usize,
) {
    let app = App::start_with(ENDLESS).await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let record = app.record(SUBMISSION).await;
    for &(operation, when) in calls {
        app.faults.fail(operation, when, Never);
    }
    let event = Form::seeded(1).event();
    let response = invoke(&app.function, &event, Duration::from_secs(2));
    assert_eq!(soon("a response", response).await.row(), row);
    let is_unchanged = app.record(SUBMISSION).await == record;
    assert_eq!(is_unchanged, row == PROCESSING_ERROR);
    assert_eq!(app.objects().await.len(), objects);
}

#[test]
fn the_limits_fit_into_the_functions_timeout_and_that_into_the_gateways() {
    let limits = Limits::default();
    assert!(limits.connect < limits.dynamodb_attempt && limits.connect < limits.s3_attempt);
    assert!(limits.dynamodb_attempt < limits.dynamodb && limits.s3_attempt < limits.s3);
    // Reads, uploads, commit, one after the other.
    let work = limits.dynamodb + limits.s3 + limits.dynamodb;
    assert!(work + RESERVE <= TIMEOUT);
    assert!(TIMEOUT < Duration::from_secs(29));
}
