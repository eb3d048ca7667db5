//! Projects and submissions as a file, and their way into the tables.

use admin::project::{self, NewKey, SetKey};
use admin::table::Created;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The records that `cargo run --bin local` starts with: `events/records.json` of this repository.
pub const SAMPLE: &str = include_str!("../../events/records.json");

/// Records to start with.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
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

    /// Puts the records into the tables. A project that is there already gets its key back, a submission keeps
    /// its images.
    ///
    /// # Errors
    ///
    /// If a table can't be written.
    pub async fn seed(&self, tables: &admin::Records) -> Result<(), Error> {
        for project in &self.projects {
            let Project {
                project_id,
                api_key,
                status,
                admins,
            } = project.clone();
            let api_key = NewKey::known(&api_key);
            let project = project::Project {
                id: project_id,
                api_key,
                status,
                admins,
            };
            if tables.create_project(&project).await? == Created::Exists {
                match tables.set_key(&project.id, &project.api_key, None).await {
                    SetKey::Done => {}
                    SetKey::Refused(error) | SetKey::Unknown(error) => return Err(error),
                }
            }
        }
        for Submission {
            submission_id,
            project_id,
        } in &self.submissions
        {
            let (Created::Yes | Created::Exists) = tables
                .create_submission(submission_id, project_id.as_deref())
                .await?;
        }
        Ok(())
    }
}
