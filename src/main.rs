//! The binary that Lambda runs.

#![forbid(unsafe_code)]

use std::hint::black_box;

use lambda_http::tower::util::ThenLayer;
use lambda_http::{Error, service_fn};
use lambda_runtime::Runtime;
use lambda_runtime::layers::TracingLayer;
use put_image::event;
use put_image::handler::App;
use put_image::telemetry::logging;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    keep_freed_memory();
    logging::init();
    tracing::info!(version = put_image::VERSION, "started");
    let app = &App::from_env()
        .await
        .inspect_err(|error| tracing::error!("{error}"))?;
    app.warm_up().await;
    Runtime::new(event::service(service_fn(|request| app.handle(request))))
        // Runs once the response is sent, before the next event is requested.
        .layer(ThenLayer::new(async |sent| {
            app.empty_trash().await;
            sent
        }))
        .layer(TracingLayer::new())
        .run()
        .await
}

/// Has glibc reuse the heap for a request's large buffers. It maps and unmaps each buffer over a threshold, at the price
/// of as much CPU time in page faults as all else that a request does; freeing one large buffer raises the threshold
/// (mallopt(3), `M_MMAP_THRESHOLD`). The buffer is never touched, so it takes no memory.
fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity((32 << 20) - (64 << 10))));
}
