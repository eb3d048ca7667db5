//! The embedded wire servers: DynamoDB by dynoxide (on `SQLite`), S3 by s3s-fs (on a folder).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::Error;
use crate::clients::{CREDENTIALS, Endpoints};

/// Binds a loopback port; 0 is any free one.
///
/// # Errors
///
/// A sentence that names the port if it is taken.
pub async fn bind(port: u16, what: &str, flag: &str) -> Result<TcpListener, Error> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address).await.map_err(|error| {
        format!(
            "can't listen on {address} for {what}: {error}. End what runs there or choose another port with {flag}."
        )
        .into()
    })
}

/// Starts both servers on free ports: the tables in memory, the buckets in a folder.
///
/// # Errors
///
/// If the folder can't be used.
pub async fn embedded(folder: &Path) -> Result<Endpoints, Error> {
    let (tables, objects) = (bind(0, "DynamoDB", "").await?, bind(0, "S3", "").await?);
    Ok(Endpoints {
        dynamodb: dynamodb(tables, None)?,
        s3: s3(objects, folder)?,
    })
}

/// Starts a DynamoDB that keeps its tables in a file, or in memory. Returns its URL.
///
/// # Errors
///
/// If the file can't be opened.
pub fn dynamodb(listener: TcpListener, file: Option<&Path>) -> Result<String, Error> {
    let url = url(&listener)?;
    let database = match file {
        Some(file) => Database::new(&file.to_string_lossy()),
        None => Database::memory(),
    };
    let database = database.map_err(|error| {
        // Behind its first sentence it speaks of encryption.
        let why = error.to_string();
        let why = why.split(". ").next().unwrap_or_default();
        format!("the tables can't be opened: {why}")
    })?;
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(url)
}

/// Starts an S3 that keeps its buckets in a folder. Returns its URL.
///
/// # Errors
///
/// If the folder can't be used.
pub fn s3(listener: TcpListener, folder: &Path) -> Result<String, Error> {
    let url = url(&listener)?;
    let files = FileSystem::new(folder)
        .map_err(|error| format!("can't use the folder {}: {error:?}", folder.display()))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(CREDENTIALS.0, CREDENTIALS.1));
    let service = service.build();
    tokio::spawn(serve(listener, move |_| service.clone()));
    Ok(url)
}

/// Serves HTTP/1.1, each connection by a service that is made for its client.
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
///
/// # Errors
///
/// If the socket has no address.
pub fn url(listener: &TcpListener) -> Result<String, Error> {
    Ok(format!("http://{}", listener.local_addr()?))
}
