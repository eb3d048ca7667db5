//! The stack put together: servers over one data folder, filled with the sample records.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError, set_permissions};
use std::io::{self, ErrorKind, Write as _, stderr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use put_image::config::Config;
use put_image::deadline::TIMEOUT;
use put_image::handler::App;
use put_image::storage::Limits;
use put_image::telemetry::Telemetry;
use put_image::telemetry::logging::LevelFilter;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::cli::command;
use crate::clients::Endpoints;
use crate::gateway::{Gateway, Keys, default_rate};
use crate::records::Records;
use crate::{Error, schema, server};

/// The file in the data folder in which `serve` tells other commands its endpoints.
const ENDPOINTS: &str = "endpoints.json";

/// How long to wait for another command.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Tables, bucket and records on embedded servers, which end with the process.
#[derive(Debug)]
pub struct Stack {
    pub endpoints: Endpoints,
    pub config: Config,
    /// What was put into the tables.
    pub records: Records,
    data: Option<Data>,
}

/// A data folder that only one stack uses at a time.
#[derive(Debug)]
pub struct Data {
    pub folder: PathBuf,
    /// Held as long as the folder is in use.
    _lock: File,
}

/// Who has a data folder.
#[derive(Debug)]
pub enum Taken {
    /// The process that asked for it.
    Ours(Data),
    /// Another stack, which uses it and runs at these endpoints.
    Theirs(Endpoints),
}

impl Data {
    /// Takes a folder, unless `serve` has it. Waits for any other command.
    pub async fn take(folder: &Path) -> Result<Taken, Error> {
        let taken = Self::try_take(folder).await;
        taken.map_err(|error| format!("can't use the folder {}: {error}", folder.display()).into())
    }

    async fn try_take(folder: &Path) -> Result<Taken, Error> {
        // One that exists may be anybody's, so its own permissions stay as they are.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let folder = folder.canonicalize()?;
        let lock = private_file(&folder.join("lock"))?;
        let endpoints = folder.join(ENDPOINTS);
        let started = Instant::now();
        while let Err(error) = lock.try_lock() {
            if let TryLockError::Error(error) = error {
                return Err(error.into());
            }
            if let Ok(lent) = std::fs::read(&endpoints) {
                return Ok(Taken::Theirs(serde_json::from_slice(&lent)?));
            }
            if started.elapsed() > LOCK_TIMEOUT {
                return Err("another command uses it: try again when it has ended".into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        // Left over from a process that was killed.
        match std::fs::remove_file(&endpoints) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(Taken::Ours(Self {
            folder,
            _lock: lock,
        }))
    }

    /// Returns the folders of the tables and of the objects. Other files in the data folder may be anybody's.
    fn folders(&self) -> [PathBuf; 2] {
        ["dynamodb", "s3"].map(|name| self.folder.join(name))
    }

    /// Creates the folders, which only their owner can read, and deletes the tables of earlier versions.
    fn make(&self) -> io::Result<()> {
        for folder in self.folders() {
            std::fs::create_dir_all(&folder)?;
            set_permissions(folder, Permissions::from_mode(0o700))?;
        }
        // Where earlier versions had the tables, readable by others.
        for old in [
            "dynamodb.sqlite",
            "dynamodb.sqlite-wal",
            "dynamodb.sqlite-shm",
        ] {
            match std::fs::remove_file(self.folder.join(old)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Opens an empty file that only its owner can read.
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

impl Stack {
    /// Starts a stack over a data folder, from nothing if `fresh`. The ports are bound before, so that a failed start
    /// deletes nothing.
    pub(crate) async fn start(
        dynamodb: Vec<TcpListener>,
        s3: Vec<TcpListener>,
        data: Data,
        fresh: bool,
    ) -> Result<Self, Error> {
        let records = Records::sample()?;
        let started = async {
            data.make()?;
            let [tables, objects] = data.folders();
            if fresh {
                std::fs::remove_dir_all(&tables)?;
                std::fs::remove_dir_all(&objects)?;
                data.make()?;
            }
            let endpoints = Endpoints {
                dynamodb: server::dynamodb(dynamodb, Some(&tables.join("dynamodb.sqlite")))?,
                s3: server::s3(s3, &objects)?,
            };
            Self::over(endpoints, schema::config(""), records).await
        };
        match started.await {
            Ok(stack) => Ok(Self {
                data: Some(data),
                ..stack
            }),
            Err(error) => Err(format!(
                "can't use the data in {}: {error}; if it is damaged, `{}` deletes it and starts over",
                data.folder.display(),
                command("--fresh", &data.folder)
            )
            .into()),
        }
    }

    /// Lets other commands on the data folder use this stack.
    pub fn lend(&self) -> Result<(), Error> {
        if let Some(data) = &self.data {
            let (path, new) = (
                data.folder.join(ENDPOINTS),
                data.folder.join("endpoints.new"),
            );
            private_file(&new)?.write_all(&serde_json::to_vec(&self.endpoints)?)?;
            std::fs::rename(new, path)?;
        }
        Ok(())
    }

    /// Opens the sample stack of a data folder: the one that `serve` runs over it, or else one on free ports.
    pub async fn open(folder: &Path, fresh: bool) -> Result<Self, Error> {
        match Data::take(folder).await? {
            Taken::Ours(data) => {
                let dynamodb = vec![server::bind(0, "DynamoDB", "").await?];
                let s3 = vec![server::bind(0, "S3", "").await?];
                Self::start(dynamodb, s3, data, fresh).await
            }
            Taken::Theirs(_) if fresh => {
                Err("a local stack runs over the data folder: end it before --fresh".into())
            }
            Taken::Theirs(endpoints) => Ok(Self {
                endpoints,
                config: schema::config(""),
                records: Records::sample()?,
                data: None,
            }),
        }
    }

    /// A stack over servers that run already.
    pub async fn over(
        endpoints: Endpoints,
        config: Config,
        records: Records,
    ) -> Result<Self, Error> {
        schema::create(&endpoints, &config).await?;
        records.seed(&endpoints.records(config.clone())).await?;
        Ok(Self {
            endpoints,
            config,
            records,
            data: None,
        })
    }

    pub fn function(&self) -> App {
        let config = self.config.clone();
        let storage = self.endpoints.storage(config, Limits::default());
        App::new(storage, Telemetry::new(LevelFilter::WARN, stderr()))
    }

    pub fn gateway(&self) -> Result<Gateway, Error> {
        Gateway::new(self.function(), TIMEOUT, self.keys(), default_rate())
    }

    pub fn keys(&self) -> Keys {
        Keys {
            known: self.records.keys_without_project.clone(),
            dynamodb: self.endpoints.dynamodb(),
            projects_table: self.config.projects_table.clone(),
        }
    }
}
