//! The binary of the administrator's commands.

use std::process::ExitCode;

use admin::Error;
use admin::cli::Cli;
use admin::commands::Session;
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => admin::fail("admin", &error),
    }
}

async fn run(cli: Cli) -> Result<(), Error> {
    Session::from_env().await?.run(cli.command).await
}
