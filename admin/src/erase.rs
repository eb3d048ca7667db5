//! Erasing a person's images: the record, then every object, version and delete marker of the submission.
//!
//! The record goes first, under the condition that it is the project's: from then on no request can be committed to it,
//! and one that is under way ends as `invalid_submission`. What such a request uploaded and deleted again stays as a
//! version, so that the bucket is gone through again once every request that began before must have ended.

use std::time::Duration;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};

use crate::object_key::ObjectKey;
use crate::table::text;
use crate::{Error, Records, failed, listed_key};

/// How long to wait for requests that began before the record was deleted: the longest that the template's `Timeout`
/// allows, and a little for uploads that arrive late.
pub const WAIT: Duration = Duration::from_secs(40);

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
        let project = match (owner, project) {
            (Some(owner), None) => owner.clone(),
            (Some(owner), Some(project)) if owner == project => owner.clone(),
            (Some(_), Some(_)) => {
                return Err(format!("the submission {submission:?} is another project's").into());
            }
            (None, Some(project)) => project.to_owned(),
            (None, None) => {
                let name = table.name;
                return Err(format!(
                    "there is no submission {submission:?} of a project in the table {name}; if its record was erased \
                     before, name its project by --project"
                )
                .into());
            }
        };
        let mut erasure = Erasure {
            project,
            submission: submission.to_owned(),
            has_record: item.is_some(),
            versions: 0,
        };
        let mut start = Some(Page::default());
        while let Some(page) = start {
            let (versions, next) = self.versions(&erasure, page).await?;
            erasure.versions += versions.len();
            start = next;
        }
        Ok(erasure)
    }

    /// Erases a submission, waiting `wait` for requests that are under way. It calls `tell` after each page with the
    /// versions and delete markers that are gone so far. Returns their number. Stopped halfway, it can be run again.
    ///
    /// # Errors
    ///
    /// If the record has become another project's, or table or bucket can't be written.
    pub async fn erase(
        &self,
        erasure: &Erasure,
        wait: Duration,
        mut tell: impl FnMut(usize),
    ) -> Result<usize, Error> {
        if erasure.has_record {
            self.delete_record(erasure).await?;
        }
        let mut erased = 0;
        self.erase_versions(erasure, &mut erased, &mut tell).await?;
        tokio::time::sleep(wait).await;
        self.erase_versions(erasure, &mut erased, &mut tell).await?;
        Ok(erased)
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
        let Err(error) = delete.send().await else {
            return Ok(());
        };
        match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => Err(format!(
                "the submission {:?} is another project's by now",
                erasure.submission
            )
            .into()),
            _ => Err(table.unwritable(&error)),
        }
    }

    /// Deletes versions and delete markers until a list of them is empty.
    async fn erase_versions(
        &self,
        erasure: &Erasure,
        erased: &mut usize,
        tell: &mut impl FnMut(usize),
    ) -> Result<(), Error> {
        loop {
            if self
                .submissions()
                .read(&erasure.submission)
                .await?
                .is_some()
            {
                return Err(format!(
                    "the submission {:?} was made anew: erase it again",
                    erasure.submission
                )
                .into());
            }
            let mut found = 0;
            let mut start = Some(Page::default());
            while let Some(page) = start {
                let (versions, next) = self.versions(erasure, page).await?;
                start = next;
                if versions.is_empty() {
                    continue;
                }
                found += versions.len();
                let count = versions.len();
                self.delete_versions(versions).await?;
                *erased += count;
                tell(*erased);
            }
            if found == 0 {
                return Ok(());
            }
        }
    }

    /// Deletes versions and delete markers.
    async fn delete_versions(&self, versions: Vec<ObjectIdentifier>) -> Result<(), Error> {
        let bucket = &self.config.images_bucket;
        let delete = Delete::builder().set_objects(Some(versions)).quiet(true);
        let delete = self
            .s3
            .delete_objects()
            .bucket(bucket)
            .delete(delete.build()?);
        let deleted = delete.send().await;
        let deleted = deleted.map_err(|error| {
            failed(
                format_args!("can't delete from the bucket {bucket}"),
                &error,
            )
        })?;
        match deleted.errors().first() {
            None => Ok(()),
            Some(error) => {
                let key = error.key().unwrap_or_default();
                let why = error.message().unwrap_or_default();
                Err(format!("can't delete {key}: {why}").into())
            }
        }
    }

    /// A page of the submission's versions and delete markers, and where the next begins.
    async fn versions(
        &self,
        erasure: &Erasure,
        page: Page,
    ) -> Result<(Vec<ObjectIdentifier>, Option<Page>), Error> {
        let bucket = &self.config.images_bucket;
        let owner = format!("{}/{}", erasure.project, erasure.submission);
        let list = self
            .s3
            .list_object_versions()
            .bucket(bucket)
            .prefix(format!("{owner}/"))
            .encoding_type(EncodingType::Url)
            .set_key_marker(page.key)
            .set_version_id_marker(page.version);
        let listed = match list.send().await {
            Ok(listed) => listed,
            // The local stack's S3 keeps no versions.
            Err(error) if error.code() == Some("NotImplemented") => {
                return self.objects(bucket, &owner).await;
            }
            Err(error) => {
                return Err(failed(
                    format_args!("can't list the versions in the bucket {bucket}"),
                    &error,
                ));
            }
        };
        let versions = listed
            .versions()
            .iter()
            .map(|version| (version.key(), version.version_id()));
        let markers = listed
            .delete_markers()
            .iter()
            .map(|marker| (marker.key(), marker.version_id()));
        let encoding = listed.encoding_type();
        let mut identifiers = Vec::new();
        for (key, version) in versions.chain(markers) {
            let key = listed_key(key.unwrap_or_default(), encoding);
            if is_of(&key, &owner) {
                let identifier = ObjectIdentifier::builder()
                    .key(key)
                    .set_version_id(version.map(str::to_owned));
                identifiers.push(identifier.build()?);
            }
        }
        let next = listed.is_truncated().unwrap_or_default().then(|| Page {
            key: listed
                .next_key_marker()
                .map(|key| listed_key(key, encoding)),
            version: listed.next_version_id_marker().map(str::to_owned),
        });
        Ok((identifiers, next))
    }

    /// The submission's objects in a bucket without versions: the first thousand, which is asked for until none is left.
    async fn objects(
        &self,
        bucket: &str,
        owner: &str,
    ) -> Result<(Vec<ObjectIdentifier>, Option<Page>), Error> {
        let list = self
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .prefix(format!("{owner}/"));
        let listed = list.send().await;
        let listed = listed
            .map_err(|error| failed(format_args!("can't list the bucket {bucket}"), &error))?;
        let keys = listed.contents().iter().filter_map(|object| object.key());
        let keys = keys.filter(|key| is_of(key, owner));
        let identifiers = keys.map(|key| ObjectIdentifier::builder().key(key).build());
        Ok((identifiers.collect::<Result<_, _>>()?, None))
    }
}

/// Whether an object under a submission's prefix is its: another one's ID may begin with this one's and a slash.
fn is_of(key: &str, owner: &str) -> bool {
    ObjectKey::parse(key).is_none_or(|key| key.owner == owner)
}

/// Where a page of versions begins.
#[derive(Clone, Debug, Default)]
struct Page {
    key: Option<String>,
    version: Option<String>,
}
