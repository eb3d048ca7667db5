//! What is measured of a binary.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use local::clients::Endpoints;
use local::faults::Operation::{GetItem, PutObject, Query, UpdateItem};
use local::faults::{End, Fault, Faults, When};
use local::images::jpeg;
use local::lambda::Lambda;
use local::noise::Put;
use local::records::Records;
use local::stack::Stack;
use local::{Error, schema, server};
use put_image::deadline::TIMEOUT;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UdpSocket;

use crate::tls::Tls;

/// How often a process is started.
const STARTS: usize = 21;
/// How many requests a started process gets: one that is its first, and later ones.
const REQUESTS: usize = 5;
/// How many requests CPU time is taken over, which is counted in ticks of 10 ms.
const CPU_REQUESTS: u32 = 100;
/// What is added to each call.
pub(crate) const DYNAMODB_DELAY: Duration = Duration::from_millis(5);
pub(crate) const S3_DELAY: Duration = Duration::from_millis(20);

/// The storage and the requests that all binaries are measured with.
pub(crate) struct Bench {
    stack: Stack,
    tls: Endpoints,
    authorities: PathBuf,
    /// Four images of 1.1 MB.
    images: Vec<Vec<u8>>,
    /// As much as a phone's selfie.
    small: Vec<Vec<u8>>,
    _folder: TempDir,
}

/// Times and sizes of one binary; each time is a median.
pub(crate) struct Figures {
    /// Bytes of the binary, and of it compressed.
    pub(crate) size: (usize, usize),
    /// From the start of the process until it asks for the first event, over HTTP and over TLS.
    pub(crate) init: [Duration; 2],
    /// The first and later requests of a process, over HTTP and over TLS.
    pub(crate) latency: [(Duration, Duration); 2],
    /// CPU of a request, user and system, over HTTP and over TLS.
    pub(crate) cpu: [Duration; 2],
    /// CPU of a request that isn't sampled by X-Ray, and of one that is, with a subsegment for each call to storage.
    pub(crate) traced_cpu: (Duration, Duration),
    /// CPU of a request with one small image.
    pub(crate) small_cpu: Duration,
    /// Resident bytes before the first event, at most in it, and at most in many.
    pub(crate) memory: [u64; 3],
    /// A first put, without and with a delay added to each call.
    pub(crate) first_put: (Duration, Duration),
}

impl Bench {
    /// Bytes of the event that is measured with.
    pub(crate) fn event_size(&self) -> usize {
        Put::default().event(&self.images).len()
    }

    /// Embedded servers, also behind TLS.
    pub(crate) async fn new() -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let objects = folder.path().join("s3");
        std::fs::create_dir(&objects)?;
        let endpoints = server::embedded(&objects).await?;
        let tls = Tls::new()?;
        let authorities = folder.path().join("authorities.pem");
        tls.write_authorities(&authorities)?;
        let tls = Endpoints {
            dynamodb: tls.in_front_of(&endpoints.dynamodb).await?,
            s3: tls.in_front_of(&endpoints.s3).await?,
        };
        let stack = Stack::over(endpoints, schema::config(""), Records::sample()?).await?;
        let images = (0..4).map(|seed| jpeg(1_100_000, seed)).collect();
        let small = vec![jpeg(300_000, 4)];
        Ok(Self {
            stack,
            tls,
            authorities,
            images,
            small,
            _folder: folder,
        })
    }

    async fn start(&self, binary: &Path, endpoints: &Endpoints) -> Result<Lambda, Error> {
        self.start_traced(binary, endpoints, "").await
    }

    /// Starts a binary that sends its subsegments to this daemon.
    async fn start_traced(
        &self,
        binary: &Path,
        endpoints: &Endpoints,
        daemon: &str,
    ) -> Result<Lambda, Error> {
        let variables = [
            ("AWS_LAMBDA_LOG_LEVEL", OsStr::new("ERROR")),
            ("AWS_XRAY_DAEMON_ADDRESS", OsStr::new(daemon)),
            ("SSL_CERT_FILE", self.authorities.as_os_str()),
        ];
        Lambda::start(
            binary,
            endpoints,
            &self.stack.config,
            variables,
            Stdio::inherit,
        )
        .await
    }

    /// A submission without images.
    async fn new_submission(&self, id: &str) -> Result<(), Error> {
        let records = self.stack.endpoints.records(self.stack.config.clone());
        records
            .create_submission(id, Some("demo-project"))
            .await
            .map(|_created| ())
    }
}

/// Sends an event and waits until all is done. Returns the time until its answer, which must be a success.
async fn request(lambda: &Lambda, event: &Bytes) -> Result<Duration, Error> {
    let started = Instant::now();
    let answer = lambda.invoke(event.clone(), TIMEOUT).await??;
    let elapsed = started.elapsed();
    lambda.idle().await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    if answer["statusCode"] != 200 {
        return Err(format!("a good request is answered {answer}").into());
    }
    Ok(elapsed)
}

/// Measures a binary.
pub(crate) async fn measure(bench: &Bench, binary: &Path) -> Result<Figures, Error> {
    eprintln!("measuring {}", binary.display());
    let event = Bytes::from(Put::default().event(&bench.images));
    let small = Bytes::from(Put::default().event(&bench.small));
    let plain = &bench.stack.endpoints;
    // The servers' own first times are none of the function's.
    request(&bench.start(binary, plain).await?, &event).await?;
    let (init, latency) = latency(bench, binary, plain, &event).await?;
    let (tls_init, tls_latency) = self::latency(bench, binary, &bench.tls, &event).await?;
    Ok(Figures {
        size: size(binary)?,
        init: [init, tls_init],
        latency: [latency, tls_latency],
        cpu: [
            cpu(bench, binary, plain, &event).await?,
            cpu(bench, binary, &bench.tls, &event).await?,
        ],
        traced_cpu: traced_cpu(bench, binary, &event).await?,
        small_cpu: cpu(bench, binary, plain, &small).await?,
        memory: memory(bench, binary, &event).await?,
        first_put: first_put(bench, binary).await?,
    })
}

fn size(binary: &Path) -> Result<(usize, usize), Error> {
    let compressed = Command::new("gzip")
        .args(["-9", "-c"])
        .arg(binary)
        .output()?;
    Ok((std::fs::read(binary)?.len(), compressed.stdout.len()))
}

async fn latency(
    bench: &Bench,
    binary: &Path,
    endpoints: &Endpoints,
    event: &Bytes,
) -> Result<(Duration, (Duration, Duration)), Error> {
    let (mut inits, mut firsts, mut laters) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let lambda = bench.start(binary, endpoints).await?;
        inits.push(lambda.initialised().await?);
        firsts.push(request(&lambda, event).await?);
        for _ in 1..REQUESTS {
            laters.push(request(&lambda, event).await?);
        }
    }
    Ok((median(inits), (median(firsts), median(laters))))
}

async fn cpu(
    bench: &Bench,
    binary: &Path,
    endpoints: &Endpoints,
    event: &Bytes,
) -> Result<Duration, Error> {
    let lambda = bench.start(binary, endpoints).await?;
    request(&lambda, event).await?;
    let before = lambda.cpu().unwrap_or_default();
    for _ in 0..CPU_REQUESTS {
        request(&lambda, event).await?;
    }
    Ok(lambda.cpu().unwrap_or_default().saturating_sub(before) / CPU_REQUESTS)
}

/// Without and with a daemon that takes subsegments, by turns.
async fn traced_cpu(
    bench: &Bench,
    binary: &Path,
    event: &Bytes,
) -> Result<(Duration, Duration), Error> {
    const TURNS: u32 = 6;
    let daemon = UdpSocket::bind("127.0.0.1:0").await?;
    let address = daemon.local_addr()?.to_string();
    tokio::spawn(async move { while daemon.recv(&mut [0; 4096]).await.is_ok() {} });
    let endpoints = &bench.stack.endpoints;
    let lambdas = [
        bench.start(binary, endpoints).await?,
        bench.start_traced(binary, endpoints, &address).await?,
    ];
    let mut cpu = [Duration::ZERO; 2];
    for lambda in &lambdas {
        request(lambda, event).await?;
    }
    for _ in 0..TURNS {
        for (lambda, cpu) in lambdas.iter().zip(&mut cpu) {
            let before = lambda.cpu().unwrap_or_default();
            for _ in 0..CPU_REQUESTS {
                request(lambda, event).await?;
            }
            *cpu += lambda.cpu().unwrap_or_default().saturating_sub(before);
        }
    }
    let [without, with] = cpu.map(|cpu| cpu / CPU_REQUESTS / TURNS);
    Ok((without, with))
}

async fn memory(bench: &Bench, binary: &Path, event: &Bytes) -> Result<[u64; 3], Error> {
    let lambda = bench.start(binary, &bench.stack.endpoints).await?;
    lambda.initialised().await?;
    let resident = |name| lambda.memory(name).unwrap_or_default() * 1024;
    let idle = resident("VmRSS");
    request(&lambda, event).await?;
    let first = resident("VmHWM");
    for _ in 0..CPU_REQUESTS {
        request(&lambda, event).await?;
    }
    Ok([idle, first, resident("VmHWM")])
}

/// First puts without and with delays, by turns: each is to a submission of its own.
async fn first_put(bench: &Bench, binary: &Path) -> Result<(Duration, Duration), Error> {
    let faults = Faults::new(1);
    let endpoints = faults
        .in_front_of(
            &bench.stack.endpoints,
            &bench.stack.config.submissions_table,
        )
        .await?;
    let lambda = bench.start(binary, &endpoints).await?;
    request(&lambda, &Put::default().event(&bench.images).into()).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for i in 0..2 * STARTS {
        let submission_id = format!("first-put-{i}-{}", lambda.id().unwrap_or_default());
        bench.new_submission(&submission_id).await?;
        let event = Put {
            submission_id: &submission_id,
            ..Put::default()
        }
        .event(&bench.images)
        .into();
        faults.clear();
        if i % 2 == 0 {
            without.push(request(&lambda, &event).await?);
            continue;
        }
        let delays = [Query, GetItem, UpdateItem].map(|operation| (operation, DYNAMODB_DELAY));
        for (operation, delay) in delays.into_iter().chain([(PutObject, S3_DELAY)]) {
            faults.inject(Fault {
                operation,
                when: When::Always,
                takes_effect: true,
                end: End::Late(delay),
            });
        }
        with.push(request(&lambda, &event).await?);
    }
    Ok((median(without), median(with)))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
