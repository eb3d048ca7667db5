//! TLS in front of the embedded servers, with a certificate of our own.

use std::net::SocketAddr;
use std::sync::Arc;

use local::clients::Endpoints;
use local::{Error, server};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Where Debian has the certificates that it trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Puts TLS in front of both servers. Returns the endpoints to use instead, and the certificates to trust: the system's
/// and ours, so that a function has as many to read as in Lambda.
pub(crate) async fn in_front_of(endpoints: &Endpoints) -> Result<(Endpoints, String), Error> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let tls = Endpoints {
        dynamodb: front(&endpoints.dynamodb, acceptor.clone()).await?,
        s3: front(&endpoints.s3, acceptor).await?,
    };
    let system = std::fs::read_to_string(SYSTEM).unwrap_or_default();
    Ok((tls, system + &cert.pem()))
}

/// Puts TLS in front of a server of plain HTTP. Returns the URL.
async fn front(url: &str, acceptor: TlsAcceptor) -> Result<String, Error> {
    let server: SocketAddr = url.trim_start_matches("http://").parse()?;
    let listener = server::bind(0, "TLS", "").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(serve(listener, acceptor, server));
    Ok(format!("https://localhost:{port}"))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, server: SocketAddr) {
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let mut client = acceptor.accept(client).await?;
            let mut server = TcpStream::connect(server).await?;
            server.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}
