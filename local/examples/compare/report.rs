//! The figures as tables: what was measured, what was asked for, and what a request costs.

use crate::measure::{Asked, DELAYS, Figures, ms};

/// USD per GB-second of arm64 in us-east-1, and per request (AWS, "Lambda pricing", 2026-11).
const GB_SECOND: f64 = 0.000_013_333_4;
const REQUEST: f64 = 0.000_000_2;
/// Sizes of memory in MB.
const MEMORY: [u32; 5] = [128, 256, 512, 1024, 1769];
/// With this much memory a function has one whole CPU (AWS, "Configure Lambda function memory").
const ONE_CPU: f64 = 1769.0;

/// Prints the figures of each binary; the first is held against what was asked for and against the last.
pub(crate) fn print(binaries: &[(String, Figures)], event_size: usize) {
    let (Some((_, ours)), Some((_, other))) = (binaries.first(), binaries.last()) else {
        return;
    };
    println!("{}, Rust {}\n", cpu_model(), rust_version());
    println!("An event of {event_size} bytes with four images; each time is a median.\n");
    let row = |name: &str, cells: Vec<&str>, asked: &str| {
        println!("| {name} | {} | {asked} |", cells.join(" | "));
    };
    let names = binaries.iter().map(|(name, _)| name.as_str());
    row("", names.collect(), "asked for | ");
    row("---", vec!["---"; binaries.len()], "---|---");
    for (i, (ours, other)) in ours.all.iter().zip(&other.all).enumerate() {
        let shown = binaries.iter().map(|(_, it)| it.all[i].shown.as_str());
        let asked = judge(ours.asked, ours.value, other.value);
        row(&ours.name, shown.collect(), &asked);
    }

    println!(
        "\nWhat a put by a warm process costs: its CPU time over TLS at the memory's share of a CPU, and {} of waiting.\n",
        ms(DELAYS)
    );
    println!(
        "| memory | share of a CPU | billed, largest event | USD a million | billed, one image of 300 KB | USD a million |"
    );
    println!("|---|---|---|---|---|---|");
    for memory in MEMORY {
        let share = (f64::from(memory) / ONE_CPU).min(1.0);
        let cells = ours.cpu.map(|cpu| {
            let billed = (cpu.div_f64(share) + DELAYS).as_secs_f64() * 1e3;
            let usd = f64::from(memory) / 1024.0 * billed.ceil() / 1e3 * GB_SECOND + REQUEST;
            format!("{billed:.0} ms | {:.2}", usd * 1e6)
        });
        println!("| {memory} MB | {share:.2} | {} |", cells.join(" | "));
    }
}

/// What was asked for, what was found, and whether that is met.
fn judge(asked: Asked, ours: f64, other: f64) -> String {
    let (asked, found, is_met) = match asked {
        Asked::Nothing => return " | ".to_owned(),
        Asked::AtMost(limit, of) => (format!("at most {limit} {of}"), ours, ours <= limit),
        Asked::AtMostOther(limit) => {
            let ratio = ours / other;
            (
                format!("at most {limit} x the other's"),
                ratio,
                ratio <= limit,
            )
        }
        Asked::LessThanOther(limit) => {
            let ratio = other / ours;
            (
                format!("at least {limit} x less than the other"),
                ratio,
                ratio >= limit,
            )
        }
    };
    format!(
        "{asked} | {found:.2}, {}",
        if is_met { "met" } else { "NOT met" }
    )
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
