//! The error table: each row's exact status, JSON and reason, with nothing stored and nothing changed.

use put_image::domain::IdType;
use rstest::rstest;
use testkit::images;

use crate::helpers::*;

const TOO_LONG: usize = 257;

fn full() -> Form {
    Form::full()
}

#[rstest]
#[case::bad_front(full().with("idImage", "YQ=="), "idImage: neither a JPEG nor a PNG")]
#[case::bad_back(full().with("idBackImage", "YQ=="), "idBackImage: neither a JPEG nor a PNG")]
#[case::bad_selfie(full().with("selfieImage", "s3cret!".repeat(20)), "selfieImage: not standard Base64")]
#[case::bad_address(full().with("addressImage", "YQ=="), "addressImage: neither a JPEG nor a PNG")]
#[case::repeated_text(full().and("admin", ADMIN), "admin: sent more than once")]
#[case::repeated_empty_image(full().and("idImage", ""), "idImage: sent more than once")]
#[case::no_utf_8(full().with("admin", b"\xFF".to_vec()), "admin: not UTF-8")]
#[case::long_admin(full().with("admin", "a".repeat(TOO_LONG)), "admin: longer than 256 bytes")]
#[case::long_submission(full().with("submissionId", "a".repeat(TOO_LONG)), "submissionId: longer than 256 bytes")]
#[case::long_type(full().with("idType", "a".repeat(TOO_LONG)), "idType: longer than 256 bytes")]
#[tokio::test]
async fn row_1_invalid_payload(#[case] form: Form, #[case] detail: &str) {
    let app = TestApp::with_images().await;
    app.assert_refused_because(&form, INVALID_PAYLOAD, detail)
        .await;
}

#[rstest]
#[case::no_key(full().without_key(), "x-api-key: missing")]
#[case::empty_key(full().with_key(""), "x-api-key: missing")]
#[case::whitespace_for_a_key(full().with_key(" "), "x-api-key: missing")]
#[case::no_submission(full().without("submissionId"), "submissionId: missing")]
#[case::empty_submission(full().with("submissionId", ""), "submissionId: missing")]
#[case::whitespace_for_a_submission(full().with("submissionId", " \t\r\n"), "submissionId: missing")]
#[case::no_admin(full().without("admin"), "admin: missing")]
#[case::whitespace_for_an_admin(full().with("admin", "\u{3000}"), "admin: missing")]
#[tokio::test]
async fn row_2_missing_data(#[case] form: Form, #[case] detail: &str) {
    let app = TestApp::with_images().await;
    app.assert_refused_because(&form, MISSING_DATA, detail)
        .await;
}

#[rstest]
#[case::without_project(KEY_WITHOUT_PROJECT)]
#[case::in_another_case(&KEY.to_uppercase())]
#[tokio::test]
async fn row_3_unknown_project(#[case] key: &str) {
    let app = TestApp::with_images().await;
    let detail = "x-api-key: no project has this key";
    app.assert_refused_because(&full().with_key(key), UNKNOWN_PROJECT, detail)
        .await;
}

#[tokio::test]
async fn row_4_inactive_project() {
    let app = TestApp::with_images().await;
    let detail = "x-api-key: the key's project is not active";
    app.assert_refused_because(&full().with_key(CLOSED_KEY), INACTIVE_PROJECT, detail)
        .await;
}

#[rstest]
#[case::stranger("s3cret@example.com")]
#[case::part_of_an_account("dmin@example.com")]
#[tokio::test]
async fn row_5_invalid_admin(#[case] admin: &str) {
    let app = TestApp::with_images().await;
    let detail = "admin: not an administrator of the project";
    app.assert_refused_because(&full().with("admin", admin), INVALID_ADMIN, detail)
        .await;
}

#[rstest]
#[case::missing("s3cret")]
#[case::longest_id(&"a".repeat(TOO_LONG - 1))]
#[case::of_another_project("closed-submission")]
#[case::of_nobody("nobodys-submission")]
#[tokio::test]
async fn row_6_invalid_submission(#[case] id: &str) {
    let app = TestApp::with_images().await;
    let detail = "submissionId: no such submission in the project";
    app.assert_refused_because(&full().with("submissionId", id), INVALID_SUBMISSION, detail)
        .await;
}

#[rstest]
#[case::none(
    Form::texts(),
    "send idImage, idBackImage, selfieImage or addressImage"
)]
#[case::empty(Form::texts().with("selfieImage", ""), "selfieImage is empty")]
#[case::whitespace(Form::texts().with("selfieImage", " \r\n"), "selfieImage is empty")]
#[case::undocumented(
    Form::texts().with("unknown", "aGVsbG8="),
    "send idImage, idBackImage, selfieImage or addressImage"
)]
#[tokio::test]
async fn row_7_no_images(#[case] form: Form, #[case] detail: &str) {
    let app = TestApp::with_images().await;
    app.assert_refused_because(&form, NO_IMAGES, detail).await;
}

#[rstest]
#[case::of_the_id(full().without("idType"))]
#[case::whitespace(full().with("idType", " "))]
#[case::of_the_ids_back(full().without("idType").without("idImage"))]
#[tokio::test]
async fn row_8_missing_id_type(#[case] form: Form) {
    let app = TestApp::with_images().await;
    app.assert_refused_because(&form, MISSING_ID_TYPE, "idType: missing")
        .await;
}

#[rstest]
#[case::undocumented(full().with("idType", "s3cret"))]
#[case::in_another_case(full().with("idType", "Passport"))]
#[case::without_an_id_image(Form::selfie(&images::png(300, 1)).with("idType", "x"))]
#[tokio::test]
async fn row_9_invalid_id_type(#[case] form: Form) {
    let app = TestApp::with_images().await;
    let detail = "idType: not one of the documented types";
    app.assert_refused_because(&form, INVALID_ID_TYPE, detail)
        .await;
}

#[tokio::test]
async fn row_10_processing_error_for_a_key_of_two_projects() {
    let app = TestApp::with_images().await;
    app.assert_refused_because(&full().with_key(KEY_OF_TWO), PROCESSING_ERROR, FAULT)
        .await;
}

#[tokio::test]
async fn every_id_type_is_stored_with_an_id_image() {
    let app = TestApp::start().await;
    for id_type in IdType::ALL.map(IdType::name) {
        let form = full().with("idType", id_type);
        assert_eq!(app.put(&form).await.row(), SUCCESS, "{id_type}");
        assert_eq!(app.record(SUBMISSION).await["idType"], id_type);
    }
}
