//! `PUT /Image`: stores the images of an identity check, all of a request's or none.
//!
//! Every request takes the same path, and [`handler`] reads the same way: [`form`] → [`records`] → `checks` → upload →
//! commit → response. [`domain`] and [`image`] have the types that are valid by construction, [`storage`] the calls to
//! DynamoDB and S3, [`error`] every response that is not a success, [`deadline`] the time that each step has,
//! [`telemetry`] what an operator sees, and [`process`] memory and threads.

#![forbid(unsafe_code)]

mod checks;
pub mod config;
pub mod deadline;
pub mod domain;
pub mod error;
pub mod event;
pub mod form;
pub mod handler;
mod http;
pub mod process;
pub mod records;
pub mod storage;
pub mod telemetry;
mod timestamp;

pub use id_image as image;

/// The version of the crate, and the commit that it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("COMMIT"), ")");
