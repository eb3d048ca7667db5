//! Measures how long a caller waits, for the first request of a process and for later ones.

use std::time::{Duration, Instant};

use local::Error;
use tokio::time::sleep;

use crate::bench::{Bench, CORES, percentile, request};
use crate::peers::Peer;
use crate::quota::PERIOD;

/// Sizes of memory in MB.
const MEMORY: [u32; 3] = [128, 512, 1769];
/// With this much memory a function has one whole CPU (AWS, "Configure Lambda function memory").
const ONE_CPU: u32 = 1769;
/// How often each function is started, in alternation.
const RUNS: usize = 5;
/// How many later requests a started function gets: as many as the time allows.
const LATER: std::ops::RangeInclusive<usize> = 5..=40;
const TIME: Duration = Duration::from_millis(1500);

/// An event at one memory size.
pub(crate) struct Case {
    pub(crate) memory: u32,
    pub(crate) is_large: bool,
    /// One for each function.
    pub(crate) waits: Vec<Waits>,
}

#[derive(Clone, Copy)]
pub(crate) struct Waits {
    /// The median of all runs.
    pub(crate) first: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

pub(crate) async fn measure(bench: &Bench, peers: &[Peer]) -> Result<Vec<Case>, Error> {
    let mut cases = Vec::new();
    for memory in MEMORY {
        if bench.quota.is_none() && memory != ONE_CPU {
            continue;
        }
        for is_large in [true, false] {
            eprintln!("waits at {memory} MB");
            let mut first = vec![Vec::new(); peers.len()];
            let mut later = first.clone();
            for _ in 0..RUNS {
                for (i, peer) in peers.iter().enumerate() {
                    let mut times = run(bench, peer, memory, is_large).await?;
                    first[i].push(times.remove(0));
                    later[i].extend(times);
                }
            }
            let waits = first
                .iter_mut()
                .zip(&mut later)
                .map(|(first, later)| Waits {
                    first: percentile(first, 50),
                    p50: percentile(later, 50),
                    p99: percentile(later, 99),
                });
            cases.push(Case {
                memory,
                is_large,
                waits: waits.collect(),
            });
        }
    }
    Ok(cases)
}

/// Starts a function with a whole CPU, as Lambda does, and sends requests to it with its memory's share of one.
async fn run(
    bench: &Bench,
    peer: &Peer,
    memory: u32,
    is_large: bool,
) -> Result<Vec<Duration>, Error> {
    let lambda = bench.start(peer, CORES, 1).await?;
    if let Some(quota) = &bench.quota {
        quota.set(f64::from(memory) / f64::from(ONE_CPU))?;
    }
    let event = if is_large { &bench.large } else { &bench.small };
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() <= *LATER.start() || (begun.elapsed() < TIME && times.len() <= *LATER.end()) {
        // A request finds a quota that nobody has used.
        lambda.idle().await?;
        sleep(PERIOD).await;
        times.push(request(&lambda, event).await?);
    }
    lambda.end().await?;
    Ok(times)
}
