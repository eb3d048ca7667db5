//! Erasing a person's images: the record, then every object, version and delete marker of the submission.
//!
//! The record goes first, under the condition that it is the project's: from then on no request can be committed to it,
//! and one that is under way ends as `invalid_submission`. What such a request uploaded and deleted again stays as a
//! version, so that the bucket is gone through again once every request that began before must have ended.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use futures_util::stream::TryStreamExt as _;

use crate::bucket::listed_key;
use crate::object_key;
use crate::table::{is_refused, text};
use crate::{Error, Records, failed};

/// How many versions S3 deletes at once.
const MAX_DELETIONS: usize = 1000;

/// A submission to erase. It may be gone already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its project's ID.
    pub project: String,
    /// Its ID.
    pub submission: String,
    /// Whether its record is there.
    pub has_record: bool,
    /// Its objects' versions and delete markers.
    pub versions: usize,
}

impl Records {
    /// Finds out what is to be erased. `project` names the owner of a submission whose record is gone.
    ///
    /// # Errors
    ///
    /// If the record is another project's, or is gone and no project is named, or table or bucket can't be read.
    pub async fn erasure(&self, submission: &str, project: Option<&str>) -> Result<Erasure, Error> {
        let table = self.submissions();
        let item = table.read(submission).await?;
        let owner = item
            .as_ref()
            .and_then(|item| item.get("projectId")?.as_s().ok());
        let project = match (owner.map(String::as_str), project) {
            (Some(owner), Some(project)) if owner != project => {
                return Err(format!("the submission {submission:?} is another project's").into());
            }
            (Some(project), _) | (None, Some(project)) => project,
            (None, None) => {
                let name = table.name;
                return Err(format!(
                    "there is no submission {submission:?} of a project in the table {name}; if its record was erased \
                     before, name its project by --project"
                )
                .into());
            }
        };
        Ok(Erasure {
            project: project.to_owned(),
            submission: submission.to_owned(),
            has_record: item.is_some(),
            versions: self.versions(project, submission).await?.len(),
        })
    }

    /// Erases a submission, waiting `wait` for requests that are under way. Returns the number of versions and delete
    /// markers that are gone. Stopped halfway, it can be run again.
    ///
    /// # Errors
    ///
    /// If the record has become another project's, or table or bucket can't be written.
    pub async fn erase(&self, erasure: &Erasure, wait: Duration) -> Result<usize, Error> {
        if erasure.has_record {
            self.delete_record(erasure).await?;
        }
        let erased = self.erase_versions(erasure).await?;
        tokio::time::sleep(wait).await;
        Ok(erased + self.erase_versions(erasure).await?)
    }

    /// Deletes versions and delete markers until a list of them is empty. Returns their number.
    async fn erase_versions(&self, erasure: &Erasure) -> Result<usize, Error> {
        let Erasure {
            project,
            submission,
            ..
        } = erasure;
        let mut erased = 0;
        loop {
            if self.submissions().read(submission).await?.is_some() {
                let error =
                    format!("the submission {submission:?} was created again: erase it again");
                return Err(error.into());
            }
            let versions = self.versions(project, submission).await?;
            if versions.is_empty() {
                return Ok(erased);
            }
            for versions in versions.chunks(MAX_DELETIONS) {
                self.delete_versions(versions).await?;
            }
            erased += versions.len();
        }
    }

    async fn delete_record(&self, erasure: &Erasure) -> Result<(), Error> {
        let table = self.submissions();
        let delete = self
            .dynamodb
            .delete_item()
            .table_name(table.name)
            .key(table.key, text(&erasure.submission))
            // A record without a project is nobody's: whoever names a project for it may erase it.
            .condition_expression("attribute_not_exists(projectId) OR projectId = :project")
            .expression_attribute_values(":project", text(&erasure.project));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_refused(&error) => Err(format!(
                "the submission {:?} now belongs to another project",
                erasure.submission
            )
            .into()),
            Err(error) => Err(table.unwritable(&error)),
        }
    }

    async fn delete_versions(&self, versions: &[ObjectIdentifier]) -> Result<(), Error> {
        let bucket = &self.config.images_bucket;
        let versions = Some(versions.to_vec());
        let delete = Delete::builder().set_objects(versions).quiet(true);
        let delete = self
            .s3
            .delete_objects()
            .bucket(bucket)
            .delete(delete.build()?);
        let deleted = delete.send().await;
        let deleted = deleted
            .map_err(|error| failed(format!("can't delete from the bucket {bucket}"), &error))?;
        match deleted.errors().first() {
            None => Ok(()),
            Some(error) => {
                let key = error.key().unwrap_or_default();
                let why = error.message().unwrap_or_default();
                Err(format!("can't delete {key:?}: {why}").into())
            }
        }
    }

    /// Lists a submission's versions and delete markers.
    async fn versions(
        &self,
        project: &str,
        submission: &str,
    ) -> Result<Vec<ObjectIdentifier>, Error> {
        let bucket = &self.config.images_bucket;
        let owner = format!("{project}/{submission}");
        let prefix = format!("{owner}/");
        let mut found = Vec::new();
        let (mut next_key, mut next_version) = (None, None);
        loop {
            let list = self
                .s3
                .list_object_versions()
                .bucket(bucket)
                .prefix(&prefix)
                .encoding_type(EncodingType::Url)
                .set_key_marker(next_key)
                .set_version_id_marker(next_version);
            let listed = match list.send().await {
                Ok(listed) => listed,
                // The local stack's S3 keeps no versions.
                Err(error) if error.code() == Some("NotImplemented") => {
                    let objects = self.objects(&prefix).try_concat().await?;
                    found.extend(objects.into_iter().map(|object| (object.key, None)));
                    break;
                }
                Err(error) => {
                    let what = format!("can't list the versions in the bucket {bucket}");
                    return Err(failed(what, &error));
                }
            };
            let encoding = listed.encoding_type;
            let decode =
                |key: Option<String>| listed_key(&key.unwrap_or_default(), encoding.as_ref());
            let versions = listed.versions.into_iter().flatten();
            let versions = versions.map(|version| (decode(version.key), version.version_id));
            found.extend(versions);
            let markers = listed.delete_markers.into_iter().flatten();
            let markers = markers.map(|marker| (decode(marker.key), marker.version_id));
            found.extend(markers);
            if listed.is_truncated != Some(true) {
                break;
            }
            next_key = Some(decode(listed.next_key_marker));
            next_version = listed.next_version_id_marker;
        }
        // Another submission's ID may begin with this one's and a slash.
        found.retain(|(key, _)| object_key::owner(key).is_none_or(|other| other == owner));
        let identifiers = found.into_iter().map(|(key, version)| {
            let identifier = ObjectIdentifier::builder().key(key);
            identifier.set_version_id(version).build()
        });
        Ok(identifiers.collect::<Result<_, _>>()?)
    }
}
