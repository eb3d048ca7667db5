//! The binary that Lambda runs.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use lambda_http::tower::util::ThenLayer;
use lambda_http::{Error, Request, service_fn};
use lambda_runtime::Runtime;
use lambda_runtime::layers::TracingLayer;
use put_image::event;
use put_image::handler::{App, Leftovers};
use put_image::telemetry::logging::{self, LevelFilter};

/// What the request that was just answered leaves to be deleted. Lambda gives a process one request at a time.
static LEFTOVERS: Mutex<Option<Leftovers>> = Mutex::new(None);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Once a buffer just below glibc's highest threshold was freed, glibc stops mapping each large buffer anew, which
    // costs a request as much in page faults as all its other work (mallopt(3), M_MMAP_THRESHOLD). Untouched, it takes
    // no memory.
    drop(black_box(Vec::<u8>::with_capacity((32 << 20) - (64 << 10))));
    logging::init(LevelFilter::INFO);
    tracing::info!(version = put_image::VERSION, "started");
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
    Runtime::new(event::service(handler))
        .layer(clean_up)
        .layer(TracingLayer::new())
        .run()
        .await
}
