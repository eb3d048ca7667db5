//! The figures as Markdown: the tables of `BENCHMARKS.md`, and whether its goals are met.

use std::process::Command;
use std::time::Duration;

use crate::bench::Costs;
use crate::peers::Peer;
use crate::storage::DELAYS;
use crate::throughput::{Load, Rate};
use crate::waits::{Case, Waits};

/// USD per GB-second of arm64 in us-east-1, and per million requests (AWS, "Lambda pricing", 2026-11).
const GB_SECOND: f64 = 0.000_013_333_4;
const MILLION: f64 = 0.20;
/// USD per hour of the least that Lambda Managed Instances run: one c8g.large in each of three availability zones, with
/// 15 % for their management (AWS, "Lambda pricing" and "Amazon EC2 On-Demand pricing", us-east-1, 2026-11).
const MANAGED_HOUR: f64 = 3.0 * 0.079_76 * 1.15;

/// Prints the waits, and what a million of the later requests cost.
pub(crate) fn waits(peers: &[Peer], cases: &[Case]) {
    let names: Vec<_> = peers.iter().map(|peer| peer.name.as_str()).collect();
    println!(
        "| {}, ms | first request | later ones, p50 | p99 | USD a million |",
        names.join(" / ")
    );
    println!("|---|---|---|---|---|");
    for case in cases {
        let each =
            |wait: fn(&Waits) -> Duration| list(case.waits.iter().map(|it| whole_ms(wait(it))));
        let usd = case.waits.iter().map(|it| usd(case.memory, it.p50));
        println!(
            "| {} | {} | {} | {} | {} |",
            case.name(),
            each(|it| it.first),
            each(|it| it.p50),
            each(|it| it.p99),
            list(usd.map(|usd| format!("{usd:.2}"))),
        );
    }
    let case = |is_large| {
        let at_512 = |case: &&Case| case.memory == 512 && case.is_large == is_large;
        Some(cases.iter().find(at_512)?.waits.as_slice())
    };
    let (Some([large, other, ..]), Some([small, small_other, ..])) = (case(true), case(false))
    else {
        return;
    };
    println!("\nGoals at 512 MB:\n");
    goal(
        "the largest event takes at most 0.6 x the straightforward function's wait",
        ratio(large.p50, other.p50),
        ..=0.6,
    );
    goal(
        "its first request takes at most 1.4 x a later one",
        ratio(large.first, large.p50),
        ..=1.4,
    );
    goal(
        "the first request with 300 KB takes at most 0.4 x the straightforward function's",
        ratio(small.first, small_other.first),
        ..=0.4,
    );
    goal(
        "a later one takes at most 1.1 x the 30 ms that must be waited",
        ratio(small.p50, DELAYS),
        ..=1.1,
    );
    println!();
}

/// Prints what each function takes.
pub(crate) fn costs(peers: &[Peer], costs: &[Costs]) {
    let row = |name: &str, cell: &dyn Fn(&Costs) -> String| {
        println!(
            "| {name} | {} |",
            costs.iter().map(cell).collect::<Vec<_>>().join(" | ")
        );
    };
    let names: Vec<_> = peers.iter().map(|peer| peer.name.as_str()).collect();
    println!(
        "| | {} |\n|---{}|",
        names.join(" | "),
        "|---".repeat(names.len())
    );
    row("init, process start to first poll", &|it| {
        format!("{} ms", whole_ms(it.init))
    });
    row("CPU, largest event", &|it| {
        format!("{:.1} ms", ms(it.cpu[0]))
    });
    row("CPU, one image of 300 KB", &|it| {
        format!("{:.1} ms", ms(it.cpu[1]))
    });
    row("resident before the first event", &|it| {
        format!("{:.1} MB", mb(it.memory[0]))
    });
    row("peak of 101 largest events", &|it| {
        format!("{:.1} MB", mb(it.memory[1]))
    });
    #[allow(clippy::cast_precision_loss, reason = "sizes in MB")]
    row("package, and compressed", &|it| {
        let [size, compressed] = it.package.map(|size| size as f64 / 1e6);
        format!("{size:.1} MB, {compressed:.1} MB")
    });
    println!();
}

/// Prints what one process serves.
pub(crate) fn throughput(peers: &[Peer], loads: &[Load]) {
    let names: Vec<_> = peers.iter().map(|peer| peer.name.as_str()).collect();
    println!(
        "| {} | requests a second | p50, ms | p99, ms | memory, MB |\n|---|---|---|---|---|",
        names.join(" / ")
    );
    for load in loads {
        let each = |cell: fn(&Rate) -> String| list(load.rates.iter().map(cell));
        println!(
            "| {}, {} at a time | {} | {} | {} | {} |",
            cores(load.cores),
            load.concurrency,
            each(|it| format!("{:.0}", it.requests)),
            each(|it| whole_ms(it.p50)),
            each(|it| whole_ms(it.p99)),
            each(|it| format!("{:.0}", mb(it.memory))),
        );
    }
    let at = |concurrency| {
        let on_two = |load: &&Load| load.cores == 2 && load.concurrency == concurrency;
        loads.iter().find(on_two)?.rates.first()
    };
    if let (Some(one), Some(sixteen)) = (at(1), at(16)) {
        println!("\nGoals on two cores:\n");
        goal(
            "16 at a time serve at least 10 x as many as one",
            sixteen.requests / one.requests,
            10.0..,
        );
        goal(
            "their p99 is at most 2 x their p50",
            ratio(sixteen.p99, sixteen.p50),
            ..=2.0,
        );
        let (classic, managed) = (usd(512, one.p50), MANAGED_HOUR / 3600.0 * 1e6);
        println!(
            "\nA million of them cost {classic:.2} USD at 512 MB, or {MILLION:.2} + {managed:.1} / (requests a second) USD with managed instances: less from {:.0} requests a second on.",
            managed / (classic - MILLION)
        );
    }
    println!();
}

fn goal(what: &str, found: f64, allowed: impl std::ops::RangeBounds<f64>) {
    let is_met = if allowed.contains(&found) {
        "met"
    } else {
        "missed"
    };
    println!("- {what}: {is_met}, {found:.2}.");
}

/// What a million requests that take this long cost.
fn usd(memory: u32, wait: Duration) -> f64 {
    let billed = ms(wait).ceil() / 1e3;
    f64::from(memory) / 1024.0 * billed * GB_SECOND * 1e6 + MILLION
}

impl Case {
    pub(crate) fn name(&self) -> String {
        let event = if self.is_large {
            "largest event"
        } else {
            "one image of 300 KB"
        };
        format!("{} MB, {event}", self.memory)
    }
}

pub(crate) fn cores(cores: u32) -> String {
    format!("{cores} core{}", if cores == 1 { "" } else { "s" })
}

fn list(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(" / ")
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// Returns a time in milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn whole_ms(time: Duration) -> String {
    format!("{:.0}", ms(time))
}

#[allow(clippy::cast_precision_loss, reason = "sizes in MB")]
fn mb(kib: u64) -> f64 {
    (kib * 1024) as f64 / 1e6
}

/// Returns where and when this was measured, and with which versions.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let run = |program, argument| {
        let output = Command::new(program).arg(argument).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        text.unwrap_or_default().trim().to_owned()
    };
    let rust = run("rustc", "--version");
    let rust = rust.split(' ').nth(1).unwrap_or("unknown");
    format!(
        "Measured on {} on {model}, {cores} cores, Rust {rust}, Node {}.",
        run("date", "+%F"),
        run("node", "--version"),
    )
}
