//! API Gateway's side of a project's key: an API key of the project's name on the usage plan. Without it
//! the gateway answers 403 before the function is asked.

use crate::project::NewKey;
use crate::{Error, failed};
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::operation::create_api_key::CreateApiKeyError;

/// A usage plan of API Gateway.
#[derive(Clone, Debug)]
pub struct UsagePlan {
    gateway: Client,
    id: String,
}

/// The ID, at API Gateway, of a key that is on the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId(String);

impl UsagePlan {
    /// The plan of this ID: the stack's output `UsagePlanId`.
    #[must_use]
    pub const fn new(gateway: Client, id: String) -> Self {
        Self { gateway, id }
    }

    /// The plan's ID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Puts a project's key on the plan.
    ///
    /// # Errors
    ///
    /// If the key can't be made or put on the plan. One that is not on the plan opens nothing.
    pub async fn add(&self, project: &str, api_key: &NewKey) -> Result<KeyId, Error> {
        let create = self
            .gateway
            .create_api_key()
            .name(project)
            .value(api_key.reveal())
            .enabled(true);
        let id = match create.send().await {
            Ok(created) => created.id,
            // An attempt whose answer was lost has made it: nobody else can have this key.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateApiKeyError::is_conflict_exception) =>
            {
                self.find(project, api_key).await?
            }
            Err(error) => return Err(failed("can't make the key at API Gateway", &error)),
        };
        let id = KeyId(id.ok_or("API Gateway made a key without an ID")?);
        let add = self
            .gateway
            .create_usage_plan_key()
            .usage_plan_id(&self.id)
            .key_id(&id.0)
            .key_type("API_KEY");
        match add.send().await {
            Ok(_) => Ok(id),
            Err(error) => {
                let error = failed(
                    format_args!("can't put the key on the usage plan {:?}", self.id),
                    &error,
                );
                self.remove(&id)
                    .await
                    .map_err(|second| format!("{error}; and {second}"))?;
                Err(error)
            }
        }
    }

    /// The ID of a key that is known to API Gateway.
    async fn find(&self, project: &str, api_key: &NewKey) -> Result<Option<String>, Error> {
        let list = self
            .gateway
            .get_api_keys()
            .name_query(project)
            .include_values(true);
        let keys = list.into_paginator().items().send().try_collect().await;
        let keys = keys.map_err(|error| failed("can't list API Gateway's keys", &error))?;
        Ok(keys
            .into_iter()
            .find(|key| key.value() == Some(api_key.reveal()))
            .and_then(|key| key.id))
    }

    /// The project's keys that are on the plan.
    ///
    /// # Errors
    ///
    /// If they can't be listed.
    pub async fn keys(&self, project: &str) -> Result<Vec<KeyId>, Error> {
        // The service finds names that begin so.
        let list = self
            .gateway
            .get_usage_plan_keys()
            .usage_plan_id(&self.id)
            .name_query(project);
        let keys = list.into_paginator().items().send().try_collect().await;
        let keys = keys.map_err(|error| {
            failed(
                format_args!("can't list the usage plan {:?}", self.id),
                &error,
            )
        })?;
        let keys = keys.into_iter().filter(|key| key.name() == Some(project));
        Ok(keys.filter_map(|key| Some(KeyId(key.id?))).collect())
    }

    /// Deletes a key.
    ///
    /// # Errors
    ///
    /// If it can't be deleted: the sentence names it.
    pub async fn remove(&self, KeyId(id): &KeyId) -> Result<(), Error> {
        let deleted = self.gateway.delete_api_key().api_key(id).send().await;
        deleted
            .map(|_| ())
            .map_err(|error| failed(format_args!("can't delete API Gateway's key {id}"), &error))
    }
}
