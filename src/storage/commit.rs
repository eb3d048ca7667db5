//! A single conditional `UpdateItem` makes a request's images the submission's images, all at once.
//!
//! It is a compare-and-swap: it takes effect only if the images that it replaces are still the ones that were read. So
//! a commit that is sent twice, or arrives late, can't undo another request's, and what it replaced is known even if
//! its response is lost. There is no ABA problem, since keys are never reused. (But if somebody deletes a submission
//! and creates it again, the first images sent to the old one can still arrive at the new one, seconds late.)

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use super::attempts::Attempts;
use super::upload::{Fate, NewObject, Uploads};
use super::{Storage, call_failed};
use crate::domain::{Admin, IdType, ProjectId};
use crate::error::{Error, Fault};
use crate::records::Submission;
use crate::records::attribute::image::{CONTENT_TYPE, HEIGHT, KEY, SHA256, SIZE, WIDTH};
use crate::records::attribute::{ID_TYPE, PROJECT_ID, SUBMISSION_ID, UPDATED_AT, UPDATED_BY};
use crate::timestamp;

/// What a commit records besides the images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    /// The project that the submission must still belong to.
    pub(crate) project: &'a ProjectId,
    /// As registered on the project.
    pub(crate) admin: &'a Admin,
    /// Recorded if an ID image is stored.
    pub(crate) id_type: Option<IdType>,
}

/// The outcome of one conditional update.
enum Outcome {
    /// The record names the new images.
    Applied,
    /// The record has changed since it was read; nothing was applied.
    Conflict,
    /// Nothing was applied, and nothing will be.
    Refused(Fault),
    /// It may have been applied, or may still be.
    Unknown(Fault),
}

impl Storage {
    /// Makes the uploads the submission's images. If another request's commit came first, reads the submission again
    /// and replaces that request's images; the submission may by then be gone, or belong to another project.
    pub(crate) async fn commit(
        &self,
        mut uploads: Uploads<'_>,
        submission: Submission,
        change: Change<'_>,
    ) -> Result<(), Error> {
        let deadline = uploads.deadline;
        let mut current = submission;
        // Lock-free: each retry means that another request's commit succeeded.
        loop {
            for object in &mut uploads.objects {
                object.replaces = current.key(object.field);
            }
            uploads.fate = Fate::InDoubt;
            match self.update(&uploads, &current, change).await {
                Outcome::Applied => break,
                Outcome::Refused(fault) => {
                    uploads.fate = Fate::Unused;
                    return Err(fault.into());
                }
                Outcome::Unknown(fault) => {
                    let read = self.submission(&current.id);
                    let found = deadline.response.run("GetItem", read).await.flatten();
                    if !names_any(found.ok().flatten().as_ref(), &uploads.objects) {
                        return Err(fault.into());
                    }
                    break;
                }
                Outcome::Conflict => {
                    uploads.fate = Fate::Unused;
                    let read = self.submission(&current.id);
                    let found = deadline.work.run("GetItem", read).await.flatten()?;
                    current = found
                        .filter(|found| found.is_of(change.project))
                        .ok_or(Error::InvalidSubmission(None))?;
                }
            }
        }
        uploads.fate = Fate::Committed;
        Ok(())
    }

    async fn update(
        &self,
        uploads: &Uploads<'_>,
        current: &Submission,
        change: Change<'_>,
    ) -> Outcome {
        let attempts = Attempts::default();
        let update = self.conditional_update(&uploads.objects, current, change);
        let sending = update.customize().interceptor(attempts.clone()).send();
        match uploads.deadline.work.run("UpdateItem", sending).await {
            Ok(Ok(_)) => Outcome::Applied,
            Ok(Err(error)) if !attempts.all_refused() => {
                Outcome::Unknown(call_failed("UpdateItem", error))
            }
            Ok(Err(SdkError::ServiceError(error)))
                if error.err().is_conditional_check_failed_exception() =>
            {
                Outcome::Conflict
            }
            Ok(Err(error)) => Outcome::Refused(call_failed("UpdateItem", error)),
            Err(passed) if attempts.sent() == 0 => Outcome::Refused(passed),
            Err(passed) => Outcome::Unknown(passed),
        }
    }

    fn conditional_update(
        &self,
        objects: &[NewObject],
        current: &Submission,
        change: Change<'_>,
    ) -> UpdateItemFluentBuilder {
        let now = timestamp::now();
        let mut update = self
            .dynamodb
            .update_item()
            .table_name(&self.config.submissions_table)
            .key(SUBMISSION_ID, text(current.id.as_str()))
            .expression_attribute_values(":project", text(change.project.as_str()))
            .expression_attribute_values(":now", text(&now))
            .expression_attribute_values(":admin", text(change.admin.as_str()));
        let mut set = vec![format!("{UPDATED_AT} = :now, {UPDATED_BY} = :admin")];
        let mut conditions = vec![format!(
            "attribute_exists({SUBMISSION_ID}) AND {PROJECT_ID} = :project"
        )];
        if let Some(id_type) = change.id_type {
            set.push(format!("{ID_TYPE} = :idType"));
            update = update.expression_attribute_values(":idType", text(id_type.name()));
        }
        for object in objects {
            let field = object.field.name();
            set.push(format!("{field} = :{field}"));
            let image = image_attribute(object, &now, change.admin);
            update = update.expression_attribute_values(format!(":{field}"), image);
            match current.image(object.field) {
                None => conditions.push(format!("attribute_not_exists({field})")),
                Some(image) => {
                    let value = format!(":current_{field}");
                    conditions.push(format!("{field} = {value}"));
                    update = update.expression_attribute_values(value, image.clone());
                }
            }
        }
        update
            .update_expression(format!("SET {}", set.join(", ")))
            .condition_expression(conditions.join(" AND "))
    }
}

/// Returns whether a record names one of the objects. Any of our keys proves it: the update is atomic, and another
/// request may since have replaced some.
fn names_any(found: Option<&Submission>, objects: &[NewObject]) -> bool {
    objects.iter().any(|object| {
        let named = found.and_then(|found| found.named_key(object.field));
        named == Some(object.key.as_str())
    })
}

fn image_attribute(object: &NewObject, now: &str, admin: &Admin) -> AttributeValue {
    let NewObject { key, image, .. } = object;
    let (format, dimensions) = (image.format(), image.dimensions());
    let members = [
        (KEY, text(key.as_str())),
        (CONTENT_TYPE, text(format.content_type())),
        (SIZE, number(&image.bytes().len())),
        (SHA256, text(&hex::encode(image.sha256()))),
        (WIDTH, number(&dimensions.width())),
        (HEIGHT, number(&dimensions.height())),
        (UPDATED_AT, text(now)),
        (UPDATED_BY, text(admin.as_str())),
    ];
    let members = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    AttributeValue::M(members.collect())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
