//! Random schedules of puts to a few submissions by several clients, with faults on the wire, held against
//! a model of what may come of them.
//!
//! A schedule (who puts what, which call of an operation is hit by which fault) follows from its seed;
//! how the calls interleave is the machine's. `MODEL_SEED=7 cargo test --test api model -- --nocapture`
//! runs one schedule again, `MODEL_RUNS=100` runs more of them than the default.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::future::join_all;
use local::faults::{End, Fault, Operation, When, unit};
use sha2::{Digest, Sha256};

use crate::helpers::*;
use local::images;

const RUNS: u64 = 6;
const CLIENTS: usize = 4;
const PUTS_PER_CLIENT: usize = 50;
const FIELDS: [&str; 4] = ["idImage", "idBackImage", "selfieImage", "addressImage"];
const SUBMISSIONS: [&str; 2] = ["demo-submission", "second-submission"];

/// Each of these hits this share of its operation's calls.
const SHARE: f64 = 0.02;
const FAULTS: [(Operation, bool, End); 14] = [
    (
        Operation::Query,
        false,
        End::Error(400, "ThrottlingException"),
    ),
    (
        Operation::GetItem,
        false,
        End::Error(400, "AccessDeniedException"),
    ),
    (Operation::GetItem, false, End::Cut),
    (
        Operation::UpdateItem,
        false,
        End::Error(400, "ThrottlingException"),
    ),
    (
        Operation::UpdateItem,
        false,
        End::Error(500, "InternalServerError"),
    ),
    (Operation::UpdateItem, false, End::Cut),
    (
        Operation::UpdateItem,
        true,
        End::Error(500, "InternalServerError"),
    ),
    (Operation::UpdateItem, true, End::Cut),
    (Operation::PutObject, false, End::Error(403, "AccessDenied")),
    (Operation::PutObject, false, End::Error(503, "SlowDown")),
    (Operation::PutObject, true, End::Cut),
    (Operation::PutObject, true, End::Error(500, "InternalError")),
    (
        Operation::DeleteObject,
        false,
        End::Error(403, "AccessDenied"),
    ),
    (Operation::DeleteObject, true, End::Cut),
];

/// A put that was made.
#[derive(Debug)]
struct Put {
    submission: &'static str,
    fields: Vec<usize>,
    succeeded: bool,
    /// Places of its start and its end in the order of all starts and ends.
    start: usize,
    end: usize,
}

#[derive(Debug, Default)]
struct Counts {
    puts: usize,
    succeeded: usize,
    failed: usize,
    refused: usize,
    calls: usize,
    faults: usize,
    left_over: usize,
}

#[tokio::test]
async fn random_schedules_lose_and_mix_nothing() {
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse::<u64>().unwrap())
    };
    let seeds = variable("MODEL_SEED").map_or(0..variable("MODEL_RUNS").unwrap_or(RUNS), |seed| {
        seed..seed + 1
    });
    let mut total = Counts::default();
    for seed in seeds {
        run(seed, &mut total).await;
    }
    println!("{total:?}");
    assert!(
        total.succeeded > 0 && total.failed > 0 && total.faults > 0,
        "{total:?}"
    );
}

async fn run(seed: u64, total: &mut Counts) {
    let app = App::start_with(SHORT, seed).await;
    for (operation, takes_effect, end) in FAULTS {
        app.faults.inject(Fault {
            operation,
            when: When::Share(SHARE),
            takes_effect,
            end,
        });
    }
    let (puts, clock) = (RefCell::new(Vec::new()), Cell::new(0));
    let tick = || clock.replace(clock.get() + 1);
    let made_by = RefCell::new(HashMap::new());
    let clients = (0..CLIENTS).map(|client| {
        let (app, puts, tick, made_by) = (&app, &puts, &tick, &made_by);
        let mut random = seed.wrapping_mul(1000).wrapping_add(client as u64);
        async move {
            for i in 0..PUTS_PER_CLIENT {
                let id = client * PUTS_PER_CLIENT + i;
                let mut chance = |probability: f64| unit(&mut random) < probability;
                let submission = SUBMISSIONS[usize::from(chance(0.3))];
                let mut fields: Vec<usize> = (0..4).filter(|_| chance(0.6)).collect();
                if fields.is_empty() {
                    fields.push(id % 4);
                }
                let spoilt = chance(0.05);
                let mut form = Form::texts().with("submissionId", submission);
                for &field in &fields {
                    let image = images::png(200, (seed * 10_000 + id as u64) * 4 + field as u64);
                    made_by
                        .borrow_mut()
                        .insert(hex::encode(Sha256::digest(&image)), (id, field));
                    form = form.with_image(FIELDS[field], &image);
                }
                if spoilt {
                    form = form.with(FIELDS[fields[0]], "aGVsbG8=");
                }
                let start = tick();
                let answer = app.put(&form).await;
                let expected: &[Row] = if spoilt {
                    &[INVALID_PAYLOAD]
                } else {
                    &[SUCCESS, PROCESSING_ERROR]
                };
                assert!(answer.is(expected), "seed {seed}, put {id}: {answer:?}");
                let put = Put {
                    submission,
                    fields,
                    succeeded: answer.status == 200,
                    start,
                    end: tick(),
                };
                puts.borrow_mut().push((id, (put, answer.status)));
            }
        }
    });
    join_all(clients).await;
    app.faults.clear();

    let answered: BTreeMap<usize, (Put, u16)> = puts.into_inner().into_iter().collect();
    let count = |status: u16| {
        answered
            .values()
            .filter(|(_, answer)| *answer == status)
            .count()
    };
    total.puts += answered.len();
    total.succeeded += count(200);
    total.refused += count(400);
    total.failed += count(500);
    let puts = answered
        .into_iter()
        .map(|(id, (put, _))| (id, put))
        .collect();
    total.calls += app.faults.calls().len();
    total.faults += app.faults.hits().len();
    total.left_over += check(&app, seed, &puts, &made_by.into_inner()).await;
}

/// Checks what is stored after a run; returns the number of objects that no record names.
async fn check(
    app: &App,
    seed: u64,
    puts: &BTreeMap<usize, Put>,
    made_by: &HashMap<String, (usize, usize)>,
) -> usize {
    let objects = app.objects().await;
    let mut named = BTreeSet::new();
    for submission in SUBMISSIONS {
        let record = app.record(submission).await;
        let mut shown = BTreeMap::new();
        for (index, field) in FIELDS.iter().enumerate() {
            let Some(image) = record.get(*field) else {
                continue;
            };
            let key = image["key"].as_str().unwrap();
            let object = objects
                .get(key)
                .unwrap_or_else(|| panic!("seed {seed}: {key} is named and gone"));
            let sha256 = hex::encode(Sha256::digest(object));
            assert_eq!(image["sha256"], sha256, "seed {seed}: {key}");
            assert_eq!(image["size"], object.len(), "seed {seed}: {key}");
            assert_eq!(image["contentType"], "image/png", "seed {seed}: {key}");
            let (put, of_field) = made_by[&sha256];
            assert_eq!(
                (puts[&put].submission, of_field),
                (submission, index),
                "seed {seed}: {key}"
            );
            named.insert(key.to_owned());
            shown.insert(index, put);
        }
        assert_serial(seed, submission, puts, &shown);
    }
    let hits = app.faults.hits();
    let left_over: Vec<&String> = objects.keys().filter(|key| !named.contains(*key)).collect();
    for key in &left_over {
        let explained = hits.iter().any(|hit| hit.call.contains(key.as_str()));
        assert!(explained, "seed {seed}: {key} is left over without a fault");
    }
    left_over.len()
}

/// Asserts that the record is what the puts leave when they come one after the other in some order: one
/// in which each put whose image is shown comes after all others with that field, and each after those
/// that had succeeded before it began.
fn assert_serial(
    seed: u64,
    submission: &str,
    puts: &BTreeMap<usize, Put>,
    shown: &BTreeMap<usize, usize>,
) {
    let committed: BTreeSet<usize> = puts
        .iter()
        .filter(|(id, put)| {
            put.submission == submission
                && (put.succeeded || shown.values().any(|shown| shown == *id))
        })
        .map(|(id, _)| *id)
        .collect();
    for (field, name) in FIELDS.iter().enumerate() {
        let anybody = committed.iter().any(|id| puts[id].fields.contains(&field));
        assert_eq!(
            shown.contains_key(&field),
            anybody,
            "seed {seed}: {submission}'s {name} is lost"
        );
    }
    let before = |first: usize, second: usize| {
        let overwritten = puts[&first]
            .fields
            .iter()
            .any(|field| shown.get(field) == Some(&second));
        let in_time = puts[&first].succeeded && puts[&first].end < puts[&second].start;
        first != second && (overwritten || in_time)
    };
    // Takes away, again and again, what nothing left has to come before.
    let mut left = committed;
    while let Some(&first) = left
        .iter()
        .find(|second| !left.iter().any(|first| before(*first, **second)))
    {
        left.remove(&first);
    }
    assert!(
        left.is_empty(),
        "seed {seed}: {submission} mixes the puts {left:?}: {shown:?}"
    );
}
