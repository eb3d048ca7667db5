//! Objects that no record names and that are deleted once the response is sent.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::Storage;
use crate::deadline::Deadline;
use crate::domain::ObjectKey;
use crate::error::Fault;

/// What there is to delete, by the ID of the request that discarded it. Each request deletes its own: what happens to
/// one of those that run at the same time neither loses another's objects nor delays their deletion.
#[derive(Debug, Default)]
pub(super) struct Trash(Mutex<HashMap<String, Vec<Discarded>>>);

/// An object to delete.
#[derive(Debug)]
pub(super) struct Discarded {
    pub(super) key: ObjectKey,
    /// An attempt to upload it got no response, so it may still arrive, even after the deletion.
    pub(super) may_arrive: bool,
    /// Of the request that discarded it.
    pub(super) deadline: Deadline,
}

impl Trash {
    pub(super) fn extend(&self, request: &str, discarded: impl IntoIterator<Item = Discarded>) {
        let mut trash = self.lock();
        trash
            .entry(request.to_owned())
            .or_default()
            .extend(discarded);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Discarded>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage {
    /// Deletes what a request has discarded. Returns how many objects are left over, or may be: the log names them, and
    /// a sweep finds them, since no record does.
    pub(crate) async fn empty_trash(&self, request: &str) -> usize {
        let discarded = self.trash.lock().remove(request).unwrap_or_default();
        let deleted = join_all(discarded.iter().map(|discarded| self.discard(discarded))).await;
        deleted.iter().filter(|is_gone| !**is_gone).count()
    }

    /// Deletes an object; returns whether it is gone for certain.
    async fn discard(&self, discarded: &Discarded) -> bool {
        let Discarded {
            key,
            may_arrive,
            deadline,
        } = discarded;
        // Nobody else catches a panic here: it would end the poller, or the process.
        let deletion = AssertUnwindSafe(self.delete(key.as_str())).catch_unwind();
        let deletion = deletion.map(|deleted| deleted.unwrap_or(Err(Fault::Panicked)));
        let deleted = deadline.clean_up.run("delete", deletion).await.flatten();
        if let Err(error) = &deleted {
            tracing::warn!(%key, %error, "an object is left over");
        } else if *may_arrive {
            tracing::warn!(%key, "an upload got no response: its object may be left over");
        }
        deleted.is_ok() && !may_arrive
    }
}
