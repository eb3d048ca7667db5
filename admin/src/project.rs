//! Projects: whose API key it is, and who administers. Of a key only the hash is ever stored.

use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use put_image::domain::ApiKey;
use serde::Deserialize;

use crate::printable::in_line;
use crate::table::{Item, is_refused, text};
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
    /// [`ACTIVE`], or anything else, which is out of service.
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

impl Records {
    /// Returns a project's record, or that there is none.
    pub(crate) async fn project(&self, id: &str) -> Result<Item, Error> {
        let item = self.projects().read(id).await?;
        item.ok_or_else(|| self.no_project(id))
    }

    fn no_project(&self, id: &str) -> Error {
        let table = &self.config.projects_table;
        format!("there is no project {id:?} in the table {table}").into()
    }

    /// Returns a line for each project: its status, ID and administrators.
    pub(crate) async fn list_projects(&self) -> Result<impl Iterator<Item = String>, Error> {
        let table = self.projects();
        let scan = self.dynamodb.scan().table_name(table.name);
        let scan = scan.consistent_read(true);
        let items = scan.into_paginator().items().send().try_collect().await;
        let mut items: Vec<Item> = items.map_err(|error| table.unreadable(&error))?;
        items.sort_by(|a, b| text_of(a, "projectId").cmp(text_of(b, "projectId")));
        Ok(items.into_iter().map(|item| {
            let [status, id] = ["status", "projectId"].map(|name| text_of(&item, name));
            let admins = admins(&item).join(", ");
            in_line(&format!("{status:8}  {id}  {admins}"))
        }))
    }

    /// Registers administrators on a project. Those who are registered already, in whatever case, stay as they are.
    pub(crate) async fn add_admins(&self, id: &str, accounts: &[String]) -> Result<(), Error> {
        let registered = admins(&self.project(id).await?);
        let new = new_accounts(accounts, &registered);
        if !new.is_empty() {
            self.update_project(id, "ADD #name :value", "admins", AttributeValue::Ss(new))
                .await?;
        }
        Ok(())
    }

    /// Takes administrators off a project, if all of them are on it. Returns how many remain.
    pub(crate) async fn remove_admins(
        &self,
        id: &str,
        accounts: &[String],
    ) -> Result<usize, Error> {
        let mut removed = admins(&self.project(id).await?);
        if let Some(stranger) = accounts.iter().find(|account| !is_among(account, &removed)) {
            return Err(format!("{stranger:?} is no administrator of {id:?}").into());
        }
        removed.retain(|admin| is_among(admin, accounts));
        let removed = AttributeValue::Ss(removed);
        let project = self
            .update_project(id, "DELETE #name :value", "admins", removed)
            .await?;
        Ok(admins(&project).len())
    }

    /// Gives a project another status.
    pub(crate) async fn set_status(&self, id: &str, status: &str) -> Result<(), Error> {
        self.update_project(id, "SET #name = :value", "status", text(status))
            .await
            .map(drop)
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
        match update.send().await {
            Ok(updated) => Ok(updated.attributes.unwrap_or_default()),
            Err(error) if is_refused(&error) => Err(self.no_project(id)),
            Err(error) => Err(table.unwritable(&error)),
        }
    }

    /// Registers a project, unless there is one of its ID. Returns whether it is new.
    ///
    /// # Errors
    ///
    /// If the table can't be written.
    pub async fn create_project(&self, project: &Project) -> Result<bool, Error> {
        let mut item = vec![
            ("apiKeyHash", text(&project.api_key.hash()?)),
            ("status", text(&project.status)),
        ];
        let admins = new_accounts(&project.admins, &[]);
        // A set in DynamoDB is never empty.
        if !admins.is_empty() {
            item.push(("admins", AttributeValue::Ss(admins)));
        }
        self.projects().create(&project.id, item).await
    }

    /// Gives a project another key, whichever it has now. Until `keep_old`, a second of Unix time, the one before opens
    /// it, too; without that, it opens nothing from then on.
    pub async fn set_key(&self, project: &str, api_key: &NewKey, keep_old: Option<u64>) -> SetKey {
        match self.key_hash(project).await {
            Ok(old) => self.replace_key(project, old, api_key, keep_old).await,
            Err(error) => SetKey::Refused(error),
        }
    }

    /// Returns the hash of a project's key.
    pub(crate) async fn key_hash(&self, project: &str) -> Result<AttributeValue, Error> {
        let hash = self.project(project).await?.remove("apiKeyHash");
        hash.ok_or_else(|| format!("the project {project:?} has no API key").into())
    }

    /// Gives a project another key in place of the one with this hash, as [`Self::set_key`].
    pub(crate) async fn replace_key(
        &self,
        project: &str,
        old: AttributeValue,
        api_key: &NewKey,
        keep_old: Option<u64>,
    ) -> SetKey {
        let table = self.projects();
        let hash = match api_key.hash() {
            Ok(hash) => text(&hash),
            Err(error) => return SetKey::Refused(error),
        };
        let update = table
            .update(project)
            .condition_expression("apiKeyHash = :old")
            .expression_attribute_values(":old", old)
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
        // The update may have been applied and its answer lost, even if a retry failed its condition: the record
        // tells.
        match table.read(project).await {
            Ok(Some(item)) if item.get("apiKeyHash") == Some(&hash) => SetKey::Done,
            Ok(_) if is_refused(&error) => SetKey::Refused(
                format!("another rotation of {project:?} came first: the project has its key")
                    .into(),
            ),
            Ok(_) if error.as_service_error().is_some() => {
                SetKey::Refused(table.unwritable(&error))
            }
            // It may still arrive.
            _ => SetKey::Unknown(table.unwritable(&error)),
        }
    }
}

/// Whether an account is among others, in whatever case.
fn is_among(account: &str, accounts: &[String]) -> bool {
    accounts
        .iter()
        .any(|other| other.eq_ignore_ascii_case(account))
}

/// Returns the accounts that are not registered yet, each once in whatever case.
fn new_accounts(accounts: &[String], registered: &[String]) -> Vec<String> {
    let mut new: Vec<String> = Vec::new();
    for account in accounts {
        if !is_among(account, registered) && !is_among(account, &new) {
            new.push(account.clone());
        }
    }
    new
}

/// The administrators in a project's record.
fn admins(item: &Item) -> Vec<String> {
    let admins = item.get("admins").and_then(|admins| admins.as_ss().ok());
    admins.cloned().unwrap_or_default()
}

/// A text in a project's record; `-` if it has none.
fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    let text = item.get(name).and_then(|value| value.as_s().ok());
    text.map_or("-", String::as_str)
}
