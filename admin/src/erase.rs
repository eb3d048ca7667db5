//! Erasing a person's images: every version and delete marker of each object, then the record.
//!
//! The record goes last, so that an erasure that was stopped or failed can still find everything, and only if it is as it
//! was read: a request may have committed meanwhile, or the project may have changed, and then that is erased first. From
//! then on no request can be committed, and one that is under way ends as `invalid_submission`. What such a request
//! uploaded stays as a version, so the bucket is gone through again once every request that began before must have ended.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_s3::types::ObjectIdentifier;
use put_image::domain::{ImageField, ObjectKey, is_usable_id};
use put_image::records::Submission;
use put_image::records::attribute::{PROJECT_ID, SUBMISSION_ID};

use crate::cli::UNUSABLE_ID;
use crate::submission::{named_keys, prefixes};
use crate::table::{is_refused, text};
use crate::{Error, Records};

/// A submission to erase. It may be gone already.
#[derive(Debug)]
pub struct Erasure {
    id: String,
    record: Option<Submission>,
    /// How the keys of its objects begin, each with a slash at its end.
    prefixes: BTreeSet<String>,
    /// Keys that the record names in addition.
    keys: BTreeSet<String>,
    /// The number of its objects' versions and delete markers.
    pub versions: usize,
}

impl Erasure {
    #[must_use]
    pub const fn has_record(&self) -> bool {
        self.record.is_some()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.record.is_none() && self.versions == 0
    }

    /// Returns how the keys of its objects begin.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }
}

impl Records {
    /// Finds out what is to be erased. `projects` are those that the submission is in, or was before; one is needed if
    /// its record is gone.
    ///
    /// # Errors
    ///
    /// If the record is another project's or names an object that can't be erased, if there is no record and no such
    /// project, or if table or bucket can't be read.
    pub async fn erasure(&self, id: &str, projects: &[String]) -> Result<Erasure, Error> {
        if !is_usable_id(id) {
            return Err(format!("can't erase {id:?}: {UNUSABLE_ID}").into());
        }
        let record = self.read_submission(id).await?;
        let owner = record.as_ref().and_then(Submission::project);
        if owner.is_none() && projects.is_empty() {
            return Err(format!(
                "there is no submission {id:?} of a project in the table {}; if its record was erased before, name its \
                 project by --project",
                self.config.submissions_table
            )
            .into());
        }
        if let Some(owner) = owner
            && !projects.is_empty()
            && !projects.iter().any(|project| project == owner)
        {
            return Err(format!("the submission {id:?} is another project's: {owner:?}").into());
        }
        for project in projects {
            // The record of a project may be gone; a project that nothing else confirms may be a typo.
            if owner != Some(project) {
                self.project(project).await?;
            }
        }
        let mut erasure = Erasure {
            id: id.to_owned(),
            record: None,
            prefixes: projects
                .iter()
                .map(|project| ObjectKey::prefix(project, id))
                .collect(),
            keys: BTreeSet::new(),
            versions: 0,
        };
        self.add_record(&mut erasure, record).await?;
        erasure.versions = self.versions_of(&erasure).await?.len();
        Ok(erasure)
    }

    /// Erases a submission, and waits `wait` for requests that are under way. Returns the number of versions and delete
    /// markers that are gone. Stopped halfway, it can be run again.
    ///
    /// # Errors
    ///
    /// If an object can't be erased, which leaves the record, or if the submission is created again meanwhile.
    pub async fn erase(&self, mut erasure: Erasure, wait: Duration) -> Result<usize, Error> {
        let mut erased = 0;
        while let Some(record) = erasure.record.take() {
            erased += self.erase_versions(&erasure).await?;
            if !self.delete_unchanged(&record).await? {
                let changed = self.read_submission(&erasure.id).await?;
                self.add_record(&mut erasure, changed).await?;
            }
        }
        for pause in [Duration::ZERO, wait] {
            tokio::time::sleep(pause).await;
            if self.read_submission(&erasure.id).await?.is_some() {
                let id = &erasure.id;
                return Err(
                    format!("the submission {id:?} was created again: erase it again").into(),
                );
            }
            erased += self.erase_versions(&erasure).await?;
        }
        Ok(erased)
    }

    /// Adds what a record names to what is to be erased.
    async fn add_record(
        &self,
        erasure: &mut Erasure,
        record: Option<Submission>,
    ) -> Result<(), Error> {
        if let Some(record) = &record {
            if let Some(project) = record.project().filter(|project| !is_usable_id(project)) {
                return Err(format!(
                    "the record of {:?} has the {PROJECT_ID} {project:?}, and {UNUSABLE_ID}: no object can be found by it. \
                     Correct the record, then erase it again",
                    erasure.id
                )
                .into());
            }
            erasure.prefixes.extend(prefixes(record));
            for field in ImageField::ALL {
                if record.image(field).is_some() {
                    self.add_named(erasure, record, field).await?;
                }
            }
        }
        erasure.record = record;
        Ok(())
    }

    /// Adds an object that a record names, if it is this submission's alone.
    async fn add_named(
        &self,
        erasure: &mut Erasure,
        record: &Submission,
        field: ImageField,
    ) -> Result<(), Error> {
        let name = field.name();
        let refused = |what: String| -> Result<(), Error> {
            Err(format!("{what}. The record stays: correct it, then erase it again").into())
        };
        let Some(key) = record.named_key(field) else {
            return refused(format!(
                "the record's {name} doesn't say which object it is"
            ));
        };
        if erasure.prefixes().any(|prefix| key.starts_with(prefix)) {
            return Ok(());
        }
        match ObjectKey::parse(key) {
            Some(parsed) => {
                let other = self.read_submission(parsed.submission()).await?;
                if other.is_some_and(|other| named_keys(&other).any(|named| named == key)) {
                    return refused(format!(
                        "the record's {name} names {key:?}, which the submission {:?} names, too",
                        parsed.submission()
                    ));
                }
                erasure.keys.insert(key.to_owned());
            }
            None if self.versions_of_key(key).await?.is_empty() => {}
            None => {
                return refused(format!(
                    "the record's {name} names {key:?}, which isn't a key of the function's: something else may use it"
                ));
            }
        }
        Ok(())
    }

    /// Deletes versions and delete markers until a list of them is empty. Returns their number.
    async fn erase_versions(&self, erasure: &Erasure) -> Result<usize, Error> {
        let mut erased = 0;
        loop {
            let versions = self.versions_of(erasure).await?;
            if versions.is_empty() {
                return Ok(erased);
            }
            self.delete_versions(&versions).await?;
            erased += versions.len();
        }
    }

    async fn versions_of(&self, erasure: &Erasure) -> Result<Vec<ObjectIdentifier>, Error> {
        let mut found = Vec::new();
        for prefix in &erasure.prefixes {
            found.extend(self.versions(prefix).await?);
        }
        for key in &erasure.keys {
            found.extend(self.versions_of_key(key).await?);
        }
        Ok(found)
    }

    async fn versions_of_key(&self, key: &str) -> Result<Vec<ObjectIdentifier>, Error> {
        let mut versions = self.versions(key).await?;
        versions.retain(|version| version.key() == key);
        Ok(versions)
    }

    /// Deletes a record if its project and its images are as they were read; returns whether it did.
    async fn delete_unchanged(&self, record: &Submission) -> Result<bool, Error> {
        let table = self.submissions();
        let mut condition = vec![format!("attribute_exists({SUBMISSION_ID})")];
        let mut delete = self
            .dynamodb
            .delete_item()
            .table_name(table.name)
            .key(table.key, text(record.id.as_str()));
        for name in [PROJECT_ID]
            .into_iter()
            .chain(ImageField::ALL.map(ImageField::name))
        {
            match record.item().get(name) {
                None => condition.push(format!("attribute_not_exists({name})")),
                Some(value) => {
                    condition.push(format!("{name} = :{name}"));
                    delete = delete.expression_attribute_values(format!(":{name}"), value.clone());
                }
            }
        }
        let delete = delete.condition_expression(condition.join(" AND "));
        match delete.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(table.unwritable(&error)),
        }
    }
}
