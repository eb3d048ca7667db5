//! `PUT /Image`: puts identity-check images to a submission, all of them or none.
//!
//! Data flows one way, and each module knows only the ones before it:
//!
//! [`json`], [`base64_text`] → [`event`] → [`parameters`], [`multipart`] → [`form`] → [`jpeg`], [`png`] → [`image`]
//! → [`request`] → [`records`] → [`checks`] → [`upload`] → [`commit`] → [`response`].
//!
//! [`put`] is that flow in one function, [`function`] is what Lambda calls by way of [`runtime`], [`storage`]
//! holds the clients, [`memory`] sets the allocator, and [`error`] has every answer that is not a success. What an
//! operator sees of it is [`summary`], [`metrics`] and [`trace`].

#![forbid(unsafe_code)]

pub mod base64_text;
pub mod checks;
pub mod commit;
pub mod config;
pub mod deadline;
pub mod error;
pub mod event;
pub mod field;
pub mod form;
pub mod function;
pub mod image;
pub mod jpeg;
pub mod json;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod multipart;
pub mod parameters;
pub mod png;
pub mod put;
pub mod records;
pub mod request;
pub mod response;
pub mod runtime;
pub mod storage;
pub mod summary;
pub mod trace;
pub mod upload;
