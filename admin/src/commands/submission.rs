//! `submission create`, `show` and `erase`.

use std::io::stdin;
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::print;
use crate::cli::SubmissionCommand;
use crate::printable::printable;
use crate::table::Created;
use crate::{Error, Records};

/// Runs a command on submissions.
pub(super) async fn run(records: &Records, command: SubmissionCommand) -> Result<(), Error> {
    match command {
        SubmissionCommand::Create { id, project } => create(records, &id, &project).await,
        SubmissionCommand::Show { id, save } => show(records, &id, save.as_deref()).await,
        SubmissionCommand::Erase {
            id,
            project,
            yes,
            wait,
        } => {
            let wait = Duration::from_secs(wait);
            erase(records, &id, project.as_deref(), yes, wait).await
        }
    }
}

async fn create(records: &Records, id: &str, project: &str) -> Result<(), Error> {
    match records.create_submission(id, Some(project)).await? {
        Created::Yes => Ok(()),
        Created::Exists => Err(format!("there is a submission {id:?} already").into()),
    }
}

async fn show(records: &Records, id: &str, save: Option<&Path>) -> Result<(), Error> {
    let table = &records.config.submissions_table;
    let submission = records.submission(id).await?;
    let submission =
        submission.ok_or_else(|| format!("there is no submission {id:?} in the table {table}"))?;
    print(&submission.to_string())?;
    match save {
        Some(folder) => records.save(&submission, folder).await,
        None => Ok(()),
    }
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
    tell!("{}", printable(&what));
    if !yes {
        tell!("This can't be undone. Erase it? Type the submission's ID:");
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        if answer.trim() != id {
            return Err("nothing was erased".into());
        }
    }
    tell!("waits {} s for requests that began before", wait.as_secs());
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
