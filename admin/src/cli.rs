//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use put_image::domain::MAX_TEXT;

/// Registers projects, keys and submissions of PUT /Image, shows them, and sweeps what a crash left over.
///
/// It works on the tables and the bucket that `PROJECTS_TABLE`, `SUBMISSIONS_TABLE` and `IMAGES_BUCKET` name, where
/// the AWS SDK's usual configuration leads (profile, region, endpoints). For the local stack:
/// `(set -a; . events/local.env; admin ...)`
#[derive(Debug, Parser)]
#[command(name = "admin")]
pub enum Cli {
    /// Projects and their API keys
    #[command(subcommand)]
    Project(Project),
    /// Submissions and their images
    #[command(subcommand)]
    Submission(Submission),
    /// List the objects that no record names and that are older than an hour
    Sweep {
        /// Then delete them, if they are no more than this many: the number that you expect
        #[arg(long, value_name = "NUMBER")]
        delete: Option<usize>,
    },
}

/// A command on projects.
#[derive(Debug, Subcommand)]
pub enum Project {
    /// Register a project and print its new API key, of which only the hash is stored
    Create {
        /// The project's ID
        #[arg(value_parser = project_id)]
        id: String,
        /// E-mail account of an administrator; may be given several times
        #[arg(long = "admin", required = true, value_parser = text)]
        admins: Vec<String>,
        /// Where the key is registered.
        #[command(flatten)]
        gateway: Gateway,
    },
    /// A project's API key
    #[command(subcommand)]
    Key(Key),
}

/// A command on a project's key.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Give a project a new API key and print it; from then on the old one opens nothing
    Rotate {
        /// The project's ID
        id: String,
        /// Where the key is registered.
        #[command(flatten)]
        gateway: Gateway,
    },
}

/// API Gateway's side of a key.
#[derive(Debug, Args)]
pub struct Gateway {
    /// Also register the key with API Gateway, which keeps it, on the usage plan of this ID (the stack's output `UsagePlanId`)
    #[arg(long, value_name = "ID")]
    pub usage_plan: Option<String>,
}

/// A command on submissions.
#[derive(Debug, Subcommand)]
pub enum Submission {
    /// Make a submission that images can be put to
    Create {
        /// The submission's ID
        #[arg(value_parser = text)]
        id: String,
        /// The ID of its project
        #[arg(long)]
        project: String,
    },
    /// Print a submission's record and list its images
    Show {
        /// The submission's ID
        id: String,
        /// Also save the images in this folder, which is made for your eyes alone
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
    },
}

/// A text that a form's field can be: the function takes no blanks around one, and no more bytes.
fn text(value: &str) -> Result<String, String> {
    if value.is_empty() || value.trim() != value {
        return Err(
            "it is empty, or has blanks around it, which a form's field can't have".to_owned(),
        );
    }
    if value.len() > MAX_TEXT {
        return Err(format!("it is longer than {MAX_TEXT} bytes"));
    }
    Ok(value.to_owned())
}

/// A project's ID. With a slash, its objects could be taken for those of another project.
fn project_id(value: &str) -> Result<String, String> {
    if value.contains('/') {
        return Err("it holds a slash".to_owned());
    }
    text(value)
}
