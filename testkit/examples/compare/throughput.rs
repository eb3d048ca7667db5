//! Measures how many requests one process serves, by concurrency.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use local::Error;

use crate::bench::{Bench, CORES, percentile, request};
use crate::peers::Peer;

/// How many requests at a time.
pub(crate) const CONCURRENCY: [usize; 4] = [1, 8, 16, 32];
/// How long each measurement takes, after a tenth of that time to warm up.
const TIME: Duration = Duration::from_secs(4);

/// A number of cores and of requests at a time.
pub(crate) struct Load {
    pub(crate) cores: u32,
    pub(crate) concurrency: usize,
    /// One for each function.
    pub(crate) rates: Vec<Rate>,
}

#[derive(Clone, Copy)]
pub(crate) struct Rate {
    /// Requests a second.
    pub(crate) requests: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// The peak, in KiB.
    pub(crate) memory: u64,
}

pub(crate) async fn measure(bench: &Bench, peers: &[Peer]) -> Result<Vec<Load>, Error> {
    let mut loads = Vec::new();
    for cores in 1..=CORES {
        if bench.quota.is_none() && cores != CORES {
            continue;
        }
        for concurrency in CONCURRENCY {
            eprintln!("throughput on {cores} cores, {concurrency} at a time");
            let mut rates = Vec::new();
            for peer in peers {
                rates.push(run(bench, peer, cores, concurrency).await?);
            }
            loads.push(Load {
                cores,
                concurrency,
                rates,
            });
        }
    }
    Ok(loads)
}

async fn run(bench: &Bench, peer: &Peer, cores: u32, concurrency: usize) -> Result<Rate, Error> {
    let lambda = bench.start(peer, cores, concurrency).await?;
    let callers = |time: Duration| {
        let (lambda, event) = (&lambda, &bench.small);
        let end = Instant::now() + time;
        let callers = (0..concurrency).map(move |_| async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                times.push(request(lambda, event).await?);
            }
            Ok::<_, Error>(times)
        });
        try_join_all(callers)
    };
    callers(TIME / 10).await?;
    let begun = Instant::now();
    let mut times = callers(TIME).await?.concat();
    let elapsed = begun.elapsed();
    #[allow(clippy::cast_precision_loss, reason = "thousands")]
    let rate = Rate {
        requests: times.len() as f64 / elapsed.as_secs_f64(),
        p50: percentile(&mut times, 50),
        p99: percentile(&mut times, 99),
        memory: lambda.memory("VmHWM").unwrap_or_default(),
    };
    lambda.end().await?;
    Ok(rate)
}
