//! The command line.

use std::env;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Id, Parser, Subcommand};

/// The local stack of PUT /Image: DynamoDB, S3 and API Gateway in one process on loopback.
#[derive(Debug, Parser)]
#[command(name = "local", version = put_image::VERSION, propagate_version = true)]
pub struct Cli {
    /// What to do; `serve` if left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `serve`.
    #[command(flatten)]
    pub serve: Serve,
    /// Folder of the tables and objects
    #[arg(long, value_name = "DIR", default_value_os_t = default_data(), global = true)]
    pub data: PathBuf,
}

impl Cli {
    /// Parses the command line, or exits. `--data` may be anywhere; any other option before a subcommand would have no
    /// effect.
    #[must_use]
    pub fn read() -> Self {
        let matches = Self::command().get_matches();
        let is_given =
            |id: &Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let is_misplaced = matches.ids().any(|id| id != "data" && is_given(id));
        if let Some(name) = matches.subcommand_name()
            && is_misplaced
        {
            let words = format!("options of `{name}` go after it; only --data may come before");
            Self::command()
                .error(ErrorKind::ArgumentConflict, words)
                .exit();
        }
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve PUT /Image until Ctrl-C (the default)
    Serve(Serve),
    /// Put one event through the function: the response goes to standard output, the record and the objects that it
    /// left to standard error. Exit status: 0 for a success, 4 for a 4xx response, 5 for a 5xx response
    Invoke {
        /// The event: JSON of payload 1.0 or 2.0, for example events/put-image.json
        event: PathBuf,
        /// Delete the stack's tables and objects first
        #[arg(long)]
        fresh: bool,
    },
    /// Print a submission's record and list its images
    Show {
        /// The submission's ID
        #[arg(default_value = "demo-submission")]
        id: String,
        #[command(flatten)]
        show: admin::cli::ShowOptions,
    },
    /// Run a command of `admin` on the stack's tables and bucket
    #[command(subcommand)]
    Admin(admin::cli::Command),
    /// Print a script that completes this program's commands in a shell
    Completions { shell: admin::cli::Shell },
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Port of the gateway
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Port of the page that shows the images
    #[arg(long, default_value_t = 8081)]
    pub page_port: u16,
    /// Port of DynamoDB (events/local.env and events/local.json name 8000)
    #[arg(long, default_value_t = 8000)]
    pub dynamodb_port: u16,
    /// Port of S3 (events/local.env and events/local.json name 8014)
    #[arg(long, default_value_t = 8014)]
    pub s3_port: u16,
    /// Also listen on Docker's bridge, for `sam local`: containers then reach DynamoDB and S3
    #[arg(long)]
    pub docker: bool,
    /// Delete the stack's tables and objects first
    #[arg(long)]
    pub fresh: bool,
}

/// Returns a command line of the local stack, for a data folder.
pub(crate) fn command(arguments: &str, folder: &Path) -> String {
    let is_default = default_data()
        .canonicalize()
        .is_ok_and(|default| default == folder);
    let data = if is_default {
        String::new()
    } else {
        format!(" --data {}", folder.display())
    };
    format!("cargo run --bin local -- {arguments}{data}")
}

/// Returns the data folder of the checkout that a command is run in, found by searching upward from the working
/// directory as cargo does, or else one in the user's own data directory. It is not the checkout that the binary was
/// built in: two checkouts that share a target folder would write into the same one.
fn default_data() -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    let is_checkout = |folder: &&Path| folder.join("local/src/cli.rs").is_file();
    if let Some(checkout) = here.ancestors().find(is_checkout) {
        return checkout.join(".local-stack");
    }
    let named = env::var_os("XDG_DATA_HOME").filter(|data| !data.is_empty());
    let data = named.map(PathBuf::from);
    let of_home = || env::home_dir().map(|home| home.join(".local/share"));
    data.or_else(of_home).unwrap_or(here).join("put-image")
}
