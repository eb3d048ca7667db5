//! The administrator's commands against the local stack, as a library and as the binary: one module a behavior.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod erase;
mod helpers;
mod key;
mod output;
mod project;
mod submission;
mod sweep;
mod usage_plan;
