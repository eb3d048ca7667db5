//! A project's key at API Gateway.

use std::process::Command;
use std::sync::{Arc, Mutex};

use admin::project::generate_key;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use local::server;
use put_image::records::attribute::API_KEY_HASH;
use serde_json::{Value, json};
use testkit::faults::{End, Faults, Operation, When};

use crate::helpers::{Ran, TestStack, hash};

type Calls = Arc<Mutex<Vec<String>>>;

/// Starts an API Gateway that has created the key when it is asked a second time, its first response being lost, and that
/// responds with `plan` to a key for the plan. Returns its URL and the calls that it gets.
async fn gateway(plan: StatusCode) -> (String, Calls) {
    let listener = server::bind(0, "API Gateway", "").await.unwrap();
    let url = server::url(&listener).unwrap();
    let (calls, key) = (Calls::default(), Arc::new(Mutex::new(Value::Null)));
    let heard = Arc::clone(&calls);
    tokio::spawn(server::serve(listener, move |_| {
        let (heard, key) = (Arc::clone(&heard), Arc::clone(&key));
        service_fn(move |request: Request<Incoming>| {
            let (heard, key) = (Arc::clone(&heard), Arc::clone(&key));
            async move {
                let call = format!("{} {}", request.method(), request.uri().path());
                heard.lock().unwrap().push(call.clone());
                let body = request.into_body().collect().await?.to_bytes();
                let (status, body) = match call.as_str() {
                    "POST /apikeys" => {
                        let sent: Value = serde_json::from_slice(&body).unwrap();
                        *key.lock().unwrap() = sent["value"].clone();
                        let exists = json!({ "message": "API Key already exists" });
                        (StatusCode::CONFLICT, exists)
                    }
                    "GET /apikeys" => {
                        let key = key.lock().unwrap().clone();
                        let keys = [("another", json!("another")), ("ours", key)];
                        let keys = keys.map(|(id, value)| json!({ "id": id, "value": value }));
                        (StatusCode::OK, json!({ "item": keys }))
                    }
                    "POST /usageplans/plan/keys" => {
                        let body = json!({ "id": "ours", "message": "Invalid Usage Plan ID" });
                        (plan, body)
                    }
                    _ => (StatusCode::ACCEPTED, json!({})),
                };
                let error = match status {
                    StatusCode::CONFLICT => "ConflictException",
                    _ => "NotFoundException",
                };
                let response = Response::builder()
                    .status(status)
                    .header("x-amzn-errortype", error)
                    .body(Full::<Bytes>::from(body.to_string()));
                Ok::<_, admin::Error>(response?)
            }
        })
    }));
    (url, calls)
}

fn on_plan(app: &TestStack, arguments: &str, gateway: &str) -> Command {
    let arguments = format!("project {arguments} --usage-plan plan");
    let mut command = app.command(&arguments.split(' ').collect::<Vec<_>>());
    command.env("AWS_ENDPOINT_URL_API_GATEWAY", gateway);
    command
}

const CREATE: &str = "create acme --admin a@acme.example";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_put_on_the_plan_even_if_api_gateways_response_was_lost() {
    let app = TestStack::start().await;
    let (url, calls) = gateway(StatusCode::CREATED).await;
    let key = Ran::new(&mut on_plan(&app, CREATE, &url)).printed();
    assert_eq!(app.project("acme").await[API_KEY_HASH], hash(&key));
    let expected = [
        "POST /apikeys",
        "GET /apikeys",
        "POST /usageplans/plan/keys",
    ];
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_get_onto_the_plan_is_removed_and_the_next_step_is_said() {
    let app = TestStack::start().await;
    let (url, calls) = gateway(StatusCode::NOT_FOUND).await;
    let ran = Ran::new(&mut on_plan(&app, CREATE, &url));
    ran.said("Invalid Usage Plan ID");
    ran.refused("then run: project key rotate \"acme\" --usage-plan plan");
    assert_eq!(
        calls.lock().unwrap().last().unwrap(),
        "DELETE /apikeys/ours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_fails_leaves_no_key_at_the_gateway() {
    let app = TestStack::start().await;
    let (faults, endpoints) = Faults::in_front_of(&app.stack).await.unwrap();
    let (url, calls) = gateway(StatusCode::CREATED).await;
    let read = faults.hold(Operation::GetItem, 1);
    let update = faults.hold(Operation::UpdateItem, 1);
    let mut command = on_plan(&app, "key rotate demo-project", &url);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb);
    let rotation = tokio::task::spawn_blocking(move || Ran::new(&mut command));
    // The record is read before the plan, so that another rotation in between makes this one fail: the winner removes
    // all keys that it has found on the plan.
    read.arrived().await;
    assert!(calls.lock().unwrap().is_empty());
    read.open();
    update.arrived().await;
    let other = generate_key().unwrap();
    let won = app.records.set_key("demo-project", &other, None).await;
    assert!(won.unwrap());
    update.open();
    rotation.await.unwrap().refused("another rotation");
    assert_eq!(
        calls.lock().unwrap().last().unwrap(),
        "DELETE /apikeys/ours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_whose_write_fails_keeps_both_keys_and_says_what_to_run() {
    let app = TestStack::start().await;
    let (faults, endpoints) = Faults::in_front_of(&app.stack).await.unwrap();
    let denied = End::Error(400, "AccessDeniedException");
    faults.fail(Operation::UpdateItem, When::Always, denied);
    let (url, calls) = gateway(StatusCode::CREATED).await;
    let mut command = on_plan(&app, "key rotate demo-project", &url);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb);
    let ran = Ran::new(&mut command);
    ran.said("AccessDeniedException");
    ran.refused("run project key rotate \"demo-project\" --usage-plan plan");
    let calls = calls.lock().unwrap();
    assert_eq!(calls.last().unwrap(), "POST /usageplans/plan/keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_without_a_key_gets_none_at_the_gateway() {
    let app = TestStack::start().await;
    let (url, calls) = gateway(StatusCode::CREATED).await;
    app.remove_key("demo-project").await;
    Ran::new(&mut on_plan(&app, "key rotate demo-project", &url)).refused("has no API key");
    assert!(calls.lock().unwrap().is_empty());
}
