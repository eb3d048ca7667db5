//! The part of DynamoDB and S3 that a request needs, over TLS. Each call gets the response that a submission without images
//! has, after a fixed delay. That takes so little CPU that two cores are enough for it and the function.

use std::collections::BTreeMap;
use std::io;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use local::clients::Endpoints;
use local::{Error, server};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const DYNAMODB_DELAY: Duration = Duration::from_millis(5);
const S3_DELAY: Duration = Duration::from_millis(20);
/// What a request waits for: both reads concurrently, all uploads concurrently, the commit.
pub(crate) const DELAYS: Duration = Duration::from_millis(5 + 20 + 5);

const PROJECT: &str = r#"{"Count":1,"ScannedCount":1,"Items":[{"projectId":{"S":"demo-project"},"status":{"S":"active"},"admins":{"SS":["Admin@Example.com"]}}]}"#;
const SUBMISSION: &str =
    r#"{"Item":{"submissionId":{"S":"demo-submission"},"projectId":{"S":"demo-project"}}}"#;
const LOCATION: &str =
    r#"<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>"#;

/// Where Debian has the certificates that it trusts.
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How many calls of each operation there were, and the total bytes of their bodies.
pub(crate) type Calls = BTreeMap<String, (usize, usize)>;

#[derive(Clone, Default)]
pub(crate) struct Storage(Arc<Mutex<Calls>>);

impl Storage {
    /// Starts it. Also returns its endpoints, and the certificates to trust: the system's and ours, so that a function
    /// has as many to read as in Lambda.
    pub(crate) async fn start() -> Result<(Self, Endpoints, String), Error> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)?;
        let listener = server::bind(0, "the storage", "").await?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let storage = Self::default();
        tokio::spawn(storage.clone().serve(listener, Arc::new(config).into()));
        let endpoints = Endpoints {
            dynamodb: url.clone(),
            s3: url,
        };
        let system = std::fs::read_to_string(TRUSTED).unwrap_or_default();
        Ok((storage, endpoints, system + &cert.pem()))
    }

    /// Returns the calls since the last time.
    pub(crate) fn take_calls(&self) -> Calls {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn serve(self, listener: TcpListener, acceptor: TlsAcceptor) {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(self.clone().connection(socket, acceptor.clone()));
        }
    }

    async fn connection(self, socket: TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let socket = TokioIo::new(acceptor.accept(socket).await?);
        let service = service_fn(|request| self.respond(request));
        let served = http1::Builder::new().serve_connection(socket, service);
        served.await.map_err(io::Error::other)
    }

    async fn respond(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Error> {
        let target = request.headers().get("x-amz-target");
        let target = target.and_then(|target| target.to_str().ok()?.rsplit('.').next());
        let (name, delay, body) = match (target, request.method()) {
            (Some("Query"), _) => ("Query", DYNAMODB_DELAY, PROJECT),
            (Some("GetItem"), _) => ("GetItem", DYNAMODB_DELAY, SUBMISSION),
            (Some("UpdateItem"), _) => ("UpdateItem", DYNAMODB_DELAY, "{}"),
            (None, &Method::PUT) => ("PutObject", S3_DELAY, ""),
            (None, &Method::GET) => ("GetBucketLocation", S3_DELAY, LOCATION),
            (other, method) => return Err(format!("a call of {method} {other:?}").into()),
        };
        let mut received = request.into_body();
        let mut size = 0;
        while let Some(frame) = received.frame().await {
            size += frame?.data_ref().map_or(0, Bytes::len);
        }
        {
            let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (count, bytes) = calls.entry(name.to_owned()).or_default();
            *count += 1;
            *bytes += size;
        }
        let due = Instant::now() + delay;
        // On its own thread: tokio's timer rounds up to the next millisecond.
        spawn_blocking(move || sleep(due.duration_since(Instant::now()))).await?;
        Ok(Response::new(body.into()))
    }
}
