//! One conditional `UpdateItem` makes all of a request's images the submission's images at once.
//!
//! It is a compare-and-swap: it takes effect only while the images that it replaces are still those
//! that were read. So a commit that is sent twice, or arrives late, can't undo another request's; and
//! what it replaced is known even when its answer is lost. (An image's key never comes back, so the condition
//! can't come true again. Only somebody who deletes a submission and makes it anew between two attempts of a
//! first put, seconds apart, could make it.)

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

use crate::checks::Put;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::records::Submission;
use crate::storage::{Storage, fault};
use crate::upload::{Attempts, Object};

/// How a commit ended.
#[derive(Debug)]
pub enum Commit {
    /// The submission has the new images; these object keys were replaced.
    Done(Vec<String>),
    /// It certainly had no effect and never will: the uploads can go.
    Refused(Error),
    /// It may have taken effect, or may yet: nothing can be deleted.
    Unknown(Error),
}

impl Storage {
    /// Makes the objects the submission's images, if its images are still as in `submission` or else
    /// as the last commit of another request left them.
    pub async fn commit(
        &self,
        put: &Put,
        objects: &[Object],
        submission: Submission,
        deadline: Deadline,
    ) -> Commit {
        let mut current = submission;
        // Each round but the last is one in which another request has made headway.
        loop {
            let attempts = Attempts::default();
            let update = self.update(put, objects, &current, attempts.clone());
            let error = match deadline.work(update).await {
                Ok(Ok(())) => return Commit::Done(replaced(put, objects, &current)),
                Ok(Err(error)) => error,
                Err(time_is_up) if attempts.sent() == 0 => {
                    return Commit::Refused(Error::fault("UpdateItem", time_is_up.to_string()));
                }
                Err(time_is_up) => {
                    let error = Error::fault("UpdateItem", time_is_up.to_string());
                    return self
                        .read_back(put, objects, &current, error, deadline)
                        .await;
                }
            };
            if !attempts.all_refused() {
                return self
                    .read_back(
                        put,
                        objects,
                        &current,
                        fault("UpdateItem", &error),
                        deadline,
                    )
                    .await;
            }
            let Some(UpdateItemError::ConditionalCheckFailedException(failed)) =
                error.as_service_error()
            else {
                return Commit::Refused(fault("UpdateItem", &error));
            };
            // Another request's commit came first, or the submission is gone or another project's.
            match failed.item.clone().map(Submission::from) {
                Some(found) if found.is_of(&put.project_id) => current = found,
                _ => return Commit::Refused(Error::InvalidSubmission),
            }
        }
    }

    async fn update(
        &self,
        put: &Put,
        objects: &[Object],
        current: &Submission,
        attempts: Attempts,
    ) -> Result<(), SdkError<UpdateItemError>> {
        let now = now();
        let mut update = self
            .dynamodb
            .update_item()
            .table_name(&self.config.submissions_table)
            .key("submissionId", AttributeValue::S(put.submission_id.clone()))
            .expression_attribute_values(":projectId", AttributeValue::S(put.project_id.clone()))
            .expression_attribute_values(":updatedAt", AttributeValue::S(now.clone()))
            .expression_attribute_values(":updatedBy", AttributeValue::S(put.admin.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut set = vec![
            "updatedAt = :updatedAt".to_owned(),
            "updatedBy = :updatedBy".to_owned(),
        ];
        let mut conditions = vec![
            "attribute_exists(submissionId)".to_owned(),
            "projectId = :projectId".to_owned(),
        ];
        if let Some(id_type) = put.id_type {
            set.push("idType = :idType".to_owned());
            update = update.expression_attribute_values(
                ":idType",
                AttributeValue::S(id_type.name().to_owned()),
            );
        }
        for object in objects {
            let field = object.field.name();
            set.push(format!("{field} = :{field}"));
            update = update.expression_attribute_values(
                format!(":{field}"),
                attribute(object, &now, &put.admin),
            );
            match current.image(object.field) {
                None => conditions.push(format!("attribute_not_exists({field})")),
                Some(image) => {
                    conditions.push(format!("{field} = :current_{field}"));
                    update = update
                        .expression_attribute_values(format!(":current_{field}"), image.clone());
                }
            }
        }
        let update = update
            .update_expression(format!("SET {}", set.join(", ")))
            .condition_expression(conditions.join(" AND "));
        update
            .customize()
            .interceptor(attempts)
            .send()
            .await
            .map(|_| ())
    }

    /// What a commit of unknown outcome did: the record tells.
    async fn read_back(
        &self,
        put: &Put,
        objects: &[Object],
        before: &Submission,
        error: Error,
        deadline: Deadline,
    ) -> Commit {
        let found = deadline
            .before_answer(self.submission(&put.submission_id))
            .await;
        // One of ours is enough: they came all at once, and another request may have replaced some.
        let names_ours = |found: &Submission| {
            objects
                .iter()
                .any(|object| found.key(object.field) == Some(&object.key))
        };
        match found {
            Ok(Ok(Some(found))) if names_ours(&found) => {
                Commit::Done(replaced(put, objects, before))
            }
            _ => Commit::Unknown(error),
        }
    }
}

/// The keys of the images that the objects replace. A key that is not of this submission's field was not
/// written by us: who knows what else names it.
fn replaced(put: &Put, objects: &[Object], before: &Submission) -> Vec<String> {
    let ours = objects.iter().filter_map(|object| {
        let prefix = format!(
            "{}/{}/{}/",
            put.project_id,
            put.submission_id,
            object.field.name()
        );
        before
            .key(object.field)
            .filter(|key| key.starts_with(&prefix))
    });
    ours.map(str::to_owned).collect()
}

/// An image's attribute in the record.
fn attribute(object: &Object, now: &str, admin: &str) -> AttributeValue {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let dimensions = object.image.dimensions();
    let members = [
        ("key", text(&object.key)),
        ("contentType", text(object.image.format().content_type())),
        (
            "size",
            AttributeValue::N(object.image.bytes().len().to_string()),
        ),
        ("sha256", AttributeValue::S(hex::encode(object.sha256))),
        ("width", AttributeValue::N(dimensions.width.to_string())),
        ("height", AttributeValue::N(dimensions.height.to_string())),
        ("updatedAt", text(now)),
        ("updatedBy", text(admin)),
    ];
    AttributeValue::M(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// RFC 3339 in UTC with milliseconds, as `2026-11-23T08:15:30.123Z`.
fn now() -> String {
    const FORMAT: EncodedConfig = Config::DEFAULT
        .set_time_precision(TimePrecision::Second {
            decimal_digits: std::num::NonZeroU8::new(3),
        })
        .encode();
    // Formatting fails for years that have no four digits alone.
    OffsetDateTime::now_utc()
        .format(&Iso8601::<FORMAT>)
        .unwrap_or_default()
}
