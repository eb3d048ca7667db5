//! The binary of the local stack.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use admin::{cli, terminal};
use local::cli::{Cli, Command};
use local::stack::Stack;
use local::{Error, invoke, serve};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main]
async fn main() -> ExitCode {
    // The gateway prints a line for each request, so the function logs only what went wrong. The servers are silent: they
    // would report every response that is not a success.
    let ours = Targets::new().with_target("put_image", LevelFilter::WARN);
    let layer = tracing_subscriber::fmt::layer()
        .without_time()
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .init();
    let Cli {
        command,
        serve,
        data,
    } = Cli::read();
    let result = match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(options) => serve::run(options, data).await.map(|()| ExitCode::SUCCESS),
        Command::Invoke { event, fresh } => invoke::run(&event, fresh, &data).await,
        Command::Show { id, show } => {
            let show = cli::SubmissionCommand::Show { id, show };
            administer(&data, cli::Command::Submission(show)).await
        }
        Command::Admin(command) => administer(&data, command).await,
        Command::Completions { shell } => cli::complete::<Cli>(shell, "local"),
    };
    result.unwrap_or_else(|error| terminal::fail("local", &error))
}

/// Runs a command of `admin` on the stack.
async fn administer(data: &Path, command: cli::Command) -> Result<ExitCode, Error> {
    let stack = Stack::open(data, false).await?;
    let records = stack.endpoints.records(stack.config.clone());
    let result = admin::run(command, &records, None).await;
    // In the wrong folder there are other records, so the error names the folder. A closed pipe is not reported.
    result.map_err(|error| {
        if error.is::<io::Error>() {
            return error;
        }
        format!("{error} (data folder: {})", data.display()).into()
    })
}
