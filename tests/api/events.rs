//! The four forms of an event, and damaged ones.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use put_image::function::{Invocation, TIMEOUT};
use serde_json::{Value, json};

use crate::helpers::*;
use crate::images;

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
        let response = app
            .function
            .handle(Invocation::new(event.to_string().as_bytes(), TIMEOUT))
            .await;
        let response = serde_json::to_value(response).unwrap();
        let mut members: Vec<&str> = response
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        members.sort_unstable();
        let expected = [
            "body",
            "cookies",
            "headers",
            "isBase64Encoded",
            "statusCode",
        ];
        assert_eq!(
            members,
            if name.starts_with("2.0") {
                expected.to_vec()
            } else {
                [&expected[..1], &expected[2..]].concat()
            }
        );
    }
}

#[tokio::test]
async fn all_four_forms_are_refused_alike() {
    let app = App::start().await;
    for (event, name) in four_forms(&Form::full().with("admin", "nobody")) {
        app.assert_event_refused(&event, ROW_5, name).await;
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
    app.assert_event_refused(&event, ROW_3, "two keys are no key")
        .await;
    event["multiValueHeaders"] =
        json!({ "X-Api-Key": [KEY], "Content-Type": [content_type, content_type] });
    app.assert_event_refused(&event, ROW_1, "two content types")
        .await;
}

#[tokio::test]
async fn damaged_events_are_an_invalid_payload() {
    let app = App::start().await;
    let good = Form::full().event();
    let with = |name: &str, value: Value| {
        let mut event = good.clone();
        event[name] = value;
        event
    };
    let without = |name: &str| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove(name);
        event
    };
    for (event, why) in [
        (Value::Null, "null"),
        (json!([]), "a list"),
        (json!("text"), "a text"),
        (json!(1), "a number"),
        (json!({}), "empty"),
        (without("body"), "no body"),
        (with("body", Value::Null), "a null body"),
        (with("body", json!(1)), "a number for a body"),
        (with("body", json!("")), "an empty body"),
        (
            with("isBase64Encoded", json!(true)),
            "text that claims to be Base64",
        ),
        (with("isBase64Encoded", json!("true")), "a text for a flag"),
        (without("headers"), "no headers"),
        (with("headers", json!({})), "empty headers"),
        (with("headers", json!("x-api-key")), "a text for headers"),
        (
            with("headers", json!({ "content-type": 1 })),
            "a number for a content type",
        ),
    ] {
        app.assert_event_refused(&event, ROW_1, why).await;
    }
}
