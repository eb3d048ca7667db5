//! The binary of the local stack.

use std::io::Write as _;
use std::process::ExitCode;

use admin::cli;
use admin::commands::Session;
use clap::Parser as _;
use local::cli::{Admin, Cli, Command, Data, Show};
use local::stack::Stack;
use local::{Error, invoke, serve};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main]
async fn main() -> ExitCode {
    // The gateway's line tells of a request; the function's own is for what went wrong. The servers have lines, too, for
    // each answer that is not a success.
    let ours = Targets::new().with_target("put_image", LevelFilter::WARN);
    let layer = tracing_subscriber::fmt::layer()
        .without_time()
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .init();
    let cli = Cli::parse();
    let result = match cli.command {
        None => serve::run(cli.serve).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Serve(options)) => serve::run(options).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Invoke(options)) => invoke::run(options).await,
        Some(Command::Show(Show { id, save, data })) => {
            let show = cli::Submission::Show { id, save };
            administer(&data, cli::Command::Submission(show)).await
        }
        Some(Command::Admin(Admin { data, command })) => administer(&data, command).await,
    };
    result.unwrap_or_else(|error| {
        // That nobody reads it is no error.
        let _ = writeln!(std::io::stderr(), "local: {error}");
        ExitCode::FAILURE
    })
}

/// Runs a command of `admin` on the stack.
async fn administer(data: &Data, command: cli::Command) -> Result<ExitCode, Error> {
    let stack = Stack::open(&data.folder, false).await?;
    let session = Session {
        records: stack.endpoints.records(stack.config.clone()),
        gateway: None,
    };
    Ok(admin::exit_code(session.run(command).await))
}
