//! Each sample event gets the response that its name says.

use put_image::domain::ImageField;
use rstest::rstest;
use serde_json::{Value, json};

use crate::helpers::*;

fn sample(name: &str) -> Value {
    let event = std::fs::read(repository(format!("events/{name}.json"))).unwrap();
    serde_json::from_slice(&event).unwrap()
}

/// The SHA-256 of an image that the samples send.
fn drawing(file: &str) -> String {
    sha256(&std::fs::read(repository(format!("events/images/{file}"))).unwrap())
}

#[rstest]
#[case::payload_1("put-image")]
#[case::payload_1_as_base64("put-image-base64")]
#[case::payload_2("put-image-http-api")]
#[case::payload_2_as_base64("put-image-http-api-base64")]
#[tokio::test]
async fn a_whole_request_stores_a_drawing_in_each_field(#[case] name: &str) {
    let app = TestApp::start().await;
    assert_eq!(app.invoke(&sample(name)).await.row(), SUCCESS);
    let drawings = [
        ("idImage", "front.jpg", 428, 270, "image/jpeg"),
        ("idBackImage", "back.png", 428, 270, "image/png"),
        ("selfieImage", "selfie.jpg", 240, 300, "image/jpeg"),
        ("addressImage", "address.png", 300, 424, "image/png"),
    ];
    assert_eq!(
        ImageField::ALL.map(ImageField::name),
        drawings.map(|it| it.0)
    );
    let (record, images) = (app.record(SUBMISSION).await, app.images().await);
    for (field, file, width, height, content_type) in drawings {
        assert_eq!(images[field], drawing(file));
        let stored = &record[field];
        assert_eq!(
            (&stored["width"], &stored["height"]),
            (&json!(width), &json!(height))
        );
        assert_eq!(stored["contentType"], content_type);
    }
}

#[tokio::test]
async fn the_request_with_one_image_stores_the_selfie() {
    let app = TestApp::start().await;
    assert_eq!(app.invoke(&sample("put-image-one")).await.row(), SUCCESS);
    let selfie = ("selfieImage".to_owned(), drawing("selfie.jpg"));
    assert_eq!(app.images().await, [selfie].into());
}

#[rstest]
#[case(
    "error-01-invalid-payload",
    INVALID_PAYLOAD,
    "idImage: the JPEG is cut off"
)]
#[case("error-02-missing-data", MISSING_DATA, "submissionId: missing")]
#[case(
    "error-03-unknown-project",
    UNKNOWN_PROJECT,
    "x-api-key: no project has this key"
)]
#[case(
    "error-04-inactive-project",
    INACTIVE_PROJECT,
    "x-api-key: the key's project is not active"
)]
#[case(
    "error-05-invalid-admin",
    INVALID_ADMIN,
    "admin: not an administrator of the project"
)]
#[case(
    "error-06-invalid-submission",
    INVALID_SUBMISSION,
    "submissionId: no such submission in the project"
)]
#[case(
    "error-07-no-image",
    NO_IMAGES,
    "send idImage, idBackImage, selfieImage or addressImage"
)]
#[case("error-08-missing-id-type", MISSING_ID_TYPE, "idType: missing")]
#[case(
    "error-09-invalid-id-type",
    INVALID_ID_TYPE,
    "idType: not one of the documented types"
)]
#[case("error-10-processing-error", PROCESSING_ERROR, FAULT)]
#[tokio::test]
async fn an_error_is_its_row(#[case] name: &str, #[case] row: Row, #[case] detail: &str) {
    let app = TestApp::start().await;
    app.assert_event_refused_because(&sample(name), row, detail)
        .await;
}

#[rstest]
#[case::successes("put-image", 5)]
#[case::errors("error-", 10)]
fn each_sample_is_tried(#[case] prefix: &str, #[case] count: usize) {
    let names = std::fs::read_dir(repository("events"))
        .unwrap()
        .map(|file| file.unwrap().file_name());
    let named = names.filter(|name| name.to_str().unwrap().starts_with(prefix));
    assert_eq!(named.count(), count);
}
