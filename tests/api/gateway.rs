//! The responses that the gateway gives itself, and its way to the function, over a socket.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use admin::project::{ExposeSecret as _, generate_key};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use governor::Quota;
use local::gateway::{Gateway, MAX_BODY, MAX_EVENT, default_rate};
use local::server;
use put_image::deadline::TIMEOUT;
use put_image::domain::ImageField;
use put_image::handler::App;
use reqwest::multipart;
use reqwest::{Client, Method, RequestBuilder};
use rstest::rstest;
use testkit::faults::Operation::{DeleteObject, UpdateItem};
use testkit::faults::PATIENCE;
use testkit::images;

use crate::definition::assert_declared;
use crate::helpers::*;

const FORBIDDEN: Row = (403, r#"{"message":"Forbidden"}"#);
const NO_ROUTE: Row = (403, r#"{"message":"Missing Authentication Token"}"#);
const TOO_MANY: Row = (429, r#"{"message":"Too Many Requests"}"#);
const TOO_LARGE: Row = (413, INVALID_PAYLOAD.1);

/// Serves an app's stack over HTTP. Returns the URL of the route.
async fn serve(app: &TestApp) -> String {
    start(app, app.undisturbed(), TIMEOUT, default_rate()).await
}

/// Serves a function whose invocations end after `timeout`.
async fn start(app: &TestApp, function: App, timeout: Duration, rate: Quota) -> String {
    let listener = server::bind(0, "the gateway", "").await.unwrap();
    let gateway = Gateway::new(function, timeout, app.stack.keys(), rate).unwrap();
    let url = server::url(&listener).unwrap() + gateway.path();
    tokio::spawn(Arc::new(gateway).serve(listener));
    url
}

fn request(method: Method, url: &str, key: &str) -> RequestBuilder {
    let request = Client::new().request(method, url).timeout(PATIENCE);
    request.header("x-api-key", key)
}

fn form(image: &str) -> multipart::Form {
    multipart::Form::new()
        .text("submissionId", SUBMISSION)
        .text("admin", ADMIN)
        .text("selfieImage", image.to_owned())
}

fn put_form(url: &str, key: &str, image: &str) -> RequestBuilder {
    request(Method::PUT, url, key).multipart(form(image))
}

fn put_body(url: &str, body: Vec<u8>) -> RequestBuilder {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let put = request(Method::PUT, url, KEY).header("content-type", content_type);
    put.body(body)
}

fn small_image() -> String {
    BASE64_STANDARD.encode(images::png(300, 1))
}

/// Sends a request. Its response must be one that the definition declares.
async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    assert_eq!(headers["content-type"], "application/json");
    let has_retry_after = headers.contains_key("retry-after");
    assert_eq!(has_retry_after, status == 429 || status >= 500);
    let detail = headers.get("x-error-detail");
    let detail = detail.map(|detail| detail.to_str().unwrap().to_owned());
    let body = response.text().await.unwrap();
    let json = serde_json::from_str(&body).unwrap();
    assert_declared(status, detail.as_deref(), &json);
    Answer {
        status,
        body,
        detail,
    }
}

#[rstest]
#[case::no_key(None)]
#[case::unknown_key(Some("unknown"))]
#[tokio::test]
async fn a_request_without_a_known_key_is_forbidden(#[case] key: Option<&str>) {
    let app = TestApp::start().await;
    let url = serve(&app).await;
    let mut put = Client::new().put(url).timeout(PATIENCE);
    if let Some(key) = key {
        put = put.header("x-api-key", key);
    }
    assert_eq!(send(put).await.row(), FORBIDDEN);
}

#[rstest]
#[case::post(Method::POST, |url| url)]
#[case::get(Method::GET, |url| url)]
#[case::name_in_another_case(Method::PUT, |url: String| url.replace("Image", "image"))]
#[case::no_stage(Method::PUT, |url: String| url.replace("/v3", ""))]
#[case::slash_at_the_end(Method::PUT, |url: String| url + "/")]
#[tokio::test]
async fn another_route_misses_a_token(
    #[case] method: Method,
    #[case] change: fn(String) -> String,
) {
    let app = TestApp::start().await;
    let url = change(serve(&app).await);
    assert_eq!(send(request(method, &url, KEY)).await.row(), NO_ROUTE);
}

#[tokio::test]
async fn requests_beyond_the_rate_are_too_many() {
    let app = TestApp::start().await;
    let once_a_day = Quota::with_period(Duration::from_hours(24)).unwrap();
    let url = start(&app, app.undisturbed(), TIMEOUT, once_a_day).await;
    assert_eq!(
        send(put_form(&url, KEY, "YQ==")).await.row(),
        INVALID_PAYLOAD
    );
    assert_eq!(send(put_form(&url, KEY, "YQ==")).await.row(), TOO_MANY);
}

#[rstest]
#[case::for_the_gateway(vec![b'a'; MAX_BODY + 1])]
#[case::for_the_function(vec![b'a'; MAX_EVENT + 1])]
// In the event, each of these characters takes two bytes.
#[case::for_the_function_once_escaped(vec![b'"'; MAX_EVENT / 2])]
#[tokio::test]
async fn a_body_is_too_large(#[case] body: Vec<u8>) {
    let app = TestApp::start().await;
    let url = serve(&app).await;
    assert_eq!(send(put_body(&url, body)).await.row(), TOO_LARGE);
}

#[tokio::test]
async fn a_large_image_is_stored() {
    let app = TestApp::start().await;
    let url = serve(&app).await;
    let form = Form::selfie(&images::png(4_600_000, 1));
    assert_eq!(send(put_body(&url, form.body())).await.row(), SUCCESS);
    assert_eq!(app.images().await, form.images());
}

#[rstest]
#[case::bad_image(KEY, INVALID_PAYLOAD, "selfieImage: neither a JPEG nor a PNG")]
#[case::key_without_project(
    KEY_WITHOUT_PROJECT,
    UNKNOWN_PROJECT,
    "x-api-key: no project has this key"
)]
#[tokio::test]
async fn the_functions_response_reaches_the_client(
    #[case] key: &str,
    #[case] expected: Row,
    #[case] detail: &str,
) {
    let app = TestApp::start().await;
    let image = if key == KEY {
        "YQ==".to_owned()
    } else {
        small_image()
    };
    let put = put_form(&serve(&app).await, key, &image);
    let answer = send(put).await;
    assert_eq!(answer.row(), expected);
    assert_eq!(answer.detail.as_deref(), Some(detail));
}

#[tokio::test]
async fn the_request_of_a_client_that_goes_away_is_carried_out_and_cleaned_up() {
    let app = TestApp::with_images().await;
    let storage = app.behind_faults.storage(app.stack.config.clone(), SHORT);
    let url = start(&app, function_over(storage), TIMEOUT, default_rate()).await;
    let commit = app.faults.hold(UpdateItem, 1);
    let put = tokio::spawn(put_form(&url, KEY, &small_image()).send());
    commit.arrived().await;
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    let deletion = app.faults.hold(DeleteObject, 1);
    commit.open();
    deletion.arrived().await;
    deletion.open();
    deletion.passed().await;
    // The replaced selfie is gone.
    assert_eq!(app.objects().await.len(), ImageField::ALL.len());
    assert_ne!(app.images().await, Form::full().images());
}

/// The usage plan keeps the old key for as long as the function accepts it.
#[tokio::test]
async fn both_keys_of_a_rotation_pass() {
    let app = TestApp::start().await;
    let url = serve(&app).await;
    let records = app.stack.endpoints.records(app.stack.config.clone());
    let new = generate_key().unwrap();
    let later = SystemTime::now() + Duration::from_hours(1);
    let later = later.duration_since(UNIX_EPOCH).unwrap().as_secs();
    records
        .set_key("demo-project", &new, Some(later))
        .await
        .unwrap();
    assert_eq!(
        send(put_form(&url, KEY, &small_image())).await.row(),
        SUCCESS
    );
    assert_eq!(
        send(put_form(&url, new.expose_secret(), &small_image()))
            .await
            .row(),
        SUCCESS
    );
}

#[tokio::test]
async fn a_function_that_is_out_of_time_responds() {
    let app = TestApp::start().await;
    let url = start(&app, app.undisturbed(), Duration::ZERO, default_rate()).await;
    assert_eq!(
        send(put_form(&url, KEY, &small_image())).await.row(),
        PROCESSING_ERROR
    );
    assert!(app.objects().await.is_empty());
}

/// The gateway reports the key that it checked, and the function accepts no other.
#[rstest]
#[case::the_first_is_unknown(&["unknown", KEY], FORBIDDEN)]
#[case::the_second_is_unknown(&[KEY, "unknown"], UNKNOWN_PROJECT)]
#[case::the_second_is_another_projects(&[KEY, CLOSED_KEY], UNKNOWN_PROJECT)]
#[tokio::test]
async fn only_the_api_key_that_was_checked_opens_a_project(
    #[case] keys: &[&str],
    #[case] row: Row,
) {
    let app = TestApp::start().await;
    let url = serve(&app).await;
    let before = app.stored().await;
    let mut put = Client::new().put(&url).multipart(form(&small_image()));
    for key in keys {
        put = put.header("x-api-key", *key);
    }
    assert_eq!(send(put).await.row(), row);
    assert_eq!(app.stored().await, before);
}
