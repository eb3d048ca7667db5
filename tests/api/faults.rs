//! A call to storage fails: the SDK retries it, or the request is a `processing_error` that changes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use local::clients::Endpoints;
use put_image::domain::ImageField;
use put_image::storage::Storage;
use rstest::rstest;
use testkit::faults::End::{self, Cut, Error, Never};
use testkit::faults::Operation::{self, GetItem, PutObject, Query, UpdateItem};
use testkit::faults::When;
use testkit::images;

use crate::helpers::*;
use crate::log::LOG;

/// A commit that gets no response, or a 5xx, may have taken effect: that is in `commit.rs`.
#[rstest]
#[case::query_is_throttled(Query, Error(400, "ThrottlingException"))]
#[case::query_meets_a_server_fault(Query, Error(500, "InternalServerError"))]
#[case::query_is_cut(Query, Cut)]
#[case::read_exceeds_the_throughput(GetItem, Error(400, "ProvisionedThroughputExceededException"))]
#[case::read_is_unavailable(GetItem, Error(503, "ServiceUnavailable"))]
#[case::read_is_cut(GetItem, Cut)]
#[case::commit_is_throttled(UpdateItem, Error(400, "ThrottlingException"))]
#[case::upload_is_slowed_down(PutObject, Error(503, "SlowDown"))]
#[case::upload_meets_a_server_fault(PutObject, Error(500, "InternalError"))]
#[case::upload_conflicts_with_itself(PutObject, Error(409, "ConditionalRequestConflict"))]
#[case::upload_is_cut(PutObject, Cut)]
#[case::upload_gets_no_response(PutObject, Never)]
#[tokio::test]
async fn a_transient_fault_is_retried(#[case] operation: Operation, #[case] end: End) {
    let app = TestApp::with_images().await;
    app.faults.fail(operation, When::Nth(1), end);
    let form = Form::seeded(1);
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.faults.hits().len(), 1);
    assert_eq!(app.images().await, form.images());
    assert_eq!(app.objects().await.len(), ImageField::ALL.len());

    // One that lasts is refused.
    app.faults.fail(operation, When::Always, end);
    app.assert_refused_because(&Form::seeded(2), PROCESSING_ERROR, FAULT)
        .await;
}

#[tokio::test]
async fn a_record_that_would_be_too_large_is_logged_as_permanent() {
    let app = TestApp::with_images().await;
    let invalid = Error(400, "ValidationException");
    app.faults.fail(UpdateItem, When::Always, invalid);
    app.assert_refused_because(&Form::seeded(1), PROCESSING_ERROR, FAULT)
        .await;
    let permanent = "UpdateItem: 400 ValidationException, which is permanent";
    assert!(!LOG.lines_with(permanent).is_empty());
}

#[rstest]
#[case::query_is_invalid(Query, Error(400, "ValidationException"))]
#[case::query_finds_no_index(Query, Error(400, "ResourceNotFoundException"))]
#[case::read_is_denied(GetItem, Error(400, "AccessDeniedException"))]
#[case::commit_is_denied(UpdateItem, Error(400, "AccessDeniedException"))]
#[case::commit_is_invalid(UpdateItem, Error(400, "ValidationException"))]
#[case::upload_is_denied(PutObject, Error(403, "AccessDenied"))]
#[case::upload_finds_no_bucket(PutObject, Error(404, "NoSuchBucket"))]
#[case::upload_finds_its_key_taken(PutObject, Error(412, "PreconditionFailed"))]
#[tokio::test]
async fn a_final_fault_is_not_retried(#[case] operation: Operation, #[case] end: End) {
    let app = TestApp::with_images().await;
    app.faults.fail(operation, When::Always, end);
    let form = Form::selfie(&images::png(300, 1));
    app.assert_refused_because(&form, PROCESSING_ERROR, FAULT)
        .await;
    assert_eq!(app.faults.hits().len(), 1);
}

#[rstest]
#[tokio::test]
async fn one_failed_upload_fails_the_request(#[values(1, 2, 3, 4)] nth: usize) {
    let app = TestApp::with_images().await;
    let denied = Error(403, "AccessDenied");
    app.faults.fail(PutObject, When::Nth(nth), denied);
    app.assert_refused_because(&Form::seeded(1), PROCESSING_ERROR, FAULT)
        .await;
}

#[rstest]
#[tokio::test]
async fn an_upload_whose_response_is_lost_succeeds(
    #[values(Cut, Error(500, "InternalError"), Error(503, "SlowDown"), Never)] end: End,
    #[values(1, 4)] nth: usize,
) {
    let app = TestApp::with_images().await;
    app.faults.fail_after_effect(PutObject, When::Nth(nth), end);
    let form = Form::seeded(1);
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.images().await, form.images());
    assert_eq!(app.objects().await.len(), ImageField::ALL.len());
}

#[rstest]
#[case::by_dynamodb(|endpoints: &mut Endpoints, nowhere| endpoints.dynamodb = nowhere)]
#[case::by_s3(|endpoints: &mut Endpoints, nowhere| endpoints.s3 = nowhere)]
#[tokio::test]
async fn a_refused_connection_is_a_processing_error(#[case] close: fn(&mut Endpoints, String)) {
    let app = TestApp::start().await;
    let mut endpoints = app.stack.endpoints.clone();
    close(&mut endpoints, nowhere().await);
    let function = function_over(endpoints.storage(app.stack.config.clone(), SHORT));
    let before = app.stored().await;
    assert_eq!(put(&function, &Form::full()).await.row(), PROCESSING_ERROR);
    assert_eq!(app.stored().await, before);
}

/// Panics in some of a client's attempts, which are counted from 1.
#[derive(Debug)]
pub struct Panics {
    attempts: AtomicUsize,
    is_hit: fn(usize) -> bool,
}

impl Panics {
    pub fn when(is_hit: fn(usize) -> bool) -> Self {
        Self {
            attempts: AtomicUsize::new(0),
            is_hit,
        }
    }
}

impl Intercept for Panics {
    fn name(&self) -> &'static str {
        "Panics"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let nth = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(!(self.is_hit)(nth), "s3cret");
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_is_a_processing_error_and_the_next_request_is_served() {
    let app = TestApp::start().await;
    let endpoints = &app.stack.endpoints;
    let dynamodb = endpoints.dynamodb().config().to_builder();
    let dynamodb = dynamodb.interceptor(Panics::when(|nth| nth == 1));
    let s3 = endpoints.s3().config().to_builder();
    let storage = Storage::new(app.stack.config.clone(), SHORT, dynamodb, s3);
    let function = function_over(storage);
    assert_eq!(put(&function, &Form::full()).await.row(), PROCESSING_ERROR);
    assert!(app.objects().await.is_empty());
    assert_eq!(put(&function, &Form::full()).await.row(), SUCCESS);
}
