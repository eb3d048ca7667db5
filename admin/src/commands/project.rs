//! `project`: keys, administrators and status of projects.

use std::io::{Write as _, stdout};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Session, print};
use crate::Error;
use crate::cli::{KeyCommand, ProjectCommand};
use crate::project::{ACTIVE, NewKey, Project, SetKey};
use crate::table::Created;
use crate::usage_plan::UsagePlan;

/// Runs a command on projects.
pub(super) async fn run(session: &Session, command: ProjectCommand) -> Result<(), Error> {
    let records = &session.records;
    match command {
        ProjectCommand::Create {
            id,
            admins,
            gateway,
        } => {
            let plan = usage_plan(session, gateway.usage_plan)?;
            create(session, id, admins, plan).await
        }
        ProjectCommand::Show { id } => print(&format!("{:#}\n", records.project(&id).await?)),
        ProjectCommand::List => {
            for project in records.all_projects().await? {
                print(&format!("{project}\n"))?;
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
            gateway,
        }) => {
            let plan = usage_plan(session, gateway.usage_plan)?;
            rotate_key(session, &id, keep_old, plan).await
        }
    }
}

/// Returns the usage plan that was named.
fn usage_plan(session: &Session, id: Option<String>) -> Result<Option<UsagePlan>, Error> {
    match (&session.gateway, id) {
        (_, None) => Ok(None),
        (Some(gateway), Some(id)) => Ok(Some(UsagePlan::new(gateway.clone(), id))),
        (None, Some(_)) => Err("there are no usage plans here: leave --usage-plan out".into()),
    }
}

async fn create(
    session: &Session,
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
    if session.records.create_project(&project).await? == Created::Exists {
        return Err(format!(
            "there is a project {id:?} already: `project key rotate` gives it a new key"
        )
        .into());
    }
    if let Some(plan) = &plan {
        plan.add(id, api_key).await.map_err(|error| {
            format!(
                "the project is made, but its key opens nothing: {error}. Mend that, then run: {}",
                rotation(id, plan)
            )
        })?;
    }
    hand_over(session, api_key, plan.as_ref())
}

/// The new key is on the plan before the project has it, and the old one until then: at no time is a request with
/// one of them turned away by the gateway that the function would take.
async fn rotate_key(
    session: &Session,
    project: &str,
    keep_old: Option<Duration>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let records = &session.records;
    let api_key = NewKey::generate()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let until = keep_old.map(|keep_old| (now + keep_old).as_secs());
    let Some(plan) = plan else {
        return match records.set_key(project, &api_key, until).await {
            SetKey::Done => hand_over(session, &api_key, None),
            SetKey::Refused(error) => Err(error),
            SetKey::Unknown(error) => {
                Err(format!("{error}. Run it again, or nobody may have the project's key").into())
            }
        };
    };
    let old = plan.keys(project).await?;
    let new = plan.add(project, &api_key).await?;
    match records.set_key(project, &api_key, until).await {
        SetKey::Done => {}
        SetKey::Refused(error) => {
            plan.remove(&new)
                .await
                .map_err(|second| format!("{error}; and {second}"))?;
            return Err(error);
        }
        // Both keys stay on the plan: the next rotation removes them.
        SetKey::Unknown(error) => {
            return Err(format!(
                "{error}. Nobody may have the project's key: run {}",
                rotation(project, &plan)
            )
            .into());
        }
    }
    hand_over(session, &api_key, Some(&plan))?;
    if keep_old.is_some() {
        tell!(
            "The old key stays on the usage plan until a rotation without --keep-old; the function refuses it when the time is over."
        );
        return Ok(());
    }
    for key in old {
        plan.remove(&key).await?;
    }
    Ok(())
}

fn rotation(project: &str, plan: &UsagePlan) -> String {
    format!("project key rotate {project} --usage-plan {}", plan.id())
}

fn hand_over(session: &Session, api_key: &NewKey, plan: Option<&UsagePlan>) -> Result<(), Error> {
    match (&session.gateway, plan) {
        (None, _) => {}
        (Some(_), None) => {
            tell!("Without --usage-plan, API Gateway is not told of the key, and answers 403.");
        }
        (Some(_), Some(_)) => {
            tell!("API Gateway keeps the key: who may read its keys there, has it.");
        }
    }
    tell!("The API key, shown this once; the project's record has only its hash:");
    writeln!(stdout(), "{}", api_key.reveal())
        .map_err(|error| format!("the key could not be shown ({error}): rotate it again").into())
}
