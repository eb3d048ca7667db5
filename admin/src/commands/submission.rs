//! `submission create`, `show` and `erase`.

use std::io::stdin;
use std::time::Duration;

use super::print;
use crate::cli::{Erase, SubmissionCommand};
use crate::printable::{in_line, printable};
use crate::{Error, Records};

/// Runs a command on submissions.
pub(super) async fn run(command: SubmissionCommand, records: &Records) -> Result<(), Error> {
    match command {
        SubmissionCommand::Create { id, project } => {
            if !records.create_submission(&id, Some(&project)).await? {
                return Err(format!("there is a submission {id:?} already").into());
            }
            Ok(())
        }
        SubmissionCommand::Show { id, save } => {
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
        SubmissionCommand::Erase(options) => erase(options, records).await,
    }
}

async fn erase(options: Erase, records: &Records) -> Result<(), Error> {
    let Erase {
        id,
        project,
        yes,
        wait,
        approved_by,
    } = options;
    let erasure = records.erasure(&id, project.as_deref()).await?;
    let table = &records.config.submissions_table;
    let bucket = &records.config.images_bucket;
    let (found, gone) = if erasure.has_record {
        ("its record", "the record and ")
    } else {
        ("no record any more", "")
    };
    let what = format!(
        "the submission {id:?} of the project {:?}: {found} in the table {table}, and {} versions and delete markers in \
         the bucket {bucket}",
        erasure.project, erasure.versions
    );
    tell!("{}", printable(&what));
    if !yes {
        tell!("This can't be undone. Erase it? Type the submission's ID:");
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        if answer.lines().next() != Some(&id) {
            return Err("nothing was erased".into());
        }
    }
    tell!("waiting {wait} s for requests that began earlier");
    let erased = records.erase(&erasure, Duration::from_secs(wait)).await?;
    let id = in_line(&id);
    let approved = approved_by.map_or_else(String::new, |who| {
        format!(", approved by {}", in_line(&who))
    });
    print(&format!(
        "erased {gone}{erased} versions and delete markers of {id}{approved}\n"
    ))
}
