//! A project's API key in both places: in the project's record, which the function reads, and on API Gateway's usage
//! plan, without which the gateway responds with 403 and doesn't call the function.

use std::io::{Write as _, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::error::ProvideErrorMetadata as _;
use put_image::records::ACTIVE;

use crate::project::{ExposeSecret as _, NewKey, NewProject, generate_key};
use crate::{Context as _, Error, Records};

/// Registers a project with a new key.
pub(crate) async fn create(
    records: &Records,
    project_id: String,
    admins: Vec<String>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let project = NewProject {
        project_id,
        api_key: generate_key()?,
        status: ACTIVE.to_owned(),
        admins,
    };
    let (id, api_key) = (&project.project_id, &project.api_key);
    if !records.create_project(&project).await? {
        bail!("there is a project {id:?} already: `project key rotate` gives it a new key");
    }
    tell!("created the project {id}");
    if let Some(plan) = &plan
        && let Err(error) = plan.add(id, api_key).await
    {
        bail!(
            "the project was created, but its key doesn't work yet: {error}. Fix that, then run: {}",
            rotation(id, Some(plan))
        );
    }
    hand_over(api_key)
}

/// Puts the new key on the plan before the project gets it, and removes the old one afterward: the gateway never
/// refuses a key that the function accepts.
pub(crate) async fn rotate(
    records: &Records,
    project: &str,
    keep_old: Option<Duration>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let api_key = generate_key()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let until = keep_old.map(|keep_old| now.saturating_add(keep_old).as_secs());
    // Read before the plan's keys are listed: if another rotation comes in between, this one fails, and that one's key
    // stays on the plan.
    let old = records.key_hash(project).await?;
    let on_plan = match &plan {
        None => None,
        Some(plan) => Some((
            plan,
            plan.keys(project).await?,
            plan.add(project, &api_key).await?,
        )),
    };
    let outcome = records.replace_key(project, old, &api_key, until).await;
    // After an error, both keys stay on the plan: a rotation without `--keep-old` removes them.
    let replaced = outcome.map_err(|error| {
        let rotation = rotation(project, plan.as_ref());
        format!("{error}. It is unknown which key the project has: run {rotation}")
    })?;
    if !replaced {
        let error =
            format!("another rotation of {project:?} came first: use the key that it printed");
        return Err(match on_plan {
            None => error.into(),
            Some((plan, _, new)) => plan.take_back(&new, error.into()).await,
        });
    }
    hand_over(&api_key)?;
    match on_plan {
        None => {}
        Some(_) if keep_old.is_some() => tell!(
            "The old key stays on the usage plan until a rotation without --keep-old; the function refuses it once its time is up."
        ),
        Some((plan, old, _)) => {
            for key in old {
                plan.remove(&key).await?;
            }
        }
    }
    Ok(())
}

fn rotation(project: &str, plan: Option<&UsagePlan>) -> String {
    let plan = plan.map(|plan| format!(" --usage-plan {}", plan.id));
    format!("project key rotate {project:?}{}", plan.unwrap_or_default())
}

fn hand_over(api_key: &NewKey) -> Result<(), Error> {
    tell!("The API key, shown only once; the project's record has only its hash:");
    writeln!(stdout(), "{}", api_key.expose_secret())
        .map_err(|error| format!("the key could not be shown ({error}): rotate it again").into())
}

/// A usage plan of API Gateway. A project's keys on it have the project's name.
#[derive(Debug)]
pub(crate) struct UsagePlan {
    gateway: Client,
    /// The stack's output `UsagePlanId`.
    id: String,
}

impl UsagePlan {
    /// Returns the named usage plan. If there are plans and none is named, warns that the gateway won't know the key.
    pub(crate) fn find(gateway: Option<Client>, id: Option<String>) -> Result<Option<Self>, Error> {
        match (gateway, id) {
            (Some(gateway), Some(id)) => return Ok(Some(Self { gateway, id })),
            (None, Some(_)) => bail!("there are no usage plans here: leave --usage-plan out"),
            (Some(_), None) => {
                tell!("Without --usage-plan, API Gateway doesn't know the key, and responds 403.");
            }
            (None, None) => {}
        }
        Ok(None)
    }

    /// Puts a project's key on the plan. If that fails, the key isn't left at API Gateway. Returns its ID there.
    async fn add(&self, project: &str, api_key: &NewKey) -> Result<String, Error> {
        let create = self
            .gateway
            .create_api_key()
            .name(project)
            .value(api_key.expose_secret())
            .enabled(true);
        let id = match create.send().await {
            // An attempt whose response was lost created it: nobody else can have this key.
            Err(error) if error.code() == Some("ConflictException") => {
                let list = self.gateway.get_api_keys().name_query(project);
                let pages = list.include_values(true).into_paginator();
                let listed = pages.items().send().try_collect().await;
                let keys: Vec<_> = listed.context("can't list API Gateway's keys")?;
                let ours = keys
                    .into_iter()
                    .find(|key| key.value() == Some(api_key.expose_secret()));
                ours.and_then(|key| key.id)
            }
            created => created.context("can't make the key at API Gateway")?.id,
        };
        let id = id.ok_or("API Gateway made a key without an ID")?;
        let add = self
            .gateway
            .create_usage_plan_key()
            .usage_plan_id(&self.id)
            .key_id(&id)
            .key_type("API_KEY");
        let what = format!("can't put the key on the usage plan {:?}", self.id);
        match add.send().await.context(what) {
            Ok(_) => Ok(id),
            Err(error) => Err(self.take_back(&id, error).await),
        }
    }

    /// Deletes a key because of an error. Returns that error, with the deletion's, if it fails too.
    async fn take_back(&self, id: &str, error: Error) -> Error {
        match self.remove(id).await {
            Ok(()) => error,
            Err(second) => format!("{error}; and {second}").into(),
        }
    }

    /// Lists the IDs of the project's keys that are on the plan.
    async fn keys(&self, project: &str) -> Result<Vec<String>, Error> {
        // The service finds names that begin with this one, too.
        let list = self.gateway.get_usage_plan_keys().name_query(project);
        let pages = list.usage_plan_id(&self.id).into_paginator();
        let listed = pages.items().send().try_collect().await;
        let keys: Vec<_> = listed.context(format!("can't list the usage plan {:?}", self.id))?;
        let of_project = keys.into_iter().filter(|key| key.name() == Some(project));
        Ok(of_project.filter_map(|key| key.id).collect())
    }

    /// Deletes a key, unless another rotation has.
    async fn remove(&self, id: &str) -> Result<(), Error> {
        match self.gateway.delete_api_key().api_key(id).send().await {
            Err(error) if error.code() == Some("NotFoundException") => Ok(()),
            deleted => {
                deleted.context(format!("can't delete API Gateway's key {id}"))?;
                Ok(())
            }
        }
    }
}
