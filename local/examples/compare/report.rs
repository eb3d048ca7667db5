//! The figures as tables: what was measured, what was asked for, and what a request costs.

#![allow(clippy::cast_precision_loss, reason = "sizes in MB")]

use std::borrow::Cow;
use std::time::Duration;

use crate::measure::{DYNAMODB_DELAY, Figures, S3_DELAY};

/// USD per GB-second of arm64 in us-east-1, and per request (AWS, "Lambda pricing", 2026-11).
const GB_SECOND: f64 = 0.000_013_333_4;
const REQUEST: f64 = 0.000_000_2;
/// The share of the requests, but for one a second, that X-Ray samples (AWS, "Configuring sampling rules", default).
const SAMPLED: f64 = 0.05;
/// Sizes of memory in MB.
const MEMORY: [u32; 5] = [128, 256, 512, 1024, 1769];
/// With this much memory a function has one whole CPU (AWS, "Configure Lambda function memory").
const ONE_CPU: f64 = 1769.0;

/// Prints the figures of each binary; the first is held against what was asked for and against the last.
pub(crate) fn print(figures: &[(Cow<'_, str>, Figures)], event_size: usize) {
    let (Some((_, ours)), Some((_, other))) = (figures.first(), figures.last()) else {
        return;
    };
    println!("{}, Rust {}\n", cpu_model(), rust_version());
    println!("An event of {event_size} bytes with four images; each time is a median.\n");
    let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_ref()).collect();
    println!(
        "| | {} | asked for | |\n|---|{}---|---|",
        names.join(" | "),
        "---|".repeat(names.len())
    );

    let row = |name: &str, show: &dyn Fn(&Figures) -> String, asked: String| {
        let cells: Vec<String> = figures.iter().map(|(_, figures)| show(figures)).collect();
        println!("| {name} | {} | {asked} |", cells.join(" | "));
    };
    let none = || " | ".to_owned();
    for (i, over) in ["HTTP", "TLS"].into_iter().enumerate() {
        let init = at_most(ratio(ours.init[i], other.init[i]), 1.5, "x the other's");
        row(
            &format!("init, process start to first poll, {over}"),
            &|f| ms(f.init[i]),
            init,
        );
        let show = |f: &Figures| format!("{} / {}", ms(f.latency[i].0), ms(f.latency[i].1));
        // Lambda's storage is behind TLS: that is where the first request has to be like a later one.
        let first = ratio(ours.latency[i].0, ours.latency[i].1);
        let first = if over == "TLS" {
            at_most(first, 1.25, "x a later one")
        } else {
            none()
        };
        row(&format!("first request / later ones, {over}"), &show, first);
        let less = ratio(other.cpu[i], ours.cpu[i]);
        row(
            &format!("CPU a request, {over}"),
            &|f| ms(f.cpu[i]),
            at_least(less, 2.5, "less than the other"),
        );
    }
    row(
        "CPU a request, not sampled / sampled by X-Ray, HTTP",
        &|f| format!("{} / {}", ms(f.traced_cpu.0), ms(f.traced_cpu.1)),
        {
            let more = ratio(ours.traced_cpu.1, ours.traced_cpu.0) - 1.0;
            at_most(
                1.0 + SAMPLED * more,
                1.02,
                "x one that isn't sampled, on the average",
            )
        },
    );
    row(
        "CPU a request with one image of 300 KB",
        &|f| ms(f.small_cpu),
        at_least(
            ratio(other.small_cpu, ours.small_cpu),
            1.7,
            "less than the other",
        ),
    );
    row("resident when idle", &|f| mb(f.memory[0]), none());
    row("peak of the first event", &|f| mb(f.memory[1]), none());
    row(
        "peak of 101 such events",
        &|f| mb(f.memory[2]),
        at_most(ours.memory[2] as f64 / 1e6, 45.0, "MB"),
    );
    row("first put", &|f| ms(f.first_put.0), none());
    let delays = 2 * DYNAMODB_DELAY + S3_DELAY;
    let added = |f: &Figures| f.first_put.1.saturating_sub(f.first_put.0);
    row(
        &format!(
            "first put with {} added to each DynamoDB call, {} to each S3 call",
            ms(DYNAMODB_DELAY),
            ms(S3_DELAY)
        ),
        &|f| format!("{} (+ {})", ms(f.first_put.1), ms(added(f))),
        at_most(
            ratio(added(ours), delays),
            1.1,
            &format!("x {} more", ms(delays)),
        ),
    );
    row(
        "binary",
        &|f| mb(f.size.0 as u64),
        at_most(ours.size.0 as f64 / 1e6, 8.0, "MB"),
    );
    row(
        "compressed",
        &|f| mb(f.size.1 as u64),
        at_most(ours.size.1 as f64 / 1e6, 3.8, "MB"),
    );

    println!(
        "\nWhat a first put costs: its CPU time over TLS at the memory's share of a CPU, and {} of waiting.\n",
        ms(delays)
    );
    println!(
        "| memory | share of a CPU | billed, largest event | USD a million | billed, one image of 300 KB | USD a million |"
    );
    println!("|---|---|---|---|---|---|");
    for memory in MEMORY {
        let share = (f64::from(memory) / ONE_CPU).min(1.0);
        let cells = [ours.cpu[1], ours.small_cpu].map(|cpu| {
            let billed = (cpu.div_f64(share) + delays).as_secs_f64() * 1e3;
            let usd = f64::from(memory) / 1024.0 * billed.ceil() / 1e3 * GB_SECOND + REQUEST;
            format!("{billed:.0} ms | {:.2}", usd * 1e6)
        });
        println!("| {memory} MB | {share:.2} | {} |", cells.join(" | "));
    }
}

fn at_most(found: f64, limit: f64, of: &str) -> String {
    format!(
        "at most {limit} {of} | {found:.2}, {}",
        if found <= limit { "met" } else { "NOT met" }
    )
}

fn at_least(found: f64, limit: f64, of: &str) -> String {
    format!(
        "at least {limit} x {of} | {found:.2}, {}",
        if found >= limit { "met" } else { "NOT met" }
    )
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}, {cores} cores",
        model.map_or("unknown CPU", |(_, model)| model)
    )
}

fn rust_version() -> String {
    let output = std::process::Command::new("rustc")
        .arg("--version")
        .output()
        .map(|output| output.stdout);
    let text = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    text.split(' ').nth(1).unwrap_or("unknown").to_owned()
}
