//! The local stack of `PUT /Image`: what the function meets when deployed, in one process on loopback.
//!
//! [`server`] runs real wire servers of DynamoDB and S3, [`schema`] creates in them what the template declares,
//! [`records`] fills it, [`gateway`] does what API Gateway does for the route of the [`definition`] and turns a request
//! into an [`event`] for the [`function`], and [`stack`] puts them together. [`page`] shows it in a browser, the
//! requests included. None of this is deployed.

pub mod cli;
pub mod clients;
mod curl;
pub mod definition;
mod docker;
pub mod event;
pub mod function;
pub mod gateway;
pub mod invoke;
pub mod page;
pub mod records;
mod requests;
pub mod schema;
pub mod serve;
pub mod server;
pub mod stack;
mod unsigned;

/// What can go wrong while the stack starts: a sentence that says what to do.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
