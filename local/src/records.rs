//! Projects and submissions in a file, and how they get into the tables.

use admin::project::NewProject;
use serde::Deserialize;

use crate::Error;

/// The records that `cargo run --bin local` starts with: `events/records.json` of this repository.
pub const SAMPLE: &str = include_str!("../../events/records.json");

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Records {
    pub projects: Vec<NewProject>,
    pub submissions: Vec<Submission>,
    /// Keys that the gateway knows and that no project has.
    #[serde(default)]
    pub keys_without_project: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Submission {
    pub submission_id: String,
    /// A record without one belongs to nobody.
    pub project_id: Option<String>,
}

impl Records {
    pub fn sample() -> Result<Self, Error> {
        serde_json::from_str(SAMPLE).map_err(|error| format!("events/records.json: {error}").into())
    }

    /// Puts the records into the tables. What is there already stays as it is.
    pub async fn seed(&self, tables: &admin::Records) -> Result<(), Error> {
        for project in &self.projects {
            tables.create_project(project).await?;
        }
        for Submission {
            submission_id,
            project_id,
        } in &self.submissions
        {
            tables
                .create_submission(submission_id, project_id.as_deref())
                .await?;
        }
        Ok(())
    }

    /// Gives the projects the keys that they were registered with.
    pub async fn restore_keys(&self, tables: &admin::Records) -> Result<(), Error> {
        for NewProject {
            project_id,
            api_key,
            ..
        } in &self.projects
        {
            if !tables.set_key(project_id, api_key, None).await? {
                return Err(format!("another rotation of {project_id:?} is in progress").into());
            }
        }
        Ok(())
    }
}
