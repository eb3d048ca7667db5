//! The four forms of an event, and damaged ones.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use local::function::{self, context};
use put_image::deadline::TIMEOUT;
use serde_json::{Value, json};

use crate::helpers::*;
use local::images;

/// The events of one form: payload 1.0 and 2.0, text and Base64.
fn four_forms(form: &Form) -> [(Value, &'static str); 4] {
    let rest = form.event();
    let mut http_api = json!({
        "version": "2.0",
        "routeKey": "PUT /Image",
        "rawPath": "/Image",
        "rawQueryString": "",
        "headers": rest["headers"],
        "requestContext": { "http": { "method": "PUT", "path": "/Image" }, "stage": "$default" },
    });
    let text = rest["body"].as_str().unwrap().to_owned();
    let encoded = |mut event: Value| {
        event["body"] = BASE64_STANDARD.encode(&text).into();
        event["isBase64Encoded"] = true.into();
        event
    };
    http_api["body"] = text.clone().into();
    http_api["isBase64Encoded"] = false.into();
    [
        (encoded(rest.clone()), "1.0 Base64"),
        (rest, "1.0 text"),
        (encoded(http_api.clone()), "2.0 Base64"),
        (http_api, "2.0 text"),
    ]
}

#[tokio::test]
async fn all_four_forms_store_the_same() {
    let app = App::start().await;
    for (seed, (i, name)) in (0..4).zip(
        ["1.0 Base64", "1.0 text", "2.0 Base64", "2.0 text"]
            .iter()
            .enumerate(),
    ) {
        let image = images::jpeg(5000, seed);
        let (event, event_name) = four_forms(&Form::selfie(&image))[i].clone();
        assert_eq!(event_name, *name);
        assert_eq!(app.invoke(&event).await.row(), SUCCESS, "{name}");
        assert_eq!(
            app.image(SUBMISSION, "selfieImage").await,
            Some(image),
            "{name}"
        );
    }
}

/// Payload 2.0 has a member `cookies` that `cargo lambda watch` insists on; 1.0 has no such member.
#[tokio::test]
async fn responses_have_the_members_of_the_events_format() {
    let app = App::start().await;
    for (event, name) in four_forms(&Form::full()) {
        let event = event.to_string();
        let response = function::invoke(&app.function, event.as_bytes(), context(TIMEOUT));
        let response = response.await.unwrap();
        let mut members: Vec<&str> = response
            .response
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        members.sort_unstable();
        let mut expected = vec![
            "body",
            "headers",
            "isBase64Encoded",
            "multiValueHeaders",
            "statusCode",
        ];
        if name.starts_with("2.0") {
            expected.insert(1, "cookies");
        }
        assert_eq!(members, expected, "{name}");
    }
}

#[tokio::test]
async fn all_four_forms_are_refused_alike() {
    let app = App::start().await;
    for (event, name) in four_forms(&Form::full().with("admin", "nobody")) {
        app.assert_event_refused(&event, INVALID_ADMIN, name).await;
    }
}

#[tokio::test]
async fn header_names_in_any_case_and_in_lists() {
    let app = App::start().await;
    let image = images::jpeg(500, 1);
    let mut event = Form::selfie(&image).event();
    let content_type = event["headers"]["content-type"].clone();
    event["headers"] = json!({ "X-API-Key": KEY, "CONTENT-TYPE": content_type });
    assert_eq!(app.invoke(&event).await.row(), SUCCESS);
    event["headers"] = Value::Null;
    event["multiValueHeaders"] = json!({ "X-Api-Key": [KEY], "Content-Type": [content_type] });
    assert_eq!(app.invoke(&event).await.row(), SUCCESS);
    event["multiValueHeaders"] =
        json!({ "X-Api-Key": [KEY, KEY_WITHOUT_PROJECT], "Content-Type": [content_type] });
    app.assert_event_refused(&event, UNKNOWN_PROJECT, "two keys are no key")
        .await;
    event["multiValueHeaders"] =
        json!({ "X-Api-Key": [KEY], "Content-Type": [content_type, content_type] });
    app.assert_event_refused(&event, INVALID_PAYLOAD, "two content types")
        .await;
}

/// The key of a request, as the gateway that let it in knows it.
#[tokio::test]
async fn the_headers_key_is_the_gateways() {
    let app = App::start().await;
    let mut event = Form::full().event();
    event["requestContext"]["identity"] = json!({ "apiKey": KEY });
    assert_eq!(app.invoke(&event).await.row(), SUCCESS);
    event["requestContext"]["identity"] = json!({ "apiKey": KEY_WITHOUT_PROJECT });
    let calls = app.faults.calls().len();
    app.assert_event_refused(&event, UNKNOWN_PROJECT, "another key at the gateway")
        .await;
    assert_eq!(app.faults.calls().len(), calls, "refused without a read");
    for none in [Value::Null, json!(""), json!(" ")] {
        event["requestContext"]["identity"] = json!({ "apiKey": none });
        assert_eq!(app.invoke(&event).await.row(), SUCCESS, "{none}");
    }
}

#[tokio::test]
async fn requests_without_a_body_or_content_type_are_an_invalid_payload() {
    let app = App::start().await;
    let good = Form::full().event();
    let with = |name: &str, value: Value| {
        let mut event = good.clone();
        event[name] = value;
        event
    };
    for (event, why) in [
        (with("body", Value::Null), "a null body"),
        (with("body", json!("")), "an empty body"),
        (with("headers", Value::Null), "null headers"),
        (with("headers", json!({})), "no headers"),
        (
            with("headers", json!({ "content-type": "text/plain" })),
            "another content type",
        ),
    ] {
        app.assert_event_refused(&event, INVALID_PAYLOAD, why).await;
    }
}
