//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Registers projects, keys and submissions of PUT /Image, shows them, and sweeps what a crash left over.
///
/// It works on the tables and the bucket that `PROJECTS_TABLE`, `SUBMISSIONS_TABLE` and `IMAGES_BUCKET` name, where
/// the AWS SDK's usual configuration leads (profile, region, endpoints). For the local stack:
/// `set -a; . events/local.env; set +a`
#[derive(Debug, Parser)]
#[command(name = "admin")]
pub enum Cli {
    /// Projects and their API keys
    #[command(subcommand)]
    Project(Project),
    /// Submissions and their images
    #[command(subcommand)]
    Submission(Submission),
    /// List the objects that no record names and that are older than an hour; with --delete, delete them
    Sweep {
        /// Delete them
        #[arg(long)]
        delete: bool,
    },
}

/// A command on projects.
#[derive(Debug, Subcommand)]
pub enum Project {
    /// Register a project and print its new API key, which is stored nowhere
    Create {
        /// The project's ID
        id: String,
        /// E-mail account of an administrator; may be given several times
        #[arg(long = "admin", required = true)]
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
    /// Also register the key with API Gateway, on the usage plan of this ID (the stack's output `UsagePlanId`)
    #[arg(long, value_name = "ID")]
    pub usage_plan: Option<String>,
}

/// A command on submissions.
#[derive(Debug, Subcommand)]
pub enum Submission {
    /// Make a submission that images can be put to
    Create {
        /// The submission's ID
        id: String,
        /// The ID of its project
        #[arg(long)]
        project: String,
    },
    /// Print a submission's record and list its images
    Show {
        /// The submission's ID
        id: String,
        /// Also save the images in this folder, for your eyes alone
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
    },
}
