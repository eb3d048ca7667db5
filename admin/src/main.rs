//! The binary of the administrator's commands. What a script reads goes to standard output (a key, a record, what
//! is left over), and what is said about it to standard error.

use std::collections::BTreeSet;
use std::io::{Write as _, stdin, stdout};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use admin::cli::{self, Cli, Key, Submission};
use admin::printable::printable;
use admin::project::{NewKey, Project, SetKey};
use admin::sweep::{LeftOver, Progress, Sweep};
use admin::table::Created;
use admin::usage_plan::UsagePlan;
use admin::{Error, Records};
use clap::Parser as _;
use indicatif::ProgressBar;
use put_image::config::Config;
use put_image::storage;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("admin: {}", printable(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), Error> {
    let config = Config::from_env()?;
    let sdk = storage::sdk_config().await;
    let records = Records::new(&sdk, config);
    let usage_plan = |gateway: cli::Gateway| Some(UsagePlan::new(&sdk, gateway.usage_plan?));
    match cli {
        Cli::Project(cli::Project::Create {
            id,
            admins,
            gateway,
        }) => create_project(&records, id, admins, usage_plan(gateway)).await,
        Cli::Project(cli::Project::Key(Key::Rotate {
            id,
            keep_old,
            gateway,
        })) => rotate_key(&records, &id, keep_old, usage_plan(gateway)).await,
        Cli::Submission(Submission::Create { id, project }) => {
            create_submission(&records, &id, &project).await
        }
        Cli::Submission(Submission::Show { id, save }) => {
            let table = &records.config.submissions_table;
            let submission = records.submission(&id).await?;
            let submission = submission
                .ok_or_else(|| format!("there is no submission {id:?} in the table {table}"))?;
            print(&submission.to_string())?;
            match save {
                Some(folder) => records.save(&submission, &folder).await,
                None => Ok(()),
            }
        }
        Cli::Submission(Submission::Erase {
            id,
            project,
            yes,
            wait,
        }) => {
            erase(
                &records,
                &id,
                project.as_deref(),
                yes,
                Duration::from_secs(wait),
            )
            .await
        }
        Cli::Sweep { delete } => sweep(&records, delete).await,
    }
}

async fn create_project(
    records: &Records,
    id: String,
    admins: Vec<String>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let api_key = NewKey::generate()?;
    let admins = admins
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let project = Project {
        id,
        api_key,
        status: "active".to_owned(),
        admins,
    };
    let Project { id, api_key, .. } = &project;
    if records.create_project(&project).await? == Created::Exists {
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
    let until = keep_old.map(|keep_old| SystemTime::now() + keep_old);
    let until = until
        .map(|until| until.duration_since(UNIX_EPOCH))
        .transpose()?;
    let until = until.map(|until| until.as_secs());
    let Some(plan) = plan else {
        return match records.set_key(project, &api_key, until).await {
            SetKey::Done => hand_over(&api_key, None),
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
    hand_over(&api_key, Some(&plan))?;
    if keep_old.is_some() {
        eprintln!(
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

fn hand_over(api_key: &NewKey, plan: Option<&UsagePlan>) -> Result<(), Error> {
    match plan {
        None => {
            eprintln!("Without --usage-plan, API Gateway is not told of the key, and answers 403.");
        }
        Some(_) => eprintln!("API Gateway keeps the key: who may read its keys there, has it."),
    }
    eprintln!("The API key, shown this once; the project's record has only its hash:");
    Ok(writeln!(stdout(), "{}", api_key.reveal())?)
}

async fn create_submission(records: &Records, id: &str, project: &str) -> Result<(), Error> {
    match records.create_submission(id, Some(project)).await? {
        Created::Yes => Ok(()),
        Created::Exists => Err(format!("there is a submission {id:?} already").into()),
    }
}

async fn sweep(records: &Records, delete: Option<usize>) -> Result<(), Error> {
    let (table, bucket) = (
        &records.config.submissions_table,
        &records.config.images_bucket,
    );
    eprintln!("comparing the bucket {bucket} with the table {table}");
    // Drawn on a terminal alone.
    let bar = ProgressBar::new_spinner();
    let found = records.find_left_over(Sweep::now(), |progress| {
        let Progress {
            records,
            objects,
            left_over,
            ..
        } = progress;
        bar.set_message(format!(
            "{records} records, {objects} objects, {left_over} left over"
        ));
        bar.tick();
    });
    let (progress, listed) = found.await?;
    bar.finish_and_clear();
    let Progress {
        objects,
        named,
        records: count,
        young,
        foreign,
        left_over,
    } = progress;
    for object in &listed {
        print_object("left over", object)?;
    }
    eprintln!(
        "{objects} objects: {named} named by {count} records, {young} younger than an hour, {foreign} not ours, \
         {left_over} left over"
    );
    match delete {
        None if left_over > 0 => eprintln!("Nothing was deleted: that takes --delete {left_over}."),
        Some(expected) if left_over > expected => {
            return Err(format!(
                "{left_over} are left over, more than the {expected} of --delete: none is deleted"
            )
            .into());
        }
        Some(_) if left_over > 0 && named == 0 => {
            return Err(format!(
                "no record of {table} names any object: is that the right table? None is deleted"
            )
            .into());
        }
        Some(_) => {
            let mut told = Ok(());
            let tell = |object: &LeftOver| {
                if told.is_ok() {
                    told = print_object("deleted", object);
                }
            };
            let deleted = records.delete_left_over(listed, tell).await?;
            told?;
            eprintln!(
                "{deleted} deleted. If the bucket keeps versions, they can be brought back for a while."
            );
        }
        None => {}
    }
    Ok(())
}

fn print_object(
    what: &str,
    LeftOver {
        key,
        size,
        modified,
    }: &LeftOver,
) -> Result<(), Error> {
    print(&format!("{what:9}  {size:>9} bytes  {modified}  {key}\n"))
}

/// Prints for a script or a reader, without what a terminal would follow.
fn print(text: &str) -> Result<(), Error> {
    Ok(stdout().write_all(printable(text).as_bytes())?)
}

async fn erase(
    records: &Records,
    id: &str,
    project: Option<&str>,
    yes: bool,
    wait: Duration,
) -> Result<(), Error> {
    let erasure = records.erasure(id, project).await?;
    let (table, bucket) = (
        &records.config.submissions_table,
        &records.config.images_bucket,
    );
    let record = if erasure.has_record {
        "its record"
    } else {
        "no record any more"
    };
    let what = format!(
        "the submission {id:?} of the project {:?}: {record} in the table {table}, and {} versions and delete markers in \
         the bucket {bucket}",
        erasure.project, erasure.versions
    );
    eprintln!("{}", printable(&what));
    if !yes {
        eprint!("This can't be undone. Erase it? Type the submission's ID: ");
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        if answer.trim() != id {
            return Err("nothing was erased".into());
        }
    }
    eprintln!("waits {} s for requests that began before", wait.as_secs());
    let bar = ProgressBar::new_spinner();
    let erased = records.erase(&erasure, wait, |erased| {
        bar.set_message(format!("{erased} versions and delete markers"));
        bar.tick();
    });
    let erased = erased.await?;
    bar.finish_and_clear();
    let record = if erasure.has_record {
        "the record and "
    } else {
        ""
    };
    print(&format!(
        "erased {record}{erased} versions and delete markers of {id}\n"
    ))
}
