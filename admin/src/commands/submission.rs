//! `submission create`, `show`, `list` and `erase`.

use std::process::ExitCode;
use std::time::Duration;

use put_image::domain::ImageField;
use put_image::records::Item;
use put_image::records::attribute::{PROJECT_ID, SUBMISSION_ID, UPDATED_AT};

use super::{confirm, print};
use crate::cli::{Erase, ShowOptions, SubmissionCommand};
use crate::printable::{in_line, json, table};
use crate::table::{plain_item, text_of};
use crate::{Error, Records};

/// The exit status of an erasure that found neither a record nor an object.
const NOTHING_FOUND: u8 = 3;

/// Runs a command on submissions.
pub(super) async fn run(command: SubmissionCommand, records: &Records) -> Result<ExitCode, Error> {
    match command {
        SubmissionCommand::Create { id, project } => {
            if !records.create_submission(&id, Some(&project)).await? {
                bail!("there is a submission {id:?} already");
            }
            tell!("created the submission {id} of the project {project}");
            Ok(ExitCode::SUCCESS)
        }
        SubmissionCommand::Show { id, show: options } => show(&id, options, records).await,
        SubmissionCommand::List { project, output } => {
            let submissions = records.list_submissions(project.as_deref()).await?;
            print(&if output.json {
                json(&submissions.iter().map(plain_item).collect())
            } else {
                table(submissions.iter().map(row))
            })
        }
        SubmissionCommand::Erase(options) => erase(options, records).await,
    }
}

async fn show(id: &str, options: ShowOptions, records: &Records) -> Result<ExitCode, Error> {
    let table = &records.config.submissions_table;
    let submission = records
        .submission(id)
        .await?
        .ok_or_else(|| format!("there is no submission {id:?} in the table {table}"))?;
    print(&if options.output.json {
        json(&submission.record())
    } else {
        submission.to_string()
    })?;
    if let Some(folder) = options.save {
        let saved = records.save(&submission, &folder).await?;
        let images = if saved.is_empty() {
            "no image: it has none".to_owned()
        } else {
            saved.join(", ")
        };
        tell!("saved to {}: {images}", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a line's cells for a submission.
fn row(submission: &Item) -> [String; 4] {
    let images: Vec<_> = ImageField::ALL
        .into_iter()
        .map(ImageField::name)
        .filter(|name| submission.contains_key(*name))
        .collect();
    let text = |name| text_of(submission, name).to_owned();
    [
        text(SUBMISSION_ID),
        text(PROJECT_ID),
        text(UPDATED_AT),
        images.join(", "),
    ]
}

async fn erase(options: Erase, records: &Records) -> Result<ExitCode, Error> {
    let (id, projects) = (&options.id, &options.projects);
    let pause = Duration::from_secs(options.wait);
    let waiting = format!("waiting {} s for requests that began earlier", options.wait);
    let mut erasure = records.erasure(id, projects).await?;
    if erasure.is_empty() {
        tell!("no record and no object; {waiting}");
        tokio::time::sleep(pause).await;
        erasure = records.erasure(id, projects).await?;
    }
    let bucket = &records.config.images_bucket;
    let prefixes: Vec<_> = erasure.prefixes().collect();
    let places = prefixes.join(" and ");
    if erasure.is_empty() {
        tell!(
            "nothing found: no record of {id}, and nothing under {places} in the bucket {bucket}"
        );
        return Ok(NOTHING_FOUND.into());
    }
    let (record, gone) = if erasure.has_record() {
        ("its record", "the record and ")
    } else {
        ("no record any more", "")
    };
    tell!(
        "the submission {id}: {record} in the table {}, and {} versions and delete markers in the bucket {bucket}, under \
         {places}",
        records.config.submissions_table,
        erasure.versions
    );
    confirm(options.yes, "Erase it? This can't be undone.", id)?;
    tell!("erasing, then {waiting}");
    let erased = records.erase(erasure, pause).await?;
    let approved = options
        .approved_by
        .map(|who| format!(", approved by {who}"));
    let of = in_line(&format!("{id}{}", approved.unwrap_or_default()));
    print(&format!(
        "erased {gone}{erased} versions and delete markers of {of}\n"
    ))
}
