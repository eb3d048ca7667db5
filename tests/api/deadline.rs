//! No request outlives its deadline, whatever storage does: the caller gets a response, and no upload is left over that
//! could have been deleted.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use put_image::deadline::{RESERVE, TIMEOUT};
use put_image::domain::ImageField;
use put_image::storage::{Limits, Storage};
use rstest::rstest;
use testkit::faults::End::Never;
use testkit::faults::Operation::{self, DeleteObject, GetItem, PutObject, Query, UpdateItem};
use testkit::faults::When::{self, Always, Nth};

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
    let app = TestApp::start_with(ENDLESS).await;
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

/// Finds DynamoDB, until it is stuck: then a call is never sent.
#[derive(Debug)]
struct Resolver {
    url: String,
    is_stuck: Arc<AtomicBool>,
}

impl ResolveEndpoint for Resolver {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        let endpoint = Endpoint::builder().url(self.url.clone()).build();
        if self.is_stuck.load(Ordering::SeqCst) {
            EndpointFuture::new(pending())
        } else {
            EndpointFuture::ready(Ok(endpoint))
        }
    }
}

#[tokio::test]
async fn uploads_whose_commit_was_never_sent_are_deleted() {
    let app = TestApp::start().await;
    let is_stuck = Arc::new(AtomicBool::new(false));
    let resolver = Resolver {
        url: app.behind_faults.dynamodb.clone(),
        is_stuck: Arc::clone(&is_stuck),
    };
    let dynamodb = app.behind_faults.dynamodb().config().to_builder();
    let dynamodb = dynamodb.endpoint_resolver(resolver);
    let s3 = app.behind_faults.s3().config().to_builder();
    let storage = Storage::new(app.stack.config.clone(), ENDLESS, dynamodb, s3);
    let (function, event) = (function_over(storage), Form::full().event());
    let upload = app.faults.hold(PutObject, 1);
    let response = invoke(&function, &event, Duration::from_secs(2));
    let (response, ()) = tokio::join!(soon("a response", response), async {
        upload.arrived().await;
        is_stuck.store(true, Ordering::SeqCst);
        upload.open();
    });
    assert_eq!(response.row(), PROCESSING_ERROR);
    assert!(!app.faults.calls().contains(&UpdateItem));
    assert!(app.objects().await.is_empty());
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
