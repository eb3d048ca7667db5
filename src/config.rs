//! The function's own settings. The AWS SDK reads the region, credentials and endpoints itself; it panics on an empty
//! endpoint, so an empty one is refused here.

use std::env;
use std::ffi::OsStr;

/// Where the records and the images are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub projects_table: String,
    pub submissions_table: String,
    pub images_bucket: String,
}

impl Config {
    /// Reads the environment variables `PROJECTS_TABLE`, `SUBMISSIONS_TABLE` and `IMAGES_BUCKET`.
    pub fn from_env() -> Result<Self, ConfigError> {
        let required = |name| {
            let value = env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or(ConfigError::Missing(name))
        };
        // `AWS_ENDPOINT_URL`, and `AWS_ENDPOINT_URL_STS` and so on for each service.
        let is_endpoint = |name: &OsStr| name.as_encoded_bytes().starts_with(b"AWS_ENDPOINT_URL");
        let mut variables = env::vars_os();
        let empty = variables.find(|(name, url)| url.is_empty() && is_endpoint(name));
        if let Some((name, _)) = empty {
            let name = name.to_string_lossy().into_owned();
            return Err(ConfigError::EmptyEndpoint(name));
        }
        Ok(Self {
            projects_table: required("PROJECTS_TABLE")?,
            submissions_table: required("SUBMISSIONS_TABLE")?,
            images_bucket: required("IMAGES_BUCKET")?,
        })
    }
}

/// An environment variable can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "the environment variable {0} is missing or empty: set it to the name that the template gives"
    )]
    Missing(&'static str),
    #[error("the environment variable {0} is empty: set it to a URL, or remove it")]
    EmptyEndpoint(String),
}
