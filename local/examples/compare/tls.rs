//! TLS in front of the embedded servers, with a certificate of our own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use local::{Error, server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Where Debian has the certificates that it trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A certificate for `localhost`, and the authority behind it.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    authority: String,
}

impl Tls {
    /// A new authority and a certificate of its.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            authority: authority.pem(),
        })
    }

    /// Writes the system's authorities and ours into a file: a function has as many to read as in Lambda.
    pub(crate) fn write_authorities(&self, file: &Path) -> Result<(), Error> {
        let system = std::fs::read_to_string(SYSTEM).unwrap_or_default();
        Ok(std::fs::write(file, system + &self.authority)?)
    }

    /// Puts TLS in front of a server of plain HTTP. Returns the URL.
    pub(crate) async fn in_front_of(&self, url: &str) -> Result<String, Error> {
        let server: SocketAddr = url.trim_start_matches("http://").parse()?;
        let listener = server::bind(0, "TLS", "").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(serve(listener, self.acceptor.clone(), server));
        Ok(format!("https://localhost:{port}"))
    }
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
