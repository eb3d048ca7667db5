//! What a caller waits and what an account pays: alternates between the function, the straightforward one and the one
//! in Node, under Lambda's Runtime API, with Lambda's share of a CPU, over a storage with fixed delays. Prints the
//! tables as Markdown and draws them into `docs`. A run takes six minutes, after about ten minutes to build both
//! functions.
//!
//! ```sh
//! cargo run --profile bench --example compare                  # these three
//! cargo run --profile bench --example compare -- throughput    # only a part: check, waits, costs, throughput
//! cargo run --profile bench --example compare -- BINARY...     # others, or scripts for Node; draws nothing
//! ```

mod bench;
mod chart;
mod peers;
mod quota;
mod report;
mod storage;
mod throughput;
mod waits;

use std::env;
use std::path::Path;

use local::Error;

use crate::bench::Bench;
use crate::peers::{Peer, ROOT};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (parts, paths): (Vec<_>, Vec<_>) = env::args()
        .skip(1)
        .partition(|argument| ["check", "waits", "costs", "throughput"].contains(&&**argument));
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|it| it == part);
    let draws = paths.is_empty();
    let peers = if draws {
        peers::build()?
    } else {
        let peers = paths
            .iter()
            .map(|path| Peer::new(Path::new(path).canonicalize()?));
        peers.collect::<Result<_, _>>()?
    };
    let bench = Bench::new().await?;
    for peer in &peers {
        bench.check(peer).await?;
    }
    println!("{}\n", report::machine());
    if is_wanted("waits") {
        let waits = waits::measure(&bench, &peers).await?;
        report::waits(&peers, &waits);
        if draws {
            chart::waits(&format!("{ROOT}/docs/waits.svg"), &peers, &waits)?;
        }
    }
    if is_wanted("costs") {
        report::costs(&peers, &bench.costs(&peers).await?);
    }
    if is_wanted("throughput") {
        // Node has one thread for JavaScript, whatever the concurrency.
        let rust = &peers[..peers.len().min(2)];
        let rates = throughput::measure(&bench, rust).await?;
        report::throughput(rust, &rates);
        if draws {
            chart::throughput(&format!("{ROOT}/docs/throughput.svg"), rust, &rates)?;
        }
    }
    Ok(())
}
