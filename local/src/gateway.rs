//! What API Gateway does for the route: it responds to some requests itself, as the contract's section on the gateway
//! says, and makes an event from every other one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::Body;
use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http_body_util::{BodyExt as _, Collected, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use put_image::domain::ApiKey;
use put_image::handler::App;
use put_image::records::attribute::{API_KEY_HASH, PREVIOUS_API_KEY_HASH};
use put_image::records::{API_KEY_INDEX, PREVIOUS_API_KEY_INDEX};
use put_image::telemetry::Steps;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio::time::timeout;
use uuid::Uuid;

use crate::definition::Definition;
use crate::event;
use crate::function::{self, Invoked};
use crate::requests::{Answered, Requests};
use crate::{Error, curl, server};

/// The largest body that API Gateway accepts (its quota "Payload size").
pub const MAX_BODY: usize = 10 * 1024 * 1024;

/// The largest event that Lambda accepts: its quota of 6 MB for a request. (A response may have 100 bytes more.)
pub const MAX_EVENT: usize = 6_291_456;

/// How long API Gateway waits for the function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);

/// How much of a body to read, even if it is too large: most clients read a response only once they have sent the body.
const MAX_READ: usize = 10 * MAX_BODY;

/// The usage plan's rate that the template has by default.
pub const fn default_rate() -> Quota {
    const PER_SECOND: NonZeroU32 = NonZeroU32::new(5000).unwrap();
    Quota::per_second(PER_SECOND)
}

#[derive(Debug)]
pub struct Gateway {
    definition: Definition,
    function: Arc<App>,
    function_timeout: Duration,
    keys: Keys,
    rate: DefaultDirectRateLimiter,
    requests: Requests,
    log: bool,
}

/// The API keys that the gateway knows: some by name, and those that a project is registered with.
#[derive(Debug)]
pub struct Keys {
    pub known: Vec<String>,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub projects_table: String,
}

impl Gateway {
    /// A gateway as the definition describes it. The function's invocations end after `function_timeout`.
    pub fn new(
        function: App,
        function_timeout: Duration,
        keys: Keys,
        rate: Quota,
    ) -> Result<Self, Error> {
        Ok(Self {
            definition: Definition::load()?,
            function: Arc::new(function),
            function_timeout,
            keys,
            rate: RateLimiter::direct(rate),
            requests: Requests::default(),
            log: false,
        })
    }

    /// The path of the route on its stage.
    pub fn path(&self) -> &str {
        &self.definition.path
    }

    /// Makes the gateway print a line for each request.
    #[must_use]
    pub fn with_log(mut self) -> Self {
        self.log = true;
        self
    }

    pub(crate) const fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Serves connections.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> Infallible {
        let service = |client| {
            let gateway = Arc::clone(&self);
            service_fn(move |request: Request<Incoming>| {
                Arc::clone(&gateway).handle(request.map(Body::new), client)
            })
        };
        server::serve(listener, service).await
    }

    /// Responds to a request, whichever port it arrived at. It is carried out even if the client disconnects.
    pub(crate) async fn handle(
        self: Arc<Self>,
        request: Request<Body>,
        client: SocketAddr,
    ) -> Result<Response<Full<Bytes>>, JoinError> {
        tokio::spawn(self.answer(request, client)).await
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Body>,
        client: SocketAddr,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let id = Uuid::new_v4().to_string();
        let (parts, body) = request.into_parts();
        let read = Limited::new(body, MAX_READ).collect().await;
        let body = read.map(Collected::to_bytes);
        let read = body.as_deref().unwrap_or_default();
        let mut curl = curl::head(&parts, self.definition.key_header.as_str());
        curl.extend(curl::body(&parts, read));
        let bytes_in = read.len();
        let invoked = match self.check(&parts).await {
            Ok(()) => self.invoke(&id, &parts, body, client).await,
            Err(refusal) => Err(refusal),
        };
        let (mut response, steps) = match invoked {
            Ok(Invoked { response, steps }) => {
                let response = from_function(&response);
                (
                    response.unwrap_or_else(|| self.definition.failed.clone()),
                    steps,
                )
            }
            Err(response) => (response.clone(), Steps::default()),
        };
        let elapsed = started.elapsed();
        let answered = Answered::new(&id, &parts, curl, bytes_in, &response, steps, elapsed);
        if self.log {
            anstream::println!("{answered}");
        }
        self.requests.push(answered);
        if let Ok(id) = id.parse() {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response.map(Full::new)
    }

    /// Checks a request's head. The error is the response with which the gateway refuses it.
    async fn check(&self, parts: &Parts) -> Result<(), &Response<Bytes>> {
        let definition = &self.definition;
        if parts.method != definition.method || parts.uri.path() != definition.path {
            return Err(&definition.missing_authentication_token);
        }
        let header = parts.headers.get(&definition.key_header);
        let key = header.and_then(|key| key.to_str().ok()).unwrap_or_default();
        if !self.keys.contains(key).await {
            return Err(&definition.forbidden);
        }
        self.rate
            .check()
            .map_err(|_throttled| &definition.too_many_requests)
    }

    /// Passes a request on to the function, if its body can be read and is small enough. The error is the gateway's own
    /// response.
    async fn invoke(
        &self,
        id: &str,
        parts: &Parts,
        body: Result<Bytes, Error>,
        client: SocketAddr,
    ) -> Result<Invoked, &Response<Bytes>> {
        let definition = &self.definition;
        let body = match body {
            Ok(body) if body.len() <= MAX_BODY => body,
            Err(error) if !error.is::<LengthLimitError>() => return Err(&definition.bad_request),
            _ => return Err(&definition.too_large),
        };
        let event = event::rest(parts, client.ip(), &body).to_string();
        drop(body);
        if event.len() > MAX_EVENT {
            return Err(&definition.too_large);
        }
        let app = Arc::clone(&self.function);
        let mut context = function::context(self.function_timeout);
        // One ID here, so that a response leads to the function's line in the log.
        id.clone_into(&mut context.request_id);
        // In its own task: like Lambda, it goes on when time is up.
        let invocation =
            tokio::spawn(async move { function::invoke(&app, event.as_bytes(), context).await });
        match timeout(INTEGRATION_TIMEOUT, invocation).await {
            Ok(Ok(Ok(invoked))) => Ok(invoked),
            Ok(_) => Err(&definition.failed),
            Err(_elapsed) => Err(&definition.timed_out),
        }
    }
}

impl Keys {
    async fn contains(&self, text: &str) -> bool {
        let Some(key) = ApiKey::parse(text) else {
            return false;
        };
        if self.known.iter().any(|known| known == text.trim()) {
            return true;
        }
        // A key that was rotated with `--keep-old` stays on the usage plan.
        for (index, attribute) in [
            (API_KEY_INDEX, API_KEY_HASH),
            (PREVIOUS_API_KEY_INDEX, PREVIOUS_API_KEY_HASH),
        ] {
            let found = self
                .dynamodb
                .query()
                .table_name(&self.projects_table)
                .index_name(index)
                .key_condition_expression(format!("{attribute} = :hash"))
                .expression_attribute_values(":hash", AttributeValue::S(key.hash().to_string()))
                .send()
                .await;
            if found.is_ok_and(|found| found.count > 0) {
                return true;
            }
        }
        false
    }
}

/// What the gateway makes of a function's response of payload 1.0: AWS, "Lambda proxy integrations in API Gateway",
/// output format. The headers under both names are merged.
fn from_function(response: &Value) -> Option<Response<Bytes>> {
    let status = u16::try_from(response["statusCode"].as_u64()?).ok()?;
    let mut made = Response::builder().status(status);
    for (name, value) in response["headers"].as_object()? {
        made = made.header(name, value.as_str()?);
    }
    for (name, values) in response["multiValueHeaders"].as_object()? {
        for value in values.as_array()? {
            made = made.header(name, value.as_str()?);
        }
    }
    made.body(response["body"].as_str()?.to_owned().into()).ok()
}
