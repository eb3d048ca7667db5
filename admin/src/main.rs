//! The binary of the operator's commands.

use std::process::ExitCode;

use admin::cli::{Cli, Command};
use admin::{Error, Records, commands};
use clap::Parser as _;
use put_image::config::Config;
use put_image::storage;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => admin::fail("admin", &error),
    }
}

async fn run(command: Command) -> Result<(), Error> {
    let config = Config::from_env()?;
    let sdk = storage::sdk_config().await;
    let gateway = aws_sdk_apigateway::Client::new(&sdk);
    commands::run(command, &Records::new(&sdk, config), Some(gateway)).await
}
