//! When a request must be done. Lambda kills a function at its timeout without a response: the caller would learn
//! nothing, and uploads would be left over. So the work ends before that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, timeout_at};

use crate::error::Fault;

/// The function's timeout, the template's default. Also used where nothing else ends a request.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The time reserved at the end, to find out what a commit did, to respond and to clean up.
pub const RESERVE: Duration = Duration::from_secs(3);

/// The times by which the parts of a request must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// For reads, uploads and the commit.
    pub(crate) work: End,
    /// For reading a commit back, which the response waits for.
    pub(crate) response: End,
    /// For deleting objects that no record names.
    pub(crate) clean_up: End,
}

impl Deadline {
    /// Returns the deadline of a request that Lambda kills at `killed`.
    ///
    /// `cargo lambda watch` sends ten minutes after the start of 1970, which is no deadline: the request then gets
    /// [`TIMEOUT`].
    pub(crate) fn at(killed: SystemTime) -> Self {
        let remaining = if killed < UNIX_EPOCH + Duration::from_hours(24) {
            TIMEOUT
        } else {
            killed.duration_since(SystemTime::now()).unwrap_or_default()
        };
        let end = Instant::now() + remaining;
        let reserve = RESERVE.min(remaining / 2);
        Self {
            work: End(end - reserve),
            response: End(end - reserve / 2),
            clean_up: End(end - reserve / 6),
        }
    }
}

/// When a part of a request must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End(Instant);

impl End {
    /// Runs work until this time. Work whose time has already passed is never polled.
    pub(crate) async fn run<T>(
        self,
        what: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        // `timeout_at` polls once even if the time has passed, and so could send a request.
        if Instant::now() >= self.0 {
            return Err(Fault::DeadlinePassed(what));
        }
        timeout_at(self.0, work)
            .await
            .map_err(|_elapsed| Fault::DeadlinePassed(what))
    }
}
