//! Submissions: created for callers to put images to, and shown with their objects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures_util::stream::TryStreamExt as _;
use put_image::domain::{ImageField, ObjectKey, SubmissionId, is_usable_id};
use put_image::image::Format;
use put_image::records::attribute::image::{CONTENT_TYPE, SHA256};
use put_image::records::attribute::{ID_TYPE, PROJECT_ID, SUBMISSION_ID, UPDATED_AT, UPDATED_BY};
use put_image::records::{Item, Submission};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::printable::table;
use crate::table::{plain, plain_item, text};
use crate::{Error, Records, failed};

/// A submission with the objects that are stored for it.
#[derive(Debug)]
pub struct StoredSubmission {
    pub(crate) submission: Submission,
    /// Key and size in bytes of each object.
    pub(crate) objects: BTreeMap<String, i64>,
}

impl Records {
    /// Creates a submission, unless one with its ID exists. Returns whether it is new. One without a project belongs to
    /// nobody.
    pub async fn create_submission(&self, id: &str, project: Option<&str>) -> Result<bool, Error> {
        if let Some(project) = project {
            self.project(project).await?;
        }
        let project = project.map(|project| (PROJECT_ID, text(project)));
        self.submissions().create(id, project).await
    }

    /// Returns a submission's record as it is now; `None` if there is none of this ID.
    pub async fn read_submission(&self, id: &str) -> Result<Option<Submission>, Error> {
        let item = self.submissions().read(id).await?;
        Ok(item.map(|item| Submission::new(id.to_owned().into(), item)))
    }

    /// Returns a submission as it is now; `None` if there is none of this ID.
    pub async fn submission(&self, id: &str) -> Result<Option<StoredSubmission>, Error> {
        let Some(submission) = self.read_submission(id).await? else {
            return Ok(None);
        };
        let mut objects = BTreeMap::new();
        for prefix in prefixes(&submission) {
            let listed = self.objects(&prefix).try_concat().await?;
            objects.extend(listed.into_iter().map(|object| (object.key, object.size)));
        }
        Ok(Some(StoredSubmission {
            submission,
            objects,
        }))
    }

    /// Returns the records of all submissions, or of a project's: what the function writes to them.
    pub(crate) async fn list_submissions(&self, project: Option<&str>) -> Result<Vec<Item>, Error> {
        let table = self.submissions();
        let names = [SUBMISSION_ID, PROJECT_ID, ID_TYPE, UPDATED_AT, UPDATED_BY].join(", ");
        let images = ImageField::ALL.map(ImageField::name).join(", ");
        let mut scan = table
            .scan()
            .projection_expression(format!("{names}, {images}"));
        if let Some(project) = project {
            self.project(project).await?;
            scan = scan
                .filter_expression(format!("{PROJECT_ID} = :project"))
                .expression_attribute_values(":project", text(project));
        }
        table.read_all(scan).await
    }

    /// Reads the image that a submission's record names in a field; `None` if it names none.
    pub async fn image(
        &self,
        stored: &StoredSubmission,
        field: ImageField,
    ) -> Result<Option<(Format, Vec<u8>)>, Error> {
        let Some(key) = stored.submission.named_key(field) else {
            return Ok(None);
        };
        let object = format!("{}'s object {key:?}", field.name());
        if !is_own(&stored.submission.id, field, key) || !stored.objects.contains_key(key) {
            bail!("{object} is missing, or not this submission's");
        }
        let get = self.s3.get_object().bucket(&self.config.images_bucket);
        let read =
            async { Ok::<_, Error>(get.key(key).send().await?.body.collect().await?.to_vec()) };
        let bytes = read
            .await
            .map_err(|error| failed(format!("can't read {object}"), error.as_ref()))?;
        let named = &stored.record()[field.name()];
        if named[SHA256] != hex::encode(Sha256::digest(&bytes)) {
            bail!("{object} is not what the record says: its SHA-256 differs");
        }
        let format = Format::ALL
            .into_iter()
            .find(|format| named[CONTENT_TYPE] == format.content_type());
        let format = format.ok_or_else(|| format!("{object}: its contentType is no image's"))?;
        Ok(Some((format, bytes)))
    }
}

/// Returns the prefixes of a submission's objects: in its project, and in the projects that the keys in its record
/// name, since it may have belonged to another one before.
pub(crate) fn prefixes(submission: &Submission) -> BTreeSet<String> {
    let id = submission.id.as_str();
    let named = named_keys(submission).filter_map(|key| {
        let (project, rest) = key.split_once('/')?;
        let is_of_submission = rest.split_once('/').is_some_and(|(of, _)| of == id);
        let is_prefix = is_of_submission && is_usable_id(project);
        (is_prefix || ObjectKey::parse(key).is_some()).then_some(project)
    });
    named
        .chain(submission.project())
        .map(|project| ObjectKey::prefix(project, id))
        .collect()
}

/// Returns the keys of the objects that a record names.
pub(crate) fn named_keys(submission: &Submission) -> impl Iterator<Item = &str> {
    ImageField::ALL
        .into_iter()
        .filter_map(|field| submission.named_key(field))
}

/// Returns whether a key is one that the function writes for this field of this submission, in any project.
fn is_own(submission: &SubmissionId, field: ImageField, key: &str) -> bool {
    ObjectKey::parse(key)
        .is_some_and(|key| key.submission() == submission.as_str() && key.field() == field)
}

impl StoredSubmission {
    /// Returns the record as plain JSON.
    pub fn record(&self) -> Value {
        plain_item(self.submission.item())
    }

    /// Returns a line's cells for an image that the record names.
    fn named(&self, record: &Value, field: ImageField) -> Option<[String; 4]> {
        let key = self.submission.named_key(field)?;
        let size = self.objects.get(key);
        let state = if !is_own(&self.submission.id, field, key) {
            "NOT ITS OWN"
        } else if size.is_none() {
            "MISSING"
        } else {
            let content_type = &record[field.name()][CONTENT_TYPE];
            content_type.as_str().unwrap_or("-")
        };
        let size = size.map_or("-".to_owned(), |size| format!("{size} bytes"));
        Some([field.name(), state, &size, key].map(str::to_owned))
    }
}

/// The record's attributes, then a line for each image that it names and for each other object.
impl fmt::Display for StoredSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.submission.item().clone();
        rest.retain(|name, _| ImageField::parse(name).is_none());
        f.write_str(&attributes(&rest))?;
        let record = self.record();
        let named = ImageField::ALL.map(|field| self.named(&record, field));
        let mut others = self.objects.clone();
        others.retain(|key, _| !named_keys(&self.submission).any(|named| named == key));
        let others = others.iter().map(|(key, size)| {
            let size = format!("{size} bytes");
            ["-", "not in the record", &size, key].map(str::to_owned)
        });
        f.write_str(&table(named.into_iter().flatten().chain(others)))
    }
}

/// Returns a line for each attribute of a record.
pub(crate) fn attributes(record: &Item) -> String {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let mut rows: Vec<_> = record
        .iter()
        .map(|(name, value)| {
            let value = match plain(value) {
                Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
                value => text(&value),
            };
            [name.clone(), value]
        })
        .collect();
    rows.sort();
    table(rows)
}
