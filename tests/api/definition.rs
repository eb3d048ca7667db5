//! `openapi.yaml` declares every response of these tests, and describes the request and the gateway as the code and the
//! template implement them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use local::definition::{Definition, OPENAPI, resolve};
use local::gateway::{MAX_BODY, MAX_EVENT};
use put_image::domain::MAX_TEXT;
use put_image::form::MAX_PARTS;
use rstest::rstest;
use serde_json::{Value, json};

use crate::helpers::*;
use crate::template::TEMPLATE;

pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_saphyr::from_str(OPENAPI).unwrap());

/// A member of an object, which a reference may lead to.
#[track_caller]
pub fn member(object: &'static Value, path: &[&str]) -> &'static Value {
    path.iter().fold(object, |value, name| {
        resolve(&DOCUMENT, &value[name]).unwrap()
    })
}

fn operation() -> &'static Value {
    member(&DOCUMENT, &["paths", "/Image", "put"])
}

/// What the definition declares of a response: its body, and its `x-error-detail` if it has one.
struct Declared {
    body: Validator,
    detail: Option<Validator>,
}

/// All responses, by their status.
static RESPONSES: LazyLock<BTreeMap<String, Declared>> = LazyLock::new(|| {
    let statuses = operation()["responses"].as_object().unwrap().keys();
    let responses = statuses.map(|status| {
        let response = member(operation(), &["responses", status]);
        let header = member(response, &["headers", "x-error-detail"]);
        let body = validator(&response["content"]["application/json"]["schema"]);
        (
            status.clone(),
            Declared {
                body,
                detail: header.is_object().then(|| validator(&header["schema"])),
            },
        )
    });
    responses.collect()
});

/// Fails unless the definition declares a response like this one.
#[track_caller]
pub fn assert_declared(status: u16, detail: Option<&str>, body: &Value) {
    let declared = RESPONSES
        .get(&status.to_string())
        .unwrap_or_else(|| panic!("{status} is not declared"));
    assert_valid(&declared.body, body);
    match (&declared.detail, detail) {
        (None, detail) => assert_eq!(detail, None, "{status} has no x-error-detail"),
        (Some(declared), detail) => assert_valid(declared, &detail.into()),
    }
}

#[track_caller]
fn assert_valid(validator: &Validator, value: &Value) {
    if let Err(error) = validator.validate(value) {
        panic!("{value}: {error}");
    }
}

/// A validator of a schema within the document, from whose root references lead.
fn validator(schema: &Value) -> Validator {
    let schema = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
    jsonschema::draft202012::new(&schema).unwrap()
}

#[rstest]
#[case::row_1("invalid-payload", INVALID_PAYLOAD)]
#[case::row_2("missing-data", MISSING_DATA)]
#[case::row_3("unknown-project", UNKNOWN_PROJECT)]
#[case::row_4("inactive-project", INACTIVE_PROJECT)]
#[case::row_5("invalid-admin", INVALID_ADMIN)]
#[case::row_6("invalid-submission", INVALID_SUBMISSION)]
#[case::row_7("no-image", NO_IMAGES)]
#[case::row_8("missing-id-type", MISSING_ID_TYPE)]
#[case::row_9("invalid-id-type", INVALID_ID_TYPE)]
#[case::row_10("processing-error", PROCESSING_ERROR)]
fn a_row_is_an_example_that_it_declares(#[case] name: &str, #[case] row: Row) {
    let (status, body) = row;
    let body: Value = serde_json::from_str(body).unwrap();
    let content = member(operation(), &["responses", &status.to_string(), "content"]);
    let examples = &content["application/json"]["examples"];
    assert_eq!(examples[name]["value"], body);
    assert_declared(status, Some(FAULT), &body);
    let count = if status == 400 { 9 } else { 1 };
    assert_eq!(examples.as_object().unwrap().len(), count);
}

#[rstest]
#[case::message_of_another_row(json!({ "errorCode": "invalid_data", "message": "Invalid admin." }))]
#[case::no_message(json!({ "errorCode": "invalid_data" }))]
#[case::more(json!({ "errorCode": "invalid_admin", "message": "Invalid admin.", "more": 1 }))]
#[case::success(json!({ "message": "complete to update image." }))]
fn it_declares_no_other_refusal(#[case] body: Value) {
    assert!(!RESPONSES["400"].body.is_valid(&body));
}

#[test]
fn its_version_is_the_crates() {
    assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn its_limits_match_the_code() {
    let form = member(&DOCUMENT, &["components", "schemas", "PutImageForm"]);
    assert_eq!(form["required"], json!(["submissionId", "admin"]));
    assert_eq!(form["properties"]["submissionId"]["maxLength"], MAX_TEXT);
    assert_eq!(form["properties"]["admin"]["maxLength"], MAX_TEXT);
    let body = member(operation(), &["requestBody", "description"]);
    let text = body.as_str().unwrap().replace(',', "");
    let numbers: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
    let limits = [MAX_PARTS, MAX_BODY, MAX_EVENT].map(|limit| limit.to_string());
    assert!(
        limits.iter().all(|limit| numbers.contains(&limit.as_str())),
        "{text}"
    );
}

#[rstest]
#[case("id-document")]
#[case("no-id-document")]
#[tokio::test]
async fn its_example_of_a_request_succeeds(#[case] name: &str) {
    let app = TestApp::start().await;
    let content = member(
        operation(),
        &["requestBody", "content", "multipart/form-data"],
    );
    let example = &content["examples"][name]["value"];
    assert_valid(&validator(&content["schema"]), example);
    let fields = example.as_object().unwrap().iter();
    let fields = fields.map(|(name, value)| (name.clone(), value.as_str().unwrap().into()));
    let form = Form {
        key: Some(KEY.to_owned()),
        fields: fields.collect(),
    };
    assert_eq!(app.put(&form).await.row(), SUCCESS);
}

#[test]
fn the_template_deploys_the_same_route_and_responses() {
    let definition = Definition::load().unwrap();
    let api = &TEMPLATE["Resources"]["Api"]["Properties"];
    let route = &TEMPLATE["Resources"]["PutImageFunction"]["Properties"]["Events"]["PutImage"]["Properties"];
    let path = format!(
        "/{}{}",
        api["StageName"].as_str().unwrap(),
        route["Path"].as_str().unwrap()
    );
    assert_eq!(definition.path, path);
    assert_eq!(
        route["Method"].as_str().unwrap().to_uppercase(),
        definition.method.as_str()
    );
    assert_eq!(api["Auth"]["ApiKeyRequired"], true);
    assert_eq!(
        definition.key_header, "x-api-key",
        "which API Gateway takes keys from"
    );
    for (name, response) in api["GatewayResponses"].as_object().unwrap() {
        let body = serde_json::from_str(
            response["ResponseTemplates"]["application/json"]
                .as_str()
                .unwrap(),
        )
        .unwrap();
        let detail = response["ResponseParameters"]["Headers"]["x-error-detail"].as_str();
        // In the template, a text is in quotes.
        let detail = detail.map(|detail| detail.trim_matches('\''));
        let statuses = match response["StatusCode"].as_u64() {
            Some(status) => vec![status.try_into().unwrap()],
            None => vec![500, 502, 503, 504],
        };
        assert!(
            name.starts_with("DEFAULT_5XX") || statuses.len() == 1,
            "{name}"
        );
        for status in statuses {
            assert_declared(status, detail, &body);
        }
    }
}
