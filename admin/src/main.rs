//! The binary of the administrator's commands. What a script reads goes to standard output (a key, a record, what
//! is left over), and what is said about it to standard error.

use std::process::ExitCode;

use admin::cli::{Cli, Key, Project, Submission};
use admin::project::{self, NewKey};
use admin::sweep::Sweep;
use admin::table::Created;
use admin::usage_plan::UsagePlan;
use admin::{Error, Records};
use clap::Parser as _;
use indicatif::ProgressBar;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("admin: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), Error> {
    let records = Records::from_env().await?;
    match cli {
        Cli::Project(Project::Create { id, admins, gateway }) => {
            create_project(&records, id, admins, usage_plan(gateway.usage_plan).await).await
        }
        Cli::Project(Project::Key(Key::Rotate { id, gateway })) => {
            rotate_key(&records, &id, usage_plan(gateway.usage_plan).await).await
        }
        Cli::Submission(Submission::Create { id, project }) => create_submission(&records, &id, &project).await,
        Cli::Submission(Submission::Show { id, save }) => {
            let table = &records.config.submissions_table;
            let submission = records.submission(&id).await?;
            let submission = submission.ok_or_else(|| format!("there is no submission {id:?} in the table {table}"))?;
            print!("{}", submission.describe()?);
            match save {
                Some(folder) => records.save(&submission, &folder).await,
                None => Ok(()),
            }
        }
        Cli::Sweep { delete } => sweep(&records, delete).await,
    }
}

async fn usage_plan(id: Option<String>) -> Option<UsagePlan> {
    Some(UsagePlan::from_env(id?).await)
}

async fn create_project(
    records: &Records,
    id: String,
    admins: Vec<String>,
    plan: Option<UsagePlan>,
) -> Result<(), Error> {
    let api_key = NewKey::generate()?;
    let project = project::Project { id, api_key, status: "active".to_owned(), admins };
    if records.create_project(&project).await? == Created::Exists {
        return Err(
            format!("there is a project {:?} already: `project key rotate` gives it a new key", project.id).into()
        );
    }
    if let Some(plan) = plan {
        plan.add(&project.id, &project.api_key).await.map_err(|error| {
            format!("the project is made, but its key opens nothing yet: {error}. Then run `project key rotate`")
        })?;
    }
    hand_over(&project.api_key);
    Ok(())
}

/// The new key is on the plan before the project has it, and the old one until then: at no time is a request with
/// one of them turned away by the gateway that the function would take.
async fn rotate_key(records: &Records, project: &str, plan: Option<UsagePlan>) -> Result<(), Error> {
    let api_key = NewKey::generate()?;
    let Some(plan) = plan else {
        records.set_key(project, &api_key).await?;
        hand_over(&api_key);
        return Ok(());
    };
    let old = plan.keys(project).await?;
    let new = plan.add(project, &api_key).await?;
    if let Err(error) = records.set_key(project, &api_key).await {
        plan.remove(&new).await.map_err(|second| format!("{error}; and {second}"))?;
        return Err(error);
    }
    hand_over(&api_key);
    for key in old {
        plan.remove(&key).await?;
    }
    Ok(())
}

fn hand_over(api_key: &NewKey) {
    eprintln!("The API key, which is stored nowhere and shown this once:");
    println!("{}", api_key.reveal());
}

async fn create_submission(records: &Records, id: &str, project: &str) -> Result<(), Error> {
    match records.create_submission(id, Some(project)).await? {
        Created::Yes => Ok(()),
        Created::Exists => Err(format!("there is a submission {id:?} already").into()),
    }
}

async fn sweep(records: &Records, delete: bool) -> Result<(), Error> {
    let (table, bucket) = (&records.config.submissions_table, &records.config.images_bucket);
    eprintln!("comparing the bucket {bucket} with the table {table}");
    // Drawn on a terminal alone.
    let bar = ProgressBar::new_spinner();
    let swept = records.sweep(Sweep::now(delete), |progress, left_over| {
        bar.set_message(format!(
            "{} records, {} objects, {} left over",
            progress.records, progress.objects, progress.left_over
        ));
        bar.tick();
        bar.suspend(|| {
            for object in left_over {
                println!("{:>9} bytes  {}  {}", object.size, object.modified, object.key);
            }
        });
    });
    let swept = swept.await;
    bar.finish_and_clear();
    let swept = swept?;
    eprintln!(
        "{} objects: {} named by {} records, {} younger than an hour, {} not ours, {} left over",
        swept.objects, swept.named, swept.records, swept.young, swept.foreign, swept.left_over
    );
    match (swept.left_over, delete) {
        (0, _) => {}
        (_, true) => eprintln!("What was left over is deleted; the bucket's versions keep it for a while."),
        (_, false) => eprintln!("Nothing was deleted: that takes --delete."),
    }
    Ok(())
}
