//! Which texts are images (the contract's section on images), and the reason for each that isn't.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod formats;
mod images;
mod jpeg;
mod mistakes;
mod png;
