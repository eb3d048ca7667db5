//! The function's own settings. Region, credentials and endpoints are the AWS SDK's to read.

use std::env;

/// Where the records and the images are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Name of the table of projects.
    pub projects_table: String,
    /// Name of the table of submissions.
    pub submissions_table: String,
    /// Name of the bucket that the images go to.
    pub images_bucket: String,
}

impl Config {
    /// Reads the environment variables `PROJECTS_TABLE`, `SUBMISSIONS_TABLE` and `IMAGES_BUCKET`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which names the first that is missing or empty.
    pub fn from_env() -> Result<Self, ConfigError> {
        let required = |name| {
            let value = env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or(ConfigError(name))
        };
        Ok(Self {
            projects_table: required("PROJECTS_TABLE")?,
            submissions_table: required("SUBMISSIONS_TABLE")?,
            images_bucket: required("IMAGES_BUCKET")?,
        })
    }
}

/// A required environment variable is missing or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the environment variable {0} is missing or empty: set it to the name that the template gives"
)]
pub struct ConfigError(&'static str);
