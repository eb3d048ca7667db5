//! The function over servers of its own for each test, forms, and what was stored.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use admin::table::plain_item;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use local::clients::Endpoints;
use local::function::{self, context};
use local::records::Records;
use local::stack::Stack;
use local::{schema, server};
use put_image::config::Config;
use put_image::deadline::TIMEOUT;
use put_image::domain::ImageField;
use put_image::handler::App;
use put_image::storage::{Limits, Storage};
use put_image::telemetry::Telemetry;
use put_image::telemetry::logging::LevelFilter;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
pub use testkit::faults::soon;
use testkit::faults::{Faults, Operation};
use testkit::images;
pub use testkit::repository;
use uuid::Uuid;

use crate::definition::assert_declared;
use crate::log::LOG;

pub const KEY: &str = "demo-key-for-the-local-stack";
pub const CLOSED_KEY: &str = "demo-key-of-a-closed-project";
pub const KEY_WITHOUT_PROJECT: &str = "demo-key-without-a-project";
pub const KEY_OF_TWO: &str = "demo-key-of-two-projects";
pub const SUBMISSION: &str = "demo-submission";
pub const ADMIN: &str = "admin@example.com";
pub const BOUNDARY: &str = "test-boundary";

/// The function over a stack of its own.
pub struct TestApp {
    pub stack: Stack,
    pub function: App,
    /// Faults on the way from the function to the stack; none reach the test's own calls.
    pub faults: Faults,
    /// Where the function finds the stack: at the faults' proxies.
    pub behind_faults: Endpoints,
    /// Whether DynamoDB checks a condition and writes in one step, which moto, one server for both, doesn't.
    pub is_atomic: bool,
    _folder: TempDir,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            LOG.assert_clean();
            let named = self.faults.named_deletions();
            assert_eq!(named, [""; 0], "deleted while a record named it");
        }
    }
}

/// Limits that end a call without a response soon enough for a test.
pub const SHORT: Limits = Limits {
    connect: Duration::from_secs(1),
    dynamodb_attempt: Duration::from_secs(1),
    dynamodb: Duration::from_millis(2500),
    s3_attempt: Duration::from_secs(1),
    s3: Duration::from_millis(2500),
    max_attempts: 3,
    initial_backoff: Duration::from_millis(5),
};

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> Self {
        LOG.start();
        let folder = TempDir::new().unwrap();
        let given = |name: &str| std::env::var(name).ok();
        let (dynamodb, s3) = (given("TEST_DYNAMODB_ENDPOINT"), given("TEST_S3_ENDPOINT"));
        let is_atomic = dynamodb.is_none() || dynamodb != s3;
        let servers = server::embedded(folder.path()).await.unwrap();
        let endpoints = Endpoints {
            dynamodb: dynamodb.unwrap_or(servers.dynamodb),
            s3: s3.unwrap_or(servers.s3),
        };
        // Those of a stack that exists, or new ones for this test alone.
        let config = Config::from_env()
            .unwrap_or_else(|_| schema::config(&format!("t{}-", Uuid::new_v4().simple())));
        let stack = Stack::over(endpoints, config, Records::sample().unwrap())
            .await
            .unwrap();
        let (faults, behind_faults) = Faults::in_front_of(&stack).await.unwrap();
        let function = function_over(behind_faults.storage(stack.config.clone(), limits));
        Self {
            stack,
            function,
            faults,
            behind_faults,
            is_atomic,
            _folder: folder,
        }
    }

    /// Starts with an image in each field of the submission, and with [`SHORT`] limits.
    pub async fn with_images() -> Self {
        let app = Self::start_with(SHORT).await;
        assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
        app
    }

    /// Another process of the function, which meets no faults.
    pub fn undisturbed(&self) -> App {
        let endpoints = &self.stack.endpoints;
        function_over(endpoints.storage(self.stack.config.clone(), Limits::default()))
    }

    /// Sends a form as an event of payload 1.0 with a text body.
    pub async fn put(&self, form: &Form) -> Answer {
        self.invoke(&form.event()).await
    }

    /// Sends a form, and does something while a call that it makes is held: the n-th of an operation from now on.
    #[track_caller]
    pub fn put_meanwhile(
        &self,
        form: &Form,
        (operation, nth): (Operation, usize),
        meanwhile: impl AsyncFnOnce(),
    ) -> impl Future<Output = Answer> {
        let caller = Location::caller();
        let gate = self.faults.hold(operation, nth);
        async move {
            let mut put = pin!(self.put(form));
            tokio::select! {
                answer = &mut put => panic!("{caller}: responded without {operation:?}: {answer:?}"),
                () = gate.arrived() => {}
            }
            let opened = async {
                meanwhile().await;
                gate.open();
            };
            tokio::join!(put, opened).0
        }
    }

    /// Sends an event through the function as Lambda does: from JSON, and with what follows the response.
    pub async fn invoke(&self, event: &Value) -> Answer {
        invoke(&self.function, event, TIMEOUT).await
    }

    /// A submission's record as plain JSON; `null` if there is none.
    pub async fn record(&self, submission: &str) -> Value {
        let records = self.stack.endpoints.records(self.stack.config.clone());
        let found = records.read_submission(submission).await.unwrap();
        found.map_or(Value::Null, |found| plain_item(found.item()))
    }

    /// All of the bucket's objects, by key.
    pub async fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let (s3, bucket) = (self.stack.endpoints.s3(), &self.stack.config.images_bucket);
        let listed = s3.list_objects_v2().bucket(bucket).send().await.unwrap();
        let mut objects = BTreeMap::new();
        for key in listed.contents().iter().filter_map(|object| object.key()) {
            let get = s3.get_object().bucket(bucket).key(key);
            let object = get.send().await.unwrap().body.collect().await;
            objects.insert(key.to_owned(), object.unwrap().to_vec());
        }
        objects
    }

    /// Everything that is stored: all submissions and all objects.
    pub async fn stored(&self) -> Stored {
        let scan = self.stack.endpoints.dynamodb().scan();
        let scan = scan.table_name(&self.stack.config.submissions_table);
        let items = scan.send().await.unwrap().items.unwrap_or_default();
        let records = items.iter().map(|item| plain_item(item).to_string());
        Stored {
            records: records.collect(),
            objects: self.objects().await,
        }
    }

    /// The images that the submission has, to compare with [`Form::images`].
    pub async fn images(&self) -> Images {
        let (record, objects) = (self.record(SUBMISSION).await, self.objects().await);
        let names = ImageField::ALL.map(ImageField::name).into_iter();
        let images = names.filter(|name| record[name].is_object()).map(|name| {
            let object = &objects[record[name]["key"].as_str().unwrap()];
            assert_eq!(record[name]["sha256"], sha256(object), "{name}");
            (name.to_owned(), sha256(object))
        });
        images.collect()
    }

    /// Asserts that a form is refused with this row, and that nothing is stored or changed.
    #[track_caller]
    pub fn assert_refused(&self, form: &Form, row: Row) -> impl Future<Output = ()> {
        self.refused(form.event(), row, None)
    }

    /// Asserts that a form is refused with this row and exactly this reason, and that nothing is stored or changed.
    #[track_caller]
    pub fn assert_refused_because(
        &self,
        form: &Form,
        row: Row,
        detail: &str,
    ) -> impl Future<Output = ()> {
        self.refused(form.event(), row, Some(detail))
    }

    #[track_caller]
    pub fn assert_event_refused_because(
        &self,
        event: &Value,
        row: Row,
        detail: &str,
    ) -> impl Future<Output = ()> {
        self.refused(event.clone(), row, Some(detail))
    }

    /// `#[track_caller]` does nothing on an `async fn`: a failure names the caller that this takes beforehand.
    #[track_caller]
    fn refused(&self, event: Value, row: Row, detail: Option<&str>) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            let before = self.stored().await;
            let answer = self.invoke(&event).await;
            assert_eq!(answer.row(), row, "{caller}: {answer:?}");
            if detail.is_some() {
                assert_eq!(answer.detail.as_deref(), detail, "{caller}");
            }
            let after = self.stored().await;
            assert_eq!(after, before, "{caller}: stored or changed something");
        }
    }
}

/// A function over a storage, with its lines in the log of all tests.
pub fn function_over(storage: Storage) -> App {
    App::new(storage, Telemetry::new(LevelFilter::INFO, LOG.writer()))
}

/// Sends a form through a function.
pub async fn put(function: &App, form: &Form) -> Answer {
    invoke(function, &form.event(), TIMEOUT).await
}

/// Sends an event through a function that is ended after a time.
pub async fn invoke(function: &App, event: &Value, timeout: Duration) -> Answer {
    let event = event.to_string();
    let invoked = function::invoke(function, event.as_bytes(), context(timeout)).await;
    Answer::from_response(&invoked.unwrap().response)
}

/// Makes a call to DynamoDB as JSON. Returns the status and the body of its response.
pub async fn call_dynamodb(
    client: &reqwest::Client,
    endpoint: &str,
    operation: &str,
    request: &Value,
) -> (u16, Value) {
    // The server checks no signature, but asks for one.
    let authorization = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                         SignedHeaders=host, Signature=0";
    let request = client
        .post(endpoint)
        .header("authorization", authorization)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20260101T000000Z")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .body(request.to_string());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// A URL at which nothing listens.
pub async fn nowhere() -> String {
    server::url(&server::bind(0, "nothing", "").await.unwrap()).unwrap()
}

/// The SHA-256 of each image, by field.
pub type Images = BTreeMap<String, String>;

pub fn sha256(image: &[u8]) -> String {
    hex::encode(Sha256::digest(image))
}

/// What is stored, to compare.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    pub records: BTreeSet<String>,
    pub objects: BTreeMap<String, Vec<u8>>,
}

/// A row of the contract's error table: status and the exact JSON.
pub type Row = (u16, &'static str);

macro_rules! row {
    ($status:literal, $code:literal, $message:literal) => {
        (
            $status,
            concat!(
                r#"{"errorCode":""#,
                $code,
                r#"","message":""#,
                $message,
                r#""}"#
            ),
        )
    };
}

pub const SUCCESS: Row = (200, r#"{"message":"complete to update image."}"#);
pub const INVALID_PAYLOAD: Row = row!(400, "invalid_payload", "Fail to parse the input data.");
pub const MISSING_DATA: Row = row!(400, "missing_data", "Required input data is missing.");
pub const UNKNOWN_PROJECT: Row = row!(400, "invalid_project", "Cannot find project info.");
pub const INACTIVE_PROJECT: Row = row!(400, "invalid_project", "Invalid project.");
pub const INVALID_ADMIN: Row = row!(400, "invalid_admin", "Invalid admin.");
pub const INVALID_SUBMISSION: Row = row!(400, "invalid_submission", "Invalid submission.");
pub const NO_IMAGES: Row = row!(
    400,
    "invalid_data",
    "At least one image parameter is required."
);
pub const MISSING_ID_TYPE: Row = row!(
    400,
    "missing_data",
    "The idType is required when submit idImage or idBackImage."
);
pub const INVALID_ID_TYPE: Row = row!(400, "invalid_idType", "Invalid IdType.");
pub const PROCESSING_ERROR: Row = row!(500, "processing_error", "Failed to put image.");

/// The `x-error-detail` of a fault.
pub const FAULT: &str = "a fault on our side, please try again";

/// What the caller gets.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    pub detail: Option<String>,
}

impl Answer {
    /// The answer in a response, which must be one that the definition declares.
    pub fn from_response(response: &Value) -> Self {
        // Payload 1.0 has them under the one name, 2.0 under the other.
        let header = |name: &str| {
            let value = response["multiValueHeaders"][name].get(0);
            let value = value.unwrap_or(&response["headers"][name]);
            value.as_str().map(str::to_owned)
        };
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        assert_eq!(response["isBase64Encoded"], false);
        let answer = Self {
            status: response["statusCode"].as_u64().unwrap().try_into().unwrap(),
            body: response["body"].as_str().unwrap().to_owned(),
            detail: header("x-error-detail"),
        };
        let retry_after = header("retry-after");
        assert_eq!(retry_after.is_some(), answer.status >= 500, "{answer:?}");
        let body = serde_json::from_str(&answer.body).unwrap();
        assert_declared(answer.status, answer.detail.as_deref(), &body);
        answer
    }

    pub fn row(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

/// A form on its way. It starts as one that succeeds.
#[derive(Clone, Debug)]
pub struct Form {
    pub key: Option<String>,
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Form {
    /// All fields, with a small image in each.
    pub fn full() -> Self {
        Self::seeded(0)
    }

    /// All fields, with other images for another seed.
    pub fn seeded(seed: usize) -> Self {
        let fields = ImageField::ALL.into_iter().enumerate();
        fields.fold(Self::texts(), |form, (i, field)| {
            let (size, seed) = (900 - 100 * i, (10 * seed + i) as u64);
            let draw = [images::jpeg, images::png][i % 2];
            form.with_image(field.name(), &draw(size, seed))
        })
    }

    /// The required texts and one selfie.
    pub fn selfie(image: &[u8]) -> Self {
        Self::texts()
            .without("idType")
            .with_image("selfieImage", image)
    }

    /// The texts alone.
    pub fn texts() -> Self {
        let empty = Self {
            key: Some(KEY.to_owned()),
            fields: Vec::new(),
        };
        empty
            .with("submissionId", SUBMISSION)
            .with("admin", ADMIN)
            .with("idType", "passport")
    }

    /// The images that it holds.
    pub fn images(&self) -> Images {
        let fields = self.fields.iter();
        let images = fields.filter(|(name, _)| ImageField::parse(name).is_some());
        let decoded = images.map(|(name, text)| (name.clone(), BASE64_STANDARD.decode(text)));
        decoded
            .map(|(name, image)| (name, sha256(&image.unwrap())))
            .collect()
    }

    /// Sets a field, in its place if it is there.
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value.into(),
            None => self.fields.push((name.to_owned(), value.into())),
        }
        self
    }

    pub fn with_image(self, name: &str, image: &[u8]) -> Self {
        self.with(name, BASE64_STANDARD.encode(image))
    }

    /// Adds a field, even if it is there already.
    pub fn and(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self
    }

    /// Leaves out all images except one.
    pub fn with_only(mut self, field: ImageField) -> Self {
        self.fields
            .retain(|(name, _)| ImageField::parse(name).is_none_or(|other| other == field));
        self
    }

    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    pub fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    pub fn body(&self) -> Vec<u8> {
        let parts = self.fields.iter().map(|(name, value)| {
            let head =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            [head.as_bytes(), value, b"\r\n"].concat()
        });
        let end = format!("--{BOUNDARY}--\r\n").into_bytes();
        parts.chain([end]).collect::<Vec<_>>().concat()
    }

    /// The event of payload 1.0, as text if the body is text.
    pub fn event(&self) -> Value {
        event(
            self.key.as_deref(),
            &format!("multipart/form-data; boundary={BOUNDARY}"),
            &self.body(),
        )
    }
}

/// An event of payload 1.0 with any body, as text if it is text. As in the gateway's events, `multiValueHeaders` has all
/// headers, and `headers` the last of each name.
pub fn event(key: Option<&str>, content_type: &str, body: &[u8]) -> Value {
    let mut headers = json!({ "content-type": content_type, "user-agent": "test" });
    if let Some(key) = key {
        headers["x-api-key"] = key.into();
    }
    let (body, encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64_STANDARD.encode(body), true),
    };
    let mut event = json!({
        "resource": "/Image",
        "path": "/Image",
        "httpMethod": "PUT",
        "requestContext": { "httpMethod": "PUT", "stage": "v3" },
        "body": body,
        "isBase64Encoded": encoded,
    });
    for (name, value) in headers.as_object().unwrap() {
        set_header(&mut event, name, &[value.as_str().unwrap()]);
    }
    event
}

/// Sets a header's values in an event of payload 1.0.
pub fn set_header(event: &mut Value, name: &str, values: &[&str]) {
    event["multiValueHeaders"][name] = json!(values);
    event["headers"][name] = json!(values.last());
}

/// The same request as an event of payload 2.0, which joins a header's values by commas.
pub fn payload_2(rest: &Value) -> Value {
    let mut headers = json!({});
    for (name, values) in rest["multiValueHeaders"].as_object().unwrap() {
        let values = values.as_array().unwrap().iter();
        let values: Vec<&str> = values.map(|value| value.as_str().unwrap()).collect();
        headers[name.to_ascii_lowercase()] = values.join(",").into();
    }
    json!({
        "version": "2.0",
        "routeKey": "PUT /Image",
        "rawPath": "/Image",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "http": { "method": rest["httpMethod"], "path": "/Image" },
            "stage": "$default",
        },
        "body": rest["body"],
        "isBase64Encoded": rest["isBase64Encoded"],
    })
}

/// The same request with its text body as Base64.
pub fn encoded(mut event: Value) -> Value {
    event["body"] = BASE64_STANDARD
        .encode(event["body"].as_str().unwrap())
        .into();
    event["isBase64Encoded"] = true.into();
    event
}
