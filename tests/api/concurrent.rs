//! Many requests at a time in one process, while 5% of the calls to storage fail: each gets its own response, log line and
//! cleanup, no matter how the others end. `CONCURRENT=10` makes ten times as many requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use local::function::{self, context};
use put_image::deadline::TIMEOUT;
use put_image::domain::ImageField;
use put_image::storage::Storage;
use rstest::rstest;
use serde_json::Value;
use testkit::faults::Operation::{DeleteObject, PutObject};
use testkit::images::{jpeg, random};
use testkit::lambda::{Lambda, MAX_CONCURRENCY, trace};

use crate::binary::{answer, over};
use crate::faults::Panics;
use crate::helpers::*;
use crate::load::inject_faults;
use crate::log::LOG;
use crate::tenants::two_projects;

const CALLERS: usize = 32;
const SUBMISSIONS: u64 = 40;
/// The submissions that half of the requests go to, so that they race.
const HOT: u64 = 3;
/// The size of request 0's images. Those of request `i` have `i` bytes more, so a log line's sizes identify it.
const SIZE: usize = 1_000;

/// What a request is, and so how it may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Stored, unless a fault or its deadline prevents it.
    Good(Duration),
    /// To a submission of the other project.
    Foreign,
    /// Its first image is damaged.
    Damaged,
    /// An event whose conversion to a request panics.
    Unreadable,
}

/// A request that was made.
#[derive(Debug)]
struct Sent {
    kind: Kind,
    submission: u64,
    images: Images,
    /// The numbers of its start and its end among those of all requests.
    start: usize,
    end: usize,
    /// `None` for a function error.
    answer: Option<Answer>,
}

impl Sent {
    fn is_success(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_some_and(|answer| answer.row() == SUCCESS)
    }

    fn stores(&self) -> bool {
        matches!(self.kind, Kind::Good(_))
    }

    /// Asserts that the response is one to this request.
    fn check(&self) {
        let Some(answer) = &self.answer else {
            return assert_eq!(self.kind, Kind::Unreadable);
        };
        let first = self.images.keys().next().unwrap();
        let rows: &[Row] = match self.kind {
            Kind::Good(_) => &[SUCCESS, PROCESSING_ERROR],
            Kind::Foreign => &[INVALID_SUBMISSION, PROCESSING_ERROR],
            Kind::Damaged => {
                let detail = answer.detail.as_deref().unwrap_or_default();
                assert!(detail.starts_with(&format!("{first}:")), "{self:?}");
                &[INVALID_PAYLOAD]
            }
            Kind::Unreadable => &[],
        };
        assert!(rows.contains(&answer.row()), "{self:?}");
    }
}

/// The prefix of a submission's objects.
fn prefix(submission: u64) -> String {
    format!("project-{}/S-{submission}/", name(submission))
}

/// The project of a submission.
fn name(submission: u64) -> &'static str {
    ["a", "b"][usize::from(submission % 2 == 1)]
}

/// An app with two projects that have every other submission.
async fn start() -> TestApp {
    two_projects((0..SUBMISSIONS).map(|it| (format!("S-{it}"), name(it)))).await
}

/// The form of a project, without images, for a submission that may be another's.
fn texts(project: &str, submission: u64) -> Form {
    Form::texts()
        .with_key(&format!("demo-key-{project}"))
        .with("admin", format!("{project}@example.com"))
        .with("submissionId", format!("S-{submission}"))
}

/// The i-th request. Returns it without its end, and its event.
fn request(i: usize) -> (Sent, String) {
    let mut state = i as u64;
    let mut below = |bound| random(&mut state) % bound;
    let submission = if below(2) == 0 {
        below(HOT)
    } else {
        below(SUBMISSIONS)
    };
    let kind = match below(20) {
        0 => Kind::Foreign,
        1 => Kind::Damaged,
        2 => Kind::Unreadable,
        3 | 4 => Kind::Good(Duration::from_millis(below(80))),
        _ => Kind::Good(TIMEOUT),
    };
    let last = below(4);
    let fields = ImageField::ALL.into_iter().zip(0..);
    let fields = fields.filter(|(_, field)| *field == last || below(2) == 0);
    let is_foreign = kind == Kind::Foreign;
    let form = texts(name(submission + u64::from(is_foreign)), submission);
    let mut form = fields.fold(form, |form, (field, nth)| {
        form.with_image(field.name(), &jpeg(SIZE + i, 4 * i as u64 + nth))
    });
    let images = form.images();
    if kind == Kind::Damaged {
        let first = images.keys().next().unwrap();
        let mut fields = form.fields.iter_mut();
        let (_, image) = fields.find(|(name, _)| name == first).unwrap();
        image.truncate(SIZE);
    }
    let mut event = form.event();
    if kind == Kind::Unreadable {
        event["isBase64Encoded"] = true.into();
    }
    let sent = Sent {
        kind,
        submission,
        images,
        start: 0,
        end: 0,
        answer: None,
    };
    (sent, event.to_string())
}

/// Has callers make requests at the same time, each one after the other.
async fn call(
    requests: usize,
    invoke: impl AsyncFn(String, Duration) -> Option<Value>,
) -> Vec<Sent> {
    let factor = std::env::var("CONCURRENT").map_or(1, |factor| factor.parse().unwrap());
    let requests = factor * requests;
    let (next, clock) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let tick = |counter: &AtomicUsize| counter.fetch_add(1, Ordering::Relaxed);
    let caller = async |_| {
        let mut made = Vec::new();
        loop {
            let i = tick(&next);
            if i >= requests {
                return made;
            }
            let (mut sent, event) = request(i);
            let timeout = match sent.kind {
                Kind::Good(timeout) => timeout,
                _ => TIMEOUT,
            };
            sent.start = tick(&clock);
            let response = invoke(event, timeout).await;
            sent.end = tick(&clock);
            sent.answer = response.map(|response| Answer::from_response(&response));
            sent.check();
            made.push((i, sent));
        }
    };
    let made = join_all((0..CALLERS).map(caller)).await;
    let made: BTreeMap<usize, Sent> = made.into_iter().flatten().collect();
    made.into_values().collect()
}

/// Asserts that each record shows what its last requests sent, and that no object is left over that the log doesn't name.
async fn check_stored(app: &TestApp, all: &[Sent], log: impl Fn(&str) -> bool) {
    let objects = app.objects().await;
    let mut named = Vec::new();
    for submission in 0..SUBMISSIONS {
        let sent = all
            .iter()
            .filter(|sent| sent.stores() && sent.submission == submission);
        let sent: Vec<&Sent> = sent.collect();
        let record = app.record(&format!("S-{submission}")).await;
        let fields = ImageField::ALL.map(ImageField::name).into_iter();
        let shown = fields.filter_map(|field| {
            let key = record[field]["key"].as_str()?;
            assert!(key.starts_with(&prefix(submission)), "{key}");
            assert_eq!(record[field]["sha256"], sha256(&objects[key]), "{key}");
            named.push(key.to_owned());
            let is_sender = |sent: &&&Sent| {
                record[field]["sha256"] == sent.images.get(field).map_or("", |it| it)
            };
            let sender = sent.iter().find(is_sender);
            Some((
                field,
                *sender.unwrap_or_else(|| panic!("{key} was not sent")),
            ))
        });
        let shown: BTreeMap<&str, &Sent> = shown.collect();
        // Stored, and so not replaced by a request that had ended before.
        let stored = sent.iter().filter(|sent| sent.is_success());
        for stored in stored.chain(shown.values()) {
            for field in stored.images.keys() {
                let last = shown[field.as_str()];
                assert!(
                    last.end >= stored.start || !app.is_atomic,
                    "{last:?} hides {stored:?}"
                );
            }
        }
    }
    for (key, object) in &objects {
        let submission = key.split('/').nth(1).unwrap();
        let digest = sha256(object);
        let is_of = |sent: &&Sent| sent.stores() && format!("S-{}", sent.submission) == submission;
        let mut images = all.iter().filter(is_of).flat_map(|it| it.images.values());
        assert!(images.any(|image| *image == digest), "{key}");
        let is_explained = named.contains(key) || log(key);
        assert!(is_explained, "{key} is left over, and no line says so");
    }
}

/// Asserts that each line is of its own request.
fn check_log(all: &[Sent], log: &str) {
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (own, other): (Vec<_>, Vec<_>) = lines.partition(|line| line["message"] == "put image");
    let readable = all.iter().filter(|sent| sent.kind != Kind::Unreadable);
    assert_eq!(own.len(), readable.count());
    let mut requests = BTreeMap::new();
    for line in &own {
        let id = line["requestId"].as_str().unwrap();
        let root = format!("Root={};", line["xrayTraceId"].as_str().unwrap());
        assert!(trace(id).starts_with(&root), "{line}");
        let sizes = ImageField::ALL.map(|field| line[format!("{}Bytes", field.name())].as_u64());
        let Some(size) = sizes.into_iter().flatten().next() else {
            continue;
        };
        let sent = &all[usize::try_from(size).unwrap() - SIZE];
        assert_eq!(
            line["status"],
            sent.answer.as_ref().unwrap().status,
            "{line}"
        );
        assert_eq!(
            line["submission"],
            format!("S-{}", sent.submission),
            "{line}"
        );
        assert!(sent.stores(), "{line}");
        assert_eq!(sizes.iter().flatten().count(), sent.images.len(), "{line}");
        requests.insert(id, sent);
    }
    let successes = all.iter().filter(|sent| sent.is_success()).count();
    let logged = own.iter().filter(|line| line["status"] == 200).count();
    assert_eq!(logged, successes);
    assert_eq!(own.iter().filter(|line| line["ColdStarts"] == 1).count(), 1);
    // Warnings about a request's objects.
    for line in other.iter().filter(|line| line.to_string().contains("/S-")) {
        let id = line["span"]["requestId"].as_str().unwrap();
        let prefix = prefix(requests[id].submission);
        assert!(line.to_string().contains(&prefix), "{line}");
    }
}

#[rstest]
#[case::one_at_a_time(1, 200)]
#[case::eight_at_a_time(8, 600)]
#[case::thirty_two_at_a_time(32, 1_200)]
#[tokio::test]
async fn requests_share_nothing_in_a_process_that_takes(
    #[case] pollers: usize,
    #[case] requests: usize,
) {
    let app = start().await;
    inject_faults(&app);
    // Into a file: nobody reads a pipe meanwhile.
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = over(&app);
    command
        .env(MAX_CONCURRENCY, pollers.to_string())
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .stdout(log.as_file().try_clone().unwrap())
        .stderr(log.as_file().try_clone().unwrap());
    let lambda = Lambda::start(command).await.unwrap();
    let sent = call(requests, async |event, timeout| {
        let outcome = lambda.invoke(event, timeout).await.unwrap().ok()?;
        Some(serde_json::from_slice(&outcome).unwrap())
    });
    let sent = sent.await;
    soon("the clean-up", lambda.idle()).await.unwrap();
    lambda.end().await.unwrap();
    let log = std::fs::read_to_string(log.path()).unwrap();
    check_log(&sent, &log);
    check_stored(&app, &sent, |key| log.contains(key)).await;
}

/// In this process, since nothing makes the binary's handler panic.
#[tokio::test]
async fn a_panic_takes_nothing_from_the_others() {
    let app = start().await;
    inject_faults(&app);
    let dynamodb = app.behind_faults.dynamodb().config().to_builder();
    let s3 = app.behind_faults.s3().config().to_builder();
    let storage = Storage::new(
        app.stack.config.clone(),
        SHORT,
        dynamodb.interceptor(Panics::when(|nth| nth % 30 == 0)),
        s3.interceptor(Panics::when(|nth| nth % 50 == 0)),
    );
    let function = function_over(storage);
    let sent = call(400, async |event, timeout| {
        let invoked = function::invoke(&function, event.as_bytes(), context(timeout)).await;
        Some(invoked.ok()?.response)
    });
    let sent = sent.await;
    check_stored(&app, &sent, |key| !LOG.lines_with(key).is_empty()).await;
}

#[tokio::test]
async fn a_request_waits_for_no_other() {
    let app = start().await;
    let mut command = over(&app);
    command.env(MAX_CONCURRENCY, "2");
    let lambda = Lambda::start(command).await.unwrap();
    lambda.idle().await.unwrap();
    let selfie = |submission, seed| {
        let form = texts(name(submission), submission).without("idType");
        form.with_image("selfieImage", &jpeg(SIZE, seed)).event()
    };
    assert_eq!(answer(&lambda, &selfie(0, 0)).await.row(), SUCCESS);
    // Neither for an upload, nor for a deletion after a response.
    for (operation, seed) in [(PutObject, 1), (DeleteObject, 2)] {
        let gate = app.faults.hold(operation, 1);
        let held = async { answer(&lambda, &selfie(0, seed)).await.row() == SUCCESS };
        let meanwhile = async {
            gate.arrived().await;
            for seed in 0..3 {
                assert_eq!(answer(&lambda, &selfie(1, seed)).await.row(), SUCCESS);
            }
            gate.open();
        };
        let (is_success, ()) = tokio::join!(held, meanwhile);
        assert!(is_success);
    }
    soon("the clean-up", lambda.idle()).await.unwrap();
    assert_eq!(app.objects().await.len(), 2);
}
