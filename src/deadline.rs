//! When a request must be done. Lambda kills a function at its timeout without an answer, so that the
//! caller knows nothing and what was uploaded stays behind: the work ends before that.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// The time kept back at the end, for finding out what a commit did, answering, and cleaning up.
pub const RESERVE: Duration = Duration::from_secs(3);

/// The points in time that one request has to keep to.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// Reads, uploads and the commit end here.
    work: Instant,
    /// Reading back a commit ends here: the answer is given.
    answer: Instant,
    /// Cleaning up ends here.
    clean_up: Instant,
}

impl Deadline {
    /// The deadline of a request that is killed after `remaining`.
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

    /// Does a piece of work, unless its time is up first.
    ///
    /// # Errors
    ///
    /// [`TimeIsUp`], also if it was up before the work began: then nothing of it is done.
    pub async fn work<T>(&self, work: impl Future<Output = T>) -> Result<T, TimeIsUp> {
        until(self.work, work).await
    }

    /// Does what has to be done before the answer. See [`Deadline::work`].
    ///
    /// # Errors
    ///
    /// [`TimeIsUp`].
    pub async fn before_answer<T>(&self, work: impl Future<Output = T>) -> Result<T, TimeIsUp> {
        until(self.answer, work).await
    }

    /// Does what may be left undone. See [`Deadline::work`].
    ///
    /// # Errors
    ///
    /// [`TimeIsUp`].
    pub async fn clean_up<T>(&self, work: impl Future<Output = T>) -> Result<T, TimeIsUp> {
        until(self.clean_up, work).await
    }
}

async fn until<T>(end: Instant, work: impl Future<Output = T>) -> Result<T, TimeIsUp> {
    // `timeout_at` would poll the work once even if its time is up, and so perhaps send a request.
    if Instant::now() >= end {
        return Err(TimeIsUp);
    }
    timeout_at(end, work).await.map_err(|_| TimeIsUp)
}

/// The work was cut off by the deadline, or never begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time before the function's timeout is up")]
pub struct TimeIsUp;
