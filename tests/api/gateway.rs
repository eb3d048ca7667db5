//! The answers that the gateway gives itself, and its way to the function, over a socket.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use admin::project::{NewKey, SetKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use governor::Quota;
use local::faults::Operation;
use local::gateway::{Gateway, default_rate};
use local::server;
use put_image::deadline::TIMEOUT;
use put_image::handler::App as Function;
use put_image::storage::Limits;
use reqwest::multipart;
use reqwest::{Client, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::definition::assert_declared;
use crate::helpers::*;
use local::images;

/// Serves an app's stack over HTTP. Returns the URL of the route.
pub async fn serve(app: &App, rate: Quota) -> String {
    start(app, app.stack.function(), TIMEOUT, rate).await
}

/// Serves a function, whose invocations end after `timeout`.
async fn start(app: &App, function: Function, timeout: Duration, rate: Quota) -> String {
    let listener = server::bind(0, "the gateway", "").await.unwrap();
    let gateway = Gateway::new(function, timeout, app.stack.keys(), rate).unwrap();
    let url = server::url(&listener).unwrap() + gateway.path();
    tokio::spawn(Arc::new(gateway).serve(listener));
    url
}

fn form(image: &str) -> multipart::Form {
    let form = multipart::Form::new()
        .text("submissionId", SUBMISSION)
        .text("admin", ADMIN);
    form.text("selfieImage", image.to_owned())
}

async fn assert_answer(response: Response, status: u16, body: Value) {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["content-type"], "application/json");
    let has_retry_after = response.headers().contains_key("retry-after");
    assert_eq!(has_retry_after, status == 429 || status >= 500);
    let detail = response
        .headers()
        .get("x-error-detail")
        .map(|detail| detail.to_str().unwrap().to_owned());
    assert_declared(status, detail.as_deref(), &body);
    assert_eq!(response.json::<Value>().await.unwrap(), body);
}

#[tokio::test]
async fn keys_and_routes_that_it_does_not_know() {
    let app = App::start().await;
    let url = serve(&app, default_rate()).await;
    let client = Client::new();
    let forbidden = json!({ "message": "Forbidden" });
    assert_answer(
        client.put(&url).multipart(form("")).send().await.unwrap(),
        403,
        forbidden.clone(),
    )
    .await;
    let unknown = client
        .put(&url)
        .header("x-api-key", "unknown")
        .multipart(form(""));
    assert_answer(unknown.send().await.unwrap(), 403, forbidden).await;
    let missing = json!({ "message": "Missing Authentication Token" });
    for (method, url) in [
        (reqwest::Method::POST, url.clone()),
        (reqwest::Method::GET, url.clone()),
        (reqwest::Method::PUT, url.replace("Image", "image")),
        (reqwest::Method::PUT, url.replace("/v3", "")),
        (reqwest::Method::PUT, url.clone() + "/"),
    ] {
        let response = client
            .request(method, url)
            .header("x-api-key", KEY)
            .send()
            .await
            .unwrap();
        assert_answer(response, 403, missing.clone()).await;
    }
}

#[tokio::test]
async fn too_many_requests() {
    let app = App::start().await;
    let once_a_day = Quota::with_period(Duration::from_hours(24)).unwrap();
    let url = serve(&app, once_a_day).await;
    let put = || {
        Client::new()
            .put(&url)
            .header("x-api-key", KEY)
            .multipart(form("YQ=="))
    };
    assert_eq!(put().send().await.unwrap().status(), 400);
    assert_answer(
        put().send().await.unwrap(),
        429,
        json!({ "message": "Too Many Requests" }),
    )
    .await;
}

#[tokio::test]
async fn too_large() {
    let app = App::start().await;
    let url = serve(&app, default_rate()).await;
    let put = |body: Vec<u8>| {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let put = Client::new()
            .put(&url)
            .header("x-api-key", KEY)
            .header("content-type", content_type);
        put.body(body).send()
    };
    let row_1: Value = serde_json::from_str(INVALID_PAYLOAD.1).unwrap();
    assert_answer(
        put(vec![b'a'; 10 * 1024 * 1024 + 1]).await.unwrap(),
        413,
        row_1.clone(),
    )
    .await;
    assert_answer(
        put(vec![b'a'; 6_291_557]).await.unwrap(),
        413,
        row_1.clone(),
    )
    .await;
    // Escaped, each of these characters takes two bytes of the event.
    assert_answer(put(vec![b'"'; 3_145_778]).await.unwrap(), 413, row_1).await;
    let big = images::png(4_600_000, 1);
    let response = put(Form::selfie(&big).body()).await.unwrap();
    assert_answer(response, 200, serde_json::from_str(SUCCESS.1).unwrap()).await;
    assert_eq!(app.image(SUBMISSION, "selfieImage").await, Some(big));
}

#[tokio::test]
async fn what_the_function_answers_reaches_the_client() {
    let app = App::start().await;
    let url = serve(&app, default_rate()).await;
    let put = |form| {
        Client::new()
            .put(&url)
            .header("X-API-KEY", KEY)
            .multipart(form)
            .send()
    };
    let response = put(form("YQ==")).await.unwrap();
    assert_eq!(
        response.headers()["x-error-detail"],
        "selfieImage: neither a JPEG nor a PNG"
    );
    assert_answer(
        response,
        400,
        serde_json::from_str(INVALID_PAYLOAD.1).unwrap(),
    )
    .await;
    let response = Client::new()
        .put(&url)
        .header("x-api-key", KEY_WITHOUT_PROJECT)
        .multipart(form(""))
        .send()
        .await;
    assert_answer(
        response.unwrap(),
        400,
        serde_json::from_str(UNKNOWN_PROJECT.1).unwrap(),
    )
    .await;
}

/// What a client has sent is carried out and cleaned up also if the client goes away before the answer.
#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_over() {
    let app = App::start().await;
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let storage = app
        .behind_faults
        .storage(app.stack.config.clone(), Limits::default());
    let function = function_over(storage);
    let url = start(&app, function, TIMEOUT, default_rate()).await;
    let gate = app.faults.hold(Operation::UpdateItem, 1);
    let image = BASE64_STANDARD.encode(images::png(300, 1));
    let put = Client::new().put(&url).header("x-api-key", KEY);
    let put = tokio::spawn(put.multipart(form(&image)).send());
    gate.arrived().await;
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    let cleaning = app.faults.hold(Operation::DeleteObject, 1);
    gate.open();
    // So that a gateway that doesn't clean up fails the test instead of holding it up.
    timeout(TIMEOUT, cleaning.arrived()).await.unwrap();
    cleaning.open();
    cleaning.passed().await;
    // The replaced selfie is gone.
    assert_eq!(app.objects().await.len(), 4);
    assert!(app.image(SUBMISSION, "selfieImage").await.is_some());
}

/// The usage plan keeps the old key for as long as the function takes it, and the local gateway does, too.
#[tokio::test]
async fn a_key_that_is_being_rotated_still_passes() {
    let app = App::start().await;
    let url = serve(&app, default_rate()).await;
    let records = app.stack.endpoints.records(app.stack.config.clone());
    let new = NewKey::generate().unwrap();
    let later = SystemTime::now() + Duration::from_hours(1);
    let later = later.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let set = records.set_key("demo-project", &new, Some(later)).await;
    assert!(matches!(set, SetKey::Done));
    let image = BASE64_STANDARD.encode(images::png(300, 1));
    for key in [KEY, new.reveal()] {
        let put = Client::new().put(&url).header("x-api-key", key);
        let response = put.multipart(form(&image)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
    }
}

#[tokio::test]
async fn a_function_that_is_out_of_time_answers() {
    let app = App::start().await;
    let function = app.stack.function();
    let url = start(&app, function, Duration::ZERO, default_rate()).await;
    let image = BASE64_STANDARD.encode(images::png(300, 1));
    let response = Client::new()
        .put(&url)
        .header("x-api-key", KEY)
        .multipart(form(&image))
        .send()
        .await
        .unwrap();
    assert_answer(
        response,
        500,
        serde_json::from_str(PROCESSING_ERROR.1).unwrap(),
    )
    .await;
    assert!(app.objects().await.is_empty());
}

/// The gateway reports the key that it checked, and the function accepts no other.
#[rstest]
#[case::the_first_is_unknown(&["unknown", KEY], 403, r#"{"message":"Forbidden"}"#)]
#[case::the_second_is_unknown(&[KEY, "unknown"], 400, UNKNOWN_PROJECT.1)]
#[case::the_second_is_another_projects(&[KEY, CLOSED_KEY], 400, UNKNOWN_PROJECT.1)]
#[tokio::test]
async fn only_the_api_key_that_was_checked_opens_a_project(
    #[case] keys: &[&str],
    #[case] status: u16,
    #[case] body: &str,
) {
    let app = App::start().await;
    let url = serve(&app, default_rate()).await;
    let before = app.stored().await;
    let image = BASE64_STANDARD.encode(images::png(300, 1));
    let mut put = Client::new().put(&url).multipart(form(&image));
    for key in keys {
        put = put.header("x-api-key", *key);
    }
    let response = put.send().await.unwrap();
    assert_answer(response, status, serde_json::from_str(body).unwrap()).await;
    assert_eq!(app.stored().await, before);
}
