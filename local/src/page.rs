//! The page: sends images from a browser, shows a submission's, and lists the gateway's requests as they arrive.
//!
//! It has its own port, and passes requests on to the gateway. Images come from outside, and the page reads whatever is
//! stored, so it responds only to itself, and nothing that it shows can run.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use admin::Records;
use admin::submission::StoredSubmission;
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response, Result, Sse};
use axum::routing::{get, put};
use axum::{Json, Router};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::StreamExt as _;
use put_image::domain::{IdType, ImageField, Text};
use put_image::image::Format::{Jpeg, Png};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::Error;
use crate::gateway::Gateway;
use crate::records::SAMPLE;
use crate::stack::Stack;

const HTML: &str = include_str!("page.html");

/// On every response.
const HEADERS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// On every response except the page itself: nothing in it may run.
const INERT: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

type Shared = State<Arc<Records>>;

/// Serves the page over a stack. It sends images to the gateway, which others reach at `url`.
///
/// # Errors
///
/// If the page's file lacks its style or its script, or the socket can't be used.
pub async fn serve(
    listener: TcpListener,
    stack: &Stack,
    gateway: Arc<Gateway>,
    url: &str,
) -> Result<(), Error> {
    let (style, script) = (hash("style")?, hash("script")?);
    let policy = format!(
        "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src 'self' blob:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let demo = json!({
        "url": url,
        "records": serde_json::from_str::<Value>(SAMPLE)?,
        "idTypes": IdType::ALL.map(IdType::name),
    });
    let requests = gateway.requests().clone();
    let cleared = requests.clone();
    let events = async move || Sse::new(requests.watch().map(Ok::<_, Infallible>));
    let clear = async move || {
        cleared.clear();
        StatusCode::NO_CONTENT
    };
    let put_image = async move |ConnectInfo(client): ConnectInfo<SocketAddr>, request: Request| {
        let response = Arc::clone(&gateway).handle(request, client).await;
        response.map_err(|_panicked| StatusCode::INTERNAL_SERVER_ERROR)
    };
    let port = listener.local_addr()?.port();
    let routes = Router::new()
        .route("/", get(([(CONTENT_SECURITY_POLICY, policy)], Html(HTML))))
        .route("/demo", get(Json(demo)))
        .route("/samples/{file}", get(sample))
        .route("/submission", get(submission))
        .route("/image", get(image))
        .route("/events", get(events).delete(clear))
        .route("/{*path}", put(put_image))
        .layer(from_fn(move |request, next| guard(port, request, next)))
        .with_state(Arc::new(stack.endpoints.records(stack.config.clone())));
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, routes).await?)
}

/// One of the drawings in `events/images`.
async fn sample(Path(file): Path<String>) -> Result<impl IntoResponse> {
    let (format, bytes): (_, &[u8]) = match &*file {
        "front.jpg" => (Jpeg, include_bytes!("../../events/images/front.jpg")),
        "back.png" => (Png, include_bytes!("../../events/images/back.png")),
        "selfie.jpg" => (Jpeg, include_bytes!("../../events/images/selfie.jpg")),
        "address.png" => (Png, include_bytes!("../../events/images/address.png")),
        _ => return Err(StatusCode::NOT_FOUND.into()),
    };
    Ok(([(CONTENT_TYPE, format.content_type())], bytes))
}

/// A submission, and a field of it.
#[derive(Deserialize)]
struct SubmissionQuery {
    id: String,
    #[serde(default)]
    field: String,
}

/// The record of a submission.
async fn submission(
    records: Shared,
    Query(asked): Query<SubmissionQuery>,
) -> Result<impl IntoResponse> {
    Ok(Json(read(&records, &asked.id).await?.record()))
}

/// An image that the record names.
async fn image(records: Shared, Query(asked): Query<SubmissionQuery>) -> Result<impl IntoResponse> {
    const NONE: (StatusCode, &str) = (StatusCode::NOT_FOUND, "no such image");
    let submission = read(&records, &asked.id).await?;
    let field = ImageField::parse(&asked.field).ok_or(NONE)?;
    let image = records.image(&submission, field).await;
    let (format, bytes) = image.map_err(bad_gateway)?.ok_or(NONE)?;
    let (name, extension) = (field.name(), format.extension());
    let name = format!("inline; filename=\"{name}.{extension}\"");
    let content_type = format.content_type().to_owned();
    let headers = [(CONTENT_TYPE, content_type), (CONTENT_DISPOSITION, name)];
    Ok((headers, bytes))
}

async fn read(records: &Records, id: &str) -> Result<StoredSubmission> {
    let found = match Text::parse(id.as_bytes()) {
        Ok(Some(_)) => records.submission(id).await.map_err(bad_gateway)?,
        _ => None,
    };
    found.ok_or((StatusCode::NOT_FOUND, "no such submission").into())
}

fn bad_gateway(error: impl Into<Error>) -> (StatusCode, String) {
    (StatusCode::BAD_GATEWAY, error.into().to_string())
}

/// Refuses what doesn't come from the page, and gives each response its headers.
async fn guard(port: u16, request: Request, next: Next) -> Response {
    let mut response = match check_origin(request.headers(), port) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(INERT);
    response
}

/// Refuses requests under another host name (DNS rebinding), or from another site's page.
fn check_origin(headers: &HeaderMap, port: u16) -> Result<(), (StatusCode, &'static str)> {
    let value = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let host = value(HOST);
    let is_name = |name| host == Some(format!("{name}:{port}").as_bytes());
    if !["127.0.0.1", "localhost"].iter().any(is_name) {
        return Err((StatusCode::MISDIRECTED_REQUEST, "not a name of this page"));
    }
    let is_own = |origin: &[u8]| origin.strip_prefix(b"http://") == host;
    // `none` is an address that somebody typed.
    let is_asked = |site: &[u8]| matches!(site, b"same-origin" | b"none");
    let site = value(HeaderName::from_static("sec-fetch-site"));
    if value(ORIGIN).is_none_or(is_own) && site.is_none_or(is_asked) {
        Ok(())
    } else {
        Err((
            StatusCode::FORBIDDEN,
            "sent by another site: type the address",
        ))
    }
}

/// Returns the hash by which the page's policy allows the text between two of its tags.
fn hash(tag: &str) -> Result<String, Error> {
    let (_, rest) = HTML.split_once(&format!("<{tag}>")).unwrap_or_default();
    let (content, _) = rest
        .split_once(&format!("</{tag}>"))
        .ok_or_else(|| format!("page.html has no {tag}"))?;
    let hash = BASE64_STANDARD.encode(Sha256::digest(content));
    Ok(format!("sha256-{hash}"))
}
