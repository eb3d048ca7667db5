//! Objects that no record names, or perhaps none does: deleted once the response is sent, or named by a warning.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;

use super::Storage;
use crate::deadline::Deadline;
use crate::domain::ObjectKey;

/// What requests have discarded.
#[derive(Debug, Default)]
pub(super) struct Trash(Mutex<Vec<Discarded>>);

/// An object that a request has discarded.
#[derive(Debug)]
pub(super) struct Discarded {
    pub(super) key: ObjectKey,
    pub(super) state: State,
    /// Of the request that discarded it.
    pub(super) deadline: Deadline,
}

/// What is known of a discarded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No record names it, and none will.
    Unused,
    /// The same, but an attempt to upload it got no response, so it may still arrive, even after its deletion.
    MayArrive,
    /// A commit that names it or replaces it was sent, and its outcome is unknown.
    InDoubt,
    /// It was replaced, and was written when the submission was another project's, whose objects aren't touched.
    OfEarlierProject,
}

impl Trash {
    pub(super) fn extend(&self, discarded: impl IntoIterator<Item = Discarded>) {
        self.lock().extend(discarded);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Discarded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage {
    /// Deletes what requests have discarded, unless a record may name it. Returns how many objects are left over, or may
    /// be: the log names them, and a sweep finds them, since no record does.
    pub(crate) async fn empty_trash(&self) -> usize {
        let discarded = mem::take(&mut *self.trash.lock());
        let deleted = join_all(discarded.iter().map(|discarded| self.discard(discarded))).await;
        deleted.iter().filter(|is_gone| !**is_gone).count()
    }

    /// Deletes an object, if that is safe; returns whether it is gone for certain.
    async fn discard(&self, discarded: &Discarded) -> bool {
        let Discarded {
            key,
            state,
            deadline,
        } = discarded;
        match state {
            State::Unused | State::MayArrive => {
                let deletion = self.delete(key.as_str());
                let deleted = deadline.clean_up.run("delete", deletion).await.flatten();
                if let Err(error) = &deleted {
                    tracing::warn!(%key, %error, "an object is left over");
                } else if *state == State::MayArrive {
                    tracing::warn!(%key, "an upload got no response: its object may be left over");
                }
                deleted.is_ok() && *state == State::Unused
            }
            State::InDoubt => {
                tracing::warn!(%key, "a commit's outcome is unknown: this object may be left over");
                false
            }
            State::OfEarlierProject => {
                tracing::warn!(%key, "a replaced object of an earlier project is left over");
                false
            }
        }
    }
}
