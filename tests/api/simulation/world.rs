//! The world of a simulation: the storage, which applies one call at a time, and the history of what happened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use put_image::config::Config;
use put_image::domain::ImageField;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use testkit::faults::Operation;
use testkit::images::random;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::tables::Tables;
use super::wire::Fate;

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
pub struct World(Arc<Mutex<State>>);

pub struct State {
    random: u64,
    started: Instant,
    tables: Tables,
    has_faults: bool,
    commit_sent: Arc<Notify>,
    history: History,
}

/// What has happened so far.
#[derive(Default)]
pub struct History {
    pub objects: BTreeMap<String, Vec<u8>>,
    /// What each submission's record names: field and key.
    pub named: BTreeMap<String, BTreeMap<String, String>>,
    epochs: BTreeMap<String, usize>,
    pub commits: Vec<Commit>,
    /// The requests whose commit was looked for, and whether that showed one of their images.
    pub read_back: BTreeMap<usize, bool>,
    /// Requests that have sent a commit, and those that have read the record after it.
    committing: BTreeSet<usize>,
    pub looked: BTreeSet<usize>,
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

impl Deref for State {
    type Target = History;

    fn deref(&self) -> &History {
        &self.history
    }
}

impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut History {
        &mut self.history
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl World {
    pub fn new(seed: u64, tables: Tables) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: seed.wrapping_mul(1_000_003),
            started: Instant::now(),
            tables,
            has_faults: true,
            commit_sent: Arc::default(),
            history: History::default(),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The names of tables and bucket.
    pub fn config(&self) -> Config {
        self.state().tables.config.clone()
    }

    /// A number from 0 to 1.
    pub fn unit(&self) -> f64 {
        unit(&mut self.state().random)
    }

    pub fn below(&self, bound: u64) -> u64 {
        random(&mut self.state().random) % bound
    }

    pub fn now(&self) -> Duration {
        self.state().started.elapsed()
    }

    /// Waits until a commit is on its way.
    pub async fn commit_sent(&self) {
        let sent = Arc::clone(&self.state().commit_sent);
        sent.notified().await;
    }

    pub fn end_faults(&self) {
        self.state().has_faults = false;
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
        let mut state = self.state();
        state.calls += 1;
        *state.coverage.entry((call.operation, fate)).or_default() += 1;
        if fate != Fate::Fine {
            state.explain(call);
        }
        match call.operation {
            Operation::UpdateItem => {
                state.committing.insert(call.request);
                state.commit_sent.notify_waiters();
            }
            Operation::GetItem if state.committing.contains(&call.request) => {
                state.looked.insert(call.request);
            }
            _ => {}
        }
        state.note(call, &format!("{fate:?}"));
        (
            fate,
            Duration::from_millis(there),
            Duration::from_millis(back),
        )
    }

    /// Notes that a request has got a response: whether a read after its commit showed one of its images.
    pub fn hear(&self, call: &Call, body: &[u8]) {
        let mut state = self.state();
        if call.operation != Operation::GetItem {
            return;
        }
        let commits = state
            .commits
            .iter()
            .filter(|commit| commit.request == call.request);
        let keys: Vec<String> = commits
            .flat_map(|commit| commit.images.values().cloned())
            .collect();
        if !keys.is_empty() {
            let text = String::from_utf8_lossy(body);
            let shown = keys.iter().any(|key| text.contains(key.as_str()));
            state.read_back.insert(call.request, shown);
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
        self.state().note(call, code);
        Reply::error(call.operation, status, code)
    }

    /// Applies a call.
    pub fn apply(&self, call: &Call) -> Reply {
        let mut state = self.state();
        let reply = match call.operation {
            Operation::Query | Operation::GetItem | Operation::PutItem => state.dynamodb(call),
            Operation::UpdateItem => state.update_item(call),
            Operation::PutObject => state.put_object(call),
            Operation::DeleteObject => state.delete_object(call),
        };
        let code = error_code(&reply.body);
        state.note(call, &format!("{} {code}", reply.status));
        reply
    }

    /// The hash of a project's API key.
    pub fn api_key_hash(&self, project: &str) -> String {
        let state = self.state();
        let key = json!({ "projectId": { "S": project } });
        let request = json!({ "TableName": state.tables.config.projects_table, "Key": key });
        let found = state.tables.must("GetItem", &request);
        found["Item"]["apiKeyHash"]["S"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Deletes a submission's record, as another system may. Its objects stay.
    pub fn delete_submission(&self, id: &str) {
        let mut state = self.state();
        let table = state.tables.config.submissions_table.clone();
        let request = json!({ "TableName": table, "Key": { "submissionId": { "S": id } } });
        state.tables.must("DeleteItem", &request);
        let named = state.named.remove(id).unwrap_or_default();
        state.explained.extend(named.into_values());
        state.trace.push(format!("delete {id}"));
    }

    /// Creates a submission, perhaps again.
    pub fn create_submission(&self, id: &str, project: &str) {
        let mut state = self.state();
        let table = state.tables.config.submissions_table.clone();
        let item = json!({ "submissionId": { "S": id }, "projectId": { "S": project } });
        let request = json!({ "TableName": table, "Item": item });
        state.tables.must("PutItem", &request);
        *state.epochs.entry(id.to_owned()).or_default() += 1;
        state.trace.push(format!("create {id} of {project}"));
    }

    /// Gives a submission to another project.
    pub fn move_submission(&self, id: &str, project: &str) {
        let mut state = self.state();
        let request = json!({
            "TableName": state.tables.config.submissions_table,
            "Key": { "submissionId": { "S": id } },
            "ConditionExpression": "attribute_exists(submissionId)",
            "UpdateExpression": "SET projectId = :p",
            "ExpressionAttributeValues": { ":p": { "S": project } },
        });
        // It may be gone just now.
        let (status, _) = state.tables.call("UpdateItem", &request);
        state
            .trace
            .push(format!("move {id} to {project}: {status}"));
    }
}

impl State {
    /// The chance that a fault hits a call.
    fn chance(&self, call: &Call) -> f64 {
        // The storm of a commit is also over reading it back.
        let operation = match call.operation {
            Operation::GetItem if self.committing.contains(&call.request) => Operation::UpdateItem,
            operation => operation,
        };
        if !self.has_faults {
            0.0
        } else if self.storms.get(&call.request) == Some(&operation) {
            STORM
        } else {
            FAULTS
        }
    }

    /// Adds a line to the trace, with keys by the order of their appearance.
    fn note(&mut self, call: &Call, what: &str) {
        let next = self.names.len();
        let mut line = format!(
            "{} {:?} {}",
            self.started.elapsed().as_millis(),
            call.operation,
            call.request
        );
        if !call.key.is_empty() {
            let name = self.names.entry(call.key.clone()).or_insert(next);
            write!(line, " #{name}").unwrap();
        }
        self.trace.push(format!("{line} {what}"));
    }

    /// Notes that a fault accounts for what may be left over of a call.
    fn explain(&mut self, call: &Call) {
        if !call.key.is_empty() {
            self.explained.insert(call.key.clone());
        }
        if call.operation == Operation::UpdateItem {
            let values =
                &serde_json::from_slice::<Value>(&call.body).unwrap()["ExpressionAttributeValues"];
            for value in values.as_object().unwrap().values() {
                if let Some(key) = value["M"]["key"]["S"].as_str() {
                    self.explained.insert(key.to_owned());
                }
            }
        }
    }

    fn dynamodb(&mut self, call: &Call) -> Reply {
        let request = serde_json::from_slice(&call.body).unwrap();
        let operation = format!("{:?}", call.operation);
        let (status, body) = self.tables.call(&operation, &request);
        Reply {
            operation: call.operation,
            status,
            body: body.to_string().into(),
        }
    }

    fn update_item(&mut self, call: &Call) -> Reply {
        let reply = self.dynamodb(call);
        if reply.status != 200 {
            return reply;
        }
        let request: Value = serde_json::from_slice(&call.body).unwrap();
        if request["TableName"] == self.tables.config.projects_table.as_str() {
            return reply;
        }
        let submission = request["Key"]["submissionId"]["S"]
            .as_str()
            .unwrap()
            .to_owned();
        if self.owner(&submission) != "project" {
            let violation = format!("request {} commits to a foreign {submission}", call.request);
            self.violations.push(violation);
        }
        let mut images = BTreeMap::new();
        for field in ImageField::ALL.map(ImageField::name) {
            let image = &request["ExpressionAttributeValues"][format!(":{field}")]["M"];
            let Some(key) = image["key"]["S"].as_str() else {
                continue;
            };
            let sha256 = self
                .objects
                .get(key)
                .map(|object| hex::encode(Sha256::digest(object)));
            if sha256.as_deref() != image["sha256"]["S"].as_str() {
                let request = call.request;
                let what = "which is not there, or is another image";
                let violation = format!("request {request} commits {key}, {what}");
                self.violations.push(violation);
            }
            images.insert(field.to_owned(), key.to_owned());
        }
        let named = self.named.entry(submission.clone()).or_default();
        let replaced = images
            .iter()
            .filter_map(|(field, key)| named.insert(field.clone(), key.clone()));
        let replaced = replaced.collect();
        let commit = Commit {
            request: call.request,
            at: self.started.elapsed(),
            epoch: self.epochs[&submission],
            submission,
            images,
            replaced,
        };
        self.commits.push(commit);
        reply
    }

    /// The project that a submission belongs to.
    fn owner(&self, submission: &str) -> String {
        let table = &self.tables.config.submissions_table;
        let key = json!({ "submissionId": { "S": submission } });
        let found = self
            .tables
            .must("GetItem", &json!({ "TableName": table, "Key": key }));
        found["Item"]["projectId"]["S"].as_str().unwrap().to_owned()
    }

    fn put_object(&mut self, call: &Call) -> Reply {
        if self.objects.contains_key(&call.key) {
            return Reply::error(call.operation, 412, "PreconditionFailed");
        }
        let sha256 = BASE64_STANDARD.encode(Sha256::digest(&call.body));
        assert_eq!(
            call.checksum.as_ref(),
            Some(&sha256),
            "an upload without its checksum"
        );
        self.objects.insert(call.key.clone(), call.body.clone());
        self.uploads.insert(call.key.clone(), call.request);
        Reply {
            operation: call.operation,
            status: 200,
            body: Vec::new(),
        }
    }

    fn delete_object(&mut self, call: &Call) -> Reply {
        if self
            .named
            .values()
            .any(|images| images.values().any(|key| *key == call.key))
        {
            let (request, key) = (call.request, &call.key);
            let violation = format!("request {request} deletes {key}, which a record names");
            self.violations.push(violation);
        }
        // An upload that hasn't arrived yet is nobody's.
        let uploaded_by = self.uploads.get(&call.key);
        let is_own = uploaded_by.is_none_or(|request| *request == call.request);
        let mut commits = self.commits.iter();
        let replaces = commits
            .any(|commit| commit.request == call.request && commit.replaced.contains(&call.key));
        if !is_own && !replaces {
            let (request, key) = (call.request, &call.key);
            let violation = format!("request {request} deletes {key}, which isn't its to delete");
            self.violations.push(violation);
        }
        self.objects.remove(&call.key);
        Reply {
            operation: call.operation,
            status: 204,
            body: Vec::new(),
        }
    }
}

/// The error code of a response, for the trace: what else is in it may come in any order.
fn error_code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    if let Some((code, _)) = code {
        return code.to_owned();
    }
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let code = json["__type"]
        .as_str()
        .and_then(|code| code.rsplit('#').next());
    code.unwrap_or_default().to_owned()
}
