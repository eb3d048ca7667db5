//! The SDK's HTTP client, with the host added to its errors: the SDK's own say only what went wrong.

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use futures_util::TryFutureExt as _;
use lambda_http::http::Uri;

/// Returns the client, which uses rustls.
pub(super) fn http_client() -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let client = Builder::new().tls_provider(tls).build_https();
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(NamesHost(client.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct NamesHost(SharedHttpConnector);

impl HttpConnector for NamesHost {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // Not the path, which holds IDs.
        let uri: Option<Uri> = request.uri().parse().ok();
        let host = uri.and_then(|uri| Some(uri.authority()?.to_string()));
        let add_host = |error| with_host(error, host.unwrap_or_default());
        HttpConnectorFuture::new(self.0.call(request).map_err(add_host))
    }
}

/// A connector's error, and the host that was called.
#[derive(Debug, thiserror::Error)]
#[error("{host}")]
struct Unreachable {
    host: String,
    source: BoxError,
}

/// Adds the host to an error. Keeps its kind, which decides whether the SDK retries.
fn with_host(error: ConnectorError, host: String) -> ConnectorError {
    let (is_timeout, is_user, is_io) = (error.is_timeout(), error.is_user(), error.is_io());
    let kind = error.as_other();
    let source = error.into_source();
    let error = Box::new(Unreachable { host, source });
    if is_timeout {
        ConnectorError::timeout(error)
    } else if is_user {
        ConnectorError::user(error)
    } else if is_io {
        ConnectorError::io(error)
    } else {
        ConnectorError::other(error, kind)
    }
}
