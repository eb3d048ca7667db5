//! The request from its event to its commit. Everything that can be refused is refused before the
//! first upload.

use tokio::task::spawn_blocking;

use crate::checks::{self, Put};
use crate::commit::Commit;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::event::Event;
use crate::field::ImageField;
use crate::image::Image;
use crate::records::Submission;
use crate::request::Request;
use crate::storage::Storage;
use crate::summary::{Summary, timed};
use crate::upload::Object;

/// Carries out a request. The keys of the objects that are no longer needed, whether it succeeded or
/// failed, go into `unneeded`: no record names them, and none ever will.
///
/// # Errors
///
/// The first row of the contract's table that fails. The record is as it was then, unless the row is
/// the last and the outcome of the commit is unknown.
pub async fn put(
    storage: &Storage,
    event: Event,
    deadline: Deadline,
    summary: &mut Summary,
    unneeded: &mut Vec<String>,
) -> Result<(), Error> {
    let request = timed(&mut summary.decode, async { Request::parse(event) }).await?;
    let (put, submission, hashes) = check(storage, request, deadline, summary).await?;
    let Put {
        project_id,
        submission_id,
        images,
        ..
    } = &put;
    let objects = images.iter().cloned().zip(hashes);
    let objects: Vec<Object> = objects
        .map(|((field, image), sha256)| {
            Object::new(project_id, submission_id, field, image, sha256)
        })
        .collect();
    summary.note_images(&objects);
    let keys = || objects.iter().map(|object| object.key.clone());

    let uploaded = timed(&mut summary.upload, deadline.work(storage.upload(&objects))).await;
    let uploaded =
        uploaded.unwrap_or_else(|time_is_up| Err(Error::fault("upload", time_is_up.to_string())));
    if let Err(error) = uploaded {
        unneeded.extend(keys());
        return Err(error);
    }
    match timed(
        &mut summary.commit,
        storage.commit(&put, &objects, submission, deadline),
    )
    .await
    {
        Commit::Done(replaced) => {
            unneeded.extend(replaced);
            Ok(())
        }
        Commit::Refused(error) => {
            unneeded.extend(keys());
            Err(error)
        }
        Commit::Unknown(error) => {
            let keys: Vec<String> = keys().collect();
            tracing::warn!(
                submission = submission_id,
                ?keys,
                "whether these objects were committed is unknown"
            );
            Err(error)
        }
    }
}

/// Reads both records at the same time and hashes the images meanwhile, then checks rows 3 to 9.
async fn check(
    storage: &Storage,
    request: Request,
    deadline: Deadline,
    summary: &mut Summary,
) -> Result<(Put, Submission, Vec<[u8; 32]>), Error> {
    let images = request.images.clone();
    let hashes = spawn_blocking(move || hash(&images));
    let reads = async {
        tokio::join!(
            storage.project(&request.api_key),
            storage.submission(&request.submission_id)
        )
    };
    let (project, submission) = timed(&mut summary.read, deadline.work(reads))
        .await
        .map_err(|time_is_up| Error::fault("read", time_is_up.to_string()))?;

    let (project, admin) = checks::check_project(project?, &request.admin)?;
    summary.project = Some(project.id.clone());
    let submission = checks::check_submission(submission?, &project)?;
    summary.submission = Some(request.submission_id.clone());
    let put = checks::check_images(request, project, admin)?;
    let hashes = deadline
        .work(hashes)
        .await
        .map_err(|time_is_up| Error::fault("hash", time_is_up.to_string()))?;
    // Not the panic's own message, which may hold what the caller sent.
    let hashes = hashes.map_err(|_| Error::fault("hash", "panicked"))?;
    Ok((put, submission, hashes))
}

fn hash(images: &[(ImageField, Image)]) -> Vec<[u8; 32]> {
    images.iter().map(|(_, image)| image.sha256()).collect()
}
