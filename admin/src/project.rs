//! Projects: their API keys and their administrators. Only a key's hash is ever stored.

use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use put_image::domain::{Admin, ApiKey};
use put_image::records::attribute::{
    ADMINS, API_KEY_HASH, PREVIOUS_API_KEY_HASH, PREVIOUS_API_KEY_UNTIL, PROJECT_ID, STATUS,
};
use put_image::records::{Item, Project};
use serde::Deserialize;

use crate::table::{is_refused, text};
use crate::{Error, Records};

/// A project to register.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewProject {
    pub project_id: String,
    pub api_key: NewKey,
    /// [`put_image::records::ACTIVE`], or anything else, which is out of service.
    pub status: String,
    /// E-mail accounts of its administrators; may be empty.
    pub admins: Vec<String>,
}

/// An API key before it is handed to the customer. Nobody else keeps it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct NewKey(String);

impl NewKey {
    /// Generates 160 random bits as 40 hex digits. API Gateway takes keys of 20 to 128 characters.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes)))
    }

    /// Wraps an existing key.
    pub fn known(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// Returns the key itself, for the customer and for API Gateway.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the hash by which the function finds the project.
    fn hash(&self) -> Result<String, Error> {
        let key = ApiKey::parse(&self.0).ok_or("an API key can't be empty")?;
        Ok(key.hash().to_string())
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewKey(…)")
    }
}

/// Why a project may not have its new key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It has the old one.
    #[error(transparent)]
    Refused(#[from] Error),
    /// It has one or the other.
    #[error(transparent)]
    Unknown(Error),
}

impl Records {
    /// Returns a project's record, or the error that there is none.
    pub(crate) async fn project(&self, id: &str) -> Result<Item, Error> {
        let item = self.projects().read(id).await?;
        item.ok_or_else(|| self.no_project(id))
    }

    fn no_project(&self, id: &str) -> Error {
        let table = &self.config.projects_table;
        format!("there is no project {id:?} in the table {table}").into()
    }

    /// Returns the records of all projects.
    pub(crate) async fn list_projects(&self) -> Result<Vec<Item>, Error> {
        self.projects().read_all(self.projects().scan()).await
    }

    /// Registers administrators on a project. Those who are already registered, ignoring case, stay as they are.
    /// Returns the new ones.
    pub(crate) async fn add_admins(
        &self,
        id: &str,
        accounts: &[String],
    ) -> Result<Vec<Admin>, Error> {
        let registered = Project::try_from(self.project(id).await?)?.admins;
        let new = new_admins(accounts, &registered);
        if !new.is_empty() {
            self.update_project(id, "ADD #name :value", ADMINS, set(&new))
                .await?;
        }
        Ok(new)
    }

    /// Removes administrators from a project, if all of them are on it and, when none would remain, `before_last`
    /// agrees. Returns how many remain.
    pub(crate) async fn remove_admins(
        &self,
        id: &str,
        accounts: &[String],
        before_last: impl FnOnce() -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let registered = Project::try_from(self.project(id).await?)?.admins;
        let accounts: Vec<_> = accounts.iter().cloned().map(Admin::from).collect();
        if let Some(stranger) = accounts
            .iter()
            .find(|account| !registered.contains(account))
        {
            let stranger = stranger.as_str();
            bail!("{stranger:?} is no administrator of {id:?}");
        }
        let (removed, remaining): (Vec<_>, Vec<_>) = registered
            .into_iter()
            .partition(|admin| accounts.contains(admin));
        if remaining.is_empty() {
            before_last()?;
        }
        let project = self
            .update_project(id, "DELETE #name :value", ADMINS, set(&removed))
            .await?;
        Ok(Project::try_from(project)?.admins.len())
    }

    /// Changes a project's status.
    pub(crate) async fn set_status(&self, id: &str, status: &str) -> Result<(), Error> {
        self.update_project(id, "SET #name = :value", STATUS, text(status))
            .await
            .map(drop)
    }

    /// Updates an attribute of a project that exists. In the expression, `#name` is a placeholder for it. Returns the
    /// updated record.
    async fn update_project(
        &self,
        id: &str,
        expression: &str,
        name: &str,
        value: AttributeValue,
    ) -> Result<Item, Error> {
        let table = self.projects();
        let update = table
            .update(id)
            .condition_expression(format!("attribute_exists({PROJECT_ID})"))
            .update_expression(expression)
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value)
            .return_values(ReturnValue::AllNew);
        match update.send().await {
            Ok(updated) => Ok(updated.attributes.unwrap_or_default()),
            Err(error) if is_refused(&error) => Err(self.no_project(id)),
            Err(error) => Err(table.unwritable(&error)),
        }
    }

    /// Registers a project, unless one with its ID exists. Returns whether it is new.
    pub async fn create_project(&self, project: &NewProject) -> Result<bool, Error> {
        let mut item = vec![
            (API_KEY_HASH, text(&project.api_key.hash()?)),
            (STATUS, text(&project.status)),
        ];
        let admins = new_admins(&project.admins, &[]);
        // A set in DynamoDB is never empty.
        if !admins.is_empty() {
            item.push((ADMINS, set(&admins)));
        }
        self.projects().create(&project.project_id, item).await
    }

    /// Gives a project another key, whichever it has now. The previous key stays valid until `keep_old`, a Unix time in
    /// seconds; without it, it is invalid at once.
    pub async fn set_key(
        &self,
        project: &str,
        api_key: &NewKey,
        keep_old: Option<u64>,
    ) -> Result<(), KeyError> {
        let old = self.key_hash(project).await?;
        self.replace_key(project, old, api_key, keep_old).await
    }

    /// Returns the hash of a project's key.
    pub(crate) async fn key_hash(&self, project: &str) -> Result<AttributeValue, Error> {
        let hash = self.project(project).await?.remove(API_KEY_HASH);
        hash.ok_or_else(|| format!("the project {project:?} has no API key").into())
    }

    /// Gives a project another key in place of the one with this hash, as [`Self::set_key`].
    pub(crate) async fn replace_key(
        &self,
        project: &str,
        old: AttributeValue,
        api_key: &NewKey,
        keep_old: Option<u64>,
    ) -> Result<(), KeyError> {
        let table = self.projects();
        let hash = text(&api_key.hash()?);
        let update = table
            .update(project)
            .condition_expression(format!("{API_KEY_HASH} = :old"))
            .expression_attribute_values(":old", old)
            .expression_attribute_values(":hash", hash.clone());
        let update = match keep_old {
            None => update.update_expression(format!(
                "SET {API_KEY_HASH} = :hash REMOVE {PREVIOUS_API_KEY_HASH}, {PREVIOUS_API_KEY_UNTIL}"
            )),
            Some(until) => update
                .update_expression(format!(
                    "SET {API_KEY_HASH} = :hash, {PREVIOUS_API_KEY_HASH} = :old, {PREVIOUS_API_KEY_UNTIL} = :until"
                ))
                .expression_attribute_values(":until", AttributeValue::N(until.to_string())),
        };
        let Err(error) = update.send().await else {
            return Ok(());
        };
        // The update may have been applied and its response lost, even if a retry failed its condition: the record
        // shows which.
        Err(match table.read(project).await {
            Ok(Some(item)) if item.get(API_KEY_HASH) == Some(&hash) => return Ok(()),
            Ok(_) if is_refused(&error) => KeyError::Refused(
                format!("another rotation of {project:?} came first: the project has its key")
                    .into(),
            ),
            Ok(_) if error.as_service_error().is_some() => table.unwritable(&error).into(),
            // It may still arrive.
            _ => KeyError::Unknown(table.unwritable(&error)),
        })
    }
}

/// Returns the accounts that are not registered yet, each once, ignoring case.
fn new_admins(accounts: &[String], registered: &[Admin]) -> Vec<Admin> {
    let mut new = Vec::new();
    for account in accounts.iter().cloned().map(Admin::from) {
        if !registered.contains(&account) && !new.contains(&account) {
            new.push(account);
        }
    }
    new
}

fn set(admins: &[Admin]) -> AttributeValue {
    let accounts = admins.iter().map(|admin| admin.as_str().to_owned());
    AttributeValue::Ss(accounts.collect())
}
