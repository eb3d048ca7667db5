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
use hyper::{Method, Request, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use put_image::domain::{IdType, Text};
use put_image::image::Format;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinError;

use crate::gateway::Gateway;
use crate::records::SAMPLE;
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
                "records": serde_json::from_str::<Value>(SAMPLE)?,
                "idTypes": IdType::ALL.map(IdType::name),
            }),
            policy: policy.try_into()?,
        })
    }

    /// Serves connections.
    pub async fn serve(self, listener: TcpListener) -> Infallible {
        let page = Arc::new(self);
        let port = listener.local_addr().map_or(0, |address| address.port());
        let service = |client| {
            let page = Arc::clone(&page);
            service_fn(move |request| Arc::clone(&page).handle(request, client, port))
        };
        server::serve(listener, service).await
    }

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: SocketAddr,
        port: u16,
    ) -> Result<Response<Body>, JoinError> {
        let mut response = if let Err(refusal) = check_origin(request.headers(), port) {
            refuse(refusal)
        } else if matches!(*request.method(), Method::GET | Method::HEAD) {
            self.get(request.uri()).await.unwrap_or_else(refuse)
        } else {
            let answer = Arc::clone(&self.gateway).handle(request, client).await?;
            answer.map(Body::new)
        };
        for (name, value) in HEADERS {
            let headers = response.headers_mut();
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        Ok(response)
    }

    async fn get(&self, uri: &Uri) -> Result<Response<Body>, Refusal> {
        const NOT_FOUND: Refusal = (StatusCode::NOT_FOUND, "nothing is here");
        let decoded = |text| {
            percent_decode_str(text)
                .decode_utf8()
                .map_err(|_| NOT_FOUND)
        };
        let path = decoded(uri.path())?;
        match path.as_ref() {
            "/" => {
                let mut page = respond("text/html; charset=utf-8", HTML);
                let headers = page.headers_mut();
                headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
                Ok(page)
            }
            "/demo" => Ok(respond("application/json", self.demo.to_string())),
            "/submission" => {
                let id = uri.query().and_then(|query| query.strip_prefix("id="));
                self.submission(&decoded(id.unwrap_or_default())?).await
            }
            "/events" => {
                let events = self.gateway.requests().watch();
                let frames = events.map(|event| Ok(Frame::data(event)));
                Ok(respond("text/event-stream", "").map(|_| Body::new(StreamBody::new(frames))))
            }
            path => match path.splitn(3, '/').collect::<Vec<_>>()[..] {
                ["", "samples", field] => sample(field).ok_or(NOT_FOUND),
                ["", "images", key] => self.image(key).await,
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
        let [_, id, field, _] = *key.split('/').collect::<Vec<_>>() else {
            return Err(NO_IMAGE);
        };
        let found = self.read(id).await?;
        // Those under the record's own project, by keys that the function writes.
        if !found.objects.contains_key(key) {
            return Err(NO_IMAGE);
        }
        let bucket = &self.records.config.images_bucket;
        let get = self.records.s3.get_object().bucket(bucket).key(key);
        let object = get.send().await.map_err(|_| NO_IMAGE)?;
        let stored_type = object.content_type.unwrap_or_default();
        let bytes = object.body.collect().await.map_err(|_| NO_IMAGE)?;
        let bytes = bytes.into_bytes();
        let named = &found.record[field];
        let content_type = if named["key"] == key {
            if named["sha256"] != hex::encode(Sha256::digest(&bytes)) {
                return Err((StatusCode::BAD_GATEWAY, "its SHA-256 is not the record's"));
            }
            named["contentType"].as_str().unwrap_or_default()
        } else {
            &stored_type
        };
        let format = [Format::Jpeg, Format::Png]
            .into_iter()
            .find(|format| format.content_type() == content_type)
            .ok_or((StatusCode::NOT_FOUND, "neither a JPEG nor a PNG"))?;
        let mut response = respond(format.content_type(), bytes);
        let name = format!("inline; filename=\"{field}.{}\"", format.extension());
        let name = HeaderValue::try_from(name).map_err(|_| NO_IMAGE)?;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, name);
        Ok(response)
    }

    async fn read(&self, id: &str) -> Result<admin::submission::Submission, Refusal> {
        const NO_SUBMISSION: Refusal = (StatusCode::NOT_FOUND, "no such submission");
        if !matches!(Text::parse(id.as_bytes()), Ok(Some(_))) {
            return Err(NO_SUBMISSION);
        }
        let found = self.records.submission(id).await;
        found
            .map_err(|_| (StatusCode::BAD_GATEWAY, "the storage doesn't answer"))?
            .ok_or(NO_SUBMISSION)
    }
}

/// Refuses what comes by another name (DNS rebinding), or from another site's page.
fn check_origin(headers: &HeaderMap, port: u16) -> Result<(), Refusal> {
    const ANOTHER_NAME: Refusal = (StatusCode::MISDIRECTED_REQUEST, "not a name of this page");
    const ANOTHER_SITE: Refusal = (
        StatusCode::FORBIDDEN,
        "sent by another site: type the address",
    );
    let value = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let host = value(header::HOST);
    let is_name = |name| host == Some(format!("{name}:{port}").as_bytes());
    if !["127.0.0.1", "localhost", "[::1]"].iter().any(is_name) {
        return Err(ANOTHER_NAME);
    }
    let is_own = |origin: &[u8]| origin.strip_prefix(b"http://") == host;
    // `none` is an address that somebody typed.
    let is_asked = |site: &[u8]| matches!(site, b"same-origin" | b"none");
    let site = value(HeaderName::from_static("sec-fetch-site"));
    if value(header::ORIGIN).is_none_or(is_own) && site.is_none_or(is_asked) {
        Ok(())
    } else {
        Err(ANOTHER_SITE)
    }
}

/// One of the drawings in `events/images`.
fn sample(field: &str) -> Option<Response<Body>> {
    let (format, bytes): (Format, &'static [u8]) = match field {
        "idImage" => (
            Format::Jpeg,
            include_bytes!("../../events/images/front.jpg"),
        ),
        "idBackImage" => (Format::Png, include_bytes!("../../events/images/back.png")),
        "selfieImage" => (
            Format::Jpeg,
            include_bytes!("../../events/images/selfie.jpg"),
        ),
        "addressImage" => (
            Format::Png,
            include_bytes!("../../events/images/address.png"),
        ),
        _ => return None,
    };
    Some(respond(format.content_type(), bytes))
}

/// Returns the hash by which the page's policy knows what stands between two tags of the page.
fn hash(tag: &str) -> Result<String, Error> {
    let (_, rest) = HTML.split_once(&format!("<{tag}>")).unwrap_or_default();
    let (content, _) = rest
        .split_once(&format!("</{tag}>"))
        .ok_or_else(|| format!("page.html has no {tag}"))?;
    let hash = BASE64_STANDARD.encode(Sha256::digest(content));
    Ok(format!("sha256-{hash}"))
}

fn respond(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body.into())));
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn refuse((status, why): Refusal) -> Response<Body> {
    let mut response = respond("text/plain; charset=utf-8", why);
    *response.status_mut() = status;
    response
}
