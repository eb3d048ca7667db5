//! The binary of the local stack.

use std::process::ExitCode;

use clap::Parser as _;
use local::cli::{Cli, Command};
use local::{invoke, serve};

#[tokio::main]
async fn main() -> ExitCode {
    put_image::logging::init();
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
