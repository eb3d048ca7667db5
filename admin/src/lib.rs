//! What an operator of `PUT /Image` does: [`project`] and [`submission`] register and show records,
//! `usage_plan` makes a project's key known to API Gateway, [`sweep`] removes what a crash left over, and [`erase`]
//! everything of a person. The local stack seeds itself through the same code. Nothing of this is deployed.

use std::error::Error as StdError;
use std::process::ExitCode;
use std::{io, iter};

use aws_config::SdkConfig;
use put_image::config::Config;
use put_image::storage;

use crate::printable::printable;
use crate::table::Table;

/// Writes a line to standard error. It is no error if nobody reads it.
macro_rules! tell {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

pub mod bucket;
pub mod cli;
pub mod commands;
pub mod erase;
mod object_key;
pub mod printable;
pub mod project;
pub mod submission;
pub mod sweep;
pub mod table;
mod usage_plan;

/// What can go wrong: a sentence that says what to do.
pub type Error = Box<dyn StdError + Send + Sync>;

/// Reports the error that a program ends with. A closed pipe needs no report: its reader, `head` for example, has read
/// enough.
#[must_use]
pub fn fail(program: &str, error: &Error) -> ExitCode {
    let is_closed_pipe = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if !is_closed_pipe {
        tell!("{program}: {}", printable(&error.to_string()));
    }
    ExitCode::FAILURE
}

/// The tables and the bucket, with an operator's rights.
#[derive(Clone, Debug)]
pub struct Records {
    /// The tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The bucket.
    pub s3: aws_sdk_s3::Client,
    /// Their names.
    pub config: Config,
}

impl Records {
    /// Those of these names, where the AWS SDK's usual configuration leads.
    #[must_use]
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
            key: "projectId",
        }
    }

    fn submissions(&self) -> Table<'_> {
        Table {
            dynamodb: &self.dynamodb,
            name: &self.config.submissions_table,
            key: "submissionId",
        }
    }
}

/// A call that failed, and all that is known of why.
fn failed(what: impl Into<String>, error: &dyn StdError) -> Error {
    let mut sentence = what.into();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        // An error often says what its cause says, too.
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence.into()
}
