//! The keys of the bucket's objects: made and parsed here, for the function, `admin` and the local stack alike.

use derive_more::Display;
use uuid::Uuid;

use super::{ImageField, ProjectId, SubmissionId, is_usable_id};
use crate::image::Format;

/// The key of an image's object: `{projectId}/{submissionId}/{field}/{unique}.{jpg|png}`.
///
/// ```
/// use put_image::domain::ObjectKey;
///
/// let key = "bank/S-1/selfieImage/5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21.jpg";
/// assert_eq!(ObjectKey::parse(key).unwrap().submission(), "S-1");
/// assert!(ObjectKey::parse("bank/S-1/selfieImage/front.jpg").is_none());
/// ```
#[derive(Clone, Debug, Display, PartialEq, Eq)]
#[display("{key}")]
pub struct ObjectKey {
    key: String,
    field: ImageField,
}

impl ObjectKey {
    /// Makes a key that no other object ever has.
    pub fn new(
        project: &ProjectId,
        submission: &SubmissionId,
        field: ImageField,
        format: Format,
    ) -> Self {
        let prefix = Self::prefix(project.as_str(), submission.as_str());
        let (name, unique, extension) = (field.name(), Uuid::new_v4(), format.extension());
        let key = format!("{prefix}{name}/{unique}.{extension}");
        Self { key, field }
    }

    /// Parses a key; `None` if the function doesn't write such keys.
    pub fn parse(key: &str) -> Option<Self> {
        let segments: Vec<&str> = key.split('/').collect();
        let [project, submission, field, file] = segments[..] else {
            return None;
        };
        let field = ImageField::parse(field)?;
        let (unique, extension) = file.split_once('.')?;
        let uuid = Uuid::parse_str(unique).ok()?;
        // Random, and in the exact form that we write: a hash in hex is neither.
        let is_ours = uuid.get_version_num() == 4 && uuid.to_string() == unique;
        let is_image = Format::ALL.map(Format::extension).contains(&extension);
        let is_written = is_usable_id(project) && is_usable_id(submission) && is_ours && is_image;
        is_written.then(|| Self {
            key: key.to_owned(),
            field,
        })
    }

    pub fn prefix(project: &str, submission: &str) -> String {
        format!("{project}/{submission}/")
    }

    pub fn as_str(&self) -> &str {
        &self.key
    }

    pub fn project(&self) -> &str {
        self.key.split('/').next().unwrap_or_default()
    }

    pub fn submission(&self) -> &str {
        self.key.split('/').nth(1).unwrap_or_default()
    }

    pub const fn field(&self) -> ImageField {
        self.field
    }
}
