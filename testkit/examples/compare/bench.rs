//! Starts functions over the storage and sends them events. Measures what a function takes: CPU time, memory, the size
//! of its package.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use local::clients::Endpoints;
use local::{Error, event, schema};
use put_image::config::Config;
use put_image::deadline::TIMEOUT;
use serde_json::Value;
use tempfile::TempDir;
use testkit::images::jpeg;
use testkit::lambda::{self, Lambda};

use crate::peers::Peer;
use crate::quota::{ENTER, Quota};
use crate::storage::Storage;

/// How many processors a function finds in Lambda, however small its share of them.
pub(crate) const CORES: u32 = 2;
/// How many requests CPU time is averaged over, since it is counted in ticks of 10 ms.
const CPU_REQUESTS: u32 = 100;

/// What all functions are measured with.
pub(crate) struct Bench {
    storage: Storage,
    endpoints: Endpoints,
    config: Config,
    pub(crate) quota: Option<Quota>,
    /// An event just under Lambda's limit, with four images of 1.1 MB.
    pub(crate) large: Bytes,
    /// An event with one image of a selfie's size.
    pub(crate) small: Bytes,
    ca_bundle: PathBuf,
    _folder: TempDir,
}

/// What a function takes.
pub(crate) struct Costs {
    pub(crate) init: Duration,
    /// CPU of a request with the largest event, and with the small one.
    pub(crate) cpu: [Duration; 2],
    /// KiB before the first event, and the peak over all of the largest ones.
    pub(crate) memory: [u64; 2],
    /// Bytes of the package, as it is and compressed.
    pub(crate) package: [usize; 2],
}

impl Bench {
    pub(crate) async fn new() -> Result<Self, Error> {
        let quota = Quota::new().inspect_err(|error| {
            println!("Without a CPU quota, so at 1769 MB and on all cores only: {error}.\n");
        });
        let (storage, endpoints, trusted) = Storage::start().await?;
        let folder = tempfile::tempdir()?;
        let ca_bundle = folder.path().join("ca_bundle.pem");
        std::fs::write(&ca_bundle, trusted)?;
        let images: Vec<_> = (0..4).map(|seed| jpeg(1_100_000, seed)).collect();
        let put = |images: &[Vec<u8>]| event::put("demo-submission", images).to_string().into();
        Ok(Self {
            storage,
            endpoints,
            config: schema::config(""),
            quota: quota.ok(),
            large: put(&images),
            small: put(&[jpeg(300_000, 4)]),
            ca_bundle,
            _folder: folder,
        })
    }

    /// Starts a function on the given number of cores, for the given number of requests at a time.
    pub(crate) async fn start(
        &self,
        peer: &Peer,
        cores: u32,
        concurrency: usize,
    ) -> Result<Lambda, Error> {
        let mut line = peer.line.iter();
        let mut command = if let Some(quota) = &self.quota {
            quota.set(cores.into())?;
            let mut shell = lambda::command("/bin/sh", &self.endpoints, &self.config);
            shell.args(["-c", ENTER]).arg(&quota.folder);
            shell
        } else {
            let program = line.next().ok_or("no program")?;
            lambda::command(program, &self.endpoints, &self.config)
        };
        command
            .args(line)
            .env("AWS_LAMBDA_LOG_LEVEL", "ERROR")
            .env("SSL_CERT_FILE", &self.ca_bundle)
            .env("NODE_EXTRA_CA_CERTS", &self.ca_bundle)
            .env("NODE_NO_WARNINGS", "1")
            .env("TOKIO_WORKER_THREADS", cores.to_string());
        if concurrency > 1 {
            command.env(lambda::MAX_CONCURRENCY, concurrency.to_string());
        }
        let lambda = Lambda::start(command).await?;
        lambda.idle().await?;
        Ok(lambda)
    }

    /// Checks that a function makes the same calls as the others, and sends everything that it got.
    pub(crate) async fn check(&self, peer: &Peer) -> Result<(), Error> {
        let lambda = self.start(peer, CORES, 1).await?;
        self.storage.take_calls();
        request(&lambda, &self.large).await?;
        let calls = self.storage.take_calls();
        let counts: Vec<_> = calls
            .iter()
            .map(|(name, (n, _))| (name.as_str(), *n))
            .collect();
        let expected = [
            ("GetItem", 1),
            ("PutObject", 4),
            ("Query", 1),
            ("UpdateItem", 1),
        ];
        if counts != expected || calls["PutObject"].1 != 4 * 1_100_000 {
            return Err(format!("{} makes other calls: {calls:?}", peer.name).into());
        }
        lambda.end().await?;
        Ok(())
    }

    pub(crate) async fn costs(&self, peers: &[Peer]) -> Result<Vec<Costs>, Error> {
        let mut costs = Vec::new();
        for peer in peers {
            eprintln!("costs of {}", peer.name);
            let mut init = Vec::new();
            for _ in 0..11 {
                let started = Instant::now();
                let lambda = self.start(peer, 1, 1).await?;
                init.push(started.elapsed());
                lambda.end().await?;
            }
            let lambda = self.start(peer, CORES, 1).await?;
            let memory = |name| lambda.memory(name).unwrap_or_default();
            let idle = memory("VmRSS");
            let cpu = [
                cpu(&lambda, &self.large).await?,
                cpu(&lambda, &self.small).await?,
            ];
            costs.push(Costs {
                init: percentile(&mut init, 50),
                cpu,
                memory: [idle, memory("VmHWM")],
                package: [peer.size(&[])?, peer.size(&["-z"])?],
            });
            lambda.end().await?;
        }
        Ok(costs)
    }
}

/// Sends an event. Returns the time until its response, which must be a success.
pub(crate) async fn request(lambda: &Lambda, event: &Bytes) -> Result<Duration, Error> {
    let started = Instant::now();
    let response = lambda.invoke(event.clone(), TIMEOUT).await??;
    let elapsed = started.elapsed();
    let response: Value = serde_json::from_slice(&response)?;
    if response["statusCode"] != 200 {
        return Err(format!("a good request gets {response}").into());
    }
    Ok(elapsed)
}

/// CPU of a request, user and system, averaged over many.
async fn cpu(lambda: &Lambda, event: &Bytes) -> Result<Duration, Error> {
    request(lambda, event).await?;
    let before = lambda.cpu().unwrap_or_default();
    for _ in 0..CPU_REQUESTS {
        request(lambda, event).await?;
    }
    Ok(lambda.cpu().unwrap_or_default().saturating_sub(before) / CPU_REQUESTS)
}

pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}
