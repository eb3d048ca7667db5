//! The handler: a request in, an answer out, whatever happens in between.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use lambda_http::{Body, Context, Request, RequestExt as _, Response};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::checks;
use crate::config::{Config, ConfigError};
use crate::deadline::Deadline;
use crate::domain::{ApiKey, ImageField};
use crate::error::{Error, Fault};
use crate::form::{Form, Images};
use crate::http::{body_bytes, gateway_key, header, response};
use crate::image::Image;
use crate::storage::{Commit, NewImages, Object, Storage};
use crate::telemetry::{Metrics, RequestLog, Step};

/// The function of one process.
#[derive(Debug)]
pub struct App {
    storage: Storage,
    metrics: Option<Metrics>,
}

/// What a request ended in.
#[derive(Debug)]
pub struct Answer {
    /// The documented JSON.
    pub response: Response<Body>,
    /// What is to be deleted once the response is on its way.
    pub leftovers: Leftovers,
    /// How long reading the form, the reads, the uploads and the commit took, as far as the request came to them.
    pub steps: [Option<Duration>; 4],
}

/// Objects that a request leaves behind, which no record references. [`App::clean_up`] deletes them.
#[derive(Debug)]
#[must_use]
pub struct Leftovers {
    /// Keys to delete.
    keys: Vec<String>,
    /// Keys of uploads that may still arrive, even after their deletion.
    unanswered: Vec<String>,
    deadline: Deadline,
    context: Context,
}

/// A request that failed, and the uploads that it leaves behind.
struct Failure {
    error: Error,
    keys: Vec<String>,
    unanswered: Vec<String>,
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            keys: Vec::new(),
            unanswered: Vec::new(),
        }
    }
}

impl App {
    /// Makes the function as the environment configures it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a variable can't be used.
    pub async fn from_env() -> Result<Self, ConfigError> {
        let storage = Storage::from_env(Config::from_env()?).await;
        Ok(Self::new(storage).with_metrics(Metrics::from_env()))
    }

    /// Makes a function over its storage.
    #[must_use]
    pub const fn new(storage: Storage) -> Self {
        Self {
            storage,
            metrics: None,
        }
    }

    /// Has the function write metrics.
    #[must_use]
    pub fn with_metrics(self, metrics: Option<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Makes the storage ready for the first request.
    pub async fn warm_up(&self) {
        if let Err(error) = self.storage.warm_up().await {
            tracing::warn!(%error, "not warmed up");
        }
    }

    /// Answers a request. A panic on the way is a `processing_error`.
    pub async fn handle(&self, request: Request) -> Answer {
        let context = request.lambda_context();
        let deadline = Deadline::at(context.deadline());
        let log = RequestLog::start(request.body().len());
        let put = AssertUnwindSafe(Box::pin(self.put(request, deadline, &log)));
        let ended = put
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Fault::Panicked.into()));
        let (result, keys, unanswered) = match ended {
            Ok(replaced) => (Ok(()), replaced, Vec::new()),
            Err(failure) => (Err(failure.error), failure.keys, failure.unanswered),
        };
        let known = log.end();
        known.write_line(&result);
        if let Some(metrics) = &self.metrics {
            metrics.request(&context, &known, &result);
        }
        let leftovers = Leftovers {
            keys,
            unanswered,
            deadline,
            context,
        };
        Answer {
            response: response(&result),
            leftovers,
            steps: known.steps,
        }
    }

    /// Carries out a request. Returns the keys of the objects that it replaced.
    async fn put(
        &self,
        request: Request,
        deadline: Deadline,
        log: &RequestLog,
    ) -> Result<Vec<String>, Failure> {
        let gateway_key = gateway_key(&request);
        let (head, body) = request.into_parts();
        let content_type = header(&head.headers, "content-type");
        let form = Form::read(&content_type, body_bytes(body));
        let form = log.time(Step::Decode, form).await?;

        let api_key = ApiKey::parse(&header(&head.headers, "x-api-key"))
            .ok_or(Error::MissingData("x-api-key"))?;
        let submission_id = form
            .submission_id
            .ok_or(Error::MissingData("submissionId"))?;
        let admin = form.admin.ok_or(Error::MissingData("admin"))?;
        checks::gateway_key(&api_key, gateway_key)?;

        // Takes place while the records are read.
        let hashing = hash(form.images.clone());
        let key_hash = api_key.hash();
        let reads = async {
            tokio::join!(
                self.storage.project(&key_hash),
                self.storage.submission(submission_id.as_str())
            )
        };
        let (project, submission) = log
            .time(Step::Read, deadline.work.run("read", reads))
            .await?;
        let project = checks::project(project?)?;
        log.project(&project.id);
        let admin = checks::admin(&project, &admin)?;
        let submission = checks::submission(submission?, &project)?;
        log.submission(submission_id.as_str());
        let id_type = checks::id_type(&form.images, form.id_type.as_ref())?;

        let hashed = hashing.await.map_err(|_| Fault::Panicked)?;
        let object =
            |(field, image, sha256)| Object::new(&project.id, &submission_id, field, image, sha256);
        let objects: Vec<Object> = hashed.into_iter().map(object).collect();
        log.images(&objects);
        let keys = || objects.iter().map(|object| object.key.clone()).collect();
        let (uploaded, unanswered) = log
            .time(Step::Upload, self.storage.upload(&objects, deadline))
            .await;
        if let Err(fault) = uploaded {
            return Err(Failure {
                error: fault.into(),
                keys: keys(),
                unanswered,
            });
        }
        let new = NewImages {
            project_id: &project.id,
            submission_id: &submission_id,
            admin,
            id_type,
            objects: &objects,
        };
        match log
            .time(Step::Commit, self.storage.commit(new, submission, deadline))
            .await
        {
            Commit::Done(replaced) => Ok(replaced),
            Commit::Refused(error) => Err(Failure {
                error,
                keys: keys(),
                unanswered,
            }),
            Commit::Unknown(fault) => {
                let keys: Vec<String> = keys();
                tracing::warn!(?keys, "whether these objects were committed is unknown");
                Err(fault.into())
            }
        }
    }

    /// Deletes what a request left behind. What can't be deleted is named in the log: no record references it, and a
    /// sweep finds it.
    pub async fn clean_up(&self, leftovers: Leftovers) {
        let keys = leftovers.keys.iter();
        let deleted = join_all(keys.map(|key| self.delete(key, leftovers.deadline))).await;
        let mut failures = deleted.iter().filter(|deleted| !**deleted).count();
        for key in leftovers.unanswered {
            tracing::warn!(
                key,
                "an upload was never answered: its object may be left over"
            );
            failures += 1;
        }
        if let Some(metrics) = &self.metrics
            && failures > 0
        {
            metrics.cleanup_failures(&leftovers.context, failures);
        }
    }

    /// Deletes an object; returns whether it did.
    async fn delete(&self, key: &str, deadline: Deadline) -> bool {
        let deletion = deadline.clean_up.run("delete", self.storage.delete(key));
        let deleted = AssertUnwindSafe(deletion).catch_unwind().await;
        match deleted.unwrap_or(Err(Fault::Panicked)).flatten() {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(key, %error, "an object is left over");
                false
            }
        }
    }
}

/// Hashes the images, off the thread that everything else runs on.
fn hash(images: Images) -> JoinHandle<Vec<(ImageField, Image, [u8; 32])>> {
    spawn_blocking(|| {
        let images = images.into_iter();
        images
            .map(|(field, image)| (field, image.clone(), image.sha256()))
            .collect()
    })
}
