//! Log lines to standard error, as text or as JSON (one object a line) as Lambda's logging
//! configuration asks.
//!
//! Only our own lines have a level that can be raised. The SDK logs whole requests
//! below warning, with keys, e-mails and images in them: those are never written.

use std::env;
use std::panic;

pub use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging to standard error, once a process. `AWS_LAMBDA_LOG_FORMAT` is `JSON` or `Text`,
/// `AWS_LAMBDA_LOG_LEVEL` a level, without which it is the default one; both are Lambda's own.
pub fn init(default: LevelFilter) {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL")
        .ok()
        .and_then(|level| level.parse().ok());
    let json =
        env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    init_with(level.unwrap_or(default), json, std::io::stderr);

    // The default hook prints a panic's message, which may hold what the caller sent.
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked");
    }));
}

/// Starts logging our own lines of this level to a writer, once a process.
pub fn init_with<W>(level: LevelFilter, json: bool, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("put_image", level);
    let text = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer);
    // Lambda adds the time to a text line itself.
    let layer = if json {
        text.json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed()
    } else {
        text.without_time().boxed()
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .init();
}
