//! Projects and submissions as a file, and their way into the tables.

use std::collections::HashMap;
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use put_image::config::Config;
use put_image::event::ApiKey;
use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::clients::Endpoints;

/// The records that `cargo run -p local` starts with: `events/records.json` of this repository.
pub const SAMPLE: &str = include_str!("../../events/records.json");

/// Records to start with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Records {
    /// The projects, each with its key.
    pub projects: Vec<Project>,
    /// The submissions.
    pub submissions: Vec<Submission>,
    /// Keys that the gateway knows and that no project has.
    #[serde(default)]
    pub keys_without_project: Vec<String>,
}

/// A project to register.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Project {
    /// Its ID.
    pub project_id: String,
    /// Its API key, in the clear: of it, only the hash is stored.
    pub api_key: String,
    /// `active`, or anything else.
    pub status: String,
    /// E-mail accounts of its administrators; may be empty.
    pub admins: Vec<String>,
}

/// A submission to make.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Submission {
    /// Its ID.
    pub submission_id: String,
    /// Its project; a record without one is nobody's.
    pub project_id: Option<String>,
}

impl Records {
    /// The sample records.
    ///
    /// # Errors
    ///
    /// If the file is malformed.
    pub fn sample() -> Result<Self, Error> {
        serde_json::from_str(SAMPLE).map_err(|error| format!("events/records.json: {error}").into())
    }

    /// Records from a file.
    ///
    /// # Errors
    ///
    /// If it can't be read or is malformed.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// Puts the records into the tables. A submission that is there already keeps its images.
    ///
    /// # Errors
    ///
    /// If a table can't be written.
    pub async fn seed(&self, endpoints: &Endpoints, config: &Config) -> Result<(), Error> {
        let dynamodb = endpoints.dynamodb();
        for project in &self.projects {
            let item = project.item();
            dynamodb.put_item().table_name(&config.projects_table).set_item(Some(item)).send().await?;
        }
        for submission in &self.submissions {
            let id = AttributeValue::S(submission.submission_id.clone());
            let found =
                dynamodb.get_item().table_name(&config.submissions_table).key("submissionId", id).send().await?;
            if found.item.is_none() {
                let item = submission.item();
                dynamodb.put_item().table_name(&config.submissions_table).set_item(Some(item)).send().await?;
            }
        }
        Ok(())
    }
}

impl Project {
    fn item(&self) -> HashMap<String, AttributeValue> {
        let hash = ApiKey::new(&self.api_key).map(|key| key.hash()).unwrap_or_default();
        let mut item = HashMap::from([
            ("projectId".to_owned(), AttributeValue::S(self.project_id.clone())),
            ("apiKeyHash".to_owned(), AttributeValue::S(hash)),
            ("status".to_owned(), AttributeValue::S(self.status.clone())),
        ]);
        if !self.admins.is_empty() {
            item.insert("admins".to_owned(), AttributeValue::Ss(self.admins.clone()));
        }
        item
    }
}

impl Submission {
    fn item(&self) -> HashMap<String, AttributeValue> {
        let ids = [("submissionId", Some(&self.submission_id)), ("projectId", self.project_id.as_ref())];
        let ids = ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), AttributeValue::S(id?.clone()))));
        ids.collect()
    }
}

/// An attribute as plain JSON.
#[must_use]
pub fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        AttributeValue::N(number) => number.parse().map_or_else(|_| number.as_str().into(), Value::Number),
        AttributeValue::M(members) => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        AttributeValue::Ss(texts) => texts.as_slice().into(),
        other => format!("{other:?}").into(),
    }
}
