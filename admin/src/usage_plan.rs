//! API Gateway's side of a project's key: an API key of the project's name on the usage plan. Without it the gateway
//! responds with 403 before the function is called.

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::error::ProvideErrorMetadata as _;
use aws_sdk_apigateway::types::ApiKey;

use crate::project::NewKey;
use crate::{Error, failed};

/// A usage plan of API Gateway.
#[derive(Debug)]
pub(crate) struct UsagePlan {
    pub(crate) gateway: Client,
    /// The stack's output `UsagePlanId`.
    pub(crate) id: String,
}

/// The ID, at API Gateway, of a key.
#[derive(Debug)]
pub(crate) struct KeyId(String);

impl UsagePlan {
    /// Puts a project's key on the plan. If that fails, the key isn't left at API Gateway.
    pub(crate) async fn add(&self, project: &str, api_key: &NewKey) -> Result<KeyId, Error> {
        let create = self
            .gateway
            .create_api_key()
            .name(project)
            .value(api_key.reveal())
            .enabled(true);
        let id = match create.send().await {
            Ok(created) => created.id,
            // An attempt whose response was lost created it: nobody else can have this key.
            Err(error) if error.code() == Some("ConflictException") => {
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
        if let Err(error) = add.send().await {
            let what = format!("can't put the key on the usage plan {:?}", self.id);
            return Err(self.take_back(&id, failed(what, &error)).await);
        }
        Ok(id)
    }

    /// Finds the ID of a key that is known to API Gateway.
    async fn find(&self, project: &str, api_key: &NewKey) -> Result<Option<String>, Error> {
        let list = self
            .gateway
            .get_api_keys()
            .name_query(project)
            .include_values(true);
        let keys = list.into_paginator().items().send().try_collect().await;
        let keys = keys.map_err(|error| failed("can't list API Gateway's keys", &error))?;
        let ours = |key: &ApiKey| key.value() == Some(api_key.reveal());
        Ok(keys.into_iter().find(ours).and_then(|key| key.id))
    }

    /// Lists the project's keys that are on the plan.
    pub(crate) async fn keys(&self, project: &str) -> Result<Vec<KeyId>, Error> {
        // The service finds names that begin with this one, too.
        let list = self
            .gateway
            .get_usage_plan_keys()
            .usage_plan_id(&self.id)
            .name_query(project);
        let keys = list.into_paginator().items().send().try_collect().await;
        let what = format!("can't list the usage plan {:?}", self.id);
        let keys = keys.map_err(|error| failed(what, &error))?;
        let keys = keys.into_iter().filter(|key| key.name() == Some(project));
        Ok(keys.filter_map(|key| Some(KeyId(key.id?))).collect())
    }

    /// Deletes a key, unless another rotation has.
    pub(crate) async fn remove(&self, KeyId(id): &KeyId) -> Result<(), Error> {
        match self.gateway.delete_api_key().api_key(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NotFoundException") => Ok(()),
            Err(error) => {
                let what = format!("can't delete API Gateway's key {id}");
                Err(failed(what, &error))
            }
        }
    }

    /// Deletes a key because of an error, and returns what went wrong.
    pub(crate) async fn take_back(&self, key: &KeyId, error: Error) -> Error {
        match self.remove(key).await {
            Ok(()) => error,
            Err(second) => format!("{error}; and {second}").into(),
        }
    }
}
