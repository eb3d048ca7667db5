//! The commands. What a script reads goes to standard output (a key, a record, what is left over), and messages for
//! people to standard error.

/// Prints a line for a person to standard error. It is not an error if nobody reads it.
macro_rules! tell {
    ($($line:tt)*) => { $crate::commands::tell(&format!($($line)*)) };
}

mod project;
mod submission;
mod sweep;

use std::io::{Write as _, stderr, stdin, stdout};
use std::process::ExitCode;

use crate::cli::Command;
use crate::printable::{in_line, printable};
use crate::{Error, Records};

/// Runs a command. The deployed API Gateway has its own keys; the local stack's doesn't.
pub async fn run(
    command: Command,
    records: &Records,
    gateway: Option<aws_sdk_apigateway::Client>,
) -> Result<ExitCode, Error> {
    match command {
        Command::Project(command) => project::run(command, records, gateway).await,
        Command::Submission(command) => submission::run(command, records).await,
        Command::Sweep { delete } => sweep::run(delete, records).await,
    }
}

/// Reports the error that a program ends with. A closed pipe needs no report: its reader, `head` for example, has read
/// enough.
pub fn fail(program: &str, error: &Error) -> ExitCode {
    let is_closed_pipe = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
    if !is_closed_pipe {
        let _ = writeln!(stderr(), "{program}: {}", printable(&error.to_string()));
    }
    ExitCode::FAILURE
}

/// Prints for a script or a reader, without anything that a terminal would interpret.
pub(crate) fn print(text: &str) -> Result<ExitCode, Error> {
    stdout().write_all(printable(text).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn tell(line: &str) {
    let _ = writeln!(stderr(), "{}", in_line(line));
}

/// Asks a person to type an ID, which has the same effect as `--yes`.
fn confirm(yes: bool, question: &str, id: &str) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    tell!("{question} Type its ID, {id}, to go on:");
    let mut typed = String::new();
    stdin().read_line(&mut typed)?;
    if typed.lines().next() == Some(id) {
        Ok(())
    } else {
        Err("that wasn't its ID (--yes skips the question): nothing was changed".into())
    }
}
