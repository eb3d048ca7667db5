//! Log lines on standard error, as text or as JSON, as Lambda's logging configuration asks.
//!
//! Below `WARN`, only our own lines are written: there, the SDK and `lambda_runtime` log whole requests, with keys,
//! e-mails and images in them.

use std::env;
use std::panic;

pub use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The span of an invocation, which has the IDs that each line carries. Nothing else has this target.
const REQUEST_SPAN: &str = "lambda_runtime::layers::trace";

/// Starts logging to standard error, once per process, as text or, if Lambda sets `AWS_LAMBDA_LOG_FORMAT` to `JSON`, as
/// JSON.
pub fn init() {
    let json =
        env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    init_with(level(), json, std::io::stderr);

    // The default hook prints a panic's message, which may hold what the caller sent.
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked");
    }));
}

/// Returns the level that Lambda sets as `AWS_LAMBDA_LOG_LEVEL`, or else `INFO`.
pub(super) fn level() -> LevelFilter {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    level
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO)
}

/// Starts logging to a writer, once per process, with our own lines from `level` up.
pub fn init_with<W>(level: LevelFilter, json: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let others = LevelFilter::WARN.min(level);
    let targets = Targets::new()
        .with_default(others)
        .with_target("put_image", level)
        .with_target(REQUEST_SPAN, LevelFilter::INFO);
    let text = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer);
    let layer = if json {
        text.json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed()
    } else {
        // Lambda adds the time to a text line itself.
        text.without_time().boxed()
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .init();
}
