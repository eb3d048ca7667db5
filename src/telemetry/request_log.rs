//! What is known of a request, for its one log line and its metrics. A handle to it travels with the request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::ImageField;
use crate::error::Error;
use crate::image::Format;
use crate::storage::Object;

/// A part of the work whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The form and its images.
    Decode,
    /// The reads of the records.
    Read,
    /// The uploads.
    Upload,
    /// The commit.
    Commit,
}

/// A handle to what is known of a request so far.
#[derive(Debug)]
pub(crate) struct RequestLog {
    started: Instant,
    known: Mutex<Known>,
}

/// What is known of a request.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The project's ID, once the key is known to be its.
    pub(crate) project: Option<String>,
    /// The submission's ID, once it is known to be the project's.
    pub(crate) submission: Option<String>,
    /// Bytes of the body.
    pub(crate) body: usize,
    /// How long the steps took that the request came to.
    pub(crate) steps: [Option<Duration>; 4],
    /// How long all of it took.
    pub(crate) total: Duration,
    /// Field, format and bytes of each image that is put.
    pub(crate) images: Vec<(ImageField, Format, usize)>,
}

impl RequestLog {
    /// Starts the log of a request with a body of `body` bytes.
    pub(crate) fn start(body: usize) -> Self {
        let known = Known {
            body,
            ..Known::default()
        };
        Self {
            started: Instant::now(),
            known: Mutex::new(known),
        }
    }

    /// Notes the project that the key belongs to.
    pub(crate) fn project(&self, id: &str) {
        self.lock().project = Some(id.to_owned());
    }

    /// Notes the submission, which is the project's.
    pub(crate) fn submission(&self, id: &str) {
        self.lock().submission = Some(id.to_owned());
    }

    /// Notes the images that are put.
    pub(crate) fn images(&self, objects: &[Object]) {
        let images = objects.iter().map(|Object { field, image, .. }| {
            let size = image.bytes().len();
            (*field, image.format(), size)
        });
        self.lock().images = images.collect();
    }

    /// Runs a step and notes how long it took.
    pub(crate) async fn time<T>(&self, step: Step, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let result = work.await;
        self.lock().steps[step as usize] = Some(started.elapsed());
        result
    }

    /// Ends the log. Returns what is known, with the total time.
    pub(crate) fn end(self) -> Known {
        let total = self.started.elapsed();
        let known = self.known.into_inner();
        Known {
            total,
            ..known.unwrap_or_else(PoisonError::into_inner)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Writes the request's line.
    pub(crate) fn write_line(&self, result: &Result<(), Error>) {
        let image = |field| self.images.iter().find(|(other, ..)| *other == field);
        let format = |field| image(field).map(|(_, format, _)| format.extension());
        let size = |field| image(field).map(|(.., size)| *size);
        let step = |step: Step| self.steps[step as usize].map(milliseconds);
        let (status, code) = status_and_code(result);
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
                    decodeMs = step(Step::Decode),
                    readMs = step(Step::Read),
                    uploadMs = step(Step::Upload),
                    commitMs = step(Step::Commit),
                    totalMs = milliseconds(self.total),
                    "put image"
                )
            };
        }
        if let Err(Error::Processing(_)) = result {
            log!(error);
        } else {
            log!(info);
        }
    }
}

/// Returns a result's HTTP status, and its `errorCode` or `ok`.
pub(super) fn status_and_code(result: &Result<(), Error>) -> (u16, &'static str) {
    match result {
        Ok(()) => (200, "ok"),
        Err(error) => (error.status().as_u16(), error.row().0),
    }
}

/// Returns a duration in milliseconds, to the microsecond.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
