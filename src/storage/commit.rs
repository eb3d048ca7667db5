//! One conditional `UpdateItem` makes all of a request's images the submission's images at once.
//!
//! It is a compare-and-swap: it takes effect only while the images that it replaces are still those that were read. So
//! a commit that is sent twice, or arrives late, can't undo another request's, and what it replaced is known even if
//! its answer is lost. There is no ABA problem, since keys are never reused. (But if somebody deletes a submission and
//! makes it anew, a first put to the old one can still arrive at the new one, seconds late.)

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

use super::attempts::Attempts;
use super::{Object, Storage, Submission, call_failed};
use crate::deadline::Deadline;
use crate::domain::{Admin, IdType, SubmissionId};
use crate::error::{Error, Fault};

/// What a commit writes, and to which submission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewImages<'a> {
    /// The project that the submission must still belong to.
    pub(crate) project_id: &'a str,
    /// The submission.
    pub(crate) submission_id: &'a SubmissionId,
    /// The administrator, as registered.
    pub(crate) admin: &'a Admin,
    /// The type to record, if an ID image is put.
    pub(crate) id_type: Option<IdType>,
    /// The uploaded objects.
    pub(crate) objects: &'a [Object],
}

/// How a commit ended.
#[derive(Debug)]
pub(crate) enum Commit {
    /// The submission has the new images. No record references these keys any more.
    Done(Vec<String>),
    /// Definitely not applied; the uploads are safe to delete.
    Refused(Error),
    /// It may have been applied, or may still be: nothing is safe to delete.
    Unknown(Fault),
}

impl Storage {
    /// Makes the objects the submission's images, provided that its images are still those of `submission`, or those
    /// that another request's commit has left since.
    pub(crate) async fn commit(
        &self,
        new: NewImages<'_>,
        submission: Submission,
        deadline: Deadline,
    ) -> Commit {
        let mut current = submission;
        // Each round but the last is one in which another request has made headway.
        loop {
            let attempts = Attempts::default();
            let update = self.update(new, &current, attempts.clone());
            let error = match deadline.work.run("commit", update).await {
                Ok(Ok(())) => return Commit::Done(replaced(new, &current)),
                Ok(Err(error)) => error,
                Err(passed) if attempts.sent() == 0 => return Commit::Refused(passed.into()),
                Err(passed) => return self.read_back(new, &current, passed, deadline).await,
            };
            let condition_failed = error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception);
            let fault = call_failed("UpdateItem", error);
            if !attempts.all_refused() {
                return self.read_back(new, &current, fault, deadline).await;
            }
            if !condition_failed {
                return Commit::Refused(fault.into());
            }
            // Another request's commit came first, or the submission is gone or another project's.
            let read = self.submission(new.submission_id.as_str());
            match deadline.work.run("commit", read).await.flatten() {
                Ok(Some(found)) if found.is_of(new.project_id) => current = found,
                Ok(_) => return Commit::Refused(Error::InvalidSubmission(None)),
                Err(fault) => return Commit::Refused(fault.into()),
            }
        }
    }

    async fn update(
        &self,
        new: NewImages<'_>,
        current: &Submission,
        attempts: Attempts,
    ) -> Result<(), SdkError<UpdateItemError>> {
        let now = now();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut update = self
            .dynamodb
            .update_item()
            .table_name(&self.config.submissions_table)
            .key("submissionId", text(new.submission_id.as_str()))
            .expression_attribute_values(":projectId", text(new.project_id))
            .expression_attribute_values(":updatedAt", text(&now))
            .expression_attribute_values(":updatedBy", text(new.admin.as_str()));
        let mut set = vec![
            "updatedAt = :updatedAt".to_owned(),
            "updatedBy = :updatedBy".to_owned(),
        ];
        let mut conditions = vec![
            "attribute_exists(submissionId)".to_owned(),
            "projectId = :projectId".to_owned(),
        ];
        if let Some(id_type) = new.id_type {
            set.push("idType = :idType".to_owned());
            update = update.expression_attribute_values(":idType", text(id_type.name()));
        }
        for object in new.objects {
            let field = object.field.name();
            set.push(format!("{field} = :{field}"));
            let image = image_attribute(object, &now, new.admin);
            update = update.expression_attribute_values(format!(":{field}"), image);
            match current.image(object.field) {
                None => conditions.push(format!("attribute_not_exists({field})")),
                Some(image) => {
                    conditions.push(format!("{field} = :current_{field}"));
                    update = update
                        .expression_attribute_values(format!(":current_{field}"), image.clone());
                }
            }
        }
        update
            .update_expression(format!("SET {}", set.join(", ")))
            .condition_expression(conditions.join(" AND "))
            .customize()
            .interceptor(attempts)
            .send()
            .await
            .map(drop)
    }

    /// Finds out from the record what a commit of unknown outcome did.
    async fn read_back(
        &self,
        new: NewImages<'_>,
        before: &Submission,
        fault: Fault,
        deadline: Deadline,
    ) -> Commit {
        let read = self.submission(new.submission_id.as_str());
        let found = deadline.answer.run("read back", read).await;
        // One of ours is enough: they came all at once, and another request may have replaced some since.
        let names_ours = |found: &Submission| {
            let mut objects = new.objects.iter();
            objects.any(|object| found.key(object.field) == Some(&object.key))
        };
        match found {
            Ok(Ok(Some(found))) if names_ours(&found) => Commit::Done(replaced(new, before)),
            _ => Commit::Unknown(fault),
        }
    }
}

/// Returns the keys of the images that the objects replace. A key outside the field's prefix was not written by us:
/// who knows what else references it.
fn replaced(new: NewImages<'_>, before: &Submission) -> Vec<String> {
    let keys = new.objects.iter().filter_map(|object| {
        let prefix = Object::prefix(new.project_id, new.submission_id, object.field);
        before
            .key(object.field)
            .filter(|key| key.starts_with(&prefix))
    });
    keys.map(str::to_owned).collect()
}

/// Returns an image's attribute in the record.
fn image_attribute(object: &Object, now: &str, admin: &Admin) -> AttributeValue {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let dimensions = object.image.dimensions();
    let members = [
        ("key", text(&object.key)),
        ("contentType", text(object.image.format().content_type())),
        (
            "size",
            AttributeValue::N(object.image.bytes().len().to_string()),
        ),
        ("sha256", text(&hex::encode(object.sha256))),
        ("width", AttributeValue::N(dimensions.width().to_string())),
        ("height", AttributeValue::N(dimensions.height().to_string())),
        ("updatedAt", text(now)),
        ("updatedBy", text(admin.as_str())),
    ];
    let members = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    AttributeValue::M(members.collect())
}

/// Returns the time in RFC 3339, UTC, with milliseconds: `2026-11-23T08:15:30.123Z`.
fn now() -> String {
    const PRECISION: TimePrecision = TimePrecision::Second {
        decimal_digits: std::num::NonZeroU8::new(3),
    };
    const FORMAT: EncodedConfig = Config::DEFAULT.set_time_precision(PRECISION).encode();
    // Only a year that doesn't have four digits can't be formatted.
    OffsetDateTime::now_utc()
        .format(&Iso8601::<FORMAT>)
        .unwrap_or_default()
}
