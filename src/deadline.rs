//! When a request must be done. Lambda kills a function at its timeout without an answer, so that the caller knows
//! nothing and uploads stay behind. So the work ends before that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, timeout_at};

/// The function's timeout, as the template sets it by default; also where nothing else ends a request.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The time kept back at the end, to find out what a commit did, to answer and to clean up.
pub const RESERVE: Duration = Duration::from_secs(3);

/// The points in time that one request keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// Reads, uploads and the commit end here.
    work: Instant,
    /// Reading back a commit ends here, and the answer is given.
    answer: Instant,
    /// Cleaning up ends here.
    clean_up: Instant,
}

impl Deadline {
    /// Returns the deadline of a request that is killed at a time, as Lambda's context says it.
    ///
    /// `cargo lambda watch` sends ten minutes after 1970 began, which is no deadline: the request then has [`TIMEOUT`].
    #[must_use]
    pub fn at(killed: SystemTime) -> Self {
        if killed < UNIX_EPOCH + Duration::from_hours(24) {
            return Self::after(TIMEOUT);
        }
        Self::after(killed.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Returns the deadline of a request that is killed after `remaining`.
    #[must_use]
    pub fn after(remaining: Duration) -> Self {
        let end = Instant::now() + remaining;
        let reserve = RESERVE.min(remaining / 2);
        Self {
            work: end - reserve,
            answer: end - reserve / 2,
            clean_up: end - reserve / 6,
        }
    }

    /// Runs a step of the work. If the deadline has passed, the step is never polled.
    ///
    /// # Errors
    ///
    /// [`DeadlinePassed`] if the step didn't end in time.
    pub async fn work<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, DeadlinePassed> {
        until(self.work, step, work).await
    }

    /// Runs what has to be done before the answer, like [`Deadline::work`].
    ///
    /// # Errors
    ///
    /// [`DeadlinePassed`].
    pub async fn before_answer<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, DeadlinePassed> {
        until(self.answer, step, work).await
    }

    /// Runs what may be left undone, like [`Deadline::work`].
    ///
    /// # Errors
    ///
    /// [`DeadlinePassed`].
    pub async fn clean_up<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, DeadlinePassed> {
        until(self.clean_up, step, work).await
    }
}

async fn until<T>(
    end: Instant,
    step: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, DeadlinePassed> {
    // `timeout_at` polls once even if the time has passed, and so could send a request.
    if Instant::now() >= end {
        return Err(DeadlinePassed(step));
    }
    timeout_at(end, work)
        .await
        .map_err(|_elapsed| DeadlinePassed(step))
}

/// The deadline passed before a step was done, or had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: the deadline before the function's timeout has passed")]
pub struct DeadlinePassed(&'static str);
