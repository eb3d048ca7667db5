//! `project`: keys, administrators and status of projects.

use std::io::{Write as _, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_apigateway::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use super::print;
use crate::cli::{Gateway, KeyCommand, ProjectCommand};
use crate::project::{ACTIVE, NewKey, Project, SetKey};
use crate::table::plain;
use crate::usage_plan::UsagePlan;
use crate::{Error, Records};

/// Runs a command on projects.
pub(super) async fn run(
    command: ProjectCommand,
    records: &Records,
    gateway: Option<Client>,
) -> Result<(), Error> {
    match command {
        ProjectCommand::Create {
            id,
            admins,
            gateway: Gateway { usage_plan },
        } => create(records, id, admins, find_plan(gateway, usage_plan)?).await,
        ProjectCommand::Show { id } => {
            let record = plain(&AttributeValue::M(records.project(&id).await?));
            print(&format!("{record:#}\n"))
        }
        ProjectCommand::List => {
            for line in records.list_projects().await? {
                print(&format!("{line}\n"))?;
            }
            Ok(())
        }
        ProjectCommand::AddAdmin { id, admins } => records.add_admins(&id, &admins).await,
        ProjectCommand::RemoveAdmin { id, admins } => {
            if records.remove_admins(&id, &admins).await? == 0 {
                tell!("The project has no administrator now: its requests get invalid_admin.");
            }
            Ok(())
        }
        ProjectCommand::Close { id } => records.set_status(&id, "closed").await,
        ProjectCommand::Reopen { id } => records.set_status(&id, ACTIVE).await,
        ProjectCommand::Key(KeyCommand::Rotate {
            id,
            keep_old,
            gateway: Gateway { usage_plan },
        }) => rotate_key(records, &id, keep_old, find_plan(gateway, usage_plan)?).await,
    }
}

/// Returns the usage plan that was named. If there are usage plans and none was, says what that means.
fn find_plan(gateway: Option<Client>, id: Option<String>) -> Result<Option<UsagePlan>, Error> {
    match (gateway, id) {
        (Some(gateway), Some(id)) => Ok(Some(UsagePlan { gateway, id })),
        (None, Some(_)) => Err("there are no usage plans here: leave --usage-plan out".into()),
        (Some(_), None) => {
            tell!("Without --usage-plan, API Gateway is not told of the key, and answers 403.");
            Ok(None)
        }
        (None, None) => Ok(None),
    }
}

async fn create(
    records: &Records,
    id: String,
    admins: Vec<String>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let project = Project {
        id,
        api_key: NewKey::generate()?,
        status: ACTIVE.to_owned(),
        admins,
    };
    let Project { id, api_key, .. } = &project;
    if !records.create_project(&project).await? {
        return Err(format!(
            "there is a project {id:?} already: `project key rotate` gives it a new key"
        )
        .into());
    }
    if let Some(plan) = &plan {
        plan.add(id, api_key).await.map_err(|error| {
            let rotation = rotation(id, Some(plan));
            format!(
                "the project was created, but its key doesn't work yet: {error}. Fix that, then run: {rotation}"
            )
        })?;
    }
    hand_over(api_key, plan.as_ref())
}

/// The new key is on the plan before the project has it, and the old one until then: at no time is a request with
/// one of them turned away by the gateway that the function would take.
async fn rotate_key(
    records: &Records,
    project: &str,
    keep_old: Option<Duration>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let api_key = NewKey::generate()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let until = keep_old.map(|keep_old| (now + keep_old).as_secs());
    // Before the plan's keys are listed: a rotation that takes place since makes this one fail, and so its key is kept.
    let old = records.key_hash(project).await?;
    let on_plan = match &plan {
        None => None,
        Some(plan) => {
            let old = plan.keys(project).await?;
            Some((plan, old, plan.add(project, &api_key).await?))
        }
    };
    match records.replace_key(project, old, &api_key, until).await {
        SetKey::Done => hand_over(&api_key, plan.as_ref())?,
        SetKey::Refused(error) => {
            return Err(match on_plan {
                None => error,
                Some((plan, _, new)) => plan.take_back(&new, error).await,
            });
        }
        // Both keys stay on the plan: the next rotation removes them.
        SetKey::Unknown(error) => {
            let rotation = rotation(project, plan.as_ref());
            return Err(format!(
                "{error}. It is unknown which key the project has: run {rotation}"
            )
            .into());
        }
    }
    match on_plan {
        None => {}
        Some(_) if keep_old.is_some() => tell!(
            "The old key stays on the usage plan until a rotation without --keep-old; the function refuses it when the time is over."
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

fn hand_over(api_key: &NewKey, plan: Option<&UsagePlan>) -> Result<(), Error> {
    if plan.is_some() {
        tell!("API Gateway stores the key: whoever may read its API keys has it.");
    }
    tell!("The API key, shown this once; the project's record has only its hash:");
    writeln!(stdout(), "{}", api_key.reveal())
        .map_err(|error| format!("the key could not be shown ({error}): rotate it again").into())
}
