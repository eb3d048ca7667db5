//! Erasing a person's images: every version and delete marker of each object, then the record.
//!
//! The record is deleted last, so that an erasure that was stopped or failed can still find everything, and only if it
//! is unchanged since it was read: if a request has committed meanwhile, or the project has changed, the new objects
//! are erased first. From then on no request can commit, and one in progress ends with `invalid_submission`. What such
//! a request uploaded remains as a version, so the bucket is searched again once every request that began earlier must
//! have ended.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use aws_sdk_s3::types::ObjectIdentifier;
use put_image::domain::{ImageField, ObjectKey, is_usable_id};
use put_image::records::Submission;
use put_image::records::attribute::{PROJECT_ID, SUBMISSION_ID};
use tokio::time::sleep;

use crate::cli::{Erase, UNUSABLE_ID};
use crate::submission::{named_keys, prefixes};
use crate::table::{cell, text};
use crate::terminal::{confirm, in_line, print};
use crate::{Error, Records};

/// The exit status of an erasure that found neither a record nor an object.
const NOTHING_FOUND: u8 = 3;

const CORRECT_IT: &str = "The record stays: correct it, then erase it again";

/// A submission to erase. It may be gone already.
#[derive(Debug)]
pub struct Erasure {
    id: String,
    pub record: Option<Submission>,
    /// Where its objects are: prefixes of keys, each ending with a slash, and other keys that the record names.
    places: BTreeSet<String>,
    /// The number of its objects' versions and delete markers.
    pub versions: usize,
}

impl Erasure {
    pub const fn is_empty(&self) -> bool {
        self.record.is_none() && self.versions == 0
    }
}

pub(crate) async fn run(options: Erase, records: &Records) -> Result<ExitCode, Error> {
    let (id, projects) = (&options.id, &options.projects);
    let pause = Duration::from_secs(options.wait);
    let waiting = format!("waiting {} s for requests that began earlier", options.wait);
    let mut erasure = records.erasure(id, projects).await?;
    if erasure.is_empty() {
        tell!("no record and no object; {waiting}");
        sleep(pause).await;
        erasure = records.erasure(id, projects).await?;
    }
    let table = &records.config.submissions_table;
    let bucket = &records.config.images_bucket;
    let keys: Vec<_> = erasure.places.iter().map(String::as_str).collect();
    let places = format!("{} in the bucket {bucket}", keys.join(" and "));
    if erasure.is_empty() {
        tell!("nothing found: no record of {id}, and nothing under {places}");
        return Ok(NOTHING_FOUND.into());
    }
    let (record, gone) = match erasure.record {
        Some(_) => ("its record", "the record and "),
        None => ("no record", ""),
    };
    let what = "versions and delete markers";
    let versions = erasure.versions;
    tell!(
        "the submission {id}: {record} in the table {table}, and {versions} {what} under {places}"
    );
    confirm(options.yes, "Erase it? This can't be undone.", id)?;
    tell!("erasing, then {waiting}");
    let erased = records.erase(erasure, pause).await?;
    let approved = match options.approved_by {
        Some(who) => in_line(&format!(", approved by {who}")),
        None => String::new(),
    };
    print(&format!(
        "erased {gone}{erased} {what} of {}{approved}\n",
        in_line(id)
    ))
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
        let mut places = self.places(id, record.as_ref()).await?;
        for project in projects {
            // A project that only the command line names may be a typo.
            if owner != Some(project) {
                self.project(project).await?;
            }
            places.insert(ObjectKey::prefix(project, id));
        }
        Ok(Erasure {
            id: id.to_owned(),
            record,
            versions: self.versions_at(&places).await?.len(),
            places,
        })
    }

    /// Erases a submission, and waits `wait` for requests in progress. Returns the number of versions and delete
    /// markers that were deleted. If stopped halfway, it can be run again.
    pub async fn erase(&self, erasure: Erasure, wait: Duration) -> Result<usize, Error> {
        let Erasure {
            id,
            mut record,
            mut places,
            ..
        } = erasure;
        let mut erased = 0;
        while let Some(read) = record {
            erased += self.erase_versions(&places).await?;
            if self.delete_unchanged(&read).await? {
                break;
            }
            record = self.read_submission(&id).await?;
            places.extend(self.places(&id, record.as_ref()).await?);
        }
        for pause in [Duration::ZERO, wait] {
            sleep(pause).await;
            if self.read_submission(&id).await?.is_some() {
                bail!("{id:?} was created again: erase it again");
            }
            places.extend(self.places(&id, None).await?);
            erased += self.erase_versions(&places).await?;
        }
        Ok(erased)
    }

    /// Finds where a submission's objects are: what its record names, and its prefix in every project that has objects
    /// there. It belonged to such a project earlier, which its record no longer shows once the images were replaced.
    async fn places(
        &self,
        id: &str,
        record: Option<&Submission>,
    ) -> Result<BTreeSet<String>, Error> {
        let mut places = match record {
            Some(record) => self.named_places(record).await?,
            None => BTreeSet::new(),
        };
        let table = self.projects();
        for project in table.read_all(table.scan()).await? {
            let project = cell(&project, PROJECT_ID);
            let prefix = ObjectKey::prefix(&project, id);
            if is_usable_id(&project) && !self.versions(&prefix).await?.is_empty() {
                places.insert(prefix);
            }
        }
        Ok(places)
    }

    /// Returns the places that a record names. It is an error if something else may use an object there.
    async fn named_places(&self, record: &Submission) -> Result<BTreeSet<String>, Error> {
        if let Some(project) = record.project()
            && !is_usable_id(project)
        {
            bail!("the record has the {PROJECT_ID} {project:?}, and {UNUSABLE_ID}. {CORRECT_IT}");
        }
        let mut places = prefixes(record);
        for field in ImageField::ALL {
            let name = field.name();
            let key = match record.named_key(field) {
                Some(key) => key,
                None if record.image(field).is_none() => continue,
                None => bail!("the record's {name} doesn't say which object it is. {CORRECT_IT}"),
            };
            if places.iter().any(|place| key.starts_with(place)) {
                continue;
            }
            let named = format!("the record's {name} names {key:?}");
            let place = BTreeSet::from([key.to_owned()]);
            if let Some(parsed) = ObjectKey::parse(key) {
                let other = parsed.submission();
                if let Some(record) = self.read_submission(other).await?
                    && named_keys(&record).any(|named| named == key)
                {
                    bail!("{named}, and so does the submission {other:?}. {CORRECT_IT}");
                }
            } else if self.versions_at(&place).await?.is_empty() {
                continue;
            } else {
                bail!("{named}, which the function didn't write: another may use it. {CORRECT_IT}");
            }
            places.extend(place);
        }
        Ok(places)
    }

    /// Deletes versions and delete markers. Returns their number.
    async fn erase_versions(&self, places: &BTreeSet<String>) -> Result<usize, Error> {
        let versions = self.versions_at(places).await?;
        self.delete_versions(&versions).await?;
        Ok(versions.len())
    }

    async fn versions_at(&self, places: &BTreeSet<String>) -> Result<Vec<ObjectIdentifier>, Error> {
        let mut found = Vec::new();
        for place in places {
            let versions = self.versions(place).await?.into_iter();
            found.extend(versions.filter(|it| place.ends_with('/') || it.key() == place));
        }
        Ok(found)
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
        Ok(table.write(delete.send()).await?.is_some())
    }
}
