//! The command line.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use put_image::domain::Text;

/// Registers projects, keys and submissions of PUT /Image, shows them, and sweeps what a crash left over.
///
/// It works on the tables and the bucket that `PROJECTS_TABLE`, `SUBMISSIONS_TABLE` and `IMAGES_BUCKET` name, where
/// the AWS SDK's usual configuration leads (profile, region, endpoints). For the local stack, without variables:
/// `cargo run --bin local -- admin ...`
#[derive(Debug, Parser)]
#[command(name = "admin", version = put_image::VERSION)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Projects and their API keys
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Submissions and their images
    #[command(subcommand)]
    Submission(SubmissionCommand),
    /// List the objects that no record names and that are older than an hour
    Sweep {
        /// Then delete them, if they are no more than this many: the number that you expect
        #[arg(long, value_name = "NUMBER")]
        delete: Option<usize>,
    },
}

/// A command on projects.
#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Register a project and print its new API key, of which only the hash is stored
    Create {
        /// The project's ID
        #[arg(value_parser = id)]
        id: String,
        /// E-mail account of an administrator; may be given several times
        #[arg(long = "admin", required = true, value_parser = account)]
        admins: Vec<String>,
        /// Where the key is registered.
        #[command(flatten)]
        gateway: Gateway,
    },
    /// Print a project's record
    Show {
        /// The project's ID
        id: String,
    },
    /// Print a line for each project: its status, ID and administrators
    List,
    /// Register more administrators on a project
    AddAdmin {
        /// The project's ID
        id: String,
        /// Their e-mail accounts
        #[arg(required = true, value_parser = account)]
        admins: Vec<String>,
    },
    /// Take administrators off a project
    RemoveAdmin {
        /// The project's ID
        id: String,
        /// Their e-mail accounts
        #[arg(required = true)]
        admins: Vec<String>,
    },
    /// Put a project out of service: its requests get `invalid_project` from then on
    Close {
        /// The project's ID
        id: String,
    },
    /// Put a closed project into service again
    Reopen {
        /// The project's ID
        id: String,
    },
    /// A project's API key
    #[command(subcommand)]
    Key(KeyCommand),
}

/// A command on a project's key.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Give a project a new API key and print it; from then on, or after --keep-old, the old one opens nothing
    Rotate {
        /// The project's ID
        id: String,
        /// How long the old key still opens the project, as 90m, 48h or 7d
        #[arg(long, value_name = "TIME", value_parser = duration)]
        keep_old: Option<Duration>,
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
pub enum SubmissionCommand {
    /// Make a submission that images can be put to
    Create {
        /// The submission's ID
        #[arg(value_parser = id)]
        id: String,
        /// The ID of its project
        #[arg(long)]
        project: String,
    },
    /// Print a submission's record and list its images
    Show {
        /// The submission's ID
        id: String,
        /// Also save the images to this new folder, which only you can read
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
    },
    /// Erase a submission: its record, and all versions of all its images, for good
    Erase(Erase),
}

/// Options of `submission erase`.
#[derive(Debug, Args)]
pub struct Erase {
    /// The submission's ID
    pub id: String,
    /// The ID of its project: to be sure, or to go on with an erasure whose record is gone already
    #[arg(long)]
    pub project: Option<String>,
    /// Don't ask
    #[arg(long)]
    pub yes: bool,
    /// How long to wait for requests that began before, in seconds
    // Twice the template's `Timeout`, for uploads that arrive late.
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    pub wait: u64,
    /// Who approved the erasure, for the line that it ends with
    #[arg(long, value_name = "WHO")]
    pub approved_by: Option<String>,
}

/// A text as a form's field can have it.
fn text(value: &str) -> Result<String, String> {
    match Text::parse(value.as_bytes()) {
        Ok(Some(text)) if text.as_str() == value => Ok(value.to_owned()),
        Ok(_) => {
            Err("it is empty, or has blanks around it, which a form's field can't have".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// An account that looks like an e-mail address.
fn account(value: &str) -> Result<String, String> {
    let is_address = value.rsplit_once('@').is_some_and(|(user, domain)| {
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        !user.is_empty()
            && !user.contains(|c: char| " @<>()[]:;,\\\"".contains(c))
            && domain.split('.').all(is_label)
    });
    if !is_address {
        return Err("not an e-mail address such as admin@example.com".to_owned());
    }
    text(value)
}

/// An ID that keeps its objects apart from those of all others: it is a part of their keys.
fn id(value: &str) -> Result<String, String> {
    if value.contains('/') || value == "." || value == ".." {
        return Err("an ID can't have a slash in it, or be . or ..".to_owned());
    }
    text(value)
}

/// A number of minutes, hours or days.
fn duration(value: &str) -> Result<Duration, String> {
    let units = [("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let number: NonZeroU32 = value.strip_suffix(unit)?.parse().ok()?;
        Some(u64::from(number.get()) * seconds)
    });
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "not a duration such as 90m, 48h or 7d".to_owned())
}
