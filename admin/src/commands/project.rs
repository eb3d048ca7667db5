//! `project`: keys, administrators and status of projects.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_apigateway::Client;
use put_image::domain::Admin;
use put_image::records::attribute::{PROJECT_ID, STATUS};
use put_image::records::{ACTIVE, Item, Project};

use super::{confirm, print};
use crate::cli::{Gateway, KeyCommand, ProjectCommand};
use crate::printable::{json, table};
use crate::project::{KeyError, NewKey, NewProject};
use crate::submission::attributes;
use crate::table::{plain_item, text_of};
use crate::usage_plan::UsagePlan;
use crate::{Error, Records};

/// Runs a command on projects.
pub(super) async fn run(
    command: ProjectCommand,
    records: &Records,
    gateway: Option<Client>,
) -> Result<ExitCode, Error> {
    match command {
        ProjectCommand::Create {
            id,
            admins,
            gateway: Gateway { usage_plan },
        } => create(records, id, admins, find_plan(gateway, usage_plan)?).await?,
        ProjectCommand::Show { id, output } => {
            let project = records.project(&id).await?;
            return print(&if output.json {
                json(&plain_item(&project))
            } else {
                attributes(&project)
            });
        }
        ProjectCommand::List { output } => {
            let projects = records.list_projects().await?;
            return print(&if output.json {
                json(&projects.iter().map(plain_item).collect())
            } else {
                table(projects.into_iter().map(row))
            });
        }
        ProjectCommand::AddAdmin { id, admins } => {
            let new = records.add_admins(&id, &admins).await?;
            if new.is_empty() {
                tell!("all of them were registered on {id} already");
            } else {
                tell!("registered on {id}: {}", accounts(&new));
            }
        }
        ProjectCommand::RemoveAdmin { id, admins, yes } => {
            let none = "has no administrator then: its requests get invalid_admin";
            let ask = || confirm(yes, &format!("The project {id} {none}."), &id);
            let remaining = records.remove_admins(&id, &admins, ask).await?;
            tell!(
                "removed from {id}: {}; {remaining} remain",
                admins.join(", ")
            );
            if remaining == 0 {
                tell!("The project has no administrator now: its requests get invalid_admin.");
            }
        }
        ProjectCommand::Close { id } => {
            records.set_status(&id, "closed").await?;
            tell!("closed {id}: its requests get invalid_project until it is reopened");
        }
        ProjectCommand::Reopen { id } => {
            records.set_status(&id, ACTIVE).await?;
            tell!("reopened {id}");
        }
        ProjectCommand::Key(KeyCommand::Rotate {
            id,
            keep_old,
            gateway: Gateway { usage_plan },
        }) => rotate_key(records, &id, keep_old, find_plan(gateway, usage_plan)?).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a line's cells for a project.
fn row(project: Item) -> [String; 3] {
    let [status, id] = [STATUS, PROJECT_ID].map(|name| text_of(&project, name).to_owned());
    let admins = match Project::try_from(project) {
        Ok(project) => accounts(&project.admins),
        Err(fault) => fault.to_string(),
    };
    [status, id, admins]
}

fn accounts(admins: &[Admin]) -> String {
    let accounts: Vec<_> = admins.iter().map(Admin::as_str).collect();
    accounts.join(", ")
}

/// Returns the usage plan that was named. If there are usage plans and none was named, says what that means.
fn find_plan(gateway: Option<Client>, id: Option<String>) -> Result<Option<UsagePlan>, Error> {
    match (gateway, id) {
        (Some(gateway), Some(id)) => Ok(Some(UsagePlan { gateway, id })),
        (None, Some(_)) => Err("there are no usage plans here: leave --usage-plan out".into()),
        (Some(_), None) => {
            tell!("Without --usage-plan, API Gateway doesn't know the key, and responds 403.");
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
    let project = NewProject {
        project_id: id,
        api_key: NewKey::generate()?,
        status: ACTIVE.to_owned(),
        admins,
    };
    let (id, api_key) = (&project.project_id, &project.api_key);
    if !records.create_project(&project).await? {
        bail!("there is a project {id:?} already: `project key rotate` gives it a new key");
    }
    tell!("created the project {id}");
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

/// Puts the new key on the plan before the project gets it, and removes the old one afterward: the gateway never
/// refuses a key that the function accepts.
async fn rotate_key(
    records: &Records,
    project: &str,
    keep_old: Option<Duration>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let api_key = NewKey::generate()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let until = keep_old.map(|keep_old| (now + keep_old).as_secs());
    // Read before the plan's keys are listed: another rotation in between makes this one fail, so its key is kept.
    let old = records.key_hash(project).await?;
    let on_plan = match &plan {
        None => None,
        Some(plan) => {
            let old = plan.keys(project).await?;
            Some((plan, old, plan.add(project, &api_key).await?))
        }
    };
    match records.replace_key(project, old, &api_key, until).await {
        Ok(()) => hand_over(&api_key, plan.as_ref())?,
        Err(KeyError::Refused(error)) => {
            return Err(match on_plan {
                None => error,
                Some((plan, _, new)) => plan.take_back(&new, error).await,
            });
        }
        // Both keys stay on the plan: the next rotation removes them.
        Err(KeyError::Unknown(error)) => {
            let rotation = rotation(project, plan.as_ref());
            bail!("{error}. It is unknown which key the project has: run {rotation}");
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
