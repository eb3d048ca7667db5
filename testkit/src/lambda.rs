//! Lambda around the function's own binary: the process, and the Runtime API that it asks for events
//! (AWS, "Using the Lambda runtime API"). It gets as many events at a time as it has pollers: one, or as many as
//! [`MAX_CONCURRENCY`] says.

use std::collections::HashMap;
use std::convert::identity;
use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::combinators::MapFrame;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use local::clients::Endpoints;
use local::{Error, server};
use put_image::config::Config;
use put_image::deadline::TIMEOUT;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

/// Returns the trace that the invocation with this ID belongs to; it is sampled. After the example of AWS, "Tracing
/// header".
pub fn trace(invocation: &str) -> String {
    let unique: String = invocation.split('-').collect();
    format!("Root=1-5759e988-{unique:.24};Parent=53995c3f42cd8ad8;Sampled=1")
}

/// The variable in which Lambda says how many requests a process gets at a time: one if it isn't set.
pub const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// How long Lambda waits for a function's initialization.
const START: Duration = Duration::from_secs(10);

/// What Lambda says about the function in its environment.
const VARIABLES: [(&str, &str); 3] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "put-image"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
];

/// The response that the function gets: in chunks, without a length, as AWS's own emulator sends it.
type Body = MapFrame<Full<Bytes>, fn(Frame<Bytes>) -> Frame<Bytes>>;

/// The outcome of an event: its response, or what it reports instead of one.
type Outcome = Result<Bytes, String>;

/// Returns the command that runs a binary with a storage, in Lambda's environment.
pub fn command(binary: impl AsRef<OsStr>, endpoints: &Endpoints, config: &Config) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs(VARIABLES)
        .envs(endpoints.variables(config))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A process of the function.
#[derive(Debug)]
pub struct Lambda {
    process: Child,
    /// How many events it asks for at a time.
    pollers: usize,
    api: Arc<RuntimeApi>,
    events: mpsc::Sender<Invocation>,
}

#[derive(Debug)]
struct Invocation {
    event: Bytes,
    timeout: Duration,
    outcome: oneshot::Sender<Outcome>,
}

impl Lambda {
    /// Starts a [`command`].
    pub async fn start(mut command: Command) -> Result<Self, Error> {
        let listener = server::bind(0, "the Runtime API", "").await?;
        let address = listener.local_addr()?.to_string();
        // An event waits until the function asks for it.
        let (events, queue) = mpsc::channel(1);
        let api = Arc::new(RuntimeApi {
            queue: queue.into(),
            pending: Mutex::default(),
            waiting: watch::Sender::new(0),
        });
        let served = Arc::clone(&api);
        tokio::spawn(server::serve(listener, move |_| {
            let api = Arc::clone(&served);
            service_fn(move |request| Arc::clone(&api).handle(request))
        }));
        command.env("AWS_LAMBDA_RUNTIME_API", address);
        let mut variables = command.as_std().get_envs();
        let concurrency =
            variables.find_map(|(name, value)| (name == MAX_CONCURRENCY).then_some(value?));
        let pollers = concurrency.map_or(Ok(1), |pollers| pollers.to_string_lossy().parse())?;
        let process = command.spawn().map_err(|error| {
            let binary = command.as_std().get_program().display();
            format!("can't start {binary}: {error}")
        })?;
        Ok(Self {
            process,
            pollers,
            api,
            events,
        })
    }

    /// Has the function handle an event, given as JSON. Returns its response as JSON, or what it reports instead of one.
    pub async fn invoke(
        &self,
        event: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<Outcome, Error> {
        let (outcome, response) = oneshot::channel();
        let invocation = Invocation {
            event: event.into(),
            timeout,
            outcome,
        };
        let invoked = async {
            let sent = self.events.send(invocation).await;
            sent.map_err(|_| "the Runtime API has ended")?;
            response.await.map_err(|_| "the function has ended".into())
        };
        // Others may be before it.
        let patience = START + timeout.max(TIMEOUT);
        let invoked = tokio::time::timeout(patience, invoked).await;
        invoked.map_err(|_elapsed| "the function doesn't respond")?
    }

    /// Waits until each of the function's pollers asks for an event: it is initialized, and has done all that it does
    /// after a response.
    pub async fn idle(&self) -> Result<(), Error> {
        let mut waiting = self.api.waiting.subscribe();
        let idle = waiting.wait_for(|waiting| *waiting == self.pollers);
        let waited = tokio::time::timeout(START + TIMEOUT, idle).await;
        waited.map_err(|_elapsed| "the function doesn't ask for an event")??;
        Ok(())
    }

    /// Ends the process. Returns what it printed, if its output is piped.
    pub async fn end(mut self) -> Result<String, Error> {
        self.process.start_kill()?;
        let output = self.process.wait_with_output().await?;
        let printed = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// The CPU time that the process has taken, user and system, to 10 ms (proc(5), `stat`).
    pub fn cpu(&self) -> Option<Duration> {
        /// Ticks per second: 100 on every Linux (`USER_HZ`).
        const TICK: Duration = Duration::from_millis(10);
        let stat = self.proc("stat")?;
        // After the name, which may contain spaces, utime and stime are the 12th and 13th.
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
    pub fn memory(&self, name: &str) -> Option<u64> {
        let status = self.proc("status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    fn proc(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id()?)).ok()
    }
}

#[derive(Debug)]
struct RuntimeApi {
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    /// Where the outcomes of the events in progress go, by invocation ID.
    pending: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    /// How many of the function's pollers wait for an event.
    waiting: watch::Sender<usize>,
}

impl RuntimeApi {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Error> {
        let path = request.uri().path().to_owned();
        let Some((rest, what)) = path.rsplit_once('/') else {
            return Err("not a call of the Runtime API".into());
        };
        if what == "next" {
            return self.next().await;
        }
        let body = request.into_body().collect().await?.to_bytes();
        let outcome = if what == "response" {
            Ok(body)
        } else {
            Err(String::from_utf8_lossy(&body).into_owned())
        };
        let id = rest.rsplit('/').next().unwrap_or_default();
        let pending = self.pending().remove(id);
        let caller = pending.ok_or("a response to an event that isn't in progress")?;
        // The caller may have given up.
        let _ = caller.send(outcome);
        Ok(Response::builder()
            .status(202)
            .body(chunked(Bytes::new()))?)
    }

    async fn next(&self) -> Result<Response<Body>, Error> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let received = self.queue.lock().await.recv().await;
        self.waiting.send_modify(|waiting| *waiting -= 1);
        let invocation = received.ok_or("no more events")?;
        let id = Uuid::new_v4().to_string();
        self.pending().insert(id.clone(), invocation.outcome);
        let deadline = (SystemTime::now() + invocation.timeout)
            .duration_since(UNIX_EPOCH)?
            .as_millis();
        Ok(Response::builder()
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-trace-id", trace(&id))
            .header("lambda-runtime-aws-request-id", id)
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:000000000000:function:put-image",
            )
            .body(chunked(invocation.event))?)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Outcome>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn chunked(body: Bytes) -> Body {
    Full::new(body).map_frame(identity)
}
