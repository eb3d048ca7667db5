//! The binary that Lambda runs.

#![forbid(unsafe_code)]

use std::env;
use std::hint::black_box;

use lambda_http::tower::layer::layer_fn;
use lambda_http::{Error, service_fn};
use lambda_runtime::Runtime;
use lambda_runtime::layers::TracingLayer;
use put_image::event;
use put_image::handler::App;
use put_image::telemetry::logging;
use tokio::runtime::Builder;

fn main() -> Result<(), Error> {
    keep_freed_memory();
    logging::init();
    tracing::info!(version = put_image::VERSION, "started");
    let mut threads = if has_many_requests() {
        Builder::new_multi_thread()
    } else {
        touch_heap();
        Builder::new_current_thread()
    };
    threads.enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Error> {
    let app = App::from_env()
        .await
        .inspect_err(|error| tracing::error!("{error}"))?;
    // Lives as long as the process: each of its pollers has a reference.
    let app: &App = Box::leak(Box::new(app));
    app.warm_up().await;
    Runtime::new(event::service(service_fn(|request| app.handle(request))))
        .layer(layer_fn(|service| app.then_empty_trash(service)))
        .layer(TracingLayer::new())
        .run_concurrent()
        .await
}

/// Returns whether Lambda sends this process several requests at a time, as `lambda_runtime` decides it. They then run on
/// all processors, so that decoding one doesn't hold up the others.
fn has_many_requests() -> bool {
    let most = env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok();
    most.and_then(|most| most.parse::<u32>().ok())
        .is_some_and(|most| most > 1)
}

/// Has glibc reuse the heap for a request's large buffers. Otherwise glibc maps and unmaps each buffer over a
/// threshold, and the page faults take as much CPU time as everything else that a request does. Freeing one large
/// buffer raises the threshold (mallopt(3), `M_MMAP_THRESHOLD`). The buffer is never touched, so it takes no memory.
fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity((32 << 20) - (64 << 10))));
}

/// Touches the memory that a request with the largest event needs, while Lambda gives the process a whole CPU: touching
/// a page for the first time costs more than anything else that a request does with it. The heap keeps freed memory up
/// to twice the threshold (`M_TRIM_THRESHOLD`).
fn touch_heap() {
    drop(black_box(vec![1_u8; 30 << 20]));
}
