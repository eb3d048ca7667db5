//! The binary that Lambda runs.

#![forbid(unsafe_code)]

use lambda_http::tower::layer::layer_fn;
use lambda_http::{Error, service_fn};
use lambda_runtime::Runtime;
use lambda_runtime::layers::TracingLayer;
use put_image::handler::App;
use put_image::telemetry::logging;
use put_image::{event, process};

fn main() -> Result<(), Error> {
    process::keep_freed_memory();
    logging::init();
    tracing::info!(version = put_image::VERSION, "started");
    process::runtime()?.block_on(serve())
}

async fn serve() -> Result<(), Error> {
    let app = App::from_env()
        .await
        .inspect_err(|error| tracing::error!("{error}"))?;
    // Lives as long as the process: each poller has a reference.
    let app: &App = Box::leak(Box::new(app));
    // As `lambda_http::run_concurrent`, which takes no layers; the last layer is the outermost.
    Runtime::new(event::service(service_fn(|request| app.handle(request))))
        .layer(layer_fn(|service| app.then_empty_trash(service)))
        .layer(TracingLayer::new())
        .run_concurrent()
        .await
}
