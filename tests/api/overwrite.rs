//! What a request leaves in the record and in the bucket: the first one, one for some images, one that overwrites.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumMode, VersioningConfiguration};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use put_image::domain::ImageField;
use rstest::rstest;
use serde_json::json;
use testkit::images;

use crate::clean_up::assert_warned;
use crate::helpers::*;
use crate::log::LOG;

const IMAGES: usize = ImageField::ALL.len();

#[tokio::test]
async fn the_first_request_writes_the_documented_record() {
    let app = TestApp::start().await;
    let image = images::jpeg(1234, 1);
    let form = Form::texts().with_image("idImage", &image);
    assert_eq!(app.put(&form).await.row(), SUCCESS);

    let record = app.record(SUBMISSION).await;
    let (at, key) = (&record["updatedAt"], &record["idImage"]["key"]);
    let expected = json!({
        "submissionId": SUBMISSION,
        "projectId": "demo-project",
        "idType": "passport",
        "idImage": {
            "key": key,
            "contentType": "image/jpeg",
            "size": 1234,
            "sha256": sha256(&image),
            "width": 3,
            "height": 2,
            "updatedAt": at,
            // As registered, not as sent.
            "updatedBy": "Admin@Example.com",
        },
        "updatedAt": at,
        "updatedBy": "Admin@Example.com",
    });
    assert_eq!(record, expected);
    let digits = at
        .as_str()
        .unwrap()
        .replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(digits, "0000-00-00T00:00:00.000Z");
    let unique = key
        .as_str()
        .unwrap()
        .strip_prefix("demo-project/demo-submission/idImage/");
    let unique = unique.unwrap().strip_suffix(".jpg").unwrap();
    assert!(uuid::Uuid::parse_str(unique).is_ok(), "{key}");
}

#[rstest]
#[case::jpeg(images::jpeg(300, 1), "image/jpeg")]
#[case::png(images::png(300, 1), "image/png")]
#[tokio::test]
async fn an_object_has_its_content_type_and_checksum(#[case] image: Vec<u8>, #[case] kind: &str) {
    let app = TestApp::start().await;
    assert_eq!(app.put(&Form::selfie(&image)).await.row(), SUCCESS);
    let objects = app.objects().await;
    let head = app
        .stack
        .endpoints
        .s3()
        .head_object()
        .bucket(&app.stack.config.images_bucket);
    let head = head
        .key(objects.keys().next().unwrap())
        .checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    let checksum = BASE64_STANDARD.encode(hex::decode(sha256(&image)).unwrap());
    assert_eq!(head.content_type(), Some(kind));
    assert_eq!(head.checksum_sha256(), Some(checksum.as_str()));
}

#[tokio::test]
async fn images_that_are_not_sent_stay() {
    let app = TestApp::with_images().await;
    let before = app.record(SUBMISSION).await;
    let form = Form::selfie(&images::png(2000, 9))
        .with("idType", "visa")
        .with("admin", "SECOND@example.com");
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    let after = app.record(SUBMISSION).await;
    for field in ImageField::ALL.map(ImageField::name) {
        assert_eq!(
            after[field] == before[field],
            field != "selfieImage",
            "{field}"
        );
    }
    assert_eq!(
        after["idType"], "passport",
        "recorded with an ID image only"
    );
    assert_eq!(after["updatedBy"], "second@example.com");
    assert_eq!(after["selfieImage"]["updatedBy"], "second@example.com");
    let mut images = Form::full().images();
    images.extend(form.images());
    assert_eq!(app.images().await, images);
    assert_eq!(app.objects().await.len(), IMAGES);
}

/// Gives the submission a selfie as something else may have written it, and a note.
async fn write_selfie(app: &TestApp, selfie: AttributeValue) {
    let update = app.stack.endpoints.dynamodb().update_item();
    let update = update
        .table_name(&app.stack.config.submissions_table)
        .key("submissionId", AttributeValue::S(SUBMISSION.to_owned()))
        .update_expression("SET note = :note, selfieImage = :selfie")
        .expression_attribute_values(":note", AttributeValue::S("kept".to_owned()))
        .expression_attribute_values(":selfie", selfie);
    update.send().await.unwrap();
}

fn image_with(key: &str) -> AttributeValue {
    let key = AttributeValue::S(key.to_owned());
    AttributeValue::M([("key".to_owned(), key)].into())
}

#[rstest]
#[case::text(AttributeValue::S("of another time".to_owned()))]
#[case::map_without_a_key(AttributeValue::M([].into()))]
#[case::map_with_an_odd_key(image_with("demo-project/demo-submission/selfieImage/front.jpg"))]
#[tokio::test]
async fn an_odd_attribute_is_overwritten_and_others_are_left_alone(#[case] odd: AttributeValue) {
    let app = TestApp::start().await;
    write_selfie(&app, odd).await;
    let form = Form::selfie(&images::png(400, 1));
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert_eq!(app.record(SUBMISSION).await["note"], "kept");
    assert_eq!(app.images().await, form.images());
}

/// Something else may use them. A warning names one that a sweep will delete.
#[rstest]
#[case::of_another_project("other/demo-submission/selfieImage/", true)]
#[case::of_another_submission("demo-project/other/selfieImage/", false)]
#[case::of_another_field("demo-project/demo-submission/idImage/", false)]
#[tokio::test]
async fn replaced_objects_that_the_function_did_not_write_for_the_field_stay(
    #[case] prefix: &str,
    #[case] is_left_over: bool,
) {
    let app = TestApp::start().await;
    let key = format!("{prefix}5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21.png");
    let (s3, bucket) = (app.stack.endpoints.s3(), &app.stack.config.images_bucket);
    s3.put_object()
        .bucket(bucket)
        .key(&key)
        .send()
        .await
        .unwrap();
    write_selfie(&app, image_with(&key)).await;
    let form = Form::selfie(&images::png(400, 1));
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    assert!(app.objects().await.contains_key(&key));
    if is_left_over {
        let warning = "a replaced object of an earlier project is left over";
        assert_warned(&key, warning);
    } else {
        assert_eq!(LOG.lines_with(&key), [""; 0]);
    }
}

/// s3s-fs keeps no versions: this runs where `TEST_S3_ENDPOINT` names a server that does.
#[tokio::test]
async fn a_replaced_image_can_be_brought_back_from_its_version() {
    let app = TestApp::start().await;
    if std::env::var_os("TEST_S3_ENDPOINT").is_none() {
        return;
    }
    let (s3, bucket) = (app.stack.endpoints.s3(), &app.stack.config.images_bucket);
    let enabled = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    let versioning = s3.put_bucket_versioning().bucket(bucket);
    versioning
        .versioning_configuration(enabled)
        .send()
        .await
        .unwrap();
    let (first, second) = (images::png(500, 1), images::png(500, 2));
    assert_eq!(app.put(&Form::selfie(&first)).await.row(), SUCCESS);
    let objects = app.objects().await;
    let key = objects.keys().next().unwrap();
    assert_eq!(app.put(&Form::selfie(&second)).await.row(), SUCCESS);
    assert!(!app.objects().await.contains_key(key));
    let versions = s3.list_object_versions().bucket(bucket).prefix(key);
    let versions = versions.send().await.unwrap();
    assert_eq!(versions.delete_markers().len(), 1);
    let version = versions.versions()[0].version_id().unwrap();
    let old = s3.get_object().bucket(bucket).key(key).version_id(version);
    let old = old.send().await.unwrap().body.collect().await.unwrap();
    assert_eq!(old.to_vec(), first);
}
