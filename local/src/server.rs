//! The embedded wire servers: DynamoDB by dynoxide (on `SQLite`), S3 by s3s-fs (on a folder).

use std::convert::Infallible;
use std::iter;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::HttpError;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::Error;
use crate::clients::Endpoints;
use crate::unsigned::unsigned;

/// Binds a loopback port; 0 is any free one.
pub async fn bind(port: u16, what: &str, flag: &str) -> Result<TcpListener, Error> {
    bind_at((Ipv4Addr::LOCALHOST, port).into(), what, flag).await
}

async fn bind_at(address: SocketAddr, what: &str, flag: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        format!(
            "can't listen on {address} for {what}: {error}. End what runs there or choose another port with {flag}."
        )
        .into()
    })
}

/// A port on loopback and, if containers are to reach it, on Docker's bridge.
#[derive(Debug)]
pub struct Listeners {
    loopback: TcpListener,
    bridge: Option<TcpListener>,
}

impl Listeners {
    /// Binds a port; 0 is any free one.
    pub async fn bind(
        port: u16,
        bridge: Option<Ipv4Addr>,
        what: &str,
        flag: &str,
    ) -> Result<Self, Error> {
        let loopback = bind(port, what, flag).await?;
        let port = loopback.local_addr()?.port();
        let bridge = match bridge {
            Some(bridge) => Some(bind_at((bridge, port).into(), what, flag).await?),
            None => None,
        };
        Ok(Self { loopback, bridge })
    }

    fn each(self) -> impl Iterator<Item = TcpListener> {
        iter::once(self.loopback).chain(self.bridge)
    }
}

/// Starts both servers on free ports: the tables in memory, the buckets in a folder.
pub async fn embedded(folder: &Path) -> Result<Endpoints, Error> {
    let tables = Listeners::bind(0, None, "DynamoDB", "").await?;
    let objects = Listeners::bind(0, None, "S3", "").await?;
    Ok(Endpoints {
        dynamodb: dynamodb(tables, None)?,
        s3: s3(objects, folder)?,
    })
}

/// Starts a DynamoDB that keeps its tables in a file, or in memory. Returns its URL.
pub fn dynamodb(listeners: Listeners, file: Option<&Path>) -> Result<String, Error> {
    let url = url(&listeners.loopback)?;
    let database = match file {
        Some(file) => Database::new(&file.to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(|error| {
        // The rest of the message, after its first sentence, is about encryption.
        let why = error.to_string();
        let why = why.split(". ").next().unwrap_or_default();
        format!("the tables can't be opened: {why}")
    })?;
    for listener in listeners.each() {
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
    }
    Ok(url)
}

/// Starts an S3 that keeps its buckets in a folder, and accepts any credentials. Returns its URL.
pub fn s3(listeners: Listeners, folder: &Path) -> Result<String, Error> {
    let url = url(&listeners.loopback)?;
    let files = FileSystem::new(folder)
        .map_err(|error| format!("can't use the folder {}: {error:?}", folder.display()))?;
    let s3 = S3ServiceBuilder::new(files).build();
    for listener in listeners.each() {
        let s3 = s3.clone();
        tokio::spawn(serve(listener, move |_| {
            let s3 = s3.clone();
            service_fn(move |request| {
                let s3 = s3.clone();
                async move {
                    s3.call(unsigned(request).await.map_err(HttpError::new)?)
                        .await
                }
            })
        }));
    }
    Ok(url)
}

/// Serves HTTP/1.1, with a new service for each connection.
pub async fn serve<S, B>(listener: TcpListener, service: impl Fn(SocketAddr) -> S) -> Infallible
where
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send> + Send + 'static,
    S::Error: Into<Error>,
    B: Body<Data: Send, Error: Into<Error>> + Send + 'static,
{
    loop {
        let Ok((socket, client)) = listener.accept().await else {
            // Out of file descriptors: one is free again when a connection ends.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let socket = TokioIo::new(socket);
        tokio::spawn(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(socket, service(client)),
        );
    }
}

/// The URL of a listener on loopback.
pub fn url(listener: &TcpListener) -> Result<String, Error> {
    Ok(format!("http://{}", listener.local_addr()?))
}
