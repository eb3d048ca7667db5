//! The binary that Lambda runs.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use put_image::config::Config;
use put_image::event::Event;
use put_image::function::Function;
use put_image::logging;
use put_image::runtime::CleanUp;
use put_image::storage::Storage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logging::init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let storage = Storage::from_env(Config::from_env()?).await;
    let function = Arc::new(Function::new(storage));
    let handler = service_fn(|event: LambdaEvent<Event>| {
        let function = Arc::clone(&function);
        async move { Ok::<_, Error>(function.handle(event).await) }
    });
    Runtime::new(handler).layer(CleanUp(Arc::clone(&function))).run().await
}
