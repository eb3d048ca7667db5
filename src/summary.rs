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
    /// Bytes of the event.
    pub event_size: usize,
    /// Time spent decoding the form and its images.
    pub decode: Option<Duration>,
    /// Time spent reading the records.
    pub read: Option<Duration>,
    /// Time spent uploading.
    pub upload: Option<Duration>,
    /// Time spent committing.
    pub commit: Option<Duration>,
    images: [Option<(Format, usize)>; ImageField::ALL.len()],
}

impl Summary {
    /// Of a request with an event of this many bytes.
    #[must_use]
    pub fn of_event(size: usize) -> Self {
        Self {
            event_size: size,
            ..Self::default()
        }
    }

    /// Notes the format and size of each object.
    pub fn note_images(&mut self, objects: &[Object]) {
        for object in objects {
            self.images[object.field as usize] =
                Some((object.image.format(), object.image.bytes().len()));
        }
    }

    /// The images that are put: field, format and bytes of each.
    pub fn images(&self) -> impl Iterator<Item = (ImageField, Format, usize)> {
        let images = ImageField::ALL.into_iter().zip(self.images);
        images.filter_map(|(field, image)| image.map(|(format, size)| (field, format, size)))
    }

    /// Writes the line, in the request's span.
    pub fn log(&self, result: &Result<(), Error>, elapsed: Duration) {
        let format =
            |field: ImageField| self.images[field as usize].map(|(format, _)| format.extension());
        let size = |field: ImageField| self.images[field as usize].map(|(_, size)| size);
        let (status, code) = code(result);
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
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
                    decodeMs = self.decode.map(milliseconds),
                    readMs = self.read.map(milliseconds),
                    uploadMs = self.upload.map(milliseconds),
                    commitMs = self.commit.map(milliseconds),
                    totalMs = milliseconds(elapsed),
                    "put image"
                )
            };
        }
        if let Err(Error::Processing(_)) = result {
            log!(error)
        } else {
            log!(info)
        }
    }
}

/// A result's HTTP status, and its `errorCode`, or `ok`.
#[must_use]
pub const fn code(result: &Result<(), Error>) -> (u16, &'static str) {
    match result {
        Ok(()) => (200, "ok"),
        Err(error) => {
            let (status, code, _) = error.row();
            (status, code)
        }
    }
}

/// A duration in milliseconds, to the microsecond.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Runs a future and notes how long it took.
pub async fn timed<T>(duration: &mut Option<Duration>, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let result = work.await;
    *duration = Some(started.elapsed());
    result
}
