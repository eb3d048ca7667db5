//! What the tests and benchmarks of `PUT /Image` share: [`faults`] breaks the wire, [`lambda`] runs a binary of the
//! function as Lambda does, and [`images`] draws noise.

#![allow(clippy::missing_panics_doc, reason = "a test says what it expects")]

use std::path::{Path, PathBuf};

pub mod faults;
// Shared as a file: it isn't worth a crate of its own.
#[path = "../../id-image/tests/check/images.rs"]
pub mod images;
pub mod lambda;

/// Returns the path of a file in the repository, whichever folder the test runs in.
pub fn repository(file: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}
