//! Images to S3, and away again. An object's key is its own for ever: it is written once, and no record names it before
//! the commit.

use aws_runtime::auth::PayloadSigningOverride;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use uuid::Uuid;

use super::attempts::Attempts;
use super::{Storage, call_failed};
use crate::deadline::Deadline;
use crate::domain::{ImageField, SubmissionId};
use crate::error::Fault;
use crate::image::Image;

/// An image with the key of its object.
#[derive(Debug)]
pub(crate) struct Object {
    /// The field that the image is for.
    pub(crate) field: ImageField,
    /// The key: `{projectId}/{submissionId}/{field}/{unique}.{jpg|png}`.
    pub(crate) key: String,
    /// The content.
    pub(crate) image: Image,
    /// The content's SHA-256.
    pub(crate) sha256: [u8; 32],
}

impl Object {
    /// Makes an object of an image, under a key that no other object ever has.
    pub(crate) fn new(
        project_id: &str,
        submission_id: &SubmissionId,
        field: ImageField,
        image: Image,
        sha256: [u8; 32],
    ) -> Self {
        let prefix = Self::prefix(project_id, submission_id, field);
        let extension = image.format().extension();
        let key = format!("{prefix}{}.{extension}", Uuid::new_v4());
        Self {
            field,
            key,
            image,
            sha256,
        }
    }

    /// Returns what the keys of a field's objects begin with.
    pub(super) fn prefix(
        project_id: &str,
        submission_id: &SubmissionId,
        field: ImageField,
    ) -> String {
        format!("{project_id}/{}/{}/", submission_id.as_str(), field.name())
    }
}

impl Storage {
    /// Uploads objects concurrently. Returns once every upload has ended, so that a failed one leaves none in flight,
    /// or once the deadline has passed. Also returns the keys of which an attempt was never answered: it may still
    /// arrive, even after the object was deleted.
    pub(crate) async fn upload(
        &self,
        objects: &[Object],
        deadline: Deadline,
    ) -> (Result<(), Fault>, Vec<String>) {
        let attempts: Vec<Attempts> = objects.iter().map(|_| Attempts::default()).collect();
        let uploads = objects.iter().zip(&attempts);
        let uploads = join_all(uploads.map(|(object, attempts)| self.upload_one(object, attempts)));
        let results = deadline.work.run("upload", uploads).await;
        let result = results.and_then(|results| results.into_iter().collect());
        let unanswered = objects
            .iter()
            .zip(&attempts)
            .filter(|(_, attempts)| attempts.unanswered() > 0)
            .map(|(object, _)| object.key.clone())
            .collect();
        (result, unanswered)
    }

    async fn upload_one(&self, object: &Object, attempts: &Attempts) -> Result<(), Fault> {
        let uploaded = self
            .s3
            .put_object()
            .bucket(&self.config.images_bucket)
            .key(&object.key)
            .content_type(object.image.format().content_type())
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(BASE64_STANDARD.encode(object.sha256))
            .if_none_match("*")
            .body(ByteStream::from(object.image.bytes().clone()))
            .customize()
            .config_override(retry_conflicts())
            .interceptor(SignedBy(hex::encode(object.sha256)))
            .interceptor(attempts.clone())
            .send()
            .await;
        match uploaded {
            Ok(_) => Ok(()),
            // Nobody else has the key: if it exists at a retry, an earlier attempt wrote it, whole and with the
            // checksum, and its answer was lost.
            Err(error) if error.code() == Some("PreconditionFailed") && attempts.sent() > 1 => {
                Ok(())
            }
            Err(error) => Err(call_failed("PutObject", error)),
        }
    }

    /// Deletes an object. In a bucket that keeps versions it can be brought back.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), Fault> {
        let bucket = &self.config.images_bucket;
        let deleted = self.s3.delete_object().bucket(bucket).key(key).send().await;
        deleted
            .map(drop)
            .map_err(|error| call_failed("DeleteObject", error))
    }
}

/// Has the SDK retry what S3 answers to a conditional write while another one to the same key, an earlier attempt of
/// ours, is under way ("Conditional writes", `ConditionalRequestConflict`).
fn retry_conflicts() -> aws_sdk_s3::config::Builder {
    let conflict = AwsErrorCodeClassifier::<PutObjectError>::builder()
        .transient_errors(vec!["ConditionalRequestConflict"])
        .build();
    aws_sdk_s3::config::Builder::new().retry_classifier(conflict)
}

/// Signs the payload by the SHA-256 that is known already; the SDK would read and hash it again.
#[derive(Debug)]
struct SignedBy(String);

impl Intercept for SignedBy {
    fn name(&self) -> &'static str {
        "SignedBy"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let signed_by = PayloadSigningOverride::Precomputed(self.0.clone());
        config.interceptor_state().store_put(signed_by);
        Ok(())
    }
}
