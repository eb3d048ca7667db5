//! No request is lost or mixed with another, whatever the wire does: a deterministic simulation of the real function and
//! the real SDK over a wire in this process, on a paused clock in one thread. Delays, faults, lost and late responses,
//! doubled calls and crashes of the process follow from the seed, and so do the number of requests that a process takes at a
//! time and the order of all calls.
//!
//! `MODEL_SEED=7 cargo test --test api model -- --nocapture` runs one seed again and prints the digest of its trace (and
//! the trace itself with `MODEL_TRACE=1`). `MODEL_REQUESTS=100000` makes so many requests instead of the default.

mod tables;
mod wire;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;
use std::time::Duration;

use admin::project::NewKey;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition};
use futures_util::future::join_all;
use lambda_http::Context;
use local::clients::Endpoints;
use put_image::deadline::{RESERVE, TIMEOUT};
use put_image::domain::{ApiKey, ImageField};
use put_image::handler::App;
use put_image::storage::{Limits, Storage};
use testkit::faults::Operation;
use testkit::images;
use tokio::time::{advance, sleep};

use self::tables::Tables;
use self::wire::{Fate, REQUEST, Wire};
use self::world::{Commit, OPERATIONS, State, World};
use crate::helpers::*;

const PROCESSES: usize = 4;
const REQUESTS_PER_PROCESS: usize = 50;
/// The requests of a test run.
const REQUESTS: u64 = 2000;
/// The most requests that a process takes at a time.
const AT_A_TIME: u64 = 4;
const SUBMISSIONS: [&str; 2] = ["S-1", "S-2"];
/// The request of whoever administers.
const OPERATOR: usize = usize::MAX;

/// A request that was made.
#[derive(Clone, Debug)]
struct Sent {
    submission: &'static str,
    fields: Vec<ImageField>,
    is_bad: bool,
    start: Duration,
    end: Duration,
    /// `None` if the process died before it responded.
    answer: Option<Answer>,
}

/// What happened in a run.
#[derive(Debug, Default)]
struct Report {
    trace: Vec<String>,
    coverage: BTreeMap<(Operation, Fate), u64>,
    outcomes: BTreeMap<&'static str, u64>,
    requests: u64,
    calls: u64,
    left_over: u64,
}

fn variable(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap())
}

#[test]
fn model_requests_are_neither_lost_nor_mixed() {
    if let Some(seed) = variable("MODEL_SEED") {
        let report = run(seed);
        if variable("MODEL_TRACE").is_some() {
            println!("{}", report.trace.join("\n"));
        }
        println!("trace {}", digest(&report));
        return;
    }
    let requests_per_run = (PROCESSES * REQUESTS_PER_PROCESS) as u64;
    let requests = variable("MODEL_REQUESTS").unwrap_or(REQUESTS);
    let total = run_all(requests.div_ceil(requests_per_run));
    println!(
        "{} requests, {} calls, {} objects left over",
        total.requests, total.calls, total.left_over
    );
    println!("{:?}", total.outcomes);
    for ((operation, fate), count) in &total.coverage {
        println!("{operation:?} {fate:?} {count}");
    }
    let pairs = OPERATIONS
        .iter()
        .flat_map(|call| Fate::FAULTS.map(|fate| (*call, fate)));
    let missing: Vec<_> = pairs
        .filter(|pair| !total.coverage.contains_key(pair))
        .collect();
    assert!(missing.is_empty(), "faults that never struck: {missing:?}");
}

#[test]
fn model_runs_are_the_same_for_the_same_seed() {
    let (first, second) = (run(7), run(7));
    assert_eq!(first.trace, second.trace);
    assert_ne!(digest(&first), digest(&run(8)));
}

fn digest(report: &Report) -> String {
    sha256(report.trace.join("\n").as_bytes())
}

/// Runs seeds from 0 on, one at a time on each processor.
fn run_all(runs: u64) -> Report {
    let (next, total) = (AtomicU64::new(0), Mutex::new(Report::default()));
    let run_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= runs {
                break;
            }
            let report = run(seed);
            let mut total = total.lock().unwrap();
            total.requests += report.requests;
            total.calls += report.calls;
            total.left_over += report.left_over;
            for (key, count) in report.coverage {
                *total.coverage.entry(key).or_default() += count;
            }
            for (key, count) in report.outcomes {
                *total.outcomes.entry(key).or_default() += count;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(run_some);
        }
    });
    total.into_inner().unwrap()
}

fn run(seed: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(simulate(seed))
}

async fn simulate(seed: u64) -> Report {
    let world = World::new(seed, Tables::create());
    let first_key = format!("key-{seed}");
    world.create_project(&first_key);
    for submission in SUBMISSIONS {
        world.create_submission(submission, "project");
    }
    let simulation = Simulation {
        seed,
        world,
        key: Mutex::new(first_key),
        requests: Mutex::default(),
        changes: Mutex::default(),
    };
    let processes = join_all((0..PROCESSES).map(|process| simulation.process(process)));
    tokio::select! {
        biased;
        _ = processes => {}
        () = REQUEST.scope(OPERATOR, simulation.operate()) => {}
    }
    simulation.world.end_faults();
    // What is late arrives.
    sleep(Duration::from_mins(5)).await;
    simulation.check()
}

struct Simulation {
    seed: u64,
    world: World,
    /// The project's API key.
    key: Mutex<String>,
    requests: Mutex<BTreeMap<usize, Sent>>,
    /// When a submission was gone or another project's, or [`KEY`] was being changed.
    changes: Mutex<Vec<(&'static str, Duration, Option<Duration>)>>,
}

impl Simulation {
    fn wire(&self) -> Wire {
        Wire {
            world: self.world.clone(),
            crash: Arc::default(),
        }
    }

    /// Runs processes one after the other, with connections of their own, each until it dies, that make requests.
    async fn process(&self, process: usize) {
        let first = process * REQUESTS_PER_PROCESS;
        let ids = Mutex::new(first..first + REQUESTS_PER_PROCESS);
        let pollers = 1 + self.seed % AT_A_TIME;
        loop {
            let wire = self.wire();
            let function = function_over(storage(&wire));
            let under_way = Mutex::new(BTreeSet::new());
            let poll = async |_| {
                loop {
                    sleep(Duration::from_millis(self.world.below(400))).await;
                    let Some(id) = ids.lock().unwrap().next() else {
                        return;
                    };
                    self.world.begin(id);
                    under_way.lock().unwrap().insert(id);
                    REQUEST.scope(id, self.send(&function, id)).await;
                    under_way.lock().unwrap().remove(&id);
                }
            };
            tokio::select! {
                biased;
                () = wire.crash.notified() => {
                    self.world.state().crashed.extend(under_way.lock().unwrap().iter());
                }
                _ = join_all((0..pollers).map(poll)) => return,
            }
        }
    }

    async fn send(&self, function: &App, id: usize) {
        let world = &self.world;
        let submission = SUBMISSIONS[usize::from(world.unit() < 0.3)];
        let all = ImageField::ALL.into_iter();
        let mut fields: Vec<ImageField> = all.filter(|_| world.unit() < 0.6).collect();
        if fields.is_empty() {
            fields.push(ImageField::ALL[id % ImageField::ALL.len()]);
        }
        let is_bad = world.unit() < 0.03;
        let texts = Form::texts().with("submissionId", submission);
        let texts = texts.with_key(&self.key.lock().unwrap());
        let mut form = fields.iter().fold(texts, |form, field| {
            form.with_image(field.name(), &self.image(id, *field))
        });
        if is_bad {
            form = form.with(fields[0].name(), "aGVsbG8=");
        }
        let sent = Sent {
            submission,
            fields,
            is_bad,
            start: world.now(),
            end: Duration::MAX,
            answer: None,
        };
        self.requests.lock().unwrap().insert(id, sent);
        // Without a deadline, as `cargo lambda watch` has it: the function's own follows the simulated clock.
        let event = form.event().to_string();
        let mut context = Context::default();
        context.request_id = id.to_string();
        let responded = local::function::respond(function, event.as_bytes(), context);
        let answer = Answer::from_response(&responded.await.unwrap().response);
        {
            let mut requests = self.requests.lock().unwrap();
            let sent = requests.get_mut(&id).unwrap();
            (sent.end, sent.answer) = (world.now(), Some(answer));
        }
        // Sending the response takes time, in which other requests go on.
        sleep(Duration::from_millis(world.below(10))).await;
        function.empty_trash(&id.to_string()).await;
    }

    fn image(&self, request: usize, field: ImageField) -> Vec<u8> {
        images::png(
            200,
            (self.seed * 1_000 + request as u64) * 10 + field as u64,
        )
    }

    /// Administers: submissions go, come back and change hands, keys are rotated, and time jumps, as it does when Lambda
    /// freezes a process.
    async fn operate(&self) {
        let world = &self.world;
        loop {
            sleep(Duration::from_millis(1_000 + world.below(5_000))).await;
            if world.unit() < 0.5 {
                world.commit_sent().await;
            }
            let submission = SUBMISSIONS[usize::try_from(world.below(2)).unwrap()];
            match world.below(8) {
                0 | 1 => {
                    let change = self.begin_change(submission);
                    world.delete_submission(submission);
                    sleep(Duration::from_millis(world.below(600))).await;
                    world.create_submission(submission, "project");
                    self.end_change(change);
                }
                2 => {
                    let change = self.begin_change(submission);
                    world.move_submission(submission, "other");
                    sleep(Duration::from_millis(world.below(600))).await;
                    world.move_submission(submission, "project");
                    self.end_change(change);
                }
                3 => self.rotate().await,
                4 => advance(Duration::from_millis(world.below(30_000))).await,
                _ => {}
            }
        }
    }

    fn begin_change(&self, of: &'static str) -> usize {
        let mut changes = self.changes.lock().unwrap();
        changes.push((of, self.world.now(), None));
        changes.len() - 1
    }

    fn end_change(&self, change: usize) {
        self.changes.lock().unwrap()[change].2 = Some(self.world.now());
    }

    /// Rotates the project's key twice at once.
    async fn rotate(&self) {
        let change = self.begin_change(KEY);
        let records = records(&self.wire());
        let keys = [0, 1].map(|n| format!("key-{}-{}-{n}", self.seed, self.world.below(u64::MAX)));
        let new = keys.each_ref().map(|key| NewKey::from(key.as_str()));
        let rotations = new.iter().map(|new| records.set_key("project", new, None));
        let outcomes = join_all(rotations).await;
        if outcomes.iter().any(Result::is_err) {
            // It may still arrive.
            sleep(Duration::from_mins(1)).await;
        }
        let hash = self.world.api_key_hash();
        let is_current = |key: &String| ApiKey::parse(key).unwrap().hash().to_string() == hash;
        if let Some(key) = keys.into_iter().find(is_current) {
            *self.key.lock().unwrap() = key;
        } else {
            let seed = self.seed;
            assert!(
                outcomes.iter().all(Result::is_err),
                "seed {seed}: a key that was set is not the project's"
            );
            assert!(
                is_current(&self.key.lock().unwrap()),
                "seed {seed}: a foreign key"
            );
        }
        self.end_change(change);
    }

    /// Compares what happened with what may happen.
    fn check(&self) -> Report {
        let seed = self.seed;
        let mut state = self.world.state();
        let requests = self.requests.lock().unwrap();
        let mut report = Report {
            trace: std::mem::take(&mut state.trace),
            coverage: std::mem::take(&mut state.coverage),
            calls: state.calls,
            requests: requests.len() as u64,
            ..Report::default()
        };
        assert!(
            state.violations.is_empty(),
            "seed {seed}: {:?}",
            state.violations
        );
        for (id, sent) in requests.iter() {
            let outcome = self.check_request(*id, sent, &state);
            *report.outcomes.entry(outcome).or_default() += 1;
        }
        let mut named = BTreeSet::new();
        for (submission, images) in &state.named {
            for (field, key) in images {
                let at = format!("seed {seed}: {submission}'s {field} {key}");
                let object = state.objects.get(key);
                let object = object.unwrap_or_else(|| panic!("{at} is named and gone"));
                let mut commits = state.commits.iter();
                let commit = commits.find(|commit| commit.images.get(field) == Some(key));
                let request = commit.unwrap().request;
                let field = ImageField::parse(field).unwrap();
                assert_eq!(*object, self.image(request, field), "{at}");
                assert_eq!(requests[&request].submission, submission, "{at}");
                named.insert(key);
            }
        }
        for key in state.objects.keys().filter(|key| !named.contains(key)) {
            report.left_over += 1;
            let is_explained = explains(key, &state, &requests);
            assert!(
                is_explained,
                "seed {seed}: {key} is left over without a reason"
            );
        }
        report
    }

    /// Checks a request's response against its commits. Returns its outcome.
    fn check_request(&self, id: usize, sent: &Sent, state: &State) -> &'static str {
        let at = format!("seed {}, request {id}", self.seed);
        let commits = state.commits.iter().filter(|commit| commit.request == id);
        let commits: Vec<&Commit> = commits.collect();
        // A commit is of all of the request's images, and to its submission.
        let fields: BTreeSet<&str> = sent.fields.iter().map(|field| field.name()).collect();
        for commit in &commits {
            let committed: BTreeSet<&str> = commit.images.keys().map(String::as_str).collect();
            assert_eq!(committed, fields, "{at}");
            assert_eq!(commit.submission, sent.submission, "{at}");
        }
        // It takes effect once, unless its submission was recreated in between.
        let is_once = commits.is_sorted_by(|first, second| first.epoch < second.epoch);
        assert!(is_once, "{at}: took effect twice");
        let Some(answer) = &sent.answer else {
            return "died";
        };
        let changes = self.changes.lock().unwrap();
        let meets_change = |of: &str| {
            let mut changes = changes.iter().filter(|change| change.0 == of);
            changes.any(|(_, from, to)| *from <= sent.end && to.is_none_or(|to| to >= sent.start))
        };
        match answer.row() {
            SUCCESS => {
                let in_time = |commit: &&&Commit| (sent.start..=sent.end).contains(&commit.at);
                let count = commits.iter().filter(in_time).count();
                assert_eq!(count, 1, "{at}: success without commit");
                assert!(!sent.is_bad, "{at}: a bad image was stored");
                return "success";
            }
            PROCESSING_ERROR => {
                // If it took effect before the response, it was looked for, unless the time was up, and not found.
                let committed = commits.iter().any(|commit| commit.at < sent.end);
                let too_late = sent.end + RESERVE >= sent.start + TIMEOUT;
                if committed && !too_late {
                    let found = state.read_back.get(&id);
                    assert_eq!(
                        found,
                        Some(&false),
                        "{at}: its images are there, or nobody looked"
                    );
                }
                return "processing_error";
            }
            INVALID_PAYLOAD => assert!(sent.is_bad, "{at}: {answer:?}"),
            UNKNOWN_PROJECT => assert!(meets_change(KEY), "{at}: {answer:?}"),
            INVALID_SUBMISSION => assert!(meets_change(sent.submission), "{at}: {answer:?}"),
            _ => panic!("{at}: {answer:?}"),
        }
        assert!(commits.is_empty(), "{at}: refused, and took effect");
        "refused"
    }
}

/// Whether an object that no record names may be left over: a fault has hit its calls, or the request that uploaded it
/// or replaced it died or didn't learn its outcome.
fn explains(key: &str, state: &State, requests: &BTreeMap<usize, Sent>) -> bool {
    let is_uncertain = |request: &usize| {
        let answer = requests[request].answer.as_ref();
        answer.is_none_or(|answer| answer.status == 500) || state.crashed.contains(request)
    };
    let replaces = |commit: &&Commit| commit.replaced.iter().any(|old| old == key);
    let mut replacing = state.commits.iter().filter(replaces);
    state.explained.contains(key)
        || state.uploads.get(key).is_some_and(is_uncertain)
        || replacing.any(|commit| is_uncertain(&commit.request))
}

/// The function's storage over a wire.
fn storage(wire: &Wire) -> Storage {
    let limits = Limits {
        initial_backoff: Duration::ZERO,
        ..Limits::default()
    };
    let (dynamodb, s3) = builders(wire);
    Storage::new(wire.world.config().clone(), limits, dynamodb, s3)
}

fn records(wire: &Wire) -> admin::Records {
    let (dynamodb, s3) = builders(wire);
    admin::Records {
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        config: wire.world.config().clone(),
    }
}

fn builders(
    wire: &Wire,
) -> (
    aws_sdk_dynamodb::config::Builder,
    aws_sdk_s3::config::Builder,
) {
    let endpoints = Endpoints {
        dynamodb: "http://dynamodb.sim".to_owned(),
        s3: "http://s3.sim".to_owned(),
    };
    // Otherwise all clients of the test's process share one budget of retries.
    let partition = RetryPartition::custom("simulation").build();
    // Without a wait, a retry has no jitter.
    let retries = RetryConfig::standard().with_initial_backoff(Duration::ZERO);
    let stalled = StalledStreamProtectionConfig::disabled();
    let dynamodb = endpoints.dynamodb().config().to_builder();
    let dynamodb = dynamodb
        .retry_partition(partition.clone())
        .retry_config(retries.clone())
        .stalled_stream_protection(stalled.clone())
        .http_client(wire.clone());
    let s3 = endpoints.s3().config().to_builder();
    let s3 = s3
        .retry_partition(partition)
        .retry_config(retries)
        .stalled_stream_protection(stalled)
        .http_client(wire.clone());
    (dynamodb, s3)
}
