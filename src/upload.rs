//! Images to S3 and away again. An object's key is its own for ever: it is written once, and no
//! record names it before the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_runtime::auth::PayloadSigningOverride;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use base64::Engine as _;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::base64_text::ENGINE;
use crate::error::Error;
use crate::field::ImageField;
use crate::image::Image;
use crate::storage::{Storage, fault};

/// An image with the key that its object gets.
#[derive(Clone, Debug)]
pub struct Object {
    /// The field that it is for.
    pub field: ImageField,
    /// Its object key: `{projectId}/{submissionId}/{field}/{unique}.{jpg|png}`.
    pub key: String,
    /// Its content.
    pub image: Image,
    /// Its content's SHA-256.
    pub sha256: [u8; 32],
}

impl Object {
    /// An object for an image, under a key that no other object ever has.
    #[must_use]
    pub fn new(
        project_id: &str,
        submission_id: &str,
        field: ImageField,
        image: Image,
        sha256: [u8; 32],
    ) -> Self {
        let (name, extension) = (field.name(), image.format().extension());
        let key = format!(
            "{project_id}/{submission_id}/{name}/{}.{extension}",
            Uuid::new_v4()
        );
        Self {
            field,
            key,
            image,
            sha256,
        }
    }
}

impl Storage {
    /// Uploads the objects at the same time. It ends when each has ended, so that one that failed
    /// leaves no other on its way.
    ///
    /// # Errors
    ///
    /// [`Error::Processing`] if one can't be uploaded; the others may be.
    pub async fn upload(&self, objects: &[Object]) -> Result<(), Error> {
        join_all(objects.iter().map(|object| self.upload_one(object)))
            .await
            .into_iter()
            .collect()
    }

    async fn upload_one(&self, object: &Object) -> Result<(), Error> {
        let attempts = Attempts::default();
        let uploaded = self
            .s3
            .put_object()
            .bucket(&self.config.images_bucket)
            .key(&object.key)
            .content_type(object.image.format().content_type())
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(ENGINE.encode(object.sha256))
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
            // The key is ours alone: if it exists at a retry, an earlier attempt wrote it, whole and
            // with the checksum, and its answer was lost.
            Err(error) if error.code() == Some("PreconditionFailed") && attempts.sent() > 1 => {
                Ok(())
            }
            Err(error) => Err(fault("PutObject", &error)),
        }
    }

    /// Deletes an object. In a bucket that keeps versions it can be brought back.
    ///
    /// # Errors
    ///
    /// [`Error::Processing`] if it can't be deleted.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let deletion = self
            .s3
            .delete_object()
            .bucket(&self.config.images_bucket)
            .key(key)
            .send();
        deletion
            .await
            .map(|_| ())
            .map_err(|error| fault("DeleteObject", &error))
    }
}

/// S3 answers 409 to a conditional write while another to the same key, an earlier attempt of ours, is
/// still under way, and asks for a retry ("Conditional writes", `ConditionalRequestConflict`).
fn retry_conflicts() -> aws_sdk_s3::config::Builder {
    let conflict = AwsErrorCodeClassifier::<PutObjectError>::builder()
        .transient_errors(vec!["ConditionalRequestConflict"]);
    aws_sdk_s3::config::Builder::new().retry_classifier(conflict.build())
}

/// Signs the payload by the SHA-256 that is known already: the SDK would read and hash it again.
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
        config
            .interceptor_state()
            .store_put(PayloadSigningOverride::Precomputed(self.0.clone()));
        Ok(())
    }
}

/// Counts a call's attempts, and those of them that the service certainly refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    sent: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
}

impl Attempts {
    /// The attempts that were sent, or began to be.
    pub(crate) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether each attempt was answered with a refusal, so that none took effect or still may.
    pub(crate) fn all_refused(&self) -> bool {
        self.sent() == self.refused.load(Ordering::Relaxed)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // 4xx: nothing was done. 5xx can come after the write (DynamoDB's developer guide, "Error
        // handling").
        if context.response().status().is_client_error() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
