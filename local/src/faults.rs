//! Faults on the wire: a proxy in front of a storage server that fails, cuts or holds back calls, before
//! or after they take effect. It knows the five calls that the function makes; all others pass.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use admin::table::plain;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use crate::clients::Endpoints;
use crate::{Error, server};

/// A call that the function makes.
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

/// Which calls of an operation a fault hits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// The n-th from now on, from 1; no other.
    Nth(u32),
    /// All from now on.
    Always,
    /// This share of them, from 0 to 1, by the seed.
    Share(f64),
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is answered with this status and error code.
    Error(u16, &'static str),
    /// The connection is cut without an answer.
    Cut,
    /// The answer never comes.
    Never,
    /// The answer comes late.
    Late(Duration),
}

/// A fault to inject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// The call that it hits.
    pub operation: Operation,
    /// Which of the calls.
    pub when: When,
    /// Whether the call takes effect before.
    pub takes_effect: bool,
    /// What becomes of it.
    pub end: End,
}

/// The faults of a DynamoDB and an S3, and what was seen of their calls.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    seed: u64,
    faults: Vec<Injected>,
    calls: Vec<Operation>,
    hits: Vec<Hit>,
    gates: Vec<(Operation, u32, Gate)>,
    named_deletions: Vec<String>,
}

/// A fault with its own sequence of chances, so that what it hits depends on its operation's calls alone.
#[derive(Debug)]
struct Injected {
    fault: Fault,
    seen: u32,
    random: u64,
}

/// Holds a call back until it is let through, so that a test can do something in between.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    arrived: Arc<Notify>,
    opened: Arc<Notify>,
    passed: Arc<Notify>,
}

impl Gate {
    /// Waits until the call is there.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Lets the call through, also if whoever made it has given up.
    pub fn open(&self) {
        self.opened.notify_one();
    }

    /// Waits until the call has taken effect.
    pub async fn passed(&self) {
        self.passed.notified().await;
    }
}

/// A call that a fault hit.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The fault.
    pub fault: Fault,
    /// The call's path and, unless it is an image, its body: what it was about.
    pub call: String,
}

impl Faults {
    /// No faults yet. The same seed hits the same shares of the same sequence of calls.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            seed,
            named_deletions: Vec::new(),
            faults: Vec::new(),
            calls: Vec::new(),
            hits: Vec::new(),
            gates: Vec::new(),
        })))
    }

    /// Adds a fault. Of several that hit a call, the first added decides.
    pub fn inject(&self, fault: Fault) {
        let mut state = self.state();
        let random = state
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(state.faults.len() as u64);
        state.faults.push(Injected {
            fault,
            seen: 0,
            random,
        });
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.state().faults.clear();
    }

    /// Holds back the n-th call of an operation from now on, from 1.
    #[must_use]
    pub fn hold(&self, operation: Operation, nth: u32) -> Gate {
        let gate = Gate::default();
        self.state().gates.push((operation, nth, gate.clone()));
        gate
    }

    /// The calls so far, in the order of their arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Operation> {
        self.state().calls.clone()
    }

    /// The calls that a fault hit.
    #[must_use]
    pub fn hits(&self) -> Vec<Hit> {
        self.state().hits.clone()
    }

    /// Deletions of objects that a record named when they arrived. There must be none.
    #[must_use]
    pub fn named_deletions(&self) -> Vec<String> {
        self.state().named_deletions.clone()
    }

    /// Puts the faults in front of a DynamoDB and an S3; returns the endpoints to use instead. Each deletion
    /// is held against the record in the table of submissions.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub async fn in_front_of(
        &self,
        endpoints: &Endpoints,
        submissions_table: &str,
    ) -> Result<Endpoints, Error> {
        let records = Records {
            dynamodb: endpoints.dynamodb(),
            table: submissions_table.to_owned(),
        };
        Ok(Endpoints {
            dynamodb: self.proxy(&endpoints.dynamodb, records.clone()).await?,
            s3: self.proxy(&endpoints.s3, records).await?,
        })
    }

    async fn proxy(&self, url: &str, records: Records) -> Result<String, Error> {
        let listener = server::bind(0, "a proxy", "").await?;
        let front = server::url(&listener)?;
        let proxy = Arc::new(Proxy {
            server: url.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            faults: self.clone(),
            records,
        });
        tokio::spawn(proxy.serve(listener));
        Ok(front)
    }

    /// Counts a call, and gives the gate that holds it back.
    fn gate(&self, operation: Operation) -> Option<Gate> {
        let mut state = self.state();
        let gates = state
            .gates
            .iter_mut()
            .filter(|(held, ..)| *held == operation);
        let counted = gates.map(|(_, left, gate)| {
            *left = left.wrapping_sub(1);
            (*left == 0).then(|| gate.clone())
        });
        counted.fold(None, Option::or)
    }

    /// Notes a call, and the fault that hits it.
    fn hit(&self, operation: Operation) -> Option<Fault> {
        let mut state = self.state();
        state.calls.push(operation);
        let mut hit = None;
        for Injected {
            fault,
            seen,
            random,
        } in state
            .faults
            .iter_mut()
            .filter(|it| it.fault.operation == operation)
        {
            *seen += 1;
            let hits = match fault.when {
                When::Nth(n) => *seen == n,
                When::Always => true,
                When::Share(share) => unit(random) < share,
            };
            if hits && hit.is_none() {
                hit = Some(*fault);
            }
        }
        hit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next number of a sequence, each of its bits at random (splitmix64).
pub fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The next number from 0 to 1 of a sequence: the upper 32 bits of [`random`].
pub fn unit(state: &mut u64) -> f64 {
    let [.., a, b, c, d] = random(state).to_le_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// The records that deletions are held against.
#[derive(Clone)]
struct Records {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
}

impl Records {
    /// Whether the submission's record names the object of a path `/bucket/project/submission/field/file`.
    async fn name(&self, path: &str) -> Result<bool, Error> {
        let key = path
            .trim_start_matches('/')
            .split_once('/')
            .map_or("", |(_, key)| key);
        let submission = key.split('/').nth(1).unwrap_or_default().to_owned();
        let get = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .consistent_read(true);
        let found = get
            .key("submissionId", AttributeValue::S(submission))
            .send()
            .await?;
        Ok(found
            .item
            .is_some_and(|item| plain(&AttributeValue::M(item)).to_string().contains(key)))
    }
}

struct Proxy {
    server: String,
    client: Client<HttpConnector, Full<Bytes>>,
    faults: Faults,
    records: Records,
}

impl Proxy {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let service = |_| {
            let proxy = Arc::clone(&self);
            service_fn(move |request| Arc::clone(&proxy).handle(request))
        };
        server::serve(listener, service).await;
    }

    /// An error here cuts the connection.
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Error> {
        let operation = operation(&request);
        let fault = operation.and_then(|operation| self.faults.hit(operation));
        let (parts, body) = request.into_parts();
        if let Some(
            fault @ Fault {
                operation: Operation::PutObject,
                takes_effect: false,
                end: End::Cut,
                ..
            },
        ) = fault
        {
            // In the middle of the upload: the body is not read.
            self.note(fault, parts.uri.path().to_owned());
            return Err("cut".into());
        }
        let request = Request::from_parts(parts, body.collect().await?.to_bytes());
        // In a task of its own: what has arrived takes effect, also if the client has given up meanwhile.
        tokio::spawn(self.answer(operation, fault, request)).await?
    }

    async fn answer(
        self: Arc<Self>,
        operation: Option<Operation>,
        fault: Option<Fault>,
        request: Request<Bytes>,
    ) -> Result<Response<Full<Bytes>>, Error> {
        let gate = operation.and_then(|operation| self.faults.gate(operation));
        if let Some(gate) = &gate {
            gate.arrived.notify_one();
            gate.opened.notified().await;
        }
        let path = request.uri().path().to_owned();
        if operation == Some(Operation::DeleteObject) && self.records.name(&path).await? {
            self.faults.state().named_deletions.push(path.clone());
        }
        let Some(fault) = fault else {
            let response = self.send(request).await;
            if let Some(gate) = gate {
                gate.passed.notify_one();
            }
            return response;
        };
        let is_image = fault.operation == Operation::PutObject;
        let text = if is_image {
            "".into()
        } else {
            String::from_utf8_lossy(request.body())
        };
        self.note(fault, format!("{path} {text}"));
        let response = if fault.takes_effect {
            Some(self.send(request).await?)
        } else {
            None
        };
        match (fault.end, response) {
            (End::Error(status, code), _) => Ok(error(fault.operation, status, code)?),
            (End::Cut, _) => Err("cut".into()),
            (End::Never, _) => std::future::pending().await,
            (End::Late(delay), Some(response)) => {
                // On a thread of its own: tokio's timer rounds up to the next millisecond.
                spawn_blocking(move || std::thread::sleep(delay)).await?;
                Ok(response)
            }
            (End::Late(_), None) => Err("a call without effect has no answer to delay".into()),
        }
    }

    fn note(&self, fault: Fault, call: String) {
        self.faults.state().hits.push(Hit { fault, call });
    }

    /// Sends a request on, with its `Host` as it was signed.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Error> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = format!("{}{path}", self.server).parse::<Uri>()?;
        let (parts, body) = self
            .client
            .request(Request::from_parts(parts, Full::new(body)))
            .await?
            .into_parts();
        Ok(Response::from_parts(
            parts,
            Full::new(body.collect().await?.to_bytes()),
        ))
    }
}

/// Which of the function's calls a request is.
fn operation(request: &Request<Incoming>) -> Option<Operation> {
    if let Some(target) = request.headers().get("x-amz-target") {
        return match target.to_str().ok()?.rsplit('.').next()? {
            "Query" => Some(Operation::Query),
            "GetItem" => Some(Operation::GetItem),
            "PutItem" => Some(Operation::PutItem),
            "UpdateItem" => Some(Operation::UpdateItem),
            _ => None,
        };
    }
    // Behind the bucket's name there is an object's key.
    let has_key = request
        .uri()
        .path()
        .trim_start_matches('/')
        .split_once('/')
        .is_some_and(|(_, key)| !key.is_empty());
    match *request.method() {
        Method::PUT if has_key => Some(Operation::PutObject),
        Method::DELETE if has_key => Some(Operation::DeleteObject),
        _ => None,
    }
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
