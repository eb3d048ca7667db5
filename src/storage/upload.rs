//! Uploads images to S3, and deletes objects. A key is used only once, and no record names it before the commit.

use std::mem;

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;

use super::attempts::Attempts;
use super::trash::{State, Trash};
use super::{Storage, call_failed};
use crate::deadline::Deadline;
use crate::domain::{ImageField, ObjectKey, ProjectId};
use crate::error::Fault;
use crate::form::Images;
use crate::image::Image;
use crate::records::Submission;

/// A request's new objects, from before their upload until a record names them. However the request ends, they aren't
/// forgotten: dropping this value decides what happens to them, and to those that they replace.
#[derive(Debug)]
pub(crate) struct Uploads<'a> {
    pub(super) objects: Vec<NewObject>,
    pub(super) fate: Fate,
    pub(super) deadline: Deadline,
    request_id: String,
    trash: &'a Trash,
}

/// An image with the key of its object.
#[derive(Debug)]
pub(super) struct NewObject {
    pub(super) field: ImageField,
    pub(super) key: ObjectKey,
    pub(super) image: Image,
    /// The object that the commit replaces. One that the function didn't write for this submission is not ours to delete:
    /// something else may use it.
    pub(super) replaces: Option<ObjectKey>,
    attempts: Attempts,
}

/// What happens to a request's new objects.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// No record names them, and none will.
    Unused,
    /// A commit that names them was sent, and its outcome is unknown: nothing is safe to delete.
    InDoubt,
    /// A record names them.
    Committed,
}

impl Drop for Uploads<'_> {
    fn drop(&mut self) {
        let objects = mem::take(&mut self.objects);
        let end = self.deadline.clean_up;
        let discard = |key, state| self.trash.add(&self.request_id, (key, state, end));
        for object in objects {
            let (key, attempts) = (object.key, object.attempts);
            match (self.fate, object.replaces) {
                (Fate::Unused, _) if attempts.sent() == 0 => {}
                (Fate::Unused, _) if attempts.unanswered() == 0 => discard(key, State::Unused),
                (Fate::Unused, _) => discard(key, State::MayArrive),
                (Fate::InDoubt, None) => discard(key, State::InDoubt),
                (Fate::InDoubt, Some(replaced)) => {
                    discard(key, State::InDoubt);
                    discard(replaced, State::InDoubt);
                }
                (Fate::Committed, None) => {}
                (Fate::Committed, Some(replaced)) if replaced.project() == key.project() => {
                    discard(replaced, State::Unused);
                }
                (Fate::Committed, Some(replaced)) => discard(replaced, State::OfEarlierProject),
            }
        }
    }
}

impl Storage {
    /// Uploads a request's images concurrently, each under a new key of the submission. Returns only after every upload
    /// has ended, so that none is still in flight if one fails. All are then discarded.
    pub(crate) async fn upload(
        &self,
        images: Images,
        project: &ProjectId,
        submission: &Submission,
        request_id: String,
        deadline: Deadline,
    ) -> Result<Uploads<'_>, Fault> {
        let object = |(field, image): (ImageField, Image)| NewObject {
            field,
            key: ObjectKey::new(project, &submission.id, field, image.format()),
            image,
            replaces: None,
            attempts: Attempts::default(),
        };
        let uploads = Uploads {
            objects: images.into_iter().map(object).collect(),
            fate: Fate::Unused,
            deadline,
            request_id,
            trash: &self.trash,
        };
        let results = join_all(uploads.objects.iter().map(|object| self.put_object(object))).await;
        results.into_iter().collect::<Result<(), Fault>>()?;
        Ok(uploads)
    }

    async fn put_object(&self, object: &NewObject) -> Result<(), Fault> {
        let uploaded = self
            .s3
            .put_object()
            .bucket(&self.config.images_bucket)
            .key(object.key.as_str())
            .content_type(object.image.format().content_type())
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(BASE64_STANDARD.encode(object.image.sha256()))
            .if_none_match("*")
            .body(ByteStream::from(object.image.bytes().clone()))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().retry_classifier(RetryConflicts))
            // S3 verifies the signed checksum, so the SDK need not hash the body a second time for the signature.
            .disable_payload_signing()
            .interceptor(object.attempts.clone())
            .send()
            .await;
        match uploaded {
            Ok(_) => Ok(()),
            // Nobody else uses the key. If it exists on a retry, an earlier attempt whose response was lost wrote the
            // whole object, with its checksum.
            Err(error)
                if error.code() == Some("PreconditionFailed") && object.attempts.sent() > 1 =>
            {
                Ok(())
            }
            Err(error) => Err(call_failed("PutObject", error)),
        }
    }

    /// Deletes an object. In a versioned bucket it can be restored.
    pub(super) async fn delete(&self, key: &str) -> Result<(), Fault> {
        let bucket = &self.config.images_bucket;
        let deleted = self.s3.delete_object().bucket(bucket).key(key).send().await;
        deleted
            .map(drop)
            .map_err(|error| call_failed("DeleteObject", error))
    }
}

/// Retries `ConditionalRequestConflict`: S3's response to a conditional write while another one to the same key, here
/// an earlier attempt of ours, is in progress ("Conditional writes").
#[derive(Debug)]
struct RetryConflicts;

impl ClassifyRetry for RetryConflicts {
    fn name(&self) -> &'static str {
        "RetryConflicts"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let code = context
            .output_or_error()
            .and_then(|result| result.err()?.as_operation_error()?.downcast_ref())
            .and_then(PutObjectError::code);
        if code == Some("ConditionalRequestConflict") {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }
}
