//! The page: puts images from a browser, shows a submission's, and the gateway's requests as they come.
//!
//! It is on a port of its own. A GET is the page's; any other method goes to the gateway. Images come from outside, and
//! the page reads whatever is stored, so it answers nobody but itself, and nothing that it shows can run.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use admin::Records;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use put_image::domain::IdType;
use put_image::image::Format;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::gateway::Gateway;
use crate::stack::Stack;
use crate::{Error, server};

const HTML: &str = include_str!("page.html");

/// On every answer. Only the page itself gets a policy under which anything runs.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why a request is refused.
type Refusal = (StatusCode, &'static str);

/// The page over a stack, and its way to the gateway.
#[derive(Debug)]
pub struct Page {
    gateway: Arc<Gateway>,
    records: Records,
    demo: Value,
    policy: HeaderValue,
}

impl Page {
    /// A page that puts to the gateway, which callers reach at `url`.
    ///
    /// # Errors
    ///
    /// If the page's file lacks its style or its script.
    pub fn new(stack: &Stack, gateway: Arc<Gateway>, url: &str) -> Result<Self, Error> {
        let (style, script) = (hash("style")?, hash("script")?);
        let policy = format!(
            "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src 'self' blob:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Ok(Self {
            gateway,
            records: stack.endpoints.records(stack.config.clone()),
            demo: json!({
                "url": url,
                "records": stack.records,
                "idTypes": IdType::ALL.map(IdType::name),
            }),
            policy: policy.try_into()?,
        })
    }

    /// Serves connections until the listener fails.
    pub async fn serve(self, listener: TcpListener) {
        let page = Arc::new(self);
        let Ok(port) = listener.local_addr().map(|address| address.port()) else {
            return;
        };
        let service = |client| {
            let page = Arc::clone(&page);
            service_fn(move |request| Arc::clone(&page).handle(request, client, port))
        };
        server::serve(listener, service).await;
    }

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: SocketAddr,
        port: u16,
    ) -> Result<Response<Body>, Infallible> {
        if let Err(refusal) = check_origin(request.headers(), port) {
            return Ok(refuse(refusal));
        }
        if request.method() != Method::GET {
            let answer = Arc::clone(&self.gateway).handle(request, client).await?;
            return Ok(answer.map(Body::new));
        }
        Ok(self.get(request.uri().path()).await.unwrap_or_else(refuse))
    }

    async fn get(&self, path: &str) -> Result<Response<Body>, Refusal> {
        const NOT_FOUND: Refusal = (StatusCode::NOT_FOUND, "nothing is here");
        let path = percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| NOT_FOUND)?;
        match path.as_ref() {
            "/" => {
                let mut page = respond("text/html; charset=utf-8", HTML);
                page.headers_mut()
                    .insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
                Ok(page)
            }
            "/demo" => Ok(respond("application/json", self.demo.to_string())),
            "/events" => {
                let mut events = respond("text/event-stream", "");
                let frames = self.gateway.requests().watch();
                *events.body_mut() =
                    Body::new(StreamBody::new(frames.map(|event| Ok(Frame::data(event)))));
                Ok(events)
            }
            path => match path[1..].split_once('/') {
                Some(("samples", field)) => sample(field).ok_or(NOT_FOUND),
                Some(("submissions", id)) => self.submission(id).await,
                Some(("images", key)) => self.image(key).await,
                _ => Err(NOT_FOUND),
            },
        }
    }

    /// The record, and the bytes of each object under it.
    async fn submission(&self, id: &str) -> Result<Response<Body>, Refusal> {
        let found = self.read(id).await?;
        let found = json!({ "record": found.record, "objects": found.objects });
        Ok(respond("application/json", found.to_string()))
    }

    /// An object of a submission, if it is what the record says, and an image.
    async fn image(&self, key: &str) -> Result<Response<Body>, Refusal> {
        const NO_IMAGE: Refusal = (StatusCode::NOT_FOUND, "no such image");
        let [project, id, field, _] = *key.split('/').collect::<Vec<_>>() else {
            return Err(NO_IMAGE);
        };
        let found = self.read(id).await?;
        if found.record["projectId"] != project || !found.objects.contains_key(key) {
            return Err(NO_IMAGE);
        }
        let bucket = &self.records.config.images_bucket;
        let get = self.records.s3.get_object().bucket(bucket).key(key);
        let object = get.send().await.map_err(|_| NO_IMAGE)?;
        let stored_type = object.content_type.unwrap_or_default();
        let bytes = object
            .body
            .collect()
            .await
            .map_err(|_| NO_IMAGE)?
            .into_bytes();
        let named = &found.record[field];
        let content_type = if named["key"] == key {
            if named["sha256"] != hex::encode(Sha256::digest(&bytes)) {
                return Err((StatusCode::BAD_GATEWAY, "its SHA-256 is not the record's"));
            }
            named["contentType"].as_str().unwrap_or_default()
        } else {
            &stored_type
        };
        let formats = [Format::Jpeg, Format::Png];
        let format = formats
            .iter()
            .find(|format| format.content_type() == content_type)
            .ok_or((StatusCode::NOT_FOUND, "neither a JPEG nor a PNG"))?;
        let mut response = respond(format.content_type(), bytes);
        let name = format!("inline; filename=\"{field}.{}\"", format.extension());
        let name = HeaderValue::try_from(name).map_err(|_| NO_IMAGE)?;
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
        Ok(response)
    }

    async fn read(&self, id: &str) -> Result<admin::submission::Submission, Refusal> {
        let found = self.records.submission(id).await;
        found
            .map_err(|_| (StatusCode::BAD_GATEWAY, "the storage doesn't answer"))?
            .ok_or((StatusCode::NOT_FOUND, "no such submission"))
    }
}

/// Refuses what comes by another name (DNS rebinding), or from another site's page.
fn check_origin(headers: &HeaderMap, port: u16) -> Result<(), Refusal> {
    let value = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let names = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
    let host = names
        .iter()
        .find(|name| value(header::HOST) == Some(name.as_bytes()))
        .ok_or((
            StatusCode::MISDIRECTED_REQUEST,
            "not a name of this machine",
        ))?;
    let is_own =
        value(header::ORIGIN).is_none_or(|origin| origin == format!("http://{host}").as_bytes());
    // `none` is an address that somebody typed.
    let is_asked = matches!(
        value(HeaderName::from_static("sec-fetch-site")),
        None | Some(b"same-origin" | b"none")
    );
    if is_own && is_asked {
        Ok(())
    } else {
        Err((
            StatusCode::FORBIDDEN,
            "another site has sent you: type the address yourself",
        ))
    }
}

/// One of the drawings in `events/images`.
fn sample(field: &str) -> Option<Response<Body>> {
    let (content_type, bytes): (_, &'static [u8]) = match field {
        "idImage" => (
            "image/jpeg",
            include_bytes!("../../events/images/front.jpg"),
        ),
        "idBackImage" => ("image/png", include_bytes!("../../events/images/back.png")),
        "selfieImage" => (
            "image/jpeg",
            include_bytes!("../../events/images/selfie.jpg"),
        ),
        "addressImage" => (
            "image/png",
            include_bytes!("../../events/images/address.png"),
        ),
        _ => return None,
    };
    Some(respond(content_type, bytes))
}

/// The hash by which the page's policy knows what stands between these tags.
fn hash(tag: &str) -> Result<String, Error> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let content = HTML
        .split_once(&open)
        .and_then(|(_, rest)| rest.split_once(&close))
        .ok_or_else(|| format!("page.html has no {open}"))?;
    Ok(format!(
        "sha256-{}",
        BASE64_STANDARD.encode(Sha256::digest(content.0))
    ))
}

fn respond(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body.into())));
    let content_type = (header::CONTENT_TYPE, content_type);
    for (name, value) in HEADERS.into_iter().chain([content_type]) {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refuse((status, why): Refusal) -> Response<Body> {
    let mut response = respond("text/plain; charset=utf-8", why);
    *response.status_mut() = status;
    response
}
