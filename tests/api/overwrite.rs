//! What a put leaves in the record and in the bucket: the first, a partial one, one over another.

use sha2::{Digest, Sha256};

use crate::helpers::*;
use local::images;

#[tokio::test]
async fn a_first_put_writes_the_documented_record() {
    let app = App::start().await;
    let image = images::jpeg(1234, 1);
    let form = Form::texts().with_image("idImage", &image);
    assert_eq!(app.put(&form).await.row(), SUCCESS);

    let record = app.record(SUBMISSION).await;
    let mut names: Vec<&String> = record.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "idImage",
            "idType",
            "projectId",
            "submissionId",
            "updatedAt",
            "updatedBy"
        ]
    );
    assert_eq!(record["projectId"], "demo-project");
    assert_eq!(record["idType"], "passport");
    assert_eq!(
        record["updatedBy"], "Admin@Example.com",
        "as registered, not as sent"
    );

    let stored = record["idImage"].as_object().unwrap();
    let mut names: Vec<&String> = stored.keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "contentType",
            "height",
            "key",
            "sha256",
            "size",
            "updatedAt",
            "updatedBy",
            "width"
        ]
    );
    assert_eq!(stored["contentType"], "image/jpeg");
    assert_eq!(stored["size"], 1234);
    assert_eq!(
        (&stored["width"], &stored["height"]),
        (&3.into(), &2.into())
    );
    assert_eq!(stored["sha256"], hex::encode(Sha256::digest(&image)));
    assert_eq!(stored["updatedBy"], "Admin@Example.com");
    assert_eq!(stored["updatedAt"], record["updatedAt"]);

    let at = record["updatedAt"].as_str().unwrap();
    let pattern: String = at
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(pattern, "0000-00-00T00:00:00.000Z");

    let key = stored["key"].as_str().unwrap();
    let unique = key
        .strip_prefix("demo-project/demo-submission/idImage/")
        .unwrap()
        .strip_suffix(".jpg")
        .unwrap();
    assert!(uuid::Uuid::parse_str(unique).is_ok(), "{key}");
}

#[tokio::test]
async fn objects_have_their_content_type_and_checksum() {
    let app = App::start().await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let record = app.record(SUBMISSION).await;
    for (field, content_type) in [("idImage", "image/jpeg"), ("addressImage", "image/png")] {
        let key = record[field]["key"].as_str().unwrap();
        let head = app
            .stack
            .endpoints
            .s3()
            .head_object()
            .bucket(&app.stack.config.images_bucket)
            .key(key);
        let head = head
            .checksum_mode(aws_sdk_s3::types::ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        assert_eq!(head.content_type(), Some(content_type));
        let sha256 = hex::decode(record[field]["sha256"].as_str().unwrap()).unwrap();
        let checksum = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, sha256);
        assert_eq!(head.checksum_sha256(), Some(checksum.as_str()));
    }
}

#[tokio::test]
async fn an_overwrite_replaces_the_images_and_deletes_the_old_objects() {
    let app = App::start().await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let first = app.objects().await;
    let image = images::png(2000, 9);
    assert_eq!(
        app.put(&Form::full().with_image("idImage", &image))
            .await
            .row(),
        SUCCESS
    );
    let second = app.objects().await;
    assert_eq!(second.len(), 4);
    assert!(
        second.keys().all(|key| !first.contains_key(key)),
        "no key is used twice"
    );
    assert_eq!(app.image(SUBMISSION, "idImage").await, Some(image));
}

#[tokio::test]
async fn a_partial_put_leaves_the_other_images() {
    let app = App::start().await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let before = app.record(SUBMISSION).await;
    let image = images::png(2000, 9);
    let form = Form::selfie(&image)
        .with("idType", "visa")
        .with("admin", "SECOND@example.com");
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    let after = app.record(SUBMISSION).await;
    for field in ["idImage", "idBackImage", "addressImage"] {
        assert_eq!(after[field], before[field]);
        assert!(app.image(SUBMISSION, field).await.is_some());
    }
    assert_eq!(
        after["idType"], "passport",
        "set when an ID image is put, and only then"
    );
    assert_eq!(after["updatedBy"], "second@example.com");
    assert_eq!(after["selfieImage"]["updatedBy"], "second@example.com");
    assert_eq!(app.image(SUBMISSION, "selfieImage").await, Some(image));
    assert_eq!(app.objects().await.len(), 4);
}

#[tokio::test]
async fn other_attributes_are_left_alone_and_odd_ones_overwritten() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let app = App::start().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = app
        .stack
        .endpoints
        .dynamodb()
        .put_item()
        .table_name(&app.stack.config.submissions_table);
    let put = put
        .item("submissionId", text("odd"))
        .item("projectId", text("demo-project"));
    put.item("note", text("kept"))
        .item("selfieImage", text("of another time"))
        .send()
        .await
        .unwrap();
    let image = images::png(400, 1);
    assert_eq!(
        app.put(&Form::selfie(&image).with("submissionId", "odd"))
            .await
            .row(),
        SUCCESS
    );
    assert_eq!(app.record("odd").await["note"], "kept");
    assert_eq!(app.image("odd", "selfieImage").await, Some(image));
}

#[tokio::test]
async fn sample_images_are_stored_as_drawn() {
    let app = App::start().await;
    for (file, width, height, kind) in [
        ("front.jpg", 428, 270, "image/jpeg"),
        ("back.png", 428, 270, "image/png"),
        ("selfie.jpg", 240, 300, "image/jpeg"),
        ("address.png", 300, 424, "image/png"),
    ] {
        let image = std::fs::read(format!("events/images/{file}")).unwrap();
        app.assert_stores(&Form::selfie(&image), "selfieImage", &image, file)
            .await;
        let stored = &app.record(SUBMISSION).await["selfieImage"];
        assert_eq!(
            (&stored["width"], &stored["height"]),
            (&width.into(), &height.into()),
            "{file}"
        );
        assert_eq!(stored["contentType"], kind, "{file}");
    }
}

/// s3s-fs keeps no versions: this runs where `TEST_S3_ENDPOINT` names a server that does.
#[tokio::test]
async fn a_replaced_image_can_be_brought_back_from_its_version() {
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
    let app = App::start().await;
    if !app.keeps_versions {
        return;
    }
    let (s3, bucket) = (app.stack.endpoints.s3(), &app.stack.config.images_bucket);
    let enabled = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    s3.put_bucket_versioning()
        .bucket(bucket)
        .versioning_configuration(enabled)
        .send()
        .await
        .unwrap();
    let (first, second) = (images::png(500, 1), images::png(500, 2));
    assert_eq!(app.put(&Form::selfie(&first)).await.row(), SUCCESS);
    let key = app.record(SUBMISSION).await["selfieImage"]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(app.put(&Form::selfie(&second)).await.row(), SUCCESS);
    assert!(!app.objects().await.contains_key(&key));
    let versions = s3
        .list_object_versions()
        .bucket(bucket)
        .prefix(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(versions.delete_markers().len(), 1);
    let version = versions.versions()[0].version_id().unwrap();
    let old = s3
        .get_object()
        .bucket(bucket)
        .key(&key)
        .version_id(version)
        .send()
        .await
        .unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), first);
}
