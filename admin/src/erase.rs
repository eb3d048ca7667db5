//! Erasing a person's images: every version and delete marker of each object, then the record.
//!
//! The record is deleted last, so that an erasure that was stopped or failed can still find everything, and only if it
//! is unchanged since it was read: if a request has committed meanwhile, or the project has changed, the new objects
//! are erased first. From then on no request can commit, and one in progress ends with `invalid_submission`. What such
//! a request uploaded remains as a version, so the bucket is searched again once every request that began earlier must
//! have ended.

use std::collections::BTreeSet;
use std::future::ready;
use std::time::Duration;

use aws_sdk_s3::types::ObjectIdentifier;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use put_image::domain::{ImageField, ObjectKey, is_usable_id};
use put_image::records::Submission;
use put_image::records::attribute::{PROJECT_ID, SUBMISSION_ID};

use crate::cli::UNUSABLE_ID;
use crate::submission::{named_keys, prefixes};
use crate::table::{is_refused, text, text_of};
use crate::{Error, Records};

/// How many projects' prefixes are searched concurrently.
const CONCURRENCY: usize = 16;

const CORRECT_IT: &str = "The record stays: correct it, then erase it again";

/// A submission to erase. It may be gone already.
#[derive(Debug)]
pub struct Erasure {
    id: String,
    record: Option<Submission>,
    /// The prefixes of its objects' keys, each ending with a slash.
    prefixes: BTreeSet<String>,
    /// Keys that the record names in addition.
    keys: BTreeSet<String>,
    /// The number of its objects' versions and delete markers.
    pub versions: usize,
}

impl Erasure {
    pub const fn has_record(&self) -> bool {
        self.record.is_some()
    }

    pub const fn is_empty(&self) -> bool {
        self.record.is_none() && self.versions == 0
    }

    /// Returns the prefixes of its objects' keys.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }
}

impl Records {
    /// Finds out what to erase. `projects` are those that the caller says the submission is in; one is needed if its
    /// record is gone.
    pub async fn erasure(&self, id: &str, projects: &[String]) -> Result<Erasure, Error> {
        if !is_usable_id(id) {
            bail!("can't erase {id:?}: {UNUSABLE_ID}");
        }
        let record = self.read_submission(id).await?;
        let owner = record.as_ref().and_then(Submission::project);
        match owner {
            None if projects.is_empty() => bail!(
                "there is no submission {id:?} of a project in the table {}; if its record was erased before, name its \
                 project by --project",
                self.config.submissions_table
            ),
            Some(owner) if !projects.is_empty() && !projects.iter().any(|it| it == owner) => {
                bail!("the submission {id:?} is another project's: {owner:?}");
            }
            _ => {}
        }
        let mut erasure = Erasure {
            id: id.to_owned(),
            record: None,
            prefixes: BTreeSet::new(),
            keys: BTreeSet::new(),
            versions: 0,
        };
        for project in projects {
            // A project that only the command line names may be a typo.
            if owner != Some(project) {
                self.project(project).await?;
            }
            erasure.prefixes.insert(ObjectKey::prefix(project, id));
        }
        self.add_record(&mut erasure, record).await?;
        self.add_earlier_projects(&mut erasure).await?;
        erasure.versions = self.versions_of(&erasure).await?.len();
        Ok(erasure)
    }

    /// Erases a submission, and waits `wait` for requests in progress. Returns the number of versions and delete
    /// markers that were deleted. If stopped halfway, it can be run again.
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
                bail!("{:?} was created again: erase it again", erasure.id);
            }
            self.add_earlier_projects(&mut erasure).await?;
            erased += self.erase_versions(&erasure).await?;
        }
        Ok(erased)
    }

    /// Adds what a record names to what will be erased.
    async fn add_record(
        &self,
        erasure: &mut Erasure,
        record: Option<Submission>,
    ) -> Result<(), Error> {
        if let Some(record) = &record {
            if let Some(project) = record.project()
                && !is_usable_id(project)
            {
                bail!(
                    "the record has the {PROJECT_ID} {project:?}, and {UNUSABLE_ID}. {CORRECT_IT}"
                );
            }
            erasure.prefixes.extend(prefixes(record));
            for field in ImageField::ALL {
                if record.image(field).is_some() {
                    let Some(key) = record.named_key(field) else {
                        let name = field.name();
                        bail!("the record's {name} doesn't say which object it is. {CORRECT_IT}");
                    };
                    self.add_named(erasure, field, key).await?;
                }
            }
        }
        erasure.record = record;
        Ok(())
    }

    /// Adds the prefixes of all projects under which there is something: the submission was theirs before, and once its
    /// images were replaced, the record no longer says so.
    async fn add_earlier_projects(&self, erasure: &mut Erasure) -> Result<(), Error> {
        let projects = self.list_projects().await?;
        let prefixes = projects
            .iter()
            .map(|project| text_of(project, PROJECT_ID))
            .filter(|project| is_usable_id(project))
            .map(|project| ObjectKey::prefix(project, &erasure.id));
        let found: Vec<_> = stream::iter(prefixes)
            .map(async |prefix| Ok::<_, Error>((self.versions(&prefix).await?, prefix)))
            .buffer_unordered(CONCURRENCY)
            .try_filter(|(versions, prefix)| {
                ready(
                    versions
                        .iter()
                        .any(|version| version.key().starts_with(prefix)),
                )
            })
            .map_ok(|(_, prefix)| prefix)
            .try_collect()
            .await?;
        erasure.prefixes.extend(found);
        Ok(())
    }

    /// Adds an object that the record names, if only this submission uses it.
    async fn add_named(
        &self,
        erasure: &mut Erasure,
        field: ImageField,
        key: &str,
    ) -> Result<(), Error> {
        if erasure.prefixes().any(|prefix| key.starts_with(prefix)) {
            return Ok(());
        }
        let named = format!("the record's {} names {key:?}", field.name());
        let Some(parsed) = ObjectKey::parse(key) else {
            if self.versions_of_key(key).await?.is_empty() {
                return Ok(());
            }
            bail!("{named}, which the function didn't write: another may use it. {CORRECT_IT}");
        };
        let id = parsed.submission();
        let other = self.read_submission(id).await?;
        if other.is_some_and(|other| named_keys(&other).any(|named| named == key)) {
            bail!("{named}, and so does the submission {id:?}. {CORRECT_IT}");
        }
        erasure.keys.insert(key.to_owned());
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

    /// Deletes a record if its project and its images are unchanged since they were read; returns whether it did.
    async fn delete_unchanged(&self, record: &Submission) -> Result<bool, Error> {
        let table = self.submissions();
        let mut condition = vec![format!("attribute_exists({SUBMISSION_ID})")];
        let mut delete = self
            .dynamodb
            .delete_item()
            .table_name(table.name)
            .key(table.key, text(record.id.as_str()));
        let images = ImageField::ALL.map(ImageField::name);
        for name in images.into_iter().chain([PROJECT_ID]) {
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
