//! What an operator of `PUT /Image` does: [`project`] and [`submission`] register and show records, `usage_plan`
//! registers a project's key with API Gateway, [`sweep`] removes what a crash left over, and [`erase`] removes
//! everything about a person. The local stack seeds itself with the same code. None of this is deployed.

#![allow(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "not published, and every error is a sentence that says what to do"
)]

use std::error::Error as StdError;
use std::iter;

use aws_config::SdkConfig;
use put_image::config::Config;
use put_image::records::attribute::{PROJECT_ID, SUBMISSION_ID};
use put_image::storage;

use crate::table::Table;

/// Ends a function with a sentence.
macro_rules! bail {
    ($($sentence:tt)*) => { return Err(format!($($sentence)*).into()) };
}

pub mod bucket;
pub mod cli;
pub mod commands;
pub mod erase;
pub mod printable;
pub mod project;
mod save;
pub mod submission;
pub mod sweep;
pub mod table;
mod usage_plan;

/// What can go wrong: a sentence that says what to do.
pub type Error = Box<dyn StdError + Send + Sync>;

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

/// Returns a call's failure with everything that is known about its cause.
fn failed(what: impl Into<String>, error: &dyn StdError) -> Error {
    let mut sentence = what.into();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        // An error often repeats what its cause says.
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence.into()
}
