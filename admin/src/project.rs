//! Projects: whose API key it is, and who administers. Of a key only the hash is ever stored.

use std::fmt;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use put_image::domain::ApiKey;
use serde::Deserialize;
use serde_json::Value;

use crate::printable::in_line;
use crate::table::{Created, Item, plain, text};
use crate::{Error, Records};

/// A project to register.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Project {
    /// Its ID.
    #[serde(rename = "projectId")]
    pub id: String,
    /// Its API key.
    pub api_key: NewKey,
    /// `active`, or anything else, which is out of service.
    pub status: String,
    /// E-mail accounts of its administrators; may be empty.
    pub admins: Vec<String>,
}

/// An API key before it is handed to the customer, who alone keeps it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct NewKey(String);

impl NewKey {
    /// 160 random bits as 40 hex digits. API Gateway takes keys of 20 to 128 characters.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes)))
    }

    /// A key that is known already.
    #[must_use]
    pub fn known(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The key itself: for the customer and for API Gateway.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the function finds the project by.
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

/// The status of a project in service.
pub const ACTIVE: &str = "active";

/// A project in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its ID.
    pub id: String,
    /// `active`, or anything else, which is out of service; `-` if its record has none.
    pub status: String,
    /// E-mail accounts of its administrators.
    pub admins: Vec<String>,
}

impl From<Item> for Listed {
    fn from(item: Item) -> Self {
        let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        Self {
            id: text("projectId").unwrap_or_default(),
            status: text("status").unwrap_or_else(|| "-".to_owned()),
            admins: admins(&item),
        }
    }
}

/// Its line.
impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, status, admins } = self;
        let admins = admins.join(", ");
        let [status, id, admins] = [status, id, &admins].map(|text| in_line(text));
        write!(f, "{status:8}  {id}  {admins}")
    }
}

impl Records {
    /// Returns a project's record as plain JSON.
    ///
    /// # Errors
    ///
    /// If there is none, or the table can't be read.
    pub async fn project(&self, id: &str) -> Result<Value, Error> {
        let item = self.project_item(id).await?;
        Ok(plain(&AttributeValue::M(item)))
    }

    /// Returns all projects, by their IDs.
    ///
    /// # Errors
    ///
    /// If the table can't be read.
    pub async fn all_projects(&self) -> Result<Vec<Listed>, Error> {
        let table = self.projects();
        let scan = self.dynamodb.scan().table_name(table.name);
        let scan = scan.consistent_read(true);
        let items = scan.into_paginator().items().send().try_collect().await;
        let items = items.map_err(|error| table.unreadable(&error))?;
        let mut projects: Vec<Listed> = items.into_iter().map(Listed::from).collect();
        projects.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(projects)
    }

    /// Registers administrators on a project. Those who are registered already, in whatever case, stay as they are.
    ///
    /// # Errors
    ///
    /// If there is no such project, or the table can't be written.
    pub async fn add_admins(&self, id: &str, accounts: &[String]) -> Result<(), Error> {
        let registered = admins(&self.project_item(id).await?);
        let new = accounts
            .iter()
            .filter(|account| !is_among(account, &registered));
        let new: Vec<String> = new.cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        self.update_project(id, "ADD #name :value", "admins", account_set(&new))
            .await?;
        Ok(())
    }

    /// Takes administrators off a project. Returns how many remain.
    ///
    /// # Errors
    ///
    /// If one of them isn't an administrator, there is no such project, or the table can't be written. Nothing has
    /// changed then.
    pub async fn remove_admins(&self, id: &str, accounts: &[String]) -> Result<usize, Error> {
        let registered = admins(&self.project_item(id).await?);
        if let Some(stranger) = accounts
            .iter()
            .find(|account| !is_among(account, &registered))
        {
            return Err(format!("{stranger} is no administrator of {id:?}").into());
        }
        let removed = registered.into_iter();
        let removed = removed.filter(|admin| is_among(admin, accounts)).collect();
        let removed = AttributeValue::Ss(removed);
        let project = self
            .update_project(id, "DELETE #name :value", "admins", removed)
            .await?;
        Ok(admins(&project).len())
    }

    /// Gives a project another status.
    ///
    /// # Errors
    ///
    /// If there is no such project, or the table can't be written.
    pub async fn set_status(&self, id: &str, status: &str) -> Result<(), Error> {
        self.update_project(id, "SET #name = :value", "status", text(status))
            .await?;
        Ok(())
    }

    /// Updates an attribute of a project that exists. In the expression, `#name` stands for it: `status` is a reserved
    /// word of DynamoDB's. Returns the record as it is then.
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
            .condition_expression("attribute_exists(projectId)")
            .update_expression(expression)
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value)
            .return_values(ReturnValue::AllNew);
        let error = match update.send().await {
            Ok(updated) => return Ok(updated.attributes.unwrap_or_default()),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                Err(no_project(id, table.name))
            }
            _ => Err(table.unwritable(&error)),
        }
    }

    async fn project_item(&self, id: &str) -> Result<Item, Error> {
        let table = self.projects();
        let item = table.read(id).await?;
        item.ok_or_else(|| no_project(id, table.name))
    }

    /// Registers a project, unless there is one of its ID.
    ///
    /// # Errors
    ///
    /// If the table can't be written.
    pub async fn create_project(&self, project: &Project) -> Result<Created, Error> {
        // A set in DynamoDB is never empty.
        let admins = Some(&project.admins[..]).filter(|admins| !admins.is_empty());
        let item = [
            ("apiKeyHash", text(&project.api_key.hash()?)),
            ("status", text(&project.status)),
        ];
        let admins = admins.map(|admins| ("admins", account_set(admins)));
        self.projects()
            .create(&project.id, item.into_iter().chain(admins))
            .await
    }

    /// Gives a project another key. Until `keep_old`, a second of Unix time, the one before opens it, too; without that,
    /// it opens nothing from then on.
    pub async fn set_key(&self, project: &str, api_key: &NewKey, keep_old: Option<u64>) -> SetKey {
        let table = self.projects();
        let read = async {
            let hash = text(&api_key.hash()?);
            let item = self.project_item(project).await?;
            let old = item.get("apiKeyHash").cloned();
            let old = old.ok_or_else(|| format!("the project {project:?} has no API key"))?;
            Ok((hash, old))
        };
        let (hash, old) = match read.await {
            Ok(hashes) => hashes,
            Err(error) => return SetKey::Refused(error),
        };
        let update = table
            .update(project)
            .condition_expression("apiKeyHash = :old")
            .expression_attribute_values(":old", old.clone())
            .expression_attribute_values(":hash", hash.clone());
        let update = match keep_old {
            None => update.update_expression(
                "SET apiKeyHash = :hash REMOVE previousApiKeyHash, previousApiKeyUntil",
            ),
            Some(until) => update
                .update_expression(
                    "SET apiKeyHash = :hash, previousApiKeyHash = :old, previousApiKeyUntil = :until",
                )
                .expression_attribute_values(":until", AttributeValue::N(until.to_string())),
        };
        let Err(error) = update.send().await else {
            return SetKey::Done;
        };
        // Its answer may have been lost, also behind a condition that a retry found to fail: the record tells.
        let lost_race = matches!(
            error.as_service_error(),
            Some(UpdateItemError::ConditionalCheckFailedException(_))
        );
        let is_answered = error.as_service_error().is_some();
        let error = table.unwritable(&error);
        match table.read(project).await {
            Ok(Some(item)) if item.get("apiKeyHash") == Some(&hash) => SetKey::Done,
            Ok(_) if lost_race => SetKey::Refused(
                format!("another rotation of {project:?} was faster: its key is the project's")
                    .into(),
            ),
            Ok(_) if is_answered => SetKey::Refused(error),
            // It may still arrive.
            _ => SetKey::Unknown(error),
        }
    }
}

/// How the change of a key ended.
#[derive(Debug)]
#[must_use]
pub enum SetKey {
    /// The project has the new key.
    Done,
    /// It has the old one.
    Refused(Error),
    /// It has the one or the other.
    Unknown(Error),
}

/// Whether an account is among others, in whatever case.
fn is_among(account: &str, accounts: &[String]) -> bool {
    accounts
        .iter()
        .any(|other| other.eq_ignore_ascii_case(account))
}

/// A set of accounts, each once in whatever case.
fn account_set(accounts: &[String]) -> AttributeValue {
    let mut set: Vec<String> = Vec::new();
    for account in accounts {
        if !is_among(account, &set) {
            set.push(account.clone());
        }
    }
    AttributeValue::Ss(set)
}

/// The administrators in a project's record.
fn admins(item: &Item) -> Vec<String> {
    let admins = item.get("admins").and_then(|admins| admins.as_ss().ok());
    admins.cloned().unwrap_or_default()
}

pub(crate) fn no_project(id: &str, table: &str) -> Error {
    format!("there is no project {id:?} in the table {table}").into()
}
