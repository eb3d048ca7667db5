//! Projects: whose API key it is, and who administers. Of a key only the hash is ever stored.

use std::fmt;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use put_image::domain::ApiKey;

use crate::table::{Created, text};
use crate::{Error, Records};

/// A project to register.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its ID.
    pub id: String,
    /// Its API key.
    pub api_key: NewKey,
    /// `active`, or anything else, which is out of service.
    pub status: String,
    /// E-mail accounts of its administrators; may be empty.
    pub admins: Vec<String>,
}

/// An API key before it is handed to the customer, who alone keeps it.
#[derive(Clone)]
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

impl Records {
    /// Registers a project, unless there is one of its ID.
    ///
    /// # Errors
    ///
    /// If the table can't be written.
    pub async fn create_project(&self, project: &Project) -> Result<Created, Error> {
        // A set in DynamoDB is never empty.
        let admins = Some(&project.admins).filter(|admins| !admins.is_empty());
        let item = [
            ("apiKeyHash", text(&project.api_key.hash()?)),
            ("status", text(&project.status)),
        ];
        let admins = admins.map(|admins| ("admins", AttributeValue::Ss(admins.clone())));
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
            let item = table
                .read(project)
                .await?
                .ok_or_else(|| no_project(project, table.name))?;
            let old = item.get("apiKeyHash").cloned();
            let old = old.ok_or_else(|| format!("the project {project:?} has no API key"))?;
            Ok((hash, old))
        };
        let (hash, old) = match read.await {
            Ok(hashes) => hashes,
            Err(error) => return SetKey::Refused(error),
        };
        let update = self
            .dynamodb
            .update_item()
            .table_name(table.name)
            .key(table.key, text(project))
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

pub(crate) fn no_project(id: &str, table: &str) -> Error {
    format!("there is no project {id:?} in the table {table}").into()
}
