//! The binary of the local stack.

use std::process::ExitCode;

use clap::Parser as _;
use local::cli::{Cli, Command};
use local::{invoke, serve};
use put_image::telemetry::logging::{self, LevelFilter};

#[tokio::main]
async fn main() -> ExitCode {
    // The gateway's line tells of a request; the function's own is for what went wrong.
    logging::init(LevelFilter::WARN);
    let cli = Cli::parse();
    let result = match cli.command {
        None => serve::run(cli.serve).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Serve(options)) => serve::run(options).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Invoke(options)) => invoke::run(options).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("local: {error}");
        ExitCode::FAILURE
    })
}
