//! The binary that Lambda runs.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use lambda_http::tower::util::ThenLayer;
use lambda_http::{Error, Request, service_fn};
use lambda_runtime::layers::TracingLayer;
use put_image::handler::{App, Leftovers};
use put_image::telemetry::logging::{self, LevelFilter};

/// What the request that was just answered leaves to be deleted. Lambda gives a process one request at a time.
static LEFTOVERS: Mutex<Option<Leftovers>> = Mutex::new(None);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logging::init(LevelFilter::INFO);
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let app: &App = Box::leak(Box::new(App::from_env().await?));
    app.warm_up().await;
    let handler = service_fn(async |request: Request| {
        let answer = app.handle(request).await;
        *LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.leftovers);
        Ok::<_, Infallible>(answer.response)
    });
    // Runs once the response is posted: Lambda passes it on while the process cleans up.
    let clean_up = ThenLayer::new(async |posted| {
        let leftovers = LEFTOVERS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(leftovers) = leftovers {
            app.clean_up(leftovers).await;
        }
        posted
    });
    lambda_http::runtime(handler)
        .layer(clean_up)
        .layer(TracingLayer::new())
        .run()
        .await
}
