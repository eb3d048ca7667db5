//! The binary of the administrator's commands.

use std::process::ExitCode;

use admin::cli::Cli;
use admin::commands::Session;
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let result = async { Session::from_env().await?.run(command).await };
    admin::exit_code(result.await)
}
