//! Rows are checked in the contract's order: if two apply, the response is the earlier one, and no call is made for the
//! later one.

use put_image::domain::ImageField;
use rstest::rstest;
use testkit::faults::End::Error;
use testkit::faults::Operation::{self, GetItem, Query};
use testkit::faults::When;

use crate::helpers::*;

/// A row, what is changed so that it applies (the key or a field), and the change.
type Defect = (Row, &'static str, fn(Form) -> Form);

const DEFECTS: [Defect; 13] = [
    (INVALID_PAYLOAD, "image", |form| form.with("idImage", "?")),
    (INVALID_PAYLOAD, "type", |form| form.and("idType", "visa")),
    (MISSING_DATA, "key", Form::without_key),
    (MISSING_DATA, "submission", |form| {
        form.without("submissionId")
    }),
    (MISSING_DATA, "admin", |form| form.without("admin")),
    (UNKNOWN_PROJECT, "key", |form| {
        form.with_key(KEY_WITHOUT_PROJECT)
    }),
    (INACTIVE_PROJECT, "key", |form| form.with_key(CLOSED_KEY)),
    (INVALID_ADMIN, "admin", |form| form.with("admin", "nobody")),
    (INVALID_SUBMISSION, "submission", |form| {
        form.with("submissionId", "none")
    }),
    (INVALID_SUBMISSION, "submission", |form| {
        form.with("submissionId", "closed-submission")
    }),
    (NO_IMAGES, "image", without_images),
    (MISSING_ID_TYPE, "type", |form| form.without("idType")),
    (INVALID_ID_TYPE, "type", |form| form.with("idType", "x")),
];

fn without_images(form: Form) -> Form {
    let names = ImageField::ALL.map(ImageField::name);
    names.into_iter().fold(form, Form::without)
}

/// Both orders of two defects that can occur together.
fn pairs() -> impl Iterator<Item = (Defect, Defect)> {
    let pairs = (0..DEFECTS.len()).flat_map(|i| (i + 1..DEFECTS.len()).map(move |j| (i, j)));
    let pairs = pairs.map(|(i, j)| (DEFECTS[i], DEFECTS[j]));
    pairs.filter(|(first, second)| {
        // A type is missing only if there is an image of the ID.
        let is_contradiction = (first.0, second.0) == (NO_IMAGES, MISSING_ID_TYPE);
        first.0 != second.0 && first.1 != second.1 && !is_contradiction
    })
}

#[tokio::test]
async fn the_earlier_of_two_rows_wins() {
    let app = TestApp::start().await;
    let before = app.stored().await;
    let mut wrong = Vec::new();
    for ((first, _, spoil_first), (second, _, spoil_second)) in pairs() {
        let answer = app.put(&spoil_first(spoil_second(Form::full()))).await;
        if answer.row() != first {
            wrong.push((first, second, answer));
        }
    }
    assert!(pairs().count() > 50 && wrong.is_empty(), "{wrong:#?}");
    assert_eq!(app.stored().await, before);
}

#[rstest]
#[case::bad_image(Form::full().with("idImage", "?"), INVALID_PAYLOAD)]
#[case::no_admin(Form::full().without("admin"), MISSING_DATA)]
#[case::stranger(Form::full().with("admin", "nobody"), PROCESSING_ERROR)]
#[case::no_image(Form::texts(), PROCESSING_ERROR)]
#[tokio::test]
async fn only_earlier_rows_win_over_a_key_of_two_projects(#[case] form: Form, #[case] row: Row) {
    let app = TestApp::start().await;
    app.assert_refused(&form.with_key(KEY_OF_TWO), row).await;
}

#[rstest]
#[case::nothing_else(Form::full(), PROCESSING_ERROR)]
#[case::key_without_project(Form::full().with_key(KEY_WITHOUT_PROJECT), UNKNOWN_PROJECT)]
#[case::closed_project(Form::full().with_key(CLOSED_KEY), INACTIVE_PROJECT)]
#[case::stranger(Form::full().with("admin", "nobody"), INVALID_ADMIN)]
#[case::no_image(Form::texts(), PROCESSING_ERROR)]
#[tokio::test]
async fn only_earlier_rows_win_over_an_unreadable_submission(#[case] form: Form, #[case] row: Row) {
    let app = TestApp::start().await;
    let denied = Error(400, "AccessDeniedException");
    app.faults.fail(GetItem, When::Always, denied);
    app.assert_refused(&form, row).await;
}

#[rstest]
#[case::bad_image(Form::full().with("selfieImage", "?"), &[])]
#[case::no_admin(Form::full().without("admin"), &[])]
#[case::key_without_project(Form::full().with_key(KEY_WITHOUT_PROJECT), &[GetItem, Query, Query])]
#[case::stranger(Form::full().with("admin", "nobody"), &[GetItem, Query])]
#[case::no_image(Form::texts(), &[GetItem, Query])]
#[case::unknown_id_type(Form::full().with("idType", "x"), &[GetItem, Query])]
#[tokio::test]
async fn a_refusal_makes_only_the_calls_that_it_needs(
    #[case] form: Form,
    #[case] calls: &[Operation],
) {
    let app = TestApp::start().await;
    assert_ne!(app.put(&form).await.row(), SUCCESS);
    let mut made = app.faults.calls();
    made.sort_by_key(|operation| *operation == Query);
    assert_eq!(made, calls);
}
