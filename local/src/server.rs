//! The embedded wire servers: DynamoDB by dynoxide (on `SQLite`), S3 by s3s-fs (on a folder).

use std::convert::Infallible;
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

/// Binds a port on loopback and, if containers are to reach it, on Docker's bridge; 0 is any free one.
pub(crate) async fn bind_all(
    port: u16,
    bridge: Option<Ipv4Addr>,
    what: &str,
    flag: &str,
) -> Result<Vec<TcpListener>, Error> {
    let mut listeners = vec![bind(port, what, flag).await?];
    if let Some(bridge) = bridge {
        let port = listeners[0].local_addr()?.port();
        listeners.push(bind_at((bridge, port).into(), what, flag).await?);
    }
    Ok(listeners)
}

/// Starts both servers on free ports: the tables in memory, the buckets in a folder.
pub async fn embedded(folder: &Path) -> Result<Endpoints, Error> {
    let tables = bind(0, "DynamoDB", "").await?;
    let objects = bind(0, "S3", "").await?;
    Ok(Endpoints {
        dynamodb: dynamodb(vec![tables], None)?,
        s3: s3(vec![objects], folder)?,
    })
}

/// Starts a DynamoDB that keeps its tables in a file, or in memory. Returns its URL.
pub(crate) fn dynamodb(listeners: Vec<TcpListener>, file: Option<&Path>) -> Result<String, Error> {
    let url = url(&listeners[0])?;
    let opened = match file {
        Some(file) => Database::new(&file.to_string_lossy()),
        None => Database::memory(),
    };
    let database = opened.map_err(|error| {
        // The rest of the message, after its first sentence, is about encryption.
        let message = error.to_string();
        let why = message.split(". ").next().unwrap_or_default();
        format!("the tables can't be opened: {why}")
    })?;
    for listener in listeners {
        tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
    }
    Ok(url)
}

/// Starts an S3 that keeps its buckets in a folder, and accepts any credentials. Returns its URL.
pub(crate) fn s3(listeners: Vec<TcpListener>, folder: &Path) -> Result<String, Error> {
    let url = url(&listeners[0])?;
    let files = FileSystem::new(folder)
        .map_err(|error| format!("can't use the folder {}: {error:?}", folder.display()))?;
    let s3 = S3ServiceBuilder::new(files).build();
    for listener in listeners {
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
