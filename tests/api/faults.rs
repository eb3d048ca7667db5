//! Faults on the wire, under the real SDK: a request is stored whole or not at all, and the answer tells
//! which.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::clients::Endpoints;
use local::faults::{End, Fault, Operation, When};
use put_image::storage::Limits;
use tokio::time::timeout;

use crate::helpers::*;
use crate::log::LOG;
use local::images;

/// Errors that are worth a retry, and those that aren't.
const TRANSIENT: [(Operation, End); 14] = [
    (Operation::Query, End::Error(400, "ThrottlingException")),
    (Operation::Query, End::Error(500, "InternalServerError")),
    (Operation::Query, End::Cut),
    (
        Operation::GetItem,
        End::Error(400, "ProvisionedThroughputExceededException"),
    ),
    (Operation::GetItem, End::Error(503, "ServiceUnavailable")),
    (Operation::GetItem, End::Cut),
    (
        Operation::UpdateItem,
        End::Error(400, "ThrottlingException"),
    ),
    (
        Operation::UpdateItem,
        End::Error(500, "InternalServerError"),
    ),
    (Operation::UpdateItem, End::Cut),
    (Operation::PutObject, End::Error(503, "SlowDown")),
    (Operation::PutObject, End::Error(500, "InternalError")),
    (
        Operation::PutObject,
        End::Error(409, "ConditionalRequestConflict"),
    ),
    (Operation::PutObject, End::Cut),
    (Operation::PutObject, End::Never),
];

const FINAL: [(Operation, End); 8] = [
    (Operation::Query, End::Error(400, "ValidationException")),
    (
        Operation::Query,
        End::Error(400, "ResourceNotFoundException"),
    ),
    (Operation::GetItem, End::Error(400, "AccessDeniedException")),
    (
        Operation::UpdateItem,
        End::Error(400, "AccessDeniedException"),
    ),
    (
        Operation::UpdateItem,
        End::Error(400, "ValidationException"),
    ),
    (Operation::PutObject, End::Error(403, "AccessDenied")),
    (Operation::PutObject, End::Error(404, "NoSuchBucket")),
    (Operation::PutObject, End::Error(412, "PreconditionFailed")),
];

fn fault(operation: Operation, when: When, end: End) -> Fault {
    Fault {
        operation,
        when,
        takes_effect: false,
        end,
    }
}

fn fault_after(operation: Operation, when: When, end: End) -> Fault {
    Fault {
        operation,
        when,
        takes_effect: true,
        end,
    }
}

/// An app in which the submission has four images already.
async fn app_with_images() -> App {
    let app = App::start_with(SHORT).await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    app
}

/// A full form with other images.
fn other_images() -> Form {
    Form::full()
        .with_image("idImage", &images::jpeg(1000, 11))
        .with_image("selfieImage", &images::png(1000, 12))
}

/// Asserts that the record names exactly these images, and that each of them is there.
async fn assert_stored(app: &App, form: &Form) {
    for (name, text) in form
        .fields
        .iter()
        .filter(|(name, _)| name.ends_with("Image"))
    {
        let image = app.image(SUBMISSION, name).await.unwrap();
        assert_eq!(
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, image).as_bytes(),
            text,
            "{name}"
        );
    }
}

async fn assert_stored_alone(app: &App, form: &Form) {
    assert_stored(app, form).await;
    assert_eq!(app.objects().await.len(), 4);
}

#[tokio::test]
async fn a_transient_fault_is_retried() {
    for (operation, end) in TRANSIENT {
        let app = app_with_images().await;
        app.faults.inject(fault(operation, When::Nth(1), end));
        let form = other_images();
        let answer = app.put(&form).await;
        assert_eq!(answer.row(), SUCCESS, "{operation:?} {end:?}");
        assert_eq!(app.faults.hits().len(), 1);
        assert_stored_alone(&app, &form).await;
    }
}

#[tokio::test]
async fn a_fault_that_lasts_is_a_processing_error_and_changes_nothing() {
    let lasting = FINAL.into_iter().chain(TRANSIENT);
    // A commit that is answered by nothing or a 5xx may have taken effect: that is for tests below.
    let unknown = |(operation, end): &(Operation, End)| {
        *operation == Operation::UpdateItem && !matches!(end, End::Error(400, _))
    };
    for (operation, end) in lasting.filter(|fault| !unknown(fault)) {
        let app = app_with_images().await;
        app.faults.inject(fault(operation, When::Always, end));
        app.assert_refused(
            &other_images(),
            PROCESSING_ERROR,
            &format!("{operation:?} {end:?}"),
        )
        .await;
    }
}

#[tokio::test]
async fn final_faults_are_not_retried() {
    for (operation, end) in FINAL {
        let app = App::start_with(SHORT).await;
        app.faults.inject(fault(operation, When::Always, end));
        let form = Form::selfie(&images::png(300, 1));
        app.assert_refused(&form, PROCESSING_ERROR, &format!("{operation:?} {end:?}"))
            .await;
        assert_eq!(app.faults.hits().len(), 1, "{operation:?} {end:?}");
    }
}

#[tokio::test]
async fn one_of_four_uploads_fails() {
    for nth in 1..=4 {
        let app = app_with_images().await;
        app.faults.inject(fault(
            Operation::PutObject,
            When::Nth(nth),
            End::Error(403, "AccessDenied"),
        ));
        app.assert_refused(&other_images(), PROCESSING_ERROR, "one of four")
            .await;
    }
}

#[tokio::test]
async fn a_missing_index_or_table_is_a_processing_error() {
    let app = App::start().await;
    let mut config = app.stack.config.clone();
    // The submissions have no index.
    config.projects_table = config.submissions_table.clone();
    let function = function_over(app.stack.endpoints.storage(config.clone(), SHORT));
    let answer = invoke(&function, &Form::full().event(), Duration::from_secs(20)).await;
    assert_eq!(answer.row(), PROCESSING_ERROR);
    config.projects_table = "none".to_owned();
    let function = function_over(app.stack.endpoints.storage(config, SHORT));
    assert_eq!(
        invoke(&function, &Form::full().event(), Duration::from_secs(20))
            .await
            .row(),
        PROCESSING_ERROR
    );
    assert!(app.objects().await.is_empty());
}

#[tokio::test]
async fn refused_connections_are_a_processing_error() {
    let app = App::start().await;
    let closed = local::server::url(&local::server::bind(0, "nothing", "").await.unwrap()).unwrap();
    let open = app.stack.endpoints.clone();
    for endpoints in [
        Endpoints {
            dynamodb: closed.clone(),
            ..open.clone()
        },
        Endpoints {
            s3: closed.clone(),
            ..open
        },
    ] {
        let function = function_over(endpoints.storage(app.stack.config.clone(), SHORT));
        let before = app.stored().await;
        assert_eq!(
            invoke(&function, &Form::full().event(), Duration::from_secs(20))
                .await
                .row(),
            PROCESSING_ERROR
        );
        assert_eq!(app.stored().await, before);
    }
}

#[tokio::test]
async fn the_answer_of_a_commit_that_took_effect_is_lost() {
    for (when, end) in [
        // The SDK's retry meets the condition of the first attempt's success.
        (When::Nth(1), End::Cut),
        (When::Nth(1), End::Never),
        (When::Nth(1), End::Error(500, "InternalServerError")),
        // So do all retries, unheard.
        (When::Always, End::Cut),
        (When::Always, End::Error(500, "InternalServerError")),
    ] {
        let app = app_with_images().await;
        app.faults
            .inject(fault_after(Operation::UpdateItem, when, end));
        let form = other_images();
        assert_eq!(app.put(&form).await.row(), SUCCESS, "{when:?} {end:?}");
        // The new images are there, and those that they replaced are known all the same.
        assert_stored_alone(&app, &form).await;
    }
}

#[tokio::test]
async fn the_outcome_of_a_commit_stays_unknown() {
    for (commit, read) in [
        // Not there (yet) when read back.
        (fault(Operation::UpdateItem, When::Always, End::Cut), None),
        (
            fault(
                Operation::UpdateItem,
                When::Always,
                End::Error(500, "InternalServerError"),
            ),
            None,
        ),
        // There or not, but it can't be read back. The first read is the check's.
        (
            fault(Operation::UpdateItem, When::Always, End::Cut),
            Some(End::Error(400, "AccessDeniedException")),
        ),
        (
            fault_after(Operation::UpdateItem, When::Always, End::Cut),
            Some(End::Error(400, "AccessDeniedException")),
        ),
    ] {
        let app = app_with_images().await;
        let before = app.stored().await;
        app.faults.inject(commit);
        if let Some(end) = read {
            app.faults
                .inject(fault(Operation::GetItem, When::Nth(2), end));
        }
        assert_eq!(
            app.put(&other_images()).await.row(),
            PROCESSING_ERROR,
            "{commit:?}"
        );
        let after = app.stored().await;
        assert_eq!(after.records == before.records, !commit.takes_effect);
        assert_eq!(after.objects.len(), 8, "nothing is deleted");
        assert!(
            before
                .objects
                .iter()
                .all(|(key, image)| after.objects.get(key) == Some(image))
        );
        assert!(!app.faults.calls().contains(&Operation::DeleteObject));
    }
}

#[tokio::test]
async fn the_answer_of_an_upload_that_took_effect_is_lost() {
    for end in [
        End::Cut,
        End::Error(500, "InternalError"),
        End::Error(503, "SlowDown"),
        End::Never,
    ] {
        for nth in [1, 4] {
            let app = app_with_images().await;
            app.faults
                .inject(fault_after(Operation::PutObject, When::Nth(nth), end));
            let form = other_images();
            assert_eq!(app.put(&form).await.row(), SUCCESS, "{end:?}");
            assert_stored_alone(&app, &form).await;
        }
    }
}

#[tokio::test]
async fn the_submission_goes_between_check_and_commit() {
    for moved in [false, true] {
        let app = App::start().await;
        let gate = app.faults.hold(Operation::UpdateItem, 1);
        let dynamodb = app.stack.endpoints.dynamodb();
        let (table, id) = (
            &app.stack.config.submissions_table,
            AttributeValue::S(SUBMISSION.to_owned()),
        );
        let form = Form::full();
        let (answer, ()) = tokio::join!(app.put(&form), async {
            gate.arrived().await;
            if moved {
                let update = dynamodb
                    .update_item()
                    .table_name(table)
                    .key("submissionId", id.clone());
                let other = AttributeValue::S("closed-project".to_owned());
                let update = update
                    .update_expression("SET projectId = :p")
                    .expression_attribute_values(":p", other);
                update.send().await.unwrap();
            } else {
                dynamodb
                    .delete_item()
                    .table_name(table)
                    .key("submissionId", id.clone())
                    .send()
                    .await
                    .unwrap();
            }
            gate.open();
        });
        assert_eq!(answer.row(), INVALID_SUBMISSION, "moved: {moved}");
        assert!(app.objects().await.is_empty(), "moved: {moved}");
        let record = app.record(SUBMISSION).await;
        assert!(record.get("idImage").is_none());
        assert_eq!(record.is_null(), !moved);
    }
}

#[tokio::test]
async fn another_commit_comes_first() {
    let app = App::start().await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let gate = app.faults.hold(Operation::UpdateItem, 1);
    let undisturbed = app.stack.function();
    let (form, first) = (
        other_images(),
        Form::full().with_image("idImage", &images::png(900, 21)),
    );
    let (answer, ()) = tokio::join!(app.put(&form), async {
        gate.arrived().await;
        assert_eq!(
            invoke(&undisturbed, &first.event(), Duration::from_secs(20))
                .await
                .row(),
            SUCCESS
        );
        gate.open();
    });
    assert_eq!(answer.row(), SUCCESS);
    // What the other one had put is replaced and deleted in its turn.
    assert_stored_alone(&app, &form).await;
}

/// A commit took effect and its answer was lost. Before the SDK's retry arrives, another request has
/// replaced the images and deleted them: taking effect again, the retry would name deleted images.
#[tokio::test]
async fn a_retried_commit_does_not_bring_back_what_another_request_replaced() {
    let app = app_with_images().await;
    app.faults
        .inject(fault_after(Operation::UpdateItem, When::Nth(1), End::Cut));
    let retry = app.faults.hold(Operation::UpdateItem, 2);
    let undisturbed = app.stack.function();
    let (form, second) = (
        other_images(),
        Form::full().with_image("idImage", &images::png(900, 21)),
    );
    let (answer, ()) = tokio::join!(app.put(&form), async {
        retry.arrived().await;
        assert_eq!(
            invoke(&undisturbed, &second.event(), Duration::from_secs(20))
                .await
                .row(),
            SUCCESS
        );
        retry.open();
    });
    assert_eq!(
        answer.row(),
        PROCESSING_ERROR,
        "whether it ever took effect can't be known any more"
    );
    assert_stored(&app, &second).await;
    // What the lost commit had replaced is nobody's any more: that is for the sweep.
    assert_eq!(app.objects().await.len(), 8);
}

#[tokio::test]
async fn what_was_replaced_can_not_be_deleted() {
    for end in [
        End::Error(403, "AccessDenied"),
        End::Error(503, "SlowDown"),
        End::Cut,
        End::Never,
    ] {
        let app = app_with_images().await;
        let replaced = app.objects().await;
        app.faults
            .inject(fault(Operation::DeleteObject, When::Always, end));
        let form = other_images();
        assert_eq!(app.put(&form).await.row(), SUCCESS);
        assert_eq!(app.objects().await.len(), 8);
        for key in replaced.keys() {
            let lines = LOG.lines_with(key);
            assert_eq!(lines.len(), 1, "{end:?}: {lines:?}");
            assert!(
                lines[0].contains("\"level\":\"WARN\"")
                    && lines[0].contains("an object is left over"),
                "{lines:?}"
            );
        }
    }
}

/// A commit arrives after its request was answered: the images that it names are there.
#[tokio::test]
async fn a_commit_that_arrives_late_finds_its_images() {
    let app = app_with_images().await;
    // Held back until the SDK has given up on each attempt.
    let gates: Vec<_> = (1..=3)
        .map(|nth| app.faults.hold(Operation::UpdateItem, nth))
        .collect();
    let form = other_images();
    assert_eq!(app.put(&form).await.row(), PROCESSING_ERROR);
    gates[0].open();
    gates[0].passed().await;
    assert_stored(&app, &form).await;
}

/// The same, but another request's commit came before: the late one has no effect.
#[tokio::test]
async fn a_commit_that_arrives_too_late_has_no_effect() {
    let app = app_with_images().await;
    let gates: Vec<_> = (1..=3)
        .map(|nth| app.faults.hold(Operation::UpdateItem, nth))
        .collect();
    assert_eq!(app.put(&other_images()).await.row(), PROCESSING_ERROR);
    let second = Form::full().with_image("idImage", &images::png(900, 21));
    let undisturbed = app.stack.function();
    assert_eq!(
        invoke(&undisturbed, &second.event(), Duration::from_secs(20))
            .await
            .row(),
        SUCCESS
    );
    gates[0].open();
    gates[0].passed().await;
    assert_stored(&app, &second).await;
}

#[tokio::test]
async fn nothing_outlives_the_deadline() {
    /// Nothing but the deadline ends a call.
    const ENDLESS: Limits = Limits {
        connect: Duration::from_secs(1),
        dynamodb_attempt: Duration::from_hours(1),
        dynamodb: Duration::from_hours(1),
        s3_attempt: Duration::from_hours(1),
        s3: Duration::from_hours(1),
        max_attempts: 3,
        initial_backoff: Duration::from_millis(5),
    };
    use Operation::{DeleteObject, GetItem, PutObject, Query, UpdateItem};
    for (operations, row, left) in [
        (&[(Query, When::Always)][..], PROCESSING_ERROR, 4),
        (&[(GetItem, When::Always)], PROCESSING_ERROR, 4),
        (&[(PutObject, When::Always)], PROCESSING_ERROR, 4),
        (&[(UpdateItem, When::Always)], PROCESSING_ERROR, 8),
        (
            &[(UpdateItem, When::Always), (GetItem, When::Nth(2))],
            PROCESSING_ERROR,
            8,
        ),
        (&[(DeleteObject, When::Always)], SUCCESS, 8),
    ] {
        let app = App::start_with(ENDLESS).await;
        assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
        let record = app.record(SUBMISSION).await;
        for &(operation, when) in operations {
            app.faults.inject(fault(operation, when, End::Never));
        }
        let event = other_images().event();
        let put = invoke(&app.function, &event, Duration::from_secs(2));
        let answer = timeout(Duration::from_mins(1), put)
            .await
            .expect("outlived the deadline");
        assert_eq!(answer.row(), row, "{operations:?}");
        assert_eq!(
            app.record(SUBMISSION).await == record,
            row == PROCESSING_ERROR,
            "{operations:?}"
        );
        assert_eq!(app.objects().await.len(), left, "{operations:?}");
    }
}

/// The submission is read as it is now, both for the check and to read back a commit.
#[tokio::test]
async fn submissions_are_read_consistently() {
    let app = app_with_images().await;
    app.faults.inject(fault(
        Operation::GetItem,
        When::Always,
        End::Late(Duration::ZERO),
    ));
    app.faults
        .inject(fault_after(Operation::UpdateItem, When::Always, End::Cut));
    assert_eq!(app.put(&other_images()).await.row(), SUCCESS);
    let hits = app.faults.hits();
    let reads: Vec<_> = hits
        .iter()
        .filter(|hit| hit.fault.operation == Operation::GetItem)
        .collect();
    assert_eq!(reads.len(), 2);
    assert!(
        reads
            .iter()
            .all(|read| read.call.contains("\"ConsistentRead\":true")),
        "{reads:?}"
    );
}

#[test]
fn timeouts_fit_into_the_functions_and_the_gateways() {
    let limits = Limits::default();
    assert!(limits.connect < limits.dynamodb_attempt && limits.connect < limits.s3_attempt);
    assert!(limits.dynamodb_attempt < limits.dynamodb && limits.s3_attempt < limits.s3);
    // Reads, uploads, commit, one after the other.
    let work = limits.dynamodb + limits.s3 + limits.dynamodb;
    assert!(work + put_image::deadline::RESERVE <= put_image::deadline::TIMEOUT);
    assert!(put_image::deadline::TIMEOUT < Duration::from_secs(29));
}

#[tokio::test]
async fn a_panic_is_a_processing_error_and_the_next_request_is_served() {
    use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
    use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
    use aws_sdk_dynamodb::error::BoxError;

    #[derive(Debug)]
    struct PanicOnce(std::sync::Once);

    impl Intercept for PanicOnce {
        fn name(&self) -> &'static str {
            "PanicOnce"
        }

        fn read_before_transmit(
            &self,
            _: &BeforeTransmitInterceptorContextRef<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            let mut first = false;
            self.0.call_once(|| first = true);
            assert!(!first, "s3cret");
            Ok(())
        }
    }

    let app = App::start().await;
    let endpoints = &app.stack.endpoints;
    let dynamodb = endpoints
        .dynamodb()
        .config()
        .to_builder()
        .interceptor(PanicOnce(std::sync::Once::new()));
    let s3 = endpoints.s3().config().to_builder();
    let storage = put_image::storage::Storage::new(app.stack.config.clone(), SHORT, dynamodb, s3);
    let function = function_over(storage);
    let event = Form::full().event();
    assert_eq!(
        invoke(&function, &event, Duration::from_secs(20))
            .await
            .row(),
        PROCESSING_ERROR
    );
    assert!(app.objects().await.is_empty());
    assert_eq!(
        invoke(&function, &event, Duration::from_secs(20))
            .await
            .row(),
        SUCCESS
    );
}

#[tokio::test]
async fn a_refused_request_makes_no_call_that_its_answer_does_not_need() {
    let app = App::start().await;
    let reads = [Operation::Query, Operation::GetItem];
    for (form, calls) in [
        (Form::full().with("selfieImage", "?"), &reads[..0]),
        (Form::full().without("admin"), &reads[..0]),
        (Form::full().with("admin", "nobody@example.com"), &reads),
        (Form::texts(), &reads),
        (Form::full().with("idType", "x"), &reads),
    ] {
        let before = app.faults.calls().len();
        assert_ne!(app.put(&form).await.row(), SUCCESS);
        let mut made = app.faults.calls()[before..].to_vec();
        made.sort_by_key(|operation| *operation != Operation::Query);
        assert_eq!(made, calls);
    }
}
