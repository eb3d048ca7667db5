//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
pub use clap_complete::Shell;
use email_address::EmailAddress;
use put_image::domain::{Text, is_usable_id};

use crate::{Error, terminal};

/// Registers projects, keys and submissions of PUT /Image, shows them, and sweeps what a crash left over.
///
/// It works on the tables and the bucket that `PROJECTS_TABLE`, `SUBMISSIONS_TABLE` and `IMAGES_BUCKET` name, where
/// the AWS SDK's usual configuration leads (profile, region, endpoints). For the local stack, without variables:
/// `cargo run --bin local -- admin ...`
#[derive(Debug, Parser)]
#[command(name = "admin", version = put_image::VERSION, propagate_version = true)]
pub enum Cli {
    #[command(flatten)]
    Records(Command),
    /// Print a script that completes this program's commands in a shell
    Completions { shell: Shell },
}

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

#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Register a project and print its new API key, of which only the hash is stored
    Create {
        /// The project's ID
        #[arg(value_parser = new_id)]
        id: String,
        /// E-mail account of an administrator; may be given several times
        #[arg(long = "admin", required = true, value_parser = account)]
        admins: Vec<String>,
        /// Also register the key with API Gateway, which keeps it, on the usage plan of this ID (the stack's output `UsagePlanId`)
        #[arg(long, value_name = "ID")]
        usage_plan: Option<String>,
    },
    /// Print a project's record
    Show {
        /// The project's ID
        id: String,
        /// Print JSON, for a program
        #[arg(long)]
        json: bool,
    },
    /// Print a line for each project: its status, ID and administrators
    List {
        /// Print JSON, for a program
        #[arg(long)]
        json: bool,
    },
    /// Register more administrators on a project
    AddAdmin {
        /// The project's ID
        id: String,
        /// Their e-mail accounts
        #[arg(required = true, value_parser = account)]
        admins: Vec<String>,
    },
    /// Remove administrators from a project
    RemoveAdmin {
        /// The project's ID
        id: String,
        /// Their e-mail accounts
        #[arg(required = true)]
        admins: Vec<String>,
        /// Don't ask before removing the last one
        #[arg(long)]
        yes: bool,
    },
    /// Take a project out of service: its requests get `invalid_project` from then on
    Close {
        /// The project's ID
        id: String,
    },
    /// Put a closed project back into service
    Reopen {
        /// The project's ID
        id: String,
    },
    /// A project's API key
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Give a project a new API key and print it; the old one stops working at once, or after --keep-old
    Rotate {
        /// The project's ID
        id: String,
        /// How long the old key still works, as 90m, 48h or 7d
        #[arg(long, value_name = "TIME", value_parser = keep_time)]
        keep_old: Option<Duration>,
        /// Also register the key with API Gateway, which keeps it, on the usage plan of this ID (the stack's output `UsagePlanId`)
        #[arg(long, value_name = "ID")]
        usage_plan: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum SubmissionCommand {
    /// Create a submission, to which images can then be sent
    Create {
        /// The submission's ID
        #[arg(value_parser = new_id)]
        id: String,
        /// The ID of its project
        #[arg(long)]
        project: String,
    },
    /// Print a submission's record and list its images
    Show {
        /// The submission's ID
        id: String,
        #[command(flatten)]
        show: ShowOptions,
    },
    /// Print a line for each submission: its ID, its project, its images, and when they last changed
    List {
        /// Only those of this project
        #[arg(long, value_name = "ID")]
        project: Option<String>,
        /// Print JSON, for a program
        #[arg(long)]
        json: bool,
    },
    /// Erase a submission for good: all versions of all its images, then its record
    ///
    /// Exit status: 0 when it is erased, 1 if something could not be erased (the record stays then, so that it can be
    /// run again), 3 if there was neither a record nor an object.
    Erase(Erase),
}

/// Options of `submission show`, the local stack's included.
#[derive(Debug, Args)]
pub struct ShowOptions {
    /// Also save the images to this folder, which only you can read: a new one, or this submission's from before
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Print JSON, for a program
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Erase {
    /// The submission's ID
    pub id: String,
    /// The ID of its project: to be sure, or to continue an erasure whose record is gone already. May be given several
    /// times; other projects that the submission was in before are found
    #[arg(long = "project", value_name = "ID")]
    pub projects: Vec<String>,
    /// Don't ask
    #[arg(long)]
    pub yes: bool,
    /// How long to wait for requests in progress, in seconds
    // Twice the template's `Timeout`, for uploads that arrive late.
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    pub wait: u64,
    /// Who approved the erasure, for the line that it ends with
    #[arg(long, value_name = "WHO")]
    pub approved_by: Option<String>,
}

/// Prints the script that completes a program's commands.
pub fn complete<C: CommandFactory>(shell: Shell, program: &str) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut C::command(), program, &mut script);
    terminal::print(&String::from_utf8(script)?)
}

/// Parses a text that a form's field can have.
fn text(value: &str) -> Result<String, Error> {
    match Text::parse(value.as_bytes())? {
        Some(text) if text.as_str() == value => Ok(value.to_owned()),
        _ => bail!("it is empty, or has whitespace around it, which a form's field can't have"),
    }
}

/// Parses an administrator's account.
fn account(value: &str) -> Result<String, Error> {
    let options = email_address::Options::default().without_display_text();
    EmailAddress::parse_with_options(value, options)
        .map_err(|error| format!("not an e-mail address such as admin@example.com: {error}"))?;
    text(value)
}

/// Parses a time to keep an old key, which the record has in seconds.
fn keep_time(value: &str) -> Result<Duration, Error> {
    let time = humantime::parse_duration(value)?;
    if time < Duration::from_secs(1) {
        bail!("shorter than a second: leave --keep-old out");
    }
    Ok(time)
}

/// Parses the ID of a new project or submission.
fn new_id(value: &str) -> Result<String, Error> {
    if !is_usable_id(value) {
        bail!("{UNUSABLE_ID}");
    }
    text(value)
}

/// Why an ID is refused: it becomes part of object keys.
pub(crate) const UNUSABLE_ID: &str =
    "an ID can't have a slash, a control character, U+FFFE or U+FFFF in it, or be empty, . or ..";
