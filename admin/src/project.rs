//! Registers, shows and changes projects. A record has only the hash of an API key.

use std::process::ExitCode;

use aws_sdk_apigateway::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use put_image::domain::{Admin, ApiKey};
use put_image::records::attribute::{
    ADMINS, API_KEY_HASH, PREVIOUS_API_KEY_HASH, PREVIOUS_API_KEY_UNTIL, PROJECT_ID, STATUS,
};
use put_image::records::{ACTIVE, Item, Project};
pub use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde::Deserialize;

use crate::cli::{KeyCommand, ProjectCommand};
use crate::key::{self, UsagePlan};
use crate::table::{cell, plain_item, text};
use crate::terminal::{attributes, confirm, json, print, print_list};
use crate::{Error, Records};

/// Expressions that update an attribute.
const SET: &str = "SET #attribute = :value";
const ADD: &str = "ADD #attribute :value";
const DELETE: &str = "DELETE #attribute :value";

/// A project to register.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewProject {
    pub project_id: String,
    pub api_key: NewKey,
    /// [`ACTIVE`], or anything else, which is out of service.
    pub status: String,
    /// E-mail accounts of its administrators; may be empty.
    pub admins: Vec<String>,
}

/// A new API key in plain text, to hand to the customer. `Debug` doesn't show it.
pub type NewKey = SecretString;

/// Generates 160 random bits as 40 hex digits. API Gateway takes keys of 20 to 128 characters.
pub fn generate_key() -> Result<NewKey, Error> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes).into())
}

/// Returns the hash by which the function finds a key's project.
fn hash(api_key: &NewKey) -> Result<AttributeValue, Error> {
    let key = ApiKey::parse(api_key.expose_secret()).ok_or("an API key can't be empty")?;
    Ok(text(&key.hash().to_string()))
}

/// Runs a command on projects.
pub(crate) async fn run(
    command: ProjectCommand,
    records: &Records,
    gateway: Option<Client>,
) -> Result<ExitCode, Error> {
    match command {
        ProjectCommand::Create {
            id,
            admins,
            usage_plan,
        } => {
            let plan = UsagePlan::find(gateway, usage_plan)?;
            key::create(records, id, admins, plan).await?;
        }
        ProjectCommand::Show { id, json: is_json } => {
            let project = records.project(&id).await?;
            return print(&if is_json {
                json(&plain_item(&project))
            } else {
                attributes(&project)
            });
        }
        ProjectCommand::List { json } => {
            let row = |project: &Item| [STATUS, PROJECT_ID, ADMINS].map(|it| cell(project, it));
            let table = records.projects();
            return print_list(&table.read_all(table.scan()).await?, json, row);
        }
        ProjectCommand::AddAdmin { id, admins } => {
            let registered = Project::try_from(records.project(&id).await?)?.admins;
            let new = new_admins(&admins, &registered);
            if new.is_empty() {
                tell!("all of them were registered on {id} already");
            } else {
                let names = new.join(", ");
                let value = AttributeValue::Ss(new);
                records.update(&id, ADD, ADMINS, value).await?;
                tell!("registered on {id}: {names}");
            }
        }
        ProjectCommand::RemoveAdmin { id, admins, yes } => {
            remove_admins(records, &id, &admins, yes).await?;
        }
        ProjectCommand::Close { id } => {
            records.update(&id, SET, STATUS, text("closed")).await?;
            tell!("closed {id}: its requests get invalid_project until it is reopened");
        }
        ProjectCommand::Reopen { id } => {
            records.update(&id, SET, STATUS, text(ACTIVE)).await?;
            tell!("reopened {id}");
        }
        ProjectCommand::Key(KeyCommand::Rotate {
            id,
            keep_old,
            usage_plan,
        }) => {
            let plan = UsagePlan::find(gateway, usage_plan)?;
            key::rotate(records, &id, keep_old, plan).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the accounts that are not registered yet, each once, ignoring case.
fn new_admins(accounts: &[String], registered: &[Admin]) -> Vec<String> {
    let mut known = registered.to_vec();
    let mut new = Vec::new();
    for account in accounts {
        let admin = Admin::from(account.clone());
        if !known.contains(&admin) {
            known.push(admin);
            new.push(account.clone());
        }
    }
    new
}

async fn remove_admins(
    records: &Records,
    id: &str,
    accounts: &[String],
    yes: bool,
) -> Result<(), Error> {
    let registered = Project::try_from(records.project(id).await?)?.admins;
    let leaving: Vec<_> = accounts.iter().cloned().map(Admin::from).collect();
    if let Some(stranger) = leaving.iter().find(|it| !registered.contains(it)) {
        bail!("{:?} is not an administrator of {id:?}", stranger.as_str());
    }
    let (removed, remaining): (Vec<_>, Vec<_>) =
        registered.iter().partition(|it| leaving.contains(it));
    if remaining.is_empty() {
        let none = "would have no administrator: its requests would get invalid_admin";
        confirm(yes, &format!("The project {id} {none}."), id)?;
    }
    let exact = removed.into_iter().map(|it| it.as_str().to_owned());
    let set = AttributeValue::Ss(exact.collect());
    let updated = records.update(id, DELETE, ADMINS, set).await?;
    let left = Project::try_from(updated)?.admins.len();
    let removed = accounts.join(", ");
    tell!("removed from {id}: {removed}; {left} remain");
    if left == 0 {
        tell!("The project has no administrator now: its requests get invalid_admin.");
    }
    Ok(())
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

    /// Registers a project, unless one with its ID exists. Returns whether it is new.
    pub async fn create_project(&self, project: &NewProject) -> Result<bool, Error> {
        let mut item = vec![
            (API_KEY_HASH, hash(&project.api_key)?),
            (STATUS, text(&project.status)),
        ];
        let admins = new_admins(&project.admins, &[]);
        // A set in DynamoDB is never empty.
        if !admins.is_empty() {
            item.push((ADMINS, AttributeValue::Ss(admins)));
        }
        self.projects().create(&project.project_id, item).await
    }

    /// Updates an attribute of a project that exists. Returns the updated record.
    async fn update(
        &self,
        id: &str,
        expression: &str,
        attribute: &str,
        value: AttributeValue,
    ) -> Result<Item, Error> {
        let table = self.projects();
        let update = table
            .update(id)
            .condition_expression(format!("attribute_exists({PROJECT_ID})"))
            .update_expression(expression)
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":value", value)
            .return_values(ReturnValue::AllNew);
        let updated = table.write(update.send()).await?;
        let updated = updated.ok_or_else(|| self.no_project(id))?;
        Ok(updated.attributes.unwrap_or_default())
    }

    /// Replaces a project's key, whatever it is now. Returns false if another rotation came first. The previous key
    /// stays valid until `keep_old`, a Unix time in seconds; without one, it is invalid at once.
    pub async fn set_key(
        &self,
        project: &str,
        api_key: &NewKey,
        keep_old: Option<u64>,
    ) -> Result<bool, Error> {
        let old = self.key_hash(project).await?;
        self.replace_key(project, old, api_key, keep_old).await
    }

    /// Returns the hash of a project's key.
    pub(crate) async fn key_hash(&self, project: &str) -> Result<AttributeValue, Error> {
        let hash = self.project(project).await?.remove(API_KEY_HASH);
        hash.ok_or_else(|| format!("the project {project:?} has no API key").into())
    }

    /// Replaces the key with the hash `old`, like [`Self::set_key`]. After an error, the project may have either key:
    /// the update may still arrive.
    pub(crate) async fn replace_key(
        &self,
        project: &str,
        old: AttributeValue,
        api_key: &NewKey,
        keep_old: Option<u64>,
    ) -> Result<bool, Error> {
        let hash = hash(api_key)?;
        let table = self.projects();
        let update = table
            .update(project)
            .condition_expression(format!("{API_KEY_HASH} = :old"))
            .expression_attribute_values(":old", old)
            .expression_attribute_values(":hash", hash.clone());
        let replacement = match keep_old {
            None => update.update_expression(format!(
                "SET {API_KEY_HASH} = :hash REMOVE {PREVIOUS_API_KEY_HASH}, {PREVIOUS_API_KEY_UNTIL}"
            )),
            Some(until) => update
                .update_expression(format!(
                    "SET {API_KEY_HASH} = :hash, {PREVIOUS_API_KEY_HASH} = :old, {PREVIOUS_API_KEY_UNTIL} = :until"
                ))
                .expression_attribute_values(":until", AttributeValue::N(until.to_string())),
        };
        let written = table.write(replacement.send()).await;
        if let Ok(Some(_)) = written {
            return Ok(true);
        }
        // The update may have been applied and its response lost, even if a retry failed its condition: the record
        // shows which.
        match table.read(project).await? {
            Some(found) if found.get(API_KEY_HASH) == Some(&hash) => Ok(true),
            _ => written.map(|_refused| false),
        }
    }
}
