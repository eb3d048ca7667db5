//! The one log line of a request. It has what an operator looks for and nothing that is personal: no
//! key, no e-mail, no image, and no text of the caller's that is not a record's ID.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::field::ImageField;
use crate::image::Format;
use crate::upload::Object;

/// What is known of a request so far.
#[derive(Debug, Default)]
pub struct Summary {
    /// The project's ID, once the key is known to be its.
    pub project: Option<String>,
    /// The submission's ID, once it is known to be the project's.
    pub submission: Option<String>,
    /// Time spent reading the records.
    pub read: Option<Duration>,
    /// Time spent uploading.
    pub upload: Option<Duration>,
    /// Time spent committing.
    pub commit: Option<Duration>,
    images: [Option<(Format, usize)>; ImageField::ALL.len()],
}

impl Summary {
    /// Notes the format and size of each object.
    pub fn note_images(&mut self, objects: &[Object]) {
        for object in objects {
            self.images[object.field as usize] = Some((object.image.format(), object.image.bytes().len()));
        }
    }

    /// Writes the line.
    pub fn log(&self, request_id: &str, result: &Result<(), Error>, elapsed: Duration) {
        let format = |field: ImageField| self.images[field as usize].map(|(format, _)| format.extension());
        let size = |field: ImageField| self.images[field as usize].map(|(_, size)| size);
        let milliseconds =
            |duration: Option<Duration>| duration.map(|duration| (duration.as_secs_f64() * 1e6).round() / 1e3);
        let (status, code) = match result {
            Ok(()) => (200, "ok"),
            Err(error) => (error.row().0, error.row().1),
        };
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    requestId = request_id,
                    status,
                    code,
                    detail = result.as_ref().err().map(tracing::field::display),
                    project = self.project,
                    submission = self.submission,
                    idImage.format = format(ImageField::IdImage),
                    idImage.size = size(ImageField::IdImage),
                    idBackImage.format = format(ImageField::IdBackImage),
                    idBackImage.size = size(ImageField::IdBackImage),
                    selfieImage.format = format(ImageField::SelfieImage),
                    selfieImage.size = size(ImageField::SelfieImage),
                    addressImage.format = format(ImageField::AddressImage),
                    addressImage.size = size(ImageField::AddressImage),
                    readMs = milliseconds(self.read),
                    uploadMs = milliseconds(self.upload),
                    commitMs = milliseconds(self.commit),
                    totalMs = milliseconds(Some(elapsed)),
                    "put image"
                )
            };
        }
        if let Err(Error::Processing(_)) = result { log!(error) } else { log!(info) }
    }
}

/// Runs a future and notes how long it took.
pub async fn timed<T>(duration: &mut Option<Duration>, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let result = work.await;
    *duration = Some(started.elapsed());
    result
}
