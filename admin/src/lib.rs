//! The operator's commands for `PUT /Image`: [`project`] and [`submission`] register and show records, `key` also
//! puts a project's key on API Gateway's usage plan, [`sweep`] removes what a crash left over, and [`erase`] removes
//! all of a submission. The local stack seeds itself with the same code. None of this is deployed.

use std::error::Error as StdError;
use std::iter;
use std::process::ExitCode;

use aws_config::SdkConfig;
use put_image::config::Config;
use put_image::records::attribute::{PROJECT_ID, SUBMISSION_ID};
use put_image::storage;

use crate::cli::Command;
use crate::table::Table;

/// Ends a function with a sentence.
macro_rules! bail {
    ($($sentence:tt)*) => { return Err(format!($($sentence)*).into()) };
}

/// Prints a line for a person to standard error. It is not an error if nobody reads it.
macro_rules! tell {
    ($($line:tt)*) => { $crate::terminal::tell(&format!($($line)*)) };
}

pub mod bucket;
pub mod cli;
pub mod erase;
mod key;
pub mod project;
mod save;
pub mod submission;
pub mod sweep;
pub mod table;
pub mod terminal;

/// What can go wrong: a sentence that says what to do.
pub type Error = Box<dyn StdError + Send + Sync>;

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

/// The tables and the bucket, with an operator's rights.
#[derive(Clone, Debug)]
pub struct Records {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub s3: aws_sdk_s3::Client,
    pub config: Config,
}

impl Records {
    /// Makes clients from the AWS SDK's usual configuration.
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(sdk).force_path_style(storage::path_style());
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(sdk),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            config,
        }
    }

    fn projects(&self) -> Table<'_> {
        Table {
            dynamodb: &self.dynamodb,
            name: &self.config.projects_table,
            key: PROJECT_ID,
        }
    }

    fn submissions(&self) -> Table<'_> {
        Table {
            dynamodb: &self.dynamodb,
            name: &self.config.submissions_table,
            key: SUBMISSION_ID,
        }
    }
}

/// Says what failed.
trait Context<T> {
    /// Turns an error into a sentence: what failed, and everything that is known about the cause.
    fn context(self, what: impl Into<String>) -> Result<T, Error>;
}

impl<T, E: StdError> Context<T> for Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|error| {
            let mut sentence = what.into();
            for cause in iter::successors(error.source(), |&cause| cause.source()) {
                let cause = cause.to_string();
                // An error often repeats what its cause says.
                if !sentence.contains(&cause) {
                    sentence = format!("{sentence}: {cause}");
                }
            }
            sentence.into()
        })
    }
}
