//! The figures as a table.

use std::time::Duration;

use crate::measure::Figures;

/// Prints the figures of both binaries.
pub(crate) fn print(figures: &[Figures]) {
    for f in figures {
        println!(
            "size {:?} init {:?} latency {:?} cpu {:?} small {:?} mem {:?} first_put {:?}",
            f.size, f.init, f.latency, f.cpu, f.small_cpu, f.memory, f.first_put
        );
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
