//! Faults on the wire: a proxy in front of a storage server that fails, cuts off or delays calls, before or after they
//! take effect. It knows the function's five calls, and `admin`'s `PutItem`; all others pass.

use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use admin::Records;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::clients::Endpoints;
use local::stack::Stack;
use local::{Error, server};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Finds the project by its key.
    Query,
    /// Reads the submission.
    GetItem,
    /// Makes a record, as `admin` does.
    PutItem,
    /// Commits.
    UpdateItem,
    /// Uploads an image.
    PutObject,
    /// Deletes one.
    DeleteObject,
}

/// Which of an operation's future calls a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The n-th, from 1; no other.
    Nth(usize),
    /// Every n-th.
    Every(usize),
    /// All.
    Always,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It gets a response with this status and error code.
    Error(u16, &'static str),
    /// The connection is cut without a response.
    Cut,
    /// The response never comes.
    Never,
    /// It is forwarded after this delay.
    Late(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub operation: Operation,
    pub when: When,
    /// Whether the call takes effect first.
    pub takes_effect: bool,
    pub end: End,
}

/// The faults of a DynamoDB and an S3, and what was observed of their calls.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Each with the number of its operation's calls before it.
    faults: Vec<(usize, Fault)>,
    /// Each with the operation's call that it holds back.
    gates: Vec<(Operation, usize, Gate)>,
    calls: Vec<Operation>,
    hits: Vec<Hit>,
    named_deletions: Vec<String>,
}

impl State {
    /// The number of an operation's calls so far.
    fn count(&self, operation: Operation) -> usize {
        let calls = self.calls.iter();
        calls.filter(|call| **call == operation).count()
    }
}

/// How long a test waits for something that happens at once unless the code is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that happens at once unless the code is broken. A panic names the caller's line.
#[track_caller]
pub fn soon<T>(what: &str, event: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let event = timeout(PATIENCE, event).await;
        event.unwrap_or_else(|_elapsed| panic!("{caller}: timed out waiting for {what}"))
    }
}

/// Holds a call until it is released, so that a test can do something in between.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    arrived: Arc<Notify>,
    opened: Arc<Notify>,
    passed: Arc<Notify>,
}

impl Gate {
    /// Waits until the call arrives.
    #[track_caller]
    pub fn arrived(&self) -> impl Future<Output = ()> {
        soon("a held call to arrive", self.arrived.notified())
    }

    /// Releases the call, even if its sender has given up.
    pub fn open(&self) {
        self.opened.notify_one();
    }

    /// Waits until the call has taken effect.
    #[track_caller]
    pub fn passed(&self) -> impl Future<Output = ()> {
        soon("a held call to take effect", self.passed.notified())
    }
}

/// A call that a fault hit.
#[derive(Clone, Debug)]
pub struct Hit {
    pub fault: Fault,
    /// The call's path and, unless it is an image, its body: what it was about.
    pub call: String,
}

impl Faults {
    /// Puts a proxy, without faults yet, in front of each of a stack's servers. Returns the endpoints to use instead.
    /// Each deletion is checked against the submission's record.
    pub async fn in_front_of(stack: &Stack) -> Result<(Self, Endpoints), Error> {
        let faults = Self::default();
        let endpoints = Endpoints {
            dynamodb: faults.proxy(stack, &stack.endpoints.dynamodb).await?,
            s3: faults.proxy(stack, &stack.endpoints.s3).await?,
        };
        Ok((faults, endpoints))
    }

    async fn proxy(&self, stack: &Stack, server: &str) -> Result<String, Error> {
        let listener = server::bind(0, "a proxy", "").await?;
        let front = server::url(&listener)?;
        let proxy = Arc::new(Proxy {
            server: server.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            faults: self.clone(),
            records: stack.endpoints.records(stack.config.clone()),
        });
        tokio::spawn(server::serve(listener, move |_| {
            let proxy = Arc::clone(&proxy);
            service_fn(move |request| Arc::clone(&proxy).handle(request))
        }));
        Ok(front)
    }

    /// Adds a fault. If several hit a call, the one added first decides.
    pub fn inject(&self, fault: Fault) {
        let mut state = self.state();
        let before = state.count(fault.operation);
        state.faults.push((before, fault));
    }

    /// Makes calls fail without taking effect.
    pub fn fail(&self, operation: Operation, when: When, end: End) {
        self.inject(Fault {
            operation,
            when,
            takes_effect: false,
            end,
        });
    }

    /// Makes calls fail after they have taken effect.
    pub fn fail_after_effect(&self, operation: Operation, when: When, end: End) {
        self.inject(Fault {
            operation,
            when,
            takes_effect: true,
            end,
        });
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.state().faults.clear();
    }

    /// Holds back the n-th call of an operation from now on, from 1.
    pub fn hold(&self, operation: Operation, nth: usize) -> Gate {
        let gate = Gate::default();
        let mut state = self.state();
        let nth = state.count(operation) + nth;
        state.gates.push((operation, nth, gate.clone()));
        gate
    }

    /// The calls so far, in the order of their arrival.
    pub fn calls(&self) -> Vec<Operation> {
        self.state().calls.clone()
    }

    /// The calls that a fault hit.
    pub fn hits(&self) -> Vec<Hit> {
        self.state().hits.clone()
    }

    /// Deletions of objects that a record named when they arrived. There must be none.
    pub fn named_deletions(&self) -> Vec<String> {
        self.state().named_deletions.clone()
    }

    /// Notes a call. Returns the fault that hits it, and the gate that holds it back.
    fn arrive(&self, operation: Operation) -> (Option<Fault>, Option<Gate>) {
        let mut state = self.state();
        state.calls.push(operation);
        let nth = state.count(operation);
        let is_hit = |before: usize, when| match when {
            When::Nth(n) => nth - before == n,
            When::Every(n) => (nth - before).is_multiple_of(n),
            When::Always => true,
        };
        let mut faults = state.faults.iter();
        let fault = faults
            .find(|(before, fault)| fault.operation == operation && is_hit(*before, fault.when));
        let mut gates = state.gates.iter();
        let gate = gates.find(|(held, n, _)| (*held, *n) == (operation, nth));
        (
            fault.map(|(_, fault)| *fault),
            gate.map(|(.., gate)| gate.clone()),
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Proxy {
    server: String,
    client: Client<HttpConnector, Full<Bytes>>,
    faults: Faults,
    /// What deletions are checked against.
    records: Records,
}

impl Proxy {
    /// An error here cuts the connection.
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Error> {
        let operation = operation(&request);
        let (fault, gate) = operation.map_or((None, None), |it| self.faults.arrive(it));
        let (head, body) = request.into_parts();
        let body = match fault {
            // In the middle of the upload: the body is not read.
            Some(Fault {
                operation: Operation::PutObject,
                takes_effect: false,
                end: End::Cut,
                ..
            }) => Bytes::new(),
            _ => body.collect().await?.to_bytes(),
        };
        let request = Request::from_parts(head, body);
        // In its own task: a call that has arrived takes effect even if the client has given up.
        tokio::spawn(self.answer(fault, gate, request)).await?
    }

    async fn answer(
        self: Arc<Self>,
        fault: Option<Fault>,
        gate: Option<Gate>,
        request: Request<Bytes>,
    ) -> Result<Response<Full<Bytes>>, Error> {
        if let Some(gate) = &gate {
            gate.arrived.notify_one();
            gate.opened.notified().await;
        }
        let mut call = request.uri().path().to_owned();
        if operation(&request) == Some(Operation::DeleteObject) && self.is_named(&call).await? {
            self.faults.state().named_deletions.push(call.clone());
        }
        let Some(fault) = fault else {
            let response = self.send(request).await;
            if let Some(gate) = gate {
                gate.passed.notify_one();
            }
            return response;
        };
        if fault.operation != Operation::PutObject {
            call.push_str(&String::from_utf8_lossy(request.body()));
        }
        self.faults.state().hits.push(Hit { fault, call });
        if fault.takes_effect {
            self.send(request.clone()).await?;
        }
        match fault.end {
            End::Error(status, code) => error(fault.operation, status, code),
            End::Cut => Err("cut".into()),
            End::Never => std::future::pending().await,
            End::Late(delay) => {
                // On its own thread: tokio's timer rounds up to the next millisecond.
                spawn_blocking(move || std::thread::sleep(delay)).await?;
                self.send(request).await
            }
        }
    }

    /// Whether the submission's record names the object of a path `/bucket/project/submission/field/file`.
    async fn is_named(&self, path: &str) -> Result<bool, Error> {
        let key = object_key(path);
        let submission = key.split('/').nth(1).unwrap_or_default();
        let found = self.records.read_submission(submission).await?;
        Ok(found.is_some_and(|found| format!("{:?}", found.item()).contains(key)))
    }

    /// Forwards a request, with its `Host` as it was signed.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Error> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{}{path}", self.server).parse::<Uri>()?;
        let request = Request::from_parts(head, Full::new(body));
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = Full::new(body.collect().await?.to_bytes());
        Ok(Response::from_parts(head, body))
    }
}

/// Which of the function's calls a request is.
fn operation<B>(request: &Request<B>) -> Option<Operation> {
    if let Some(target) = request.headers().get("x-amz-target") {
        return match target.to_str().ok()?.rsplit('.').next()? {
            "Query" => Some(Operation::Query),
            "GetItem" => Some(Operation::GetItem),
            "PutItem" => Some(Operation::PutItem),
            "UpdateItem" => Some(Operation::UpdateItem),
            _ => None,
        };
    }
    let has_key = !object_key(request.uri().path()).is_empty();
    match *request.method() {
        Method::PUT if has_key => Some(Operation::PutObject),
        Method::DELETE if has_key => Some(Operation::DeleteObject),
        _ => None,
    }
}

/// Returns what follows the bucket's name.
fn object_key(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    path.split_once('/').map_or("", |(_, key)| key)
}

/// An error as the service writes it.
fn error(operation: Operation, status: u16, code: &str) -> Result<Response<Full<Bytes>>, Error> {
    let (content_type, body) = match operation {
        Operation::PutObject | Operation::DeleteObject => (
            "application/xml",
            format!("<Error><Code>{code}</Code><Message>injected</Message></Error>"),
        ),
        _ => (
            "application/x-amz-json-1.0",
            format!(
                r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"injected"}}"#
            ),
        ),
    };
    Ok(Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .body(Full::new(body.into()))?)
}
