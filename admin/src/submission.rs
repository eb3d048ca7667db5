//! Submissions: created for callers to put images to, and shown with their objects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::ExitCode;

use put_image::domain::{ImageField, ObjectKey, is_usable_id};
use put_image::image::Format;
use put_image::records::attribute::image::{CONTENT_TYPE, SHA256};
use put_image::records::attribute::{ID_TYPE, PROJECT_ID, SUBMISSION_ID, UPDATED_AT, UPDATED_BY};
use put_image::records::{Item, Submission};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::cli::{ShowOptions, SubmissionCommand};
use crate::save::save;
use crate::table::{cell, plain_item, text};
use crate::terminal::{attributes, json, print, print_list, table};
use crate::{Context as _, Error, Records, erase};

/// A submission with the objects that are stored for it.
#[derive(Debug)]
pub struct StoredSubmission {
    pub(crate) submission: Submission,
    /// Key and size in bytes of each object.
    pub(crate) objects: BTreeMap<String, i64>,
}

/// Runs a command on submissions.
pub(crate) async fn run(command: SubmissionCommand, records: &Records) -> Result<ExitCode, Error> {
    match command {
        SubmissionCommand::Create { id, project } => {
            if !records.create_submission(&id, Some(&project)).await? {
                bail!("there is a submission {id:?} already");
            }
            tell!("created the submission {id} of the project {project}");
            Ok(ExitCode::SUCCESS)
        }
        SubmissionCommand::Show { id, show: options } => show(&id, options, records).await,
        SubmissionCommand::List { project, json } => {
            let submissions = records.list_submissions(project.as_deref()).await?;
            print_list(&submissions, json, row)
        }
        SubmissionCommand::Erase(options) => erase::run(options, records).await,
    }
}

async fn show(id: &str, options: ShowOptions, records: &Records) -> Result<ExitCode, Error> {
    let table = &records.config.submissions_table;
    let found = records.submission(id).await?;
    let stored =
        found.ok_or_else(|| format!("there is no submission {id:?} in the table {table}"))?;
    print(&if options.json {
        json(&stored.record())
    } else {
        stored.to_string()
    })?;
    if let Some(folder) = options.save {
        let mut images = BTreeMap::new();
        for field in ImageField::ALL {
            if let Some(image) = records.image(&stored, field).await? {
                images.insert(field, image);
            }
        }
        let saved = save(&images, id, &folder)
            .map_err(|error| format!("can't save to the folder {}: {error}", folder.display()))?;
        tell!("saved to {}: {saved}", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a line's cells for a submission.
fn row(submission: &Item) -> [String; 4] {
    let mut images = ImageField::ALL.map(ImageField::name).to_vec();
    images.retain(|name| submission.contains_key(*name));
    let [id, project, updated] =
        [SUBMISSION_ID, PROJECT_ID, UPDATED_AT].map(|name| cell(submission, name));
    [id, project, updated, images.join(", ")]
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
            self.each_object(&prefix, |object| {
                objects.insert(object.key, object.size);
            })
            .await?;
        }
        Ok(Some(StoredSubmission {
            submission,
            objects,
        }))
    }

    /// Returns the records of all submissions, or of a project's: what the function writes to them.
    async fn list_submissions(&self, project: Option<&str>) -> Result<Vec<Item>, Error> {
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
        if stored.submission.key(field).is_none() || !stored.objects.contains_key(key) {
            bail!("{object} is missing, or not this submission's");
        }
        let get = self.s3.get_object().bucket(&self.config.images_bucket);
        let unreadable = format!("can't read {object}");
        let found = get.key(key).send().await.context(&unreadable)?;
        let bytes = found.body.collect().await.context(&unreadable)?.to_vec();
        let named = &stored.record()[field.name()];
        if named[SHA256] != hex::encode(Sha256::digest(&bytes)) {
            bail!("{object} is not what the record says: its SHA-256 differs");
        }
        let recorded = Format::ALL
            .into_iter()
            .find(|format| named[CONTENT_TYPE] == format.content_type());
        let format = recorded.ok_or_else(|| format!("{object}: its contentType is no image's"))?;
        Ok(Some((format, bytes)))
    }
}

/// Returns the prefixes of a submission's objects: in its project, and in the projects that the keys in its record
/// name, since it may have belonged to another one before. Another key's first segment may be anything.
pub(crate) fn prefixes(submission: &Submission) -> BTreeSet<String> {
    let id = submission.id.as_str();
    named_keys(submission)
        .filter_map(|key| {
            let project = key.split('/').next()?;
            let is_own = key.starts_with(&ObjectKey::prefix(project, id));
            (is_own || ObjectKey::parse(key).is_some()).then_some(project)
        })
        .chain(submission.project())
        .filter(|project| is_usable_id(project))
        .map(|project| ObjectKey::prefix(project, id))
        .collect()
}

/// Returns the keys of the objects that a record names.
pub(crate) fn named_keys(submission: &Submission) -> impl Iterator<Item = &str> {
    ImageField::ALL
        .into_iter()
        .filter_map(|field| submission.named_key(field))
}

impl StoredSubmission {
    /// Returns the record as plain JSON.
    pub fn record(&self) -> Value {
        plain_item(self.submission.item())
    }
}

/// The record's attributes, then a line for each image that it names and for each other object.
impl fmt::Display for StoredSubmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.submission.item().clone();
        rest.retain(|name, _| ImageField::parse(name).is_none());
        f.write_str(&attributes(&rest))?;
        let record = self.record();
        let mut others = self.objects.clone();
        let mut rows = Vec::new();
        for field in ImageField::ALL {
            let Some(key) = self.submission.named_key(field) else {
                continue;
            };
            others.remove(key);
            let size = self.objects.get(key);
            let state = if self.submission.key(field).is_none() {
                "NOT ITS OWN"
            } else if size.is_none() {
                "MISSING"
            } else {
                let content_type = &record[field.name()][CONTENT_TYPE];
                content_type.as_str().unwrap_or("-")
            };
            let size = size.map_or("-".to_owned(), |size| format!("{size} bytes"));
            rows.push([field.name(), state, &size, key].map(str::to_owned));
        }
        for (key, size) in others {
            let size = format!("{size} bytes");
            rows.push(["-", "not in the record", &size, &key].map(str::to_owned));
        }
        f.write_str(&table(rows))
    }
}
