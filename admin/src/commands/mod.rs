//! The commands. What a script reads goes to standard output (a key, a record, what is left over), and what is said
//! about it to standard error.

mod project;
mod submission;
mod sweep;

use std::io::{Write as _, stdout};

use crate::cli::Command;
use crate::printable::printable;
use crate::{Error, Records};

/// Runs a command. The API Gateway in front keeps keys of its own; the local stack has none.
///
/// # Errors
///
/// A sentence that says what to do.
pub async fn run(
    command: Command,
    records: &Records,
    gateway: Option<aws_sdk_apigateway::Client>,
) -> Result<(), Error> {
    match command {
        Command::Project(command) => project::run(command, records, gateway).await,
        Command::Submission(command) => submission::run(command, records).await,
        Command::Sweep { delete } => sweep::run(delete, records).await,
    }
}

/// Prints for a script or a reader, without what a terminal would follow.
fn print(text: &str) -> Result<(), Error> {
    Ok(stdout().write_all(printable(text).as_bytes())?)
}
