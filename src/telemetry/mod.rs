//! What an operator sees: log lines, metrics and traces. None of it holds a key, an e-mail or an image.

pub mod logging;
mod metrics;
mod request_log;
pub(crate) mod xray;

pub use self::metrics::Metrics;
pub(crate) use self::request_log::{RequestLog, Step};
