//! When a request must be done. Lambda kills a function at its timeout without an answer, so that the caller knows
//! nothing and uploads stay behind. So the work ends before that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, timeout_at};

use crate::error::Fault;

/// The function's timeout, as the template sets it by default; also where nothing else ends a request.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The time kept back at the end, to find out what a commit did, to answer and to clean up.
pub const RESERVE: Duration = Duration::from_secs(3);

/// The points in time that one request keeps to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// Of reads, uploads and the commit.
    pub(crate) work: End,
    /// Of reading back a commit, which the answer waits for.
    pub(crate) answer: End,
    /// Of cleaning up.
    pub(crate) clean_up: End,
}

impl Deadline {
    /// Returns the deadline of a request that Lambda kills at `killed`.
    ///
    /// `cargo lambda watch` sends ten minutes after 1970 began, which is no deadline: the request then has [`TIMEOUT`].
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
            answer: End(end - reserve / 2),
            clean_up: End(end - reserve / 6),
        }
    }
}

/// When a part of a request must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End(Instant);

impl End {
    /// Runs a step, and gives up at this time. If the time has already passed, the step is never polled.
    pub(crate) async fn run<T>(
        self,
        step: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        // `timeout_at` polls once even if the time has passed, and so could send a request.
        if Instant::now() >= self.0 {
            return Err(Fault::DeadlinePassed(step));
        }
        timeout_at(self.0, work)
            .await
            .map_err(|_elapsed| Fault::DeadlinePassed(step))
    }
}
