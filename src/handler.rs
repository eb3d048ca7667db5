//! The handler: a request in, the documented response out, whatever happens in between.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Body, Error as RuntimeError, Request, Response, Service, service_fn};
use lambda_runtime::LambdaInvocation;

use crate::checks;
use crate::config::{Config, ConfigError};
use crate::error::{Error, Fault};
use crate::http::{self, response};
use crate::storage::{Change, Storage};
use crate::telemetry::{RequestLog, Step, Telemetry};

/// The function, created once per process.
#[derive(Debug)]
pub struct App {
    storage: Storage,
    telemetry: Telemetry,
}

impl App {
    /// Makes the function from the environment's configuration, ready for the first request.
    pub async fn from_env() -> Result<Self, ConfigError> {
        let storage = Storage::from_env(Config::from_env()?).await;
        storage.warm_up().await;
        Ok(Self::new(storage, Telemetry::from_env()))
    }

    pub const fn new(storage: Storage, telemetry: Telemetry) -> Self {
        Self { storage, telemetry }
    }

    /// Responds to a request, even if storing its images panics. The response carries the [`Steps`] as an extension,
    /// for the local stack; nothing of it is sent.
    ///
    /// [`Steps`]: crate::telemetry::Steps
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, Infallible> {
        let mut log = RequestLog::start(&request);
        let put = AssertUnwindSafe(Box::pin(self.put(request, &mut log)));
        let caught = put.catch_unwind().await;
        let result = caught.unwrap_or_else(|_panic| Err(Fault::Panicked.into()));
        self.telemetry.request(&log, &result);
        let mut response = response(&result);
        response.extensions_mut().insert(log.steps);
        Ok(response)
    }

    /// Stores a request's images, all or none.
    ///
    /// Each step ends at its deadline. `Uploads` owns the new objects, under keys that [`ObjectKey::new`] makes; the
    /// commit writes these to the record. However the request ends, dropping `Uploads` decides what is deleted:
    ///
    /// - not committed: the new objects;
    /// - committed: the objects that they replaced;
    /// - a commit whose outcome is unknown: nothing, and warnings name both.
    ///
    /// [`App::then_empty_trash`] deletes them once the response is sent.
    ///
    /// [`ObjectKey::new`]: crate::domain::ObjectKey::new
    async fn put(&self, request: Request, log: &mut RequestLog) -> Result<(), Error> {
        let (head, body) = request.into_parts();
        let form = log.step(Step::Decode, http::form(&head, body)).await?;

        let api_key = http::api_key(&head).ok_or(Error::MissingData("x-api-key"))?;
        let sent_id = form.submission_id.as_ref();
        let submission_id = sent_id.ok_or(Error::MissingData("submissionId"))?;
        let account = form.admin.as_ref().ok_or(Error::MissingData("admin"))?;
        checks::gateway_key(&api_key, http::gateway_key(&head))?;

        let key_hash = api_key.hash();
        // Both are read to the end: a refusal because of the project comes before a fault in reading the submission.
        let reads = async {
            let project = self.storage.project(&key_hash);
            let submission = self.storage.submission(submission_id);
            Ok::<_, Fault>(tokio::join!(project, submission))
        };
        let (project, submission) = log.step(Step::Read, reads).await?;
        let project = checks::project(project?)?;
        log.project = Some(project.id.clone());
        let admin = checks::admin(&project, account)?;
        let submission = checks::submission(submission_id, submission?, &project)?;
        log.submission = Some(submission.id.clone());
        checks::images(&form)?;
        let id_type = checks::id_type(&form)?;

        log.note_images(&form.images);
        // For the trash: whose it is, and when it must be empty.
        let (request_id, deadline) = (log.context.request_id.clone(), log.deadline);
        let storage = &self.storage;
        let upload = storage.upload(form.images, &project.id, &submission, request_id, deadline);
        let uploads = log.step(Step::Upload, upload).await?;
        let change = Change {
            project: &project.id,
            admin,
            id_type,
        };
        let commit = storage.commit(uploads, submission, change);
        log.step(Step::Commit, commit).await
    }

    /// Deletes what the request with this ID has put into the trash.
    pub async fn empty_trash(&self, request_id: &str) {
        let left_over = self.storage.empty_trash(request_id).await;
        if left_over > 0 {
            self.telemetry.left_over(request_id, left_over);
        }
    }

    /// Wraps a service that sends the response: whether or not that succeeds, the request's trash is then emptied,
    /// before the next event is requested.
    pub fn then_empty_trash<S>(
        &'static self,
        service: S,
    ) -> impl Service<LambdaInvocation, Response = (), Error = RuntimeError, Future: Send> + Clone + Send
    where
        S: Service<LambdaInvocation, Response = (), Error = RuntimeError, Future: Send>,
        S: Clone + Send + 'static,
    {
        service_fn(move |invocation: LambdaInvocation| {
            // The ID under which `put` filled the trash.
            let request_id = invocation.context.request_id.clone();
            let sending = service.clone().oneshot(invocation);
            async move {
                let sent = sending.await;
                self.empty_trash(&request_id).await;
                sent
            }
        })
    }
}
