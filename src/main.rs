//! The binary that Lambda runs.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io;
use std::process::ExitCode;

use put_image::config::Config;
use put_image::function::Function;
use put_image::logging::LevelFilter;
use put_image::metrics::Metrics;
use put_image::storage::Storage;
use put_image::{logging, memory, runtime};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    memory::keep();
    logging::init(LevelFilter::INFO);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let storage = Storage::from_env(Config::from_env()?).await;
    if let Err(error) = storage.warm_up().await {
        tracing::warn!(%error, "not warmed up");
    }
    runtime::run(&Function::new(storage).with_metrics(Metrics::from_env(io::stdout()))).await
}
