//! What is measured of a binary, and what was asked for.

#![allow(clippy::cast_precision_loss, reason = "sizes in MB")]

use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use bytes::Bytes;
use local::clients::Endpoints;
use local::event;
use local::faults::Operation::{GetItem, PutObject, Query, UpdateItem};
use local::faults::{End, Fault, Faults, When};
use local::images::jpeg;
use local::lambda::{self, Lambda};
use local::records::Records;
use local::stack::Stack;
use local::{Error, schema, server};
use put_image::deadline::TIMEOUT;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

use crate::tls;

/// How often a process is started.
const STARTS: usize = 21;
/// How many requests a started process gets: one that is its first, and later ones.
const REQUESTS: usize = 5;
/// How many requests CPU time is taken over, which is counted in ticks of 10 ms.
const CPU_REQUESTS: u32 = 100;
/// What is added to each call.
const DYNAMODB_DELAY: Duration = Duration::from_millis(5);
const S3_DELAY: Duration = Duration::from_millis(20);
/// What a put waits for then: both reads at once, all uploads at once, the commit.
pub(crate) const DELAYS: Duration = Duration::from_millis(5 + 20 + 5);

/// The storage and the requests that all binaries are measured with.
pub(crate) struct Bench {
    stack: Stack,
    tls: Endpoints,
    ca_bundle: PathBuf,
    /// Four images of 1.1 MB.
    images: Vec<Vec<u8>>,
    /// A put of them.
    pub(crate) large: Bytes,
    /// A put of one image, as large as a phone's selfie.
    small: Bytes,
    _folder: TempDir,
}

/// A figure of one binary; each time is a median.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) shown: String,
    /// What `asked` is about.
    pub(crate) value: f64,
    pub(crate) asked: Asked,
}

/// What was asked for of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    Nothing,
    /// At most so many, of these.
    AtMost(f64, &'static str),
    /// At most so many times the other binary's.
    AtMostOther(f64),
    /// At least so many times less than the other binary's.
    LessThanOther(f64),
}

/// What was measured of one binary.
pub(crate) struct Figures {
    pub(crate) all: Vec<Figure>,
    /// CPU of a request with the largest event over TLS, and of one with one small image.
    pub(crate) cpu: [Duration; 2],
}

impl Bench {
    /// Embedded servers, also behind TLS.
    pub(crate) async fn new() -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let objects = folder.path().join("s3");
        std::fs::create_dir(&objects)?;
        let endpoints = server::embedded(&objects).await?;
        let (tls, trusted) = tls::in_front_of(&endpoints).await?;
        let ca_bundle = folder.path().join("ca_bundle.pem");
        std::fs::write(&ca_bundle, trusted)?;
        let images: Vec<_> = (0..4).map(|seed| jpeg(1_100_000, seed)).collect();
        let put = |images: &[Vec<u8>]| event::put("demo-submission", images).to_string().into();
        Ok(Self {
            stack: Stack::over(endpoints, schema::config(""), Records::sample()?).await?,
            tls,
            ca_bundle,
            large: put(&images),
            small: put(&[jpeg(300_000, 4)]),
            images,
            _folder: folder,
        })
    }

    /// Measures a binary.
    pub(crate) async fn measure(&self, binary: &Path) -> Result<Figures, Error> {
        eprintln!("measuring {}", binary.display());
        let mut all = Vec::new();
        let mut add = |name: &str, shown: String, value: f64, asked: Asked| {
            let name = name.to_owned();
            all.push(Figure {
                name,
                shown,
                value,
                asked,
            });
        };
        let plain = &self.stack.endpoints;
        // Warms up the servers, whose first calls would count against the function.
        self.start_warm(self.command(binary, plain)).await?;

        let mut tls_cpu = Duration::ZERO;
        for (over, endpoints) in [("HTTP", plain), ("TLS", &self.tls)] {
            let command = || self.command(binary, endpoints);
            let [init, first, later] = self.times(command).await?;
            let name = format!("init, process start to first poll, {over}");
            add(&name, ms(init), init.as_secs_f64(), Asked::AtMostOther(1.5));
            // Lambda's storage is behind TLS: that is where the first request has to be like a later one.
            let asked = match over {
                "TLS" => Asked::AtMost(1.25, "x a later one"),
                _ => Asked::Nothing,
            };
            let name = format!("first request / later ones, {over}");
            let shown = format!("{} / {}", ms(first), ms(later));
            add(&name, shown, ratio(first, later), asked);
            let name = format!("CPU a request, {over}");
            let cpu = cpu(&self.start_warm(command()).await?, &self.large).await?;
            add(&name, ms(cpu), cpu.as_secs_f64(), Asked::LessThanOther(2.5));
            tls_cpu = cpu;
        }

        let lambda = self.start_warm(self.command(binary, plain)).await?;
        let small_cpu = cpu(&lambda, &self.small).await?;
        add(
            "CPU a request with one image of 300 KB",
            ms(small_cpu),
            small_cpu.as_secs_f64(),
            Asked::LessThanOther(1.7),
        );

        let [idle, first, most] = self.memory(binary).await?;
        add("resident when idle", mb(idle), idle, Asked::Nothing);
        add("peak of the first event", mb(first), first, Asked::Nothing);
        let asked = Asked::AtMost(45.0, "MB");
        add("peak of 101 such events", mb(most), most, asked);

        let [without, with] = self.first_put(binary).await?;
        add("put to a new submission", ms(without), 0.0, Asked::Nothing);
        let added = with.saturating_sub(without);
        let (dynamodb, s3) = (ms(DYNAMODB_DELAY), ms(S3_DELAY));
        add(
            &format!(
                "put to a new submission with {dynamodb} added to each DynamoDB call, {s3} to each S3 call"
            ),
            format!("{} (+ {})", ms(with), ms(added)),
            ratio(added, DELAYS),
            Asked::AtMost(1.1, "x 30.0 ms more"),
        );

        let size = std::fs::metadata(binary)?.len() as f64 / 1e6;
        add("binary", mb(size), size, Asked::AtMost(8.0, "MB"));
        let mut gzip = process::Command::new("gzip");
        let compressed = gzip.args(["-9", "-c"]).arg(binary).output()?.stdout;
        let size = compressed.len() as f64 / 1e6;
        add("compressed", mb(size), size, Asked::AtMost(3.8, "MB"));
        Ok(Figures {
            all,
            cpu: [tls_cpu, small_cpu],
        })
    }

    fn command(&self, binary: &Path, endpoints: &Endpoints) -> Command {
        let mut command = lambda::command(binary, endpoints, &self.stack.config);
        command
            .env("AWS_LAMBDA_LOG_LEVEL", "ERROR")
            .env("SSL_CERT_FILE", &self.ca_bundle);
        command
    }

    /// Starts a binary and makes its first request.
    async fn start_warm(&self, command: Command) -> Result<Lambda, Error> {
        let lambda = Lambda::start(command).await?;
        request(&lambda, &self.large).await?;
        Ok(lambda)
    }

    /// From the start of the process until it asks for the first event; then its first request, and later ones.
    async fn times(&self, command: impl Fn() -> Command) -> Result<[Duration; 3], Error> {
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..STARTS {
            let started = Instant::now();
            let lambda = Lambda::start(command()).await?;
            lambda.idle().await?;
            times[0].push(started.elapsed());
            times[1].push(request(&lambda, &self.large).await?);
            for _ in 1..REQUESTS {
                times[2].push(request(&lambda, &self.large).await?);
            }
        }
        Ok(times.map(median))
    }

    /// Resident MB before the first event, at most in it, and at most in many.
    async fn memory(&self, binary: &Path) -> Result<[f64; 3], Error> {
        let command = self.command(binary, &self.stack.endpoints);
        let lambda = Lambda::start(command).await?;
        lambda.idle().await?;
        let resident = |name| (lambda.memory(name).unwrap_or_default() * 1024) as f64 / 1e6;
        let idle = resident("VmRSS");
        request(&lambda, &self.large).await?;
        let first = resident("VmHWM");
        for _ in 0..CPU_REQUESTS {
            request(&lambda, &self.large).await?;
        }
        Ok([idle, first, resident("VmHWM")])
    }

    /// First puts without and with delays, by turns: each is to a submission of its own.
    async fn first_put(&self, binary: &Path) -> Result<[Duration; 2], Error> {
        let (faults, endpoints) = Faults::in_front_of(&self.stack).await?;
        let lambda = self.start_warm(self.command(binary, &endpoints)).await?;
        let mut times = [const { Vec::new() }; 2];
        for _ in 0..STARTS {
            faults.clear();
            times[0].push(self.put_first(&lambda).await?);
            let delays = [Query, GetItem, UpdateItem].map(|operation| (operation, DYNAMODB_DELAY));
            for (operation, delay) in delays.into_iter().chain([(PutObject, S3_DELAY)]) {
                faults.inject(Fault {
                    operation,
                    when: When::Always,
                    takes_effect: false,
                    end: End::Late(delay),
                });
            }
            times[1].push(self.put_first(&lambda).await?);
        }
        Ok(times.map(median))
    }

    /// Puts images to a new submission. Returns how long that takes.
    async fn put_first(&self, lambda: &Lambda) -> Result<Duration, Error> {
        let records = self.stack.endpoints.records(self.stack.config.clone());
        let id = Uuid::new_v4().to_string();
        let created = records.create_submission(&id, Some("demo-project"));
        if !created.await? {
            return Err("a new ID is not new".into());
        }
        let event = event::put(&id, &self.images).to_string();
        request(lambda, &event.into()).await
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

/// CPU of a request, user and system, on the average of many.
async fn cpu(lambda: &Lambda, event: &Bytes) -> Result<Duration, Error> {
    let before = lambda.cpu().unwrap_or_default();
    for _ in 0..CPU_REQUESTS {
        request(lambda, event).await?;
    }
    Ok(lambda.cpu().unwrap_or_default().saturating_sub(before) / CPU_REQUESTS)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

pub(crate) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn mb(size: f64) -> String {
    format!("{size:.1} MB")
}
