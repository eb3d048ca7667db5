//! `openapi.yaml`: every answer of these tests is one that it declares, and what it says of the request and the
//! gateway is what code and template do.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use local::definition::{Definition, OPENAPI, resolve};
use put_image::domain::{Field, IdType, MAX_TEXT};
use put_image::form::MAX_PARTS;
use serde_json::{Value, json};

use crate::helpers::*;
use crate::template::template;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_saphyr::from_str(OPENAPI).unwrap());

/// A member of an object, behind its reference if it is one.
#[track_caller]
fn member(object: &'static Value, path: &[&str]) -> &'static Value {
    path.iter().fold(object, |value, name| {
        resolve(&DOCUMENT, &value[name]).unwrap()
    })
}

fn operation() -> &'static Value {
    member(&DOCUMENT, &["paths", "/Image", "put"])
}

/// What the definition declares of an answer: its body, and its `x-error-detail` if it has one.
struct Declared {
    body: Validator,
    detail: Option<Validator>,
}

/// All answers, by their status.
static ANSWERS: LazyLock<BTreeMap<String, Declared>> = LazyLock::new(|| {
    let statuses = operation()["responses"].as_object().unwrap().keys();
    let answers = statuses.map(|status| {
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
    answers.collect()
});

/// Fails unless the definition declares an answer like this one.
#[track_caller]
pub fn assert_declared(status: u16, detail: Option<&str>, body: &Value) {
    let declared = ANSWERS
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

#[test]
fn every_row_is_an_example_and_no_other_answer_is_declared() {
    let example = |status: &str, name: &str| {
        let content = &member(operation(), &["responses", status])["content"]["application/json"];
        member(content, &["examples", name, "value"]).clone()
    };
    let rows = [
        ("invalid-payload", INVALID_PAYLOAD),
        ("missing-data", MISSING_DATA),
        ("unknown-project", UNKNOWN_PROJECT),
        ("inactive-project", INACTIVE_PROJECT),
        ("invalid-admin", INVALID_ADMIN),
        ("invalid-submission", INVALID_SUBMISSION),
        ("no-image", NO_IMAGES),
        ("missing-id-type", MISSING_ID_TYPE),
        ("invalid-id-type", INVALID_ID_TYPE),
        ("processing-error", PROCESSING_ERROR),
    ];
    for (name, (status, body)) in rows {
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(example(&status.to_string(), name), body, "{name}");
        assert_declared(status, Some("a fault on our side, please try again"), &body);
    }
    let refused = &member(operation(), &["responses", "400"])["content"]["application/json"];
    assert_eq!(refused["examples"].as_object().unwrap().len(), 9);
    for mixed in [
        json!({ "errorCode": "invalid_data", "message": "Invalid admin." }),
        json!({ "errorCode": "invalid_data" }),
        json!({ "errorCode": "invalid_admin", "message": "Invalid admin.", "more": 1 }),
        json!({ "message": "complete to update image." }),
    ] {
        assert!(!ANSWERS["400"].body.is_valid(&mixed), "{mixed}");
    }
}

#[test]
fn its_version_is_the_crates() {
    assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_forms_fields_and_limits_are_the_codes() {
    let form = member(&DOCUMENT, &["components", "schemas", "PutImageForm"]);
    let mut names = Field::ALL.map(Field::name);
    names.sort_unstable();
    assert_eq!(
        form["properties"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        names
    );
    assert_eq!(form["required"], json!(["submissionId", "admin"]));
    for text in ["submissionId", "admin"] {
        assert_eq!(form["properties"][text]["maxLength"], MAX_TEXT, "{text}");
    }
    let id_types = form["properties"]["idType"]["enum"].as_array().unwrap();
    assert_eq!(id_types.len(), 8);
    assert!(
        id_types
            .iter()
            .all(|name| IdType::parse(name.as_str().unwrap()).is_some())
    );
    let body = member(operation(), &["requestBody"]);
    let description = body["description"].as_str().unwrap().replace(',', "");
    for limit in [
        MAX_PARTS,
        local::gateway::MAX_BODY,
        local::gateway::MAX_EVENT,
    ] {
        let mut numbers = description.split(|c: char| !c.is_ascii_digit());
        assert!(
            numbers.any(|number| number == limit.to_string()),
            "{limit}: {description}"
        );
    }
}

#[tokio::test]
async fn its_examples_of_a_request_succeed() {
    let app = App::start().await;
    let content = &member(operation(), &["requestBody"])["content"]["multipart/form-data"];
    let examples = content["examples"].as_object().unwrap();
    assert_eq!(examples.len(), 2);
    for (name, example) in examples {
        assert_valid(&validator(&content["schema"]), &example["value"]);
        let fields = example["value"].as_object().unwrap();
        let fields = fields
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().into()));
        let form = Form {
            key: Some(KEY.to_owned()),
            fields: fields.collect(),
        };
        assert_eq!(app.put(&form).await.row(), SUCCESS, "{name}");
    }
}

#[test]
fn the_template_deploys_the_same_route_and_answers() {
    let definition = Definition::load().unwrap();
    let template = template();
    let api = &template["Resources"]["Api"]["Properties"];
    let route = &template["Resources"]["PutImageFunction"]["Properties"]["Events"]["PutImage"]["Properties"];
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
        // In the template a text stands between quotes.
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
