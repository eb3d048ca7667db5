//! The world of a simulation: the storage, which applies one call at a time, and the history of what happened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::ops::BitOr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use put_image::config::Config;
use put_image::domain::{ApiKey, ImageField};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use testkit::faults::Operation;
use testkit::images::random;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::tables::Tables;
use super::wire::Fate;
use crate::helpers::{ADMIN, sha256};

/// How many of the calls are hit by a fault.
const FAULTS: f64 = 0.06;

/// How many of the requests have a storm, and how many of an operation's calls are hit in it.
const STORMS: f64 = 0.15;
const STORM: f64 = 0.7;

/// The calls that the function makes.
pub const OPERATIONS: [Operation; 5] = [
    Operation::Query,
    Operation::GetItem,
    Operation::UpdateItem,
    Operation::PutObject,
    Operation::DeleteObject,
];

/// A call on its way.
#[derive(Debug)]
pub struct Call {
    pub operation: Operation,
    /// The request that it belongs to.
    request: usize,
    /// The object's key.
    key: String,
    checksum: Option<String>,
    body: Vec<u8>,
}

impl Call {
    pub fn of(call: &HttpRequest, request: usize) -> Self {
        let header = |name: &str| call.headers().get(name).map(str::to_owned);
        let path = call.uri().split_once("sim/").map_or("", |(_, path)| path);
        let path = path.split('?').next().unwrap_or_default();
        let target = header("x-amz-target");
        let target = target.as_deref().and_then(|target| target.split_once('.'));
        let operation = match (call.method(), target) {
            ("POST", Some((_, "Query"))) => Operation::Query,
            ("POST", Some((_, "GetItem"))) => Operation::GetItem,
            ("POST", Some((_, "UpdateItem"))) => Operation::UpdateItem,
            ("PUT", None) => {
                assert_eq!(
                    header("if-none-match").as_deref(),
                    Some("*"),
                    "an object could be written twice"
                );
                Operation::PutObject
            }
            ("DELETE", None) => Operation::DeleteObject,
            other => panic!("the function makes no such call: {other:?} {path}"),
        };
        Self {
            operation,
            request,
            // After the bucket's name.
            key: path.split_once('/').map_or("", |(_, key)| key).to_owned(),
            checksum: header("x-amz-checksum-sha256"),
            body: call.body().bytes().expect("a body in memory").to_vec(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The next number from 0 to 1 of a sequence: the upper 32 bits of [`random`].
fn unit(state: &mut u64) -> f64 {
    let [.., a, b, c, d] = random(state).to_le_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// A response of the storage's.
#[derive(Debug)]
pub struct Reply {
    pub operation: Operation,
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
    fn error(operation: Operation, status: u16, code: &str) -> Self {
        let body = match operation {
            Operation::PutObject | Operation::DeleteObject => {
                format!("<Error><Code>{code}</Code></Error>")
            }
            _ => {
                json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}") }).to_string()
            }
        };
        Self {
            operation,
            status,
            body: body.into(),
        }
    }

    fn empty(operation: Operation, status: u16) -> Self {
        Self {
            operation,
            status,
            body: Vec::new(),
        }
    }

    pub fn fault(operation: Operation) -> Self {
        Self::error(operation, 500, "InternalServerError")
    }
}

/// A commit that took effect.
#[derive(Clone, Debug)]
pub struct Commit {
    pub request: usize,
    pub at: Duration,
    pub submission: String,
    /// How often the submission had been created by then.
    pub epoch: usize,
    /// The field and the key of each image.
    pub images: BTreeMap<String, String>,
    /// The keys that it replaced.
    pub replaced: Vec<String>,
}

/// A handle to the world.
#[derive(Clone, Debug)]
pub struct World {
    started: Instant,
    tables: Arc<Tables>,
    commit_sent: Arc<Notify>,
    state: Arc<Mutex<State>>,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct State {
    random: u64,
    /// Whether faults have ended.
    has_ended: bool,
    pub objects: BTreeMap<String, Vec<u8>>,
    /// What each submission's record names: field and key.
    pub named: BTreeMap<String, BTreeMap<String, String>>,
    epochs: BTreeMap<String, usize>,
    pub commits: Vec<Commit>,
    /// The requests that have sent a commit.
    committing: BTreeSet<usize>,
    /// Those that have read the record after it, and whether that showed one of their images.
    pub read_back: BTreeMap<usize, bool>,
    /// For some requests, an operation whose calls are mostly hit.
    storms: BTreeMap<usize, Operation>,
    /// The request that uploaded each object.
    pub uploads: BTreeMap<String, usize>,
    /// Requests during which, or after whose response, the process died.
    pub crashed: BTreeSet<usize>,
    /// Keys of calls that a fault has hit, and of the records that were deleted.
    pub explained: BTreeSet<String>,
    pub violations: Vec<String>,
    pub coverage: BTreeMap<(Operation, Fate), u64>,
    pub calls: u64,
    names: HashMap<String, usize>,
    pub trace: Vec<String>,
}

impl World {
    pub fn new(seed: u64, tables: Tables) -> Self {
        let state = State {
            random: seed.wrapping_mul(1_000_003),
            ..State::default()
        };
        Self {
            started: Instant::now(),
            tables: Arc::new(tables),
            commit_sent: Arc::default(),
            state: Arc::new(state.into()),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The names of tables and bucket.
    pub fn config(&self) -> &Config {
        &self.tables.config
    }

    /// A number from 0 to 1.
    pub fn unit(&self) -> f64 {
        unit(&mut self.state().random)
    }

    pub fn below(&self, bound: u64) -> u64 {
        random(&mut self.state().random) % bound
    }

    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until a commit is on its way.
    pub async fn commit_sent(&self) {
        self.commit_sent.notified().await;
    }

    pub fn end_faults(&self) {
        self.state().has_ended = true;
    }

    /// Notes that a request begins. Some of them have a storm of faults on one operation.
    pub fn begin(&self, request: usize) {
        let storm = self.unit() < STORMS;
        let operation = OPERATIONS[usize::try_from(self.below(5)).unwrap()];
        if storm {
            self.state().storms.insert(request, operation);
        }
    }

    /// Draws the fate of a call, and how long it takes there and back.
    pub fn draw(&self, call: &Call) -> (Fate, Duration, Duration) {
        let chance = self.state().chance(call);
        let fate = if self.unit() < chance {
            let faults = Fate::FAULTS.len() as u64;
            Fate::FAULTS[usize::try_from(self.below(faults)).unwrap()]
        } else {
            Fate::Fine
        };
        let (there, back) = match fate {
            Fate::Slow => (200 + self.below(900), 200 + self.below(900)),
            // Every attempt has been given up by then, and often the request and the ones after it.
            Fate::Late | Fate::LateTwice => (5_000 + self.below(30_000), self.below(10_000)),
            _ => (1 + self.below(10), 1 + self.below(10)),
        };
        self.note(call, &format!("{fate:?}"));
        let mut state = self.state();
        state.calls += 1;
        *state.coverage.entry((call.operation, fate)).or_default() += 1;
        if fate != Fate::Fine {
            state.explain(call);
        }
        match call.operation {
            Operation::UpdateItem => {
                state.committing.insert(call.request);
                self.commit_sent.notify_waiters();
            }
            Operation::GetItem if state.committing.contains(&call.request) => {
                state.read_back.entry(call.request).or_default();
            }
            _ => {}
        }
        (
            fate,
            Duration::from_millis(there),
            Duration::from_millis(back),
        )
    }

    /// Notes that a request has got a response: whether a read after its commit showed one of its images.
    pub fn hear(&self, call: &Call, body: &[u8]) {
        let mut state = self.state();
        let text = String::from_utf8_lossy(body);
        let own = state.commits.iter();
        let own = own.filter(|commit| commit.request == call.request);
        let is_shown = own.map(|commit| commit.images.values().any(|key| text.contains(key)));
        let is_shown = is_shown.reduce(BitOr::bitor);
        if let (Operation::GetItem, Some(is_shown)) = (call.operation, is_shown) {
            state.read_back.insert(call.request, is_shown);
        }
    }

    /// Refuses a call without applying it.
    pub fn refuse(&self, call: &Call) -> Reply {
        let errors: &[(u16, &str)] = match call.operation {
            Operation::PutObject | Operation::DeleteObject => &[
                (403, "AccessDenied"),
                (503, "SlowDown"),
                (500, "InternalError"),
            ],
            _ => &[
                (400, "ThrottlingException"),
                (400, "AccessDeniedException"),
                (500, "InternalServerError"),
            ],
        };
        let (status, code) = errors[usize::try_from(self.below(errors.len() as u64)).unwrap()];
        self.note(call, code);
        Reply::error(call.operation, status, code)
    }

    /// Applies a call.
    pub fn apply(&self, call: &Call) -> Reply {
        let reply = match call.operation {
            Operation::Query | Operation::GetItem | Operation::PutItem => self.dynamodb(call),
            Operation::UpdateItem => self.update_item(call),
            Operation::PutObject => self.put_object(call),
            Operation::DeleteObject => self.delete_object(call),
        };
        self.note(call, &reply.status.to_string());
        reply
    }

    /// A submission's table and key.
    fn submission(&self, id: &str) -> Value {
        let table = &self.config().submissions_table;
        json!({ "TableName": table, "Key": { "submissionId": { "S": id } } })
    }

    /// The hash of the project's API key.
    pub fn api_key_hash(&self) -> String {
        let table = &self.config().projects_table;
        let project = json!({ "TableName": table, "Key": { "projectId": { "S": "project" } } });
        self.text(&project, "apiKeyHash")
    }

    /// Creates the project.
    pub fn create_project(&self, api_key: &str) {
        let hash = ApiKey::parse(api_key).unwrap().hash().to_string();
        let item = json!({
            "projectId": { "S": "project" },
            "apiKeyHash": { "S": hash },
            "status": { "S": "active" },
            "admins": { "SS": [ADMIN] },
        });
        let request = json!({ "TableName": self.config().projects_table, "Item": item });
        self.tables.must("PutItem", &request);
    }

    /// An attribute of the record with a table and key.
    fn text(&self, record: &Value, attribute: &str) -> String {
        let found = self.tables.must("GetItem", record);
        found["Item"][attribute]["S"].as_str().unwrap().to_owned()
    }

    /// Deletes a submission's record, as another system may. Its objects stay.
    pub fn delete_submission(&self, id: &str) {
        self.tables.must("DeleteItem", &self.submission(id));
        let mut state = self.state();
        let named = state.named.remove(id).unwrap_or_default();
        state.explained.extend(named.into_values());
        state.trace.push(format!("delete {id}"));
    }

    /// Creates a submission, perhaps again.
    pub fn create_submission(&self, id: &str, project: &str) {
        let item = json!({ "submissionId": { "S": id }, "projectId": { "S": project } });
        let request = json!({ "TableName": self.config().submissions_table, "Item": item });
        self.tables.must("PutItem", &request);
        let mut state = self.state();
        *state.epochs.entry(id.to_owned()).or_default() += 1;
        state.trace.push(format!("create {id} of {project}"));
    }

    /// Gives a submission to another project.
    pub fn move_submission(&self, id: &str, project: &str) {
        let mut request = self.submission(id);
        request["ConditionExpression"] = json!("attribute_exists(submissionId)");
        request["UpdateExpression"] = json!("SET projectId = :p");
        request["ExpressionAttributeValues"] = json!({ ":p": { "S": project } });
        // It may be gone just now.
        let (status, _) = self.tables.call("UpdateItem", &request);
        let line = format!("move {id} to {project}: {status}");
        self.state().trace.push(line);
    }

    /// Adds a line to the trace, with keys by the order of their appearance.
    fn note(&self, call: &Call, what: &str) {
        let (at, mut state) = (self.now().as_millis(), self.state());
        let next = state.names.len();
        let mut line = format!("{at} {:?} {}", call.operation, call.request);
        if !call.key.is_empty() {
            let name = state.names.entry(call.key.clone()).or_insert(next);
            write!(line, " #{name}").unwrap();
        }
        state.trace.push(format!("{line} {what}"));
    }

    fn dynamodb(&self, call: &Call) -> Reply {
        let operation = format!("{:?}", call.operation);
        let (status, body) = self.tables.call(&operation, &call.json());
        Reply {
            operation: call.operation,
            status,
            body: body.to_string().into(),
        }
    }

    fn update_item(&self, call: &Call) -> Reply {
        let (request, reply) = (call.json(), self.dynamodb(call));
        let Some(submission) = request["Key"]["submissionId"]["S"].as_str() else {
            return reply;
        };
        if reply.status != 200 {
            return reply;
        }
        let owner = self.text(&self.submission(submission), "projectId");
        let mut state = self.state();
        if owner != "project" {
            state.violation(call, &format!("commits to a foreign {submission}"));
        }
        let mut images = BTreeMap::new();
        for field in ImageField::ALL.map(ImageField::name) {
            let image = &request["ExpressionAttributeValues"][format!(":{field}")]["M"];
            let Some(key) = image["key"]["S"].as_str() else {
                continue;
            };
            let stored = state.objects.get(key).map(|object| sha256(object));
            if stored.as_deref() != image["sha256"]["S"].as_str() {
                let what = format!("commits {key}, which is not there, or is another image");
                state.violation(call, &what);
            }
            images.insert(field.to_owned(), key.to_owned());
        }
        let named = state.named.entry(submission.to_owned()).or_default();
        let replaced = images
            .iter()
            .filter_map(|(field, key)| named.insert(field.clone(), key.clone()));
        let commit = Commit {
            request: call.request,
            at: self.now(),
            submission: submission.to_owned(),
            replaced: replaced.collect(),
            epoch: state.epochs[submission],
            images,
        };
        state.commits.push(commit);
        reply
    }

    fn put_object(&self, call: &Call) -> Reply {
        let mut state = self.state();
        if state.objects.contains_key(&call.key) {
            return Reply::error(call.operation, 412, "PreconditionFailed");
        }
        let sha256 = BASE64_STANDARD.encode(Sha256::digest(&call.body));
        assert_eq!(
            call.checksum.as_ref(),
            Some(&sha256),
            "an upload without its checksum"
        );
        state.objects.insert(call.key.clone(), call.body.clone());
        state.uploads.insert(call.key.clone(), call.request);
        Reply::empty(call.operation, 200)
    }

    fn delete_object(&self, call: &Call) -> Reply {
        let (key, mut state) = (&call.key, self.state());
        let mut named = state.named.values();
        if named.any(|images| images.values().any(|named| named == key)) {
            state.violation(call, &format!("deletes {key}, which a record names"));
        }
        // An upload that hasn't arrived yet is nobody's.
        let uploaded_by = state.uploads.get(key);
        let is_own = uploaded_by.is_none_or(|request| *request == call.request);
        let mut commits = state.commits.iter();
        let replaces =
            commits.any(|commit| commit.request == call.request && commit.replaced.contains(key));
        if !is_own && !replaces {
            state.violation(call, &format!("deletes {key}, which isn't its to delete"));
        }
        state.objects.remove(key);
        Reply::empty(call.operation, 204)
    }
}

impl State {
    /// The chance that a fault hits a call.
    fn chance(&self, call: &Call) -> f64 {
        // While a commit is stormy, so is reading it back.
        let operation = match call.operation {
            Operation::GetItem if self.committing.contains(&call.request) => Operation::UpdateItem,
            operation => operation,
        };
        if self.has_ended {
            0.0
        } else if self.storms.get(&call.request) == Some(&operation) {
            STORM
        } else {
            FAULTS
        }
    }

    /// Notes that a fault explains what a call may leave over.
    fn explain(&mut self, call: &Call) {
        if !call.key.is_empty() {
            self.explained.insert(call.key.clone());
        }
        if call.operation == Operation::UpdateItem {
            let values = &call.json()["ExpressionAttributeValues"];
            let keys = values.as_object().unwrap().values();
            let keys = keys.filter_map(|value| value["M"]["key"]["S"].as_str());
            self.explained.extend(keys.map(str::to_owned));
        }
    }

    fn violation(&mut self, call: &Call, what: &str) {
        let violation = format!("request {} {what}", call.request);
        self.violations.push(violation);
    }
}
