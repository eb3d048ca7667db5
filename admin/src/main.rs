//! The binary of the operator's commands.

use std::process::ExitCode;

use admin::cli::{Cli, Command, complete};
use admin::{Error, Records, terminal};
use clap::Parser as _;
use put_image::config::Config;
use put_image::storage;

const NAME: &str = "admin";

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse() {
        Cli::Completions { shell } => complete::<Cli>(shell, NAME),
        Cli::Records(command) => run(command).await,
    };
    result.unwrap_or_else(|error| terminal::fail(NAME, &error))
}

async fn run(command: Command) -> Result<ExitCode, Error> {
    let config = Config::from_env()?;
    let sdk = storage::sdk_config().await;
    let gateway = aws_sdk_apigateway::Client::new(&sdk);
    admin::run(command, &Records::new(&sdk, config), Some(gateway)).await
}
