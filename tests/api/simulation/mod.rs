//! A deterministic simulation: the real function and the real SDK over a wire in this process, on a paused clock in one
//! thread. Delays, faults, lost and late answers, doubled calls and crashes of the process follow from the seed, and so
//! does the order of all calls: the same seed is the same run.
//!
//! `MODEL_SEED=7 cargo test --test api model -- --nocapture` runs one seed again and prints the digest of its trace (and
//! the trace itself with `MODEL_TRACE=1`). `MODEL_PUTS=100000` makes so many puts instead of the default.

mod tables;
mod wire;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use admin::project::{NewKey, SetKey};
use aws_sdk_s3::config::retry::RetryPartition;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use futures_util::future::join_all;
use lambda_http::Context;
use local::faults::Operation;
use local::images;
use put_image::deadline::TIMEOUT;
use put_image::domain::ApiKey;
use put_image::handler::App as Function;
use put_image::storage::{Limits, Storage};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio::time::{advance, sleep};

use self::tables::Tables;
use self::wire::{Fate, Wire};
use self::world::{Commit, OPERATIONS, World};
use crate::helpers::*;

const PROCESSES: usize = 4;
const PUTS_PER_PROCESS: usize = 50;
/// The puts of a test run.
const PUTS: u64 = 2000;
const FIELDS: [&str; 4] = ["idImage", "idBackImage", "selfieImage", "addressImage"];
const SUBMISSIONS: [&str; 2] = ["S-1", "S-2"];
/// The process of whoever administers.
const OPERATOR: usize = PROCESSES;

/// A put that was made.
#[derive(Clone, Debug)]
struct Put {
    submission: &'static str,
    fields: Vec<usize>,
    is_spoilt: bool,
    start: Duration,
    end: Duration,
    /// `None` if the process died before it answered.
    answer: Option<Answer>,
}

/// What a run has to tell.
#[derive(Debug, Default)]
struct Report {
    trace: Vec<String>,
    coverage: BTreeMap<(Operation, Fate), u64>,
    answers: BTreeMap<&'static str, u64>,
    puts: u64,
    calls: u64,
    left_over: u64,
}

#[test]
fn model_puts_are_neither_lost_nor_mixed() {
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse::<u64>().unwrap())
    };
    if let Some(seed) = variable("MODEL_SEED") {
        let report = run(seed);
        if variable("MODEL_TRACE").is_some() {
            println!("{}", report.trace.join("\n"));
        }
        println!("trace {}", digest(&report.trace));
        return;
    }
    let puts_per_run = (PROCESSES * PUTS_PER_PROCESS) as u64;
    let runs = variable("MODEL_PUTS")
        .unwrap_or(PUTS)
        .div_ceil(puts_per_run);
    let total = run_all(runs);
    println!(
        "{} puts, {} calls, {} objects left over",
        total.puts, total.calls, total.left_over
    );
    println!("{:?}", total.answers);
    print_coverage(&total.coverage);
    for operation in OPERATIONS {
        for fate in Fate::FAULTS {
            let struck = total.coverage.get(&(operation, fate));
            assert!(struck.is_some(), "{fate:?} has never struck {operation:?}");
        }
    }
}

#[test]
fn model_runs_are_the_same_for_the_same_seed() {
    let (first, second) = (run(7), run(7));
    for (first, second) in first.trace.iter().zip(&second.trace) {
        assert_eq!(first, second);
    }
    assert_eq!(digest(&first.trace), digest(&second.trace));
    assert_ne!(digest(&first.trace), digest(&run(8).trace));
}

fn digest(trace: &[String]) -> String {
    hex::encode(Sha256::digest(trace.join("\n")))
}

/// Runs seeds from 0 on, one at a time on each processor.
fn run_all(runs: u64) -> Report {
    let (next, total) = (AtomicU64::new(0), Mutex::new(Report::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= runs {
                        break;
                    }
                    let report = run(seed);
                    let mut total = total.lock().unwrap();
                    total.puts += report.puts;
                    total.calls += report.calls;
                    total.left_over += report.left_over;
                    for (key, count) in report.coverage {
                        *total.coverage.entry(key).or_default() += count;
                    }
                    for (key, count) in report.answers {
                        *total.answers.entry(key).or_default() += count;
                    }
                }
            });
        }
    });
    total.into_inner().unwrap()
}

/// Prints how often each fault struck each step.
fn print_coverage(coverage: &BTreeMap<(Operation, Fate), u64>) {
    let row = |name: String, cells: [String; 5]| {
        let cells = cells.map(|cell| format!("{cell:>13}")).concat();
        println!("{name:14}{cells}");
    };
    row(
        String::new(),
        OPERATIONS.map(|operation| format!("{operation:?}")),
    );
    for fate in [Fate::Fine].into_iter().chain(Fate::FAULTS) {
        let count = |operation| {
            coverage
                .get(&(operation, fate))
                .copied()
                .unwrap_or_default()
        };
        row(
            format!("{fate:?}"),
            OPERATIONS.map(|operation| count(operation).to_string()),
        );
    }
}

fn run(seed: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(simulate(seed))
}

async fn simulate(seed: u64) -> Report {
    let tables = Tables::create();
    let first_key = format!("key-{seed}");
    let project = json!({
        "TableName": tables.config.projects_table,
        "Item": {
            "projectId": { "S": "project" },
            "apiKeyHash": { "S": ApiKey::parse(&first_key).unwrap().hash().to_string() },
            "status": { "S": "active" },
            "admins": { "SS": [ADMIN] },
        },
    });
    tables.must("PutItem", &project);

    let world = World::new(seed, tables);
    for submission in SUBMISSIONS {
        world.create_submission(submission, "project");
    }
    let simulation = Simulation {
        seed,
        world: world.clone(),
        key: Mutex::new(first_key),
        puts: Mutex::new(BTreeMap::new()),
        away: Mutex::new(Vec::new()),
        rotations: Mutex::new(Vec::new()),
    };
    let processes = join_all((0..PROCESSES).map(|process| simulation.process(process)));
    tokio::select! {
        biased;
        _ = processes => {}
        () = simulation.operate() => {}
    }
    world.end_faults();
    // What is late arrives.
    sleep(Duration::from_mins(5)).await;
    simulation.check()
}

struct Simulation {
    seed: u64,
    world: World,
    /// The project's API key.
    key: Mutex<String>,
    puts: Mutex<BTreeMap<usize, Put>>,
    /// When a submission was gone, or another project's.
    away: Mutex<Vec<(&'static str, Duration, Option<Duration>)>>,
    /// When the key was being changed.
    rotations: Mutex<Vec<(Duration, Option<Duration>)>>,
}

impl Simulation {
    /// A process with connections of its own.
    fn start(&self, process: usize) -> (Function, Arc<Notify>) {
        let crash = Arc::new(Notify::new());
        let wire = Wire {
            world: self.world.clone(),
            process,
            crash: Arc::clone(&crash),
        };
        (function_over(storage(&wire)), crash)
    }

    /// Processes one after the other, each until it dies, that make puts.
    async fn process(&self, process: usize) {
        let (mut function, mut crash) = self.start(process);
        for i in 0..PUTS_PER_PROCESS {
            sleep(Duration::from_millis(self.world.below(400))).await;
            let id = process * PUTS_PER_PROCESS + i;
            self.world.begin(process, id);
            tokio::select! {
                biased;
                () = crash.notified() => (function, crash) = self.start(process),
                () = self.put(&function, id) => {}
            }
        }
    }

    async fn put(&self, function: &Function, id: usize) {
        let world = &self.world;
        let submission = SUBMISSIONS[usize::from(world.unit() < 0.3)];
        let mut fields: Vec<usize> = (0..4).filter(|_| world.unit() < 0.6).collect();
        if fields.is_empty() {
            fields.push(id % 4);
        }
        let is_spoilt = world.unit() < 0.03;
        let mut form = Form::texts()
            .with("submissionId", submission)
            .with_key(&self.key.lock().unwrap());
        for &field in &fields {
            form = form.with_image(FIELDS[field], &self.image(id, field));
        }
        if is_spoilt {
            form = form.with(FIELDS[fields[0]], "aGVsbG8=");
        }
        let start = world.now();
        let put = Put {
            submission,
            fields,
            is_spoilt,
            start,
            end: Duration::MAX,
            answer: None,
        };
        self.puts.lock().unwrap().insert(id, put);
        // Without a deadline, as `cargo lambda watch` has it: the function's own follows the simulated clock.
        let event = form.event().to_string();
        let invoked = local::function::respond(function, event.as_bytes(), Context::default())
            .await
            .unwrap();
        {
            let mut puts = self.puts.lock().unwrap();
            let put = puts.get_mut(&id).unwrap();
            put.end = world.now();
            put.answer = Some(Answer::from_response(&invoked.response));
        }
        function.empty_trash().await;
    }

    fn image(&self, put: usize, field: usize) -> Vec<u8> {
        images::png(200, (self.seed * 1_000 + put as u64) * 4 + field as u64)
    }

    /// Whoever administers: submissions go, come back and change hands, keys are rotated, and time jumps, as it does when
    /// Lambda freezes a process.
    async fn operate(&self) {
        let world = &self.world;
        world.begin(OPERATOR, usize::MAX);
        loop {
            sleep(Duration::from_millis(1_000 + world.below(8_000))).await;
            let submission = SUBMISSIONS[usize::try_from(world.below(2)).unwrap()];
            match world.below(8) {
                0 | 1 => {
                    let away = self.leave(submission);
                    world.delete_submission(submission);
                    sleep(Duration::from_millis(world.below(3_000))).await;
                    world.create_submission(submission, "project");
                    self.come_back(away);
                }
                2 => {
                    let away = self.leave(submission);
                    world.move_submission(submission, "other");
                    sleep(Duration::from_millis(world.below(3_000))).await;
                    world.move_submission(submission, "project");
                    self.come_back(away);
                }
                3 => self.rotate().await,
                4 => advance(Duration::from_millis(world.below(30_000))).await,
                _ => {}
            }
        }
    }

    fn leave(&self, submission: &'static str) -> usize {
        let mut away = self.away.lock().unwrap();
        away.push((submission, self.world.now(), None));
        away.len() - 1
    }

    fn come_back(&self, away: usize) {
        self.away.lock().unwrap()[away].2 = Some(self.world.now());
    }

    /// Two rotations of the project's key at once.
    async fn rotate(&self) {
        self.rotations
            .lock()
            .unwrap()
            .push((self.world.now(), None));
        let wire = Wire {
            world: self.world.clone(),
            process: OPERATOR,
            crash: Arc::new(Notify::new()),
        };
        let records = records(&wire);
        let keys = [0, 1].map(|n| {
            let key = format!("key-{}-{}-{n}", self.seed, self.world.below(u64::MAX));
            (NewKey::known(&key), key)
        });
        let rotations = keys
            .iter()
            .map(|(new, _)| records.set_key("project", new, None));
        let ended = join_all(rotations).await;
        if ended
            .iter()
            .any(|ended| matches!(ended, SetKey::Unknown(_)))
        {
            // It may still arrive.
            sleep(Duration::from_mins(1)).await;
        }
        let hash = self.world.api_key_hash("project");
        let mut known = keys.iter().map(|(_, key)| key.clone()).collect::<Vec<_>>();
        known.push(self.key.lock().unwrap().clone());
        let now = known
            .into_iter()
            .find(|key| ApiKey::parse(key).unwrap().hash().to_string() == hash);
        let now = now.expect("the project has one of the keys");
        for ((_, key), ended) in keys.iter().zip(&ended) {
            // Of the two, the later may follow on the earlier.
            if matches!(ended, SetKey::Done) && *key != now {
                let other = keys.iter().any(|(_, other)| *other == now);
                assert!(
                    other,
                    "seed {}: a key that was set is not the project's",
                    self.seed
                );
            }
        }
        *self.key.lock().unwrap() = now;
        self.rotations.lock().unwrap().last_mut().unwrap().1 = Some(self.world.now());
    }

    /// Holds what happened against what may happen.
    fn check(&self) -> Report {
        let mut state = self.world.state();
        let mut report = Report {
            trace: std::mem::take(&mut state.trace),
            coverage: std::mem::take(&mut state.coverage),
            calls: state.calls,
            ..Report::default()
        };
        assert!(
            state.violations.is_empty(),
            "seed {}: {:?}",
            self.seed,
            state.violations
        );
        let puts = self.puts.lock().unwrap();
        report.puts = puts.len() as u64;
        for (id, put) in puts.iter() {
            let commits: Vec<&Commit> = state
                .commits
                .iter()
                .filter(|commit| commit.put == *id)
                .collect();
            let looked = state.looked.contains(id);
            let ended =
                self.check_put(*id, put, &commits, state.read_back.get(id).copied(), looked);
            *report.answers.entry(ended).or_default() += 1;
        }
        for (submission, images) in &state.named {
            for (field, key) in images {
                let object = state.objects.get(key);
                let object =
                    object.unwrap_or_else(|| panic!("seed {}: {key} is named and gone", self.seed));
                let commit = state
                    .commits
                    .iter()
                    .find(|commit| commit.images.values().any(|named| named == key));
                let put = commit.unwrap().put;
                let index = FIELDS.iter().position(|name| name == field).unwrap();
                assert_eq!(
                    *object,
                    self.image(put, index),
                    "seed {}: {submission}'s {field}",
                    self.seed
                );
                assert_eq!(
                    puts[&put].submission, submission,
                    "seed {}: {key}",
                    self.seed
                );
            }
        }
        let named: BTreeSet<&String> = state.named.values().flat_map(BTreeMap::values).collect();
        for key in state.objects.keys().filter(|key| !named.contains(key)) {
            report.left_over += 1;
            assert!(
                explains(key, &state, &puts),
                "seed {}: {key} is left over without a reason",
                self.seed
            );
        }
        report
    }

    /// Checks a put's answer against its commits, and says how it ended.
    fn check_put(
        &self,
        id: usize,
        put: &Put,
        commits: &[&Commit],
        read_back: Option<bool>,
        looked: bool,
    ) -> &'static str {
        let seed = self.seed;
        // A commit is of all of the put's images, and to its submission.
        let fields: BTreeSet<&str> = put.fields.iter().map(|field| FIELDS[*field]).collect();
        for commit in commits {
            let committed: BTreeSet<&str> = commit.images.keys().map(String::as_str).collect();
            assert_eq!(committed, fields, "seed {seed}, put {id}");
            assert_eq!(commit.submission, put.submission, "seed {seed}, put {id}");
        }
        // It takes effect once, unless its submission was made anew in between.
        for (first, second) in commits.iter().zip(commits.iter().skip(1)) {
            assert!(
                first.epoch < second.epoch,
                "seed {seed}, put {id}: took effect twice"
            );
        }
        let Some(answer) = &put.answer else {
            return "died";
        };
        let overlaps = |from: Duration, to: Option<Duration>| {
            from <= put.end && to.is_none_or(|to| to >= put.start)
        };
        if put.is_spoilt {
            assert_eq!(answer.row(), INVALID_PAYLOAD, "seed {seed}, put {id}");
        }
        match answer.row() {
            SUCCESS => {
                let in_time = |commit: &&&Commit| put.start <= commit.at && commit.at <= put.end;
                assert_eq!(
                    commits.iter().filter(in_time).count(),
                    1,
                    "seed {seed}, put {id}: success without commit"
                );
                return "success";
            }
            PROCESSING_ERROR => {
                // If it took effect before the answer, it was looked for, unless the time was up, and not found.
                let reserve = put_image::deadline::RESERVE;
                let committed = commits.iter().any(|commit| commit.at < put.end);
                let too_late = put.end + reserve >= put.start + TIMEOUT;
                if committed && !too_late {
                    assert_ne!(
                        read_back,
                        Some(true),
                        "seed {seed}, put {id}: its images were there"
                    );
                    assert!(
                        looked,
                        "seed {seed}, put {id}: nobody looked whether its images are there"
                    );
                }
                return "processing_error";
            }
            INVALID_PAYLOAD => assert!(put.is_spoilt, "seed {seed}, put {id}: {answer:?}"),
            UNKNOWN_PROJECT => {
                let rotations = self.rotations.lock().unwrap();
                let rotated = rotations.iter().any(|(from, to)| overlaps(*from, *to));
                assert!(rotated, "seed {seed}, put {id}: {answer:?}");
            }
            INVALID_SUBMISSION => {
                let away = self.away.lock().unwrap();
                let away = away
                    .iter()
                    .any(|(id, from, to)| *id == put.submission && overlaps(*from, *to));
                assert!(away, "seed {seed}, put {id}: {answer:?}");
            }
            _ => panic!("seed {seed}, put {id}: {answer:?}"),
        }
        assert!(
            commits.is_empty(),
            "seed {seed}, put {id}: refused, and took effect"
        );
        "refused"
    }
}

/// Whether an object that no record names may be left over.
fn explains(key: &str, state: &world::State, puts: &BTreeMap<usize, Put>) -> bool {
    if state.explained.contains(key) {
        return true;
    }
    let is_uncertain = |put: usize| {
        let answer = puts[&put].answer.as_ref();
        answer.is_none_or(|answer| answer.status == 500)
    };
    // Of a put that died or whose outcome stayed unknown, or replaced by one.
    let uploaded = puts
        .keys()
        .any(|put| is_uncertain(*put) && state.uploads.get(key) == Some(put));
    let replaced = state
        .commits
        .iter()
        .any(|commit| commit.replaced.iter().any(|old| old == key) && is_uncertain(commit.put));
    // Or by one that died after its answer, before it had cleaned up.
    let died = state.crashed.iter().any(|put| {
        state.uploads.get(key) == Some(put)
            || state
                .commits
                .iter()
                .any(|commit| commit.put == *put && commit.replaced.iter().any(|old| old == key))
    });
    uploaded || replaced || died
}

/// The function's storage over a wire.
fn storage(wire: &Wire) -> Storage {
    // Without a wait, a retry has no jitter.
    let limits = Limits {
        initial_backoff: Duration::ZERO,
        ..Limits::default()
    };
    let (dynamodb, s3) = builders(wire);
    Storage::new(wire.world.config(), limits, dynamodb, s3)
}

fn records(wire: &Wire) -> admin::Records {
    let (dynamodb, s3) = builders(wire);
    let retries =
        aws_sdk_s3::config::retry::RetryConfig::standard().with_initial_backoff(Duration::ZERO);
    admin::Records {
        dynamodb: aws_sdk_dynamodb::Client::from_conf(
            dynamodb.retry_config(retries.clone()).build(),
        ),
        s3: aws_sdk_s3::Client::from_conf(s3.retry_config(retries).build()),
        config: wire.world.config(),
    }
}

fn builders(
    wire: &Wire,
) -> (
    aws_sdk_dynamodb::config::Builder,
    aws_sdk_s3::config::Builder,
) {
    let credentials = Credentials::new("local", "local-secret", None, None, "simulation");
    // The SDK's budget of retries is else one for all clients of the test's process.
    let partition = RetryPartition::custom("simulation").build();
    let dynamodb = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials.clone())
        .endpoint_url("http://dynamodb.sim")
        .retry_partition(partition.clone())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(wire.clone());
    let s3 = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url("http://s3.sim")
        .force_path_style(true)
        .retry_partition(partition)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(wire.clone());
    (dynamodb, s3)
}
