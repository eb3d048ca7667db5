//! Submissions: made for callers to put images to, and shown with what they have.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::stream::TryStreamExt as _;
use put_image::domain::ImageField;
use put_image::image::Format;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::object_key;
use crate::printable::in_line;
use crate::table::{plain, text};
use crate::{Error, Records, failed};

/// A submission's record, and the objects that are stored for it.
#[derive(Debug)]
pub struct Submission {
    /// The record as plain JSON.
    pub record: Value,
    /// Key and size in bytes of each object.
    pub objects: BTreeMap<String, i64>,
}

impl Records {
    /// Makes a submission, unless there is one of its ID. Returns whether it is new. One without a project is nobody's.
    ///
    /// # Errors
    ///
    /// If there is no such project, or the tables can't be used.
    pub async fn create_submission(&self, id: &str, project: Option<&str>) -> Result<bool, Error> {
        if let Some(project) = project {
            self.project(project).await?;
        }
        let project = project.map(|project| ("projectId", text(project)));
        self.submissions().create(id, project).await
    }

    /// A submission as it is now; `None` if there is none of this ID.
    ///
    /// # Errors
    ///
    /// If table or bucket can't be read.
    pub async fn submission(&self, id: &str) -> Result<Option<Submission>, Error> {
        let Some(item) = self.submissions().read(id).await? else {
            return Ok(None);
        };
        let record = plain(&AttributeValue::M(item));
        let mut objects = BTreeMap::new();
        if let Some(project) = record["projectId"].as_str() {
            let owner = format!("{project}/{id}");
            for object in self.objects(&format!("{owner}/")).try_concat().await? {
                // Another submission's ID may begin with this one's and a slash.
                if object_key::owner(&object.key) == Some(&owner) {
                    objects.insert(object.key, object.size);
                }
            }
        }
        Ok(Some(Submission { record, objects }))
    }

    /// Reads the image that a submission's record names in a field; `None` if it names none.
    ///
    /// # Errors
    ///
    /// If the object is missing, not what the record says, or not this submission's.
    pub async fn image(
        &self,
        submission: &Submission,
        field: &str,
    ) -> Result<Option<(Format, Vec<u8>)>, Error> {
        let named = &submission.record[field];
        let Some(key) = named["key"].as_str() else {
            return Ok(None);
        };
        let is_of_field = key.rsplit('/').nth(1) == Some(field);
        if !is_of_field || !submission.objects.contains_key(key) {
            return Err(
                format!("{field}'s object {key:?} is missing, or not this submission's").into(),
            );
        }
        let bucket = &self.config.images_bucket;
        let get = self.s3.get_object().bucket(bucket).key(key);
        let read = async { Ok::<_, Error>(get.send().await?.body.collect().await?.to_vec()) };
        let bytes = read.await.map_err(|error| {
            failed(
                format!("can't read {field}'s object {key:?}"),
                error.as_ref(),
            )
        })?;
        if named["sha256"] != hex::encode(Sha256::digest(&bytes)) {
            let differs = "is not what the record says: its SHA-256 differs";
            return Err(format!("{field}'s object {key:?} {differs}").into());
        }
        let mut formats = [Format::Jpeg, Format::Png].into_iter();
        let format = formats.find(|format| named["contentType"] == format.content_type());
        let format = format.ok_or_else(|| format!("{field}'s contentType is of no image"))?;
        Ok(Some((format, bytes)))
    }

    /// Saves a submission's images in a new folder as `{field}.jpg` or `.png`, for its owner's eyes alone.
    ///
    /// # Errors
    ///
    /// If the folder is there already, so that two people's images never mix; or as [`Self::image`]. Nothing is saved
    /// then.
    pub async fn save(&self, submission: &Submission, folder: &Path) -> Result<(), Error> {
        let mut images = Vec::new();
        for field in ImageField::ALL {
            let name = field.name();
            if let Some((format, bytes)) = self.image(submission, name).await? {
                images.push((format!("{name}.{}", format.extension()), bytes));
            }
        }
        let unusable =
            |error| format!("can't save in the new folder {}: {error}", folder.display());
        DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(unusable)?;
        for (name, bytes) in images {
            let file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(folder.join(name));
            file.and_then(|mut file| file.write_all(&bytes))
                .map_err(unusable)?;
        }
        Ok(())
    }
}

impl Submission {
    /// The fields that have an image, and the key that the record names.
    fn images(&self) -> impl Iterator<Item = (ImageField, &str)> {
        ImageField::ALL
            .into_iter()
            .filter_map(|field| Some((field, self.record[field.name()]["key"].as_str()?)))
    }
}

/// The record as JSON, then a line for each object: of which field it is, or that the record doesn't name it.
impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:#}", self.record)?;
        for (key, size) in &self.objects {
            let field = self.images().find(|(_, named)| named == key);
            let field = field.map_or("not in the record", |(field, _)| field.name());
            writeln!(f, "{size:>9} bytes  {field:12}  {}", in_line(key))?;
        }
        for (field, key) in self
            .images()
            .filter(|(_, key)| !self.objects.contains_key(*key))
        {
            writeln!(f, "  MISSING        {:12}  {}", field.name(), in_line(key))?;
        }
        Ok(())
    }
}
