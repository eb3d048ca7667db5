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
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use put_image::domain::ApiKey;
use put_image::handler::App;
use put_image::records::attribute::{API_KEY_HASH, PREVIOUS_API_KEY_HASH};
use put_image::records::{API_KEY_INDEX, PREVIOUS_API_KEY_INDEX};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinError;
use tokio::time::timeout;
use uuid::Uuid;

use crate::definition::{Answer, Definition};
use crate::event;
use crate::function::{self, Invoked};
use crate::requests::{Answered, Exchange, Requests};
use crate::{Error, curl, server};

/// The largest body that API Gateway accepts (its quota "Payload size").
pub const MAX_BODY: usize = 10 * 1024 * 1024;

/// The largest event that Lambda accepts: its quota of 6 MB for a request. (A response may have 100 bytes more.)
pub const MAX_EVENT: usize = 6_291_456;

/// How long API Gateway waits for the function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);

/// How much of a body that is too large is read and dropped, so that the client can read the response.
const MAX_DRAINED: usize = 10 * MAX_BODY;

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
        let route = format!("{} {}", request.method(), request.uri().path());
        let (parts, body) = request.into_parts();
        let mut curl = curl::head(&parts, self.definition.key_header.as_str());
        let mut exchange = match self.refuse(&parts).await {
            Some(answer) => answer.into(),
            None => self.forward(&id, &parts, body, client).await,
        };
        curl.append(&mut exchange.form);
        let answered = Answered::new(id.clone(), route, curl, &exchange, started.elapsed());
        if self.log {
            anstream::println!("{answered}");
        }
        self.requests.push(answered);
        let failed = &self.definition.failed;
        exchange.answer.into_response(&id, failed)
    }

    /// Returns the response to a request that the gateway, judging by its head, doesn't pass on.
    async fn refuse(&self, parts: &Parts) -> Option<Answer> {
        let definition = &self.definition;
        if parts.method != definition.method || parts.uri.path() != definition.path {
            return Some(definition.missing_authentication_token.clone());
        }
        let key = parts
            .headers
            .get(&definition.key_header)
            .and_then(|key| key.to_str().ok())
            .unwrap_or_default();
        if !self.keys.contains(key).await {
            return Some(definition.forbidden.clone());
        }
        let is_throttled = self.rate.check().is_err();
        is_throttled.then(|| definition.too_many_requests.clone())
    }

    /// Passes a request on to the function, unless its body can't be.
    async fn forward(&self, id: &str, parts: &Parts, body: Body, client: SocketAddr) -> Exchange {
        let definition = &self.definition;
        let body = Received::read(body).await;
        let bytes_in = body.size;
        let form = curl::body(parts, &body.bytes);
        let refused = |answer: &Answer| Exchange {
            bytes_in,
            form: form.clone(),
            ..answer.clone().into()
        };
        if !body.is_complete {
            return refused(&Answer::bad_request());
        }
        if body.size > MAX_BODY {
            return refused(&definition.too_large);
        }
        let event = event::rest(parts, client.ip(), &body.bytes).to_string();
        drop(body);
        if event.len() > MAX_EVENT {
            return refused(&definition.too_large);
        }
        let app = Arc::clone(&self.function);
        let mut context = function::context(self.function_timeout);
        // One ID here, so that a response leads to the function's line in the log.
        id.clone_into(&mut context.request_id);
        // In its own task: like Lambda, it goes on when time is up.
        let invocation = tokio::spawn(async move {
            let invoked = function::invoke(&app, event.as_bytes(), context).await;
            invoked.map_err(|error| error.to_string())
        });
        let Ok(invoked) = timeout(INTEGRATION_TIMEOUT, invocation).await else {
            return refused(&definition.timed_out);
        };
        let Ok(Ok(Invoked { response, steps })) = invoked else {
            return refused(&definition.failed);
        };
        let answer = Answer::from_function(&response);
        Exchange {
            answer: answer.unwrap_or_else(|| definition.failed.clone()),
            bytes_in,
            form,
            steps,
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

/// A body as it was received.
struct Received {
    /// All of it, or a little more than [`MAX_BODY`].
    bytes: Vec<u8>,
    /// Its length, whatever was kept of it.
    size: usize,
    /// Whether it ended where it should.
    is_complete: bool,
}

impl Received {
    async fn read(mut body: Body) -> Self {
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(MAX_BODY);
        let mut received = Self {
            bytes: Vec::with_capacity(expected.min(MAX_BODY)),
            size: 0,
            is_complete: false,
        };
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return received };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            received.size += data.len();
            if received.bytes.len() <= MAX_BODY {
                received.bytes.extend_from_slice(&data);
            } else if received.size > MAX_DRAINED {
                break;
            }
        }
        received.is_complete = true;
        received
    }
}

impl Answer {
    /// API Gateway's response to a request that HTTP doesn't allow.
    fn bad_request() -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self {
            status: 400,
            headers,
            body: Bytes::from_static(br#"{"message":"Bad Request"}"#),
        }
    }

    /// What the gateway makes of a function's response of payload 1.0: AWS, "Lambda proxy integrations in API Gateway",
    /// output format. The headers under both names are merged.
    fn from_function(response: &Value) -> Option<Self> {
        let mut headers = Vec::new();
        for (name, value) in response["headers"].as_object()? {
            headers.push((name.clone(), value.as_str()?.to_owned()));
        }
        for (name, values) in response["multiValueHeaders"].as_object()? {
            for value in values.as_array()? {
                headers.push((name.clone(), value.as_str()?.to_owned()));
            }
        }
        let status = response["statusCode"].as_u64()?.try_into().ok()?;
        let body = response["body"].as_str()?.to_owned().into();
        Some(Self {
            status,
            headers,
            body,
        })
    }

    fn into_response(self, id: &str, otherwise: &Self) -> Response<Full<Bytes>> {
        let mut response = Response::builder()
            .status(self.status)
            .header("x-amzn-requestid", id);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        // All of it is ours and legal; if a change breaks that, the response is the gateway's for a function that
        // fails.
        response.body(Full::new(self.body)).unwrap_or_else(|_| {
            let mut response = Response::new(Full::new(otherwise.body.clone()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        })
    }
}
