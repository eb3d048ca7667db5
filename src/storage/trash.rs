//! Objects that no record names, or that perhaps none does. They are deleted after the response is sent, or a warning
//! names them.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::Storage;
use crate::deadline::End;
use crate::domain::ObjectKey;
use crate::error::Fault;

/// Discarded objects by request ID. Each request deletes only its own, so whatever happens to a concurrent request
/// neither loses them nor delays their deletion.
#[derive(Debug, Default)]
pub(super) struct Trash(Mutex<HashMap<String, Vec<Discarded>>>);

/// A discarded object, and when its deletion must be done.
pub(super) type Discarded = (ObjectKey, State, End);

/// What is known about a discarded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No record names it, and none will.
    Unused,
    /// The same, but an attempt to upload it got no response, so it may still arrive, even after its deletion.
    MayArrive,
    /// A commit that names it or replaces it was sent, and its outcome is unknown.
    InDoubt,
    /// It was replaced, but was written while the submission belonged to another project, whose objects aren't touched.
    OfEarlierProject,
}

impl Trash {
    pub(super) fn add(&self, request_id: &str, discarded: Discarded) {
        let mut trash = self.lock();
        let of_request = trash.entry(request_id.to_owned()).or_default();
        of_request.push(discarded);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Discarded>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage {
    /// Deletes what a request has discarded, unless a record may name it. Returns how many objects are left over, or
    /// may be. The log names them, and a sweep finds those that no record names.
    pub(crate) async fn empty_trash(&self, request_id: &str) -> usize {
        let discarded = self.trash.lock().remove(request_id).unwrap_or_default();
        let deleted = join_all(discarded.iter().map(|discarded| self.discard(discarded))).await;
        deleted.iter().filter(|is_gone| !**is_gone).count()
    }

    /// Deletes an object, if that is safe; returns whether it is gone for certain.
    async fn discard(&self, (key, state, end): &Discarded) -> bool {
        if matches!(state, State::Unused | State::MayArrive) {
            // Nobody else catches a panic here: it would end the poller, or the process.
            let deletion = AssertUnwindSafe(self.delete(key.as_str())).catch_unwind();
            let deletion = deletion.map(|deleted| deleted.unwrap_or(Err(Fault::Panicked)));
            if let Err(error) = end.run("delete", deletion).await.flatten() {
                tracing::warn!(%key, %error, "an object is left over");
                return false;
            }
        }
        let warning = match state {
            State::Unused => return true,
            State::MayArrive => "an upload got no response: its object may be left over",
            State::InDoubt => "a commit's outcome is unknown: this object may be left over",
            State::OfEarlierProject => "a replaced object of an earlier project is left over",
        };
        tracing::warn!(%key, "{warning}");
        false
    }
}
