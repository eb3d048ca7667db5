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
    #[must_use]
    pub fn new(
        project: &ProjectId,
        submission: &SubmissionId,
        field: ImageField,
        format: Format,
    ) -> Self {
        let prefix = Self::prefix(project.as_str(), submission.as_str());
        let (name, unique, extension) = (field.name(), Uuid::new_v4(), format.extension());
        Self {
            key: format!("{prefix}{name}/{unique}.{extension}"),
            field,
        }
    }

    /// Parses a key; `None` if the function doesn't write such keys.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let mut segments = key.split('/');
        let ids = [segments.next()?, segments.next()?];
        let field = ImageField::parse(segments.next()?)?;
        let (unique, extension) = segments.next()?.split_once('.')?;
        let is_image = Format::ALL
            .iter()
            .any(|format| format.extension() == extension);
        let uuid = Uuid::parse_str(unique).ok()?;
        // Random, and in the exact form that we write: a hash in hex is neither.
        let is_ours = uuid.get_version_num() == 4 && uuid.to_string() == unique;
        let is_written =
            ids.into_iter().all(is_usable_id) && is_image && is_ours && segments.next().is_none();
        is_written.then(|| Self {
            key: key.to_owned(),
            field,
        })
    }

    /// Returns the prefix of a submission's keys.
    #[must_use]
    pub fn prefix(project: &str, submission: &str) -> String {
        format!("{project}/{submission}/")
    }

    /// Returns the key as it is in S3 and in the record.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.key
    }

    /// Returns the ID of the project that the key names.
    #[must_use]
    pub fn project(&self) -> &str {
        self.key.split('/').next().unwrap_or_default()
    }

    /// Returns the ID of the submission that the key names.
    #[must_use]
    pub fn submission(&self) -> &str {
        self.key.split('/').nth(1).unwrap_or_default()
    }

    /// Returns the field that the key names.
    #[must_use]
    pub const fn field(&self) -> ImageField {
        self.field
    }
}
