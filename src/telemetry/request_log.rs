//! What is known about a request, gathered along the way for its one log line.

use std::time::{Duration, Instant};

use lambda_http::{Context, Request, RequestExt as _};

use crate::deadline::Deadline;
use crate::domain::{ImageField, ProjectId, SubmissionId};
use crate::error::Error;
use crate::form::Images;
use crate::image::Format;

/// A part of a request's work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Decode,
    Read,
    Upload,
    Commit,
}

/// Time per step; `None` if the request didn't get that far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    pub decode: Option<Duration>,
    pub read: Option<Duration>,
    pub upload: Option<Duration>,
    pub commit: Option<Duration>,
}

/// A request in progress.
#[derive(Debug)]
pub(crate) struct RequestLog {
    pub(crate) context: Context,
    pub(crate) deadline: Deadline,
    pub(crate) body_bytes: usize,
    /// Set once the key's project is known.
    pub(crate) project: Option<ProjectId>,
    /// Set once it is known to be the project's.
    pub(crate) submission: Option<SubmissionId>,
    /// The images that are stored: field, format and size in bytes.
    pub(crate) images: Vec<(ImageField, Format, usize)>,
    pub(crate) steps: Steps,
    pub(crate) started: Instant,
}

impl RequestLog {
    pub(crate) fn start(request: &Request) -> Self {
        let context = request.lambda_context();
        Self {
            deadline: Deadline::at(context.deadline()),
            context,
            body_bytes: request.body().len(),
            project: None,
            submission: None,
            images: Vec::new(),
            steps: Steps::default(),
            started: Instant::now(),
        }
    }

    /// Runs a step until its deadline, and records how long it took.
    pub(crate) async fn step<T, E: Into<Error>>(
        &mut self,
        step: Step,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        let deadline = self.deadline;
        let (name, end, time) = match step {
            Step::Decode => ("decode", deadline.work, &mut self.steps.decode),
            Step::Read => ("read", deadline.work, &mut self.steps.read),
            Step::Upload => ("upload", deadline.work, &mut self.steps.upload),
            // Longer, so that a commit that got no response can still be read back.
            Step::Commit => ("commit", deadline.response, &mut self.steps.commit),
        };
        let started = Instant::now();
        let result = end.run(name, work).await;
        *time = Some(started.elapsed());
        result?.map_err(Into::into)
    }

    /// Notes the images that are about to be stored.
    pub(crate) fn note_images(&mut self, images: &Images) {
        let images = images
            .iter()
            .map(|(field, image)| (*field, image.format(), image.bytes().len()));
        self.images = images.collect();
    }

    /// Returns the ID of the request's trace: `1-…` from `Root=1-…;Parent=…;Sampled=1`.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        let mut members = self.context.xray_trace_id.as_deref()?.split(';');
        members.find_map(|member| member.trim().strip_prefix("Root="))
    }
}
