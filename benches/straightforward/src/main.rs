//! `PUT /Image` as most would write it, for the benchmark to compare with: lambda_http, multer's `bytes()`,
//! base64's default engine, the SDK's defaults. It makes the calls that put-image makes: both reads at once, the uploads
//! at once, one conditional update. It is right for a good request, and checks no more than it must to be one.

use std::collections::HashMap;
use std::env;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{future::try_join_all, stream};
use lambda_http::{Body, Error, Request, Response, run_concurrent, service_fn};
use multer::Multipart;
use sha2::{Digest, Sha256};
use tokio::try_join;
use uuid::Uuid;

struct Storage {
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    projects: String,
    submissions: String,
    bucket: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let storage = Arc::new(Storage {
        dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
        s3: aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&sdk)
                .force_path_style(true)
                .build(),
        ),
        projects: env::var("PROJECTS_TABLE")?,
        submissions: env::var("SUBMISSIONS_TABLE")?,
        bucket: env::var("IMAGES_BUCKET")?,
    });
    run_concurrent(service_fn(move |request| {
        let storage = Arc::clone(&storage);
        async move {
            let (status, body) = match put(&storage, request).await {
                Ok(()) => (200, r#"{"message":"complete to update image."}"#.to_owned()),
                Err(error) => (
                    400,
                    serde_json::json!({ "message": error.to_string() }).to_string(),
                ),
            };
            let response = Response::builder()
                .status(status)
                .header("content-type", "application/json");
            Ok::<_, Error>(response.body(body)?)
        }
    }))
    .await
}

async fn put(storage: &Storage, request: Request) -> Result<(), Error> {
    let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    let api_key = header("x-api-key").ok_or("no key")?;
    let boundary = multer::parse_boundary(header("content-type").ok_or("no content type")?)?;
    let body = match request.into_body() {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => return Err("no body".into()),
    };
    let mut form = Multipart::new(stream::once(async { Ok::<_, Error>(body) }), boundary);
    let mut texts = HashMap::new();
    let mut images = Vec::new();
    while let Some(field) = form.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await?;
        if name.ends_with("Image") {
            images.push((name, BASE64_STANDARD.decode(&bytes)?));
        } else {
            texts.insert(name, String::from_utf8(bytes.to_vec())?);
        }
    }
    let text = |name: &str| texts.get(name).cloned().ok_or("a field is missing");

    let submission_id = text("submissionId")?;
    let projects = storage
        .dynamodb
        .query()
        .table_name(&storage.projects)
        .index_name("apiKeyHash-index")
        .key_condition_expression("apiKeyHash = :hash")
        .expression_attribute_values(
            ":hash",
            AttributeValue::S(hex::encode(Sha256::digest(&api_key))),
        )
        .send();
    let submission = storage
        .dynamodb
        .get_item()
        .table_name(&storage.submissions)
        .key("submissionId", AttributeValue::S(submission_id.clone()))
        .send();
    let (projects, submission) = try_join!(async { projects.await.map_err(Error::from) }, async {
        submission.await.map_err(Error::from)
    })?;
    let project = projects.items().first().ok_or("no project")?;
    let admin = text("admin")?;
    let admins = project
        .get("admins")
        .and_then(|admins| admins.as_ss().ok())
        .ok_or("no admins")?;
    if !admins.contains(&admin) {
        return Err("not an admin".into());
    }
    let submission = submission.item.ok_or("no submission")?;
    if submission.get("projectId") != project.get("projectId") {
        return Err("another project's".into());
    }

    let project_id = project["projectId"].as_s().map_err(|_| "no project ID")?;
    let uploads = images.into_iter().map(|(field, image)| {
        let extension = if image.starts_with(b"\x89PNG") {
            "png"
        } else {
            "jpg"
        };
        let key = format!(
            "{project_id}/{submission_id}/{field}/{}.{extension}",
            Uuid::new_v4()
        );
        async move {
            let sha256 = hex::encode(Sha256::digest(&image));
            let size = image.len();
            storage
                .s3
                .put_object()
                .bucket(&storage.bucket)
                .key(&key)
                .content_type(if extension == "png" {
                    "image/png"
                } else {
                    "image/jpeg"
                })
                .checksum_algorithm(ChecksumAlgorithm::Sha256)
                .body(ByteStream::from(image))
                .send()
                .await?;
            let attributes = [("key", key), ("sha256", sha256)]
                .map(|(name, text)| (name, AttributeValue::S(text)));
            let attributes = attributes
                .into_iter()
                .chain([("size", AttributeValue::N(size.to_string()))]);
            let attributes = attributes
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            Ok::<_, Error>((field, AttributeValue::M(attributes)))
        }
    });
    let uploaded = try_join_all(uploads).await?;

    let mut update = storage
        .dynamodb
        .update_item()
        .table_name(&storage.submissions)
        .key("submissionId", AttributeValue::S(submission_id.clone()))
        .condition_expression("attribute_exists(submissionId)");
    let set: Vec<String> = uploaded
        .iter()
        .map(|(field, _)| format!("{field} = :{field}"))
        .collect();
    for (field, image) in uploaded {
        update = update.expression_attribute_values(format!(":{field}"), image);
    }
    let updated = update
        .update_expression(format!("SET {}", set.join(", ")))
        .return_values(ReturnValue::UpdatedOld)
        .send()
        .await?;
    let replaced = updated.attributes.unwrap_or_default();
    let replaced = replaced
        .values()
        .filter_map(|image| image.as_m().ok()?.get("key")?.as_s().ok());
    let deletions = replaced.map(|key| {
        storage
            .s3
            .delete_object()
            .bucket(&storage.bucket)
            .key(key)
            .send()
    });
    try_join_all(deletions).await?;
    Ok(())
}
