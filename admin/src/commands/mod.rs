//! The commands, each on a [`Session`]. What a script reads goes to standard output (a key, a record, what is left
//! over), and what is said about it to standard error.

mod project;
mod submission;
mod sweep;

use std::io::{Write as _, stdout};

use put_image::config::Config;
use put_image::storage;

use crate::cli::Command;
use crate::printable::printable;
use crate::{Error, Records};

/// What commands work on.
#[derive(Clone, Debug)]
pub struct Session {
    /// The tables and the bucket.
    pub records: Records,
    /// The API Gateway in front, which keeps keys of its own. The local stack has none.
    pub gateway: Option<aws_sdk_apigateway::Client>,
}

impl Session {
    /// Takes the names from the environment, and the rest from the AWS SDK's usual configuration.
    ///
    /// # Errors
    ///
    /// If a variable is missing: the sentence names it.
    pub async fn from_env() -> Result<Self, Error> {
        let config = Config::from_env()?;
        let sdk = storage::sdk_config().await;
        Ok(Self {
            records: Records::new(&sdk, config),
            gateway: Some(aws_sdk_apigateway::Client::new(&sdk)),
        })
    }

    /// Runs a command.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub async fn run(&self, command: Command) -> Result<(), Error> {
        let records = &self.records;
        match command {
            Command::Project(command) => project::run(self, command).await,
            Command::Submission(command) => submission::run(records, command).await,
            Command::Sweep { delete } => sweep::run(records, delete).await,
        }
    }
}

/// Prints for a script or a reader, without what a terminal would follow.
fn print(text: &str) -> Result<(), Error> {
    Ok(stdout().write_all(printable(text).as_bytes())?)
}
