//! Lambda around the function's own binary: the process, and the Runtime API that it asks for events
//! (AWS, "Using the Lambda runtime API"). It gets one event at a time, as in Lambda.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use put_image::config::Config;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::clients::Endpoints;
use crate::{Error, server};

/// The trace that every invocation belongs to; it is sampled. The example of AWS, "Tracing header".
pub const TRACE: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// What Lambda says of the function in its environment.
pub const VARIABLES: [(&str, &str); 3] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "put-image"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
];

/// What stands before the Runtime API's paths.
const PREFIX: &str = "/2018-06-01/runtime/";

/// What the Runtime API answers.
type Body = BoxBody<Bytes, Infallible>;

/// A process of the function.
#[derive(Debug)]
pub struct Lambda {
    process: Child,
    started: Instant,
    api: Arc<RuntimeApi>,
    events: mpsc::Sender<Invocation>,
    invoked: AtomicU64,
}

#[derive(Debug)]
struct Invocation {
    event: Bytes,
    timeout: Duration,
    answer: oneshot::Sender<Result<Bytes, String>>,
}

impl Lambda {
    /// Starts a binary over a storage, with further environment variables. What it prints goes to `output`.
    ///
    /// # Errors
    ///
    /// If it can't be started.
    pub async fn start<'a>(
        binary: impl AsRef<Path>,
        endpoints: &Endpoints,
        config: &Config,
        variables: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
        output: fn() -> Stdio,
    ) -> Result<Self, Error> {
        let listener = server::bind(0, "the Runtime API", "").await?;
        let address = listener.local_addr()?.to_string();
        // One event at a time: the next waits until the function asks for it.
        let (events, queue) = mpsc::channel(1);
        let api = Arc::new(RuntimeApi {
            queue: queue.into(),
            pending: Mutex::default(),
            asked: watch::Sender::new(0),
        });
        tokio::spawn(Arc::clone(&api).serve(listener));
        let started = Instant::now();
        let process = Command::new(binary.as_ref())
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .envs(VARIABLES)
            .envs(endpoints.variables(config))
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("can't start {}: {error}", binary.as_ref().display()))?;
        Ok(Self {
            process,
            started,
            api,
            events,
            invoked: AtomicU64::new(0),
        })
    }

    /// Has the function handle an event, given as JSON. Returns its response as JSON, or what it reports instead of one.
    ///
    /// # Errors
    ///
    /// If the function is gone.
    pub async fn invoke(
        &self,
        event: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<Result<Bytes, String>, Error> {
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation {
            event: event.into(),
            timeout,
            answer,
        };
        self.invoked.fetch_add(1, Ordering::SeqCst);
        self.events
            .send(invocation)
            .await
            .map_err(|_| "the Runtime API has ended")?;
        Ok(answered.await.map_err(|_| "the function has ended")?)
    }

    /// Waits until the function asks for its first event. Returns the time since its process was started.
    ///
    /// # Errors
    ///
    /// If the Runtime API has ended.
    pub async fn initialised(&self) -> Result<Duration, Error> {
        self.api
            .asked
            .subscribe()
            .wait_for(|asked| *asked > 0)
            .await?;
        Ok(self.started.elapsed())
    }

    /// Waits until the function asks for the next event, and so has done all that it does after a response.
    ///
    /// # Errors
    ///
    /// If the Runtime API has ended.
    pub async fn idle(&self) -> Result<(), Error> {
        let invoked = self.invoked.load(Ordering::SeqCst);
        self.api
            .asked
            .subscribe()
            .wait_for(|asked| *asked > invoked)
            .await?;
        Ok(())
    }

    /// Ends the process. Returns what it printed, if its output is piped.
    ///
    /// # Errors
    ///
    /// If the process can't be ended.
    pub async fn end(mut self) -> Result<String, Error> {
        self.process.start_kill()?;
        let output = self.process.wait_with_output().await?;
        let printed = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// The ID of the process.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// The CPU time that the process has taken, user and system, to 10 ms (proc(5), `stat`).
    #[must_use]
    pub fn cpu(&self) -> Option<Duration> {
        /// Of these ticks a second has 100 on every Linux (`USER_HZ`).
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()?)).ok()?;
        // Behind the name, which may hold blanks, utime and stime are the 12th and 13th.
        let (_, fields) = stat.rsplit_once(") ")?;
        let ticks: u32 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|field| field.parse().unwrap_or(0))
            .sum();
        Some(TICK * ticks)
    }

    /// A number of KiB from the process' status, such as `VmRSS` or `VmHWM` (proc(5)).
    #[must_use]
    pub fn memory(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}

#[derive(Debug)]
struct RuntimeApi {
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    pending: Mutex<HashMap<String, oneshot::Sender<Result<Bytes, String>>>>,
    /// How often the function has asked for an event.
    asked: watch::Sender<u64>,
}

impl RuntimeApi {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let service = |_| {
            let api = Arc::clone(&self);
            service_fn(move |request| Arc::clone(&api).handle(request))
        };
        server::serve(listener, service).await;
    }

    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Error> {
        let path = request
            .uri()
            .path()
            .strip_prefix(PREFIX)
            .unwrap_or_default()
            .to_owned();
        if request.method() == Method::GET && path == "invocation/next" {
            return self.next().await;
        }
        let body = request.into_body().collect().await?.to_bytes();
        let mut parts = path.split('/').skip(1);
        if let (Some(id), Some(kind)) = (parts.next(), parts.next()) {
            let pending = self
                .pending
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(id);
            let answer = if kind == "response" {
                Ok(body)
            } else {
                Err(String::from_utf8_lossy(&body).into_owned())
            };
            if let Some(pending) = pending {
                // Whoever asked may have gone.
                let _ = pending.send(answer);
            }
        }
        Ok(Response::builder().status(202).body(Empty::new().boxed())?)
    }

    async fn next(&self) -> Result<Response<Body>, Error> {
        self.asked.send_modify(|asked| *asked += 1);
        let Invocation {
            event,
            timeout,
            answer,
        } = self
            .queue
            .lock()
            .await
            .recv()
            .await
            .ok_or("no more events")?;
        let id = Uuid::new_v4().to_string();
        let deadline = (SystemTime::now() + timeout)
            .duration_since(UNIX_EPOCH)?
            .as_millis();
        let response = Response::builder()
            .header("lambda-runtime-aws-request-id", &id)
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-trace-id", TRACE)
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:000000000000:function:put-image",
            )
            // In chunks, without a length, as AWS's own emulator sends it.
            .body(Full::new(event).map_frame(|frame| frame).boxed())?;
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, answer);
        Ok(response)
    }
}
