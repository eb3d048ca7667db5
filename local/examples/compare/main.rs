//! The whole process, measured: builds the function and the straightforward one beside it, runs both under
//! Lambda's Runtime API over the same storage, and prints the figures, their ratios, and whether each is
//! what was asked for. A run takes three minutes; to build both takes some ten before the first.
//!
//! ```sh
//! cargo run --profile bench --example compare                  # these two
//! cargo run --profile bench --example compare -- BINARY...     # others, against the last
//! ```

mod measure;
mod report;
mod tls;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use local::Error;

use crate::measure::Bench;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let given: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let binaries = if given.is_empty() {
        build_both()?
    } else {
        given
    };
    let bench = Bench::new().await?;
    let mut figures = Vec::new();
    for binary in &binaries {
        let name = binary.file_name().unwrap_or_default().to_string_lossy();
        figures.push((name.into_owned(), bench.measure(binary).await?));
    }
    report::print(&figures, bench.large.len());
    Ok(())
}

/// Ours, and the one that it is measured against.
fn build_both() -> Result<Vec<PathBuf>, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    let straightforward = root.join("benches/straightforward");
    Ok(vec![
        build(&root, &["--package", "put-image"], "put-image")?,
        build(&straightforward, &[], "straightforward")?,
    ])
}

/// Builds a binary of a workspace in the release profile. Returns its path.
fn build(workspace: &Path, options: &[&str], name: &str) -> Result<PathBuf, Error> {
    let mut cargo = Command::new("cargo");
    // What cargo told this program of its own package would make it build others anew.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_"))
    {
        if name != "CARGO_HOME" {
            cargo.env_remove(name);
        }
    }
    let status = cargo
        .args(["build", "--release", "--locked", "--bin", name])
        .args(options)
        .current_dir(workspace)
        .status()?;
    if !status.success() {
        return Err(format!("can't build {name}").into());
    }
    Ok(workspace.join("target/release").join(name))
}
