//! The template declares what the local stack makes: the two differ in nothing that the function sees. What the
//! template has beyond that is compared by `.ci/stack.py`.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use local::clients::Endpoints;
use local::gateway::MAX_EVENT;
use put_image::config::Config;
use rstest::rstest;
use serde_json::{Value, json};
use testkit::faults::{End, Operation, When};

use crate::helpers::*;

/// Without tags such as `!Sub`: what follows them is compared.
pub static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    let text = std::fs::read_to_string(repository("template.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
});

#[rstest]
#[case::projects("ProjectsTable", |config: &Config| config.projects_table.clone())]
#[case::submissions("SubmissionsTable", |config: &Config| config.submissions_table.clone())]
#[tokio::test]
async fn a_table_has_the_declared_keys_and_indexes(
    #[case] resource: &str,
    #[case] table: fn(&Config) -> String,
) {
    let app = TestApp::start().await;
    let request = json!({ "TableName": table(&app.stack.config) });
    let (client, endpoint) = (reqwest::Client::new(), &app.stack.endpoints.dynamodb);
    let (status, made) = call_dynamodb(&client, endpoint, "DescribeTable", &request).await;
    assert_eq!(status, 200, "{made}");
    let (made, declared) = (
        &made["Table"],
        &TEMPLATE["Resources"][resource]["Properties"],
    );
    for member in ["KeySchema", "AttributeDefinitions"] {
        assert_eq!(made[member], declared[member]);
    }
    assert_eq!(
        made["BillingModeSummary"]["BillingMode"],
        declared["BillingMode"]
    );
    let indexes = |table: &Value| {
        let indexes = table["GlobalSecondaryIndexes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let index = |it: &Value| {
            json!([
                it["IndexName"],
                it["KeySchema"],
                it["Projection"]["ProjectionType"]
            ])
        };
        indexes.iter().map(index).collect::<Value>()
    };
    assert_eq!(indexes(made), indexes(declared));
}

#[test]
fn the_gateway_and_the_function_have_the_declared_numbers() {
    let default = |name: &str| TEMPLATE["Parameters"][name]["Default"].as_u64().unwrap();
    assert_eq!(
        u64::from(local::gateway::default_rate().burst_size().get()),
        default("RequestsPerSecond")
    );
    let function = &TEMPLATE["Resources"]["PutImageFunction"]["Properties"];
    assert_eq!(put_image::deadline::TIMEOUT.as_secs(), function["Timeout"]);
}

#[rstest]
#[case::template("template.yaml", 1)]
#[case::definition("openapi.yaml", 3)]
#[case::documentation("docs/api.md", 2)]
fn each_copy_of_the_largest_event_size_matches_the_code(#[case] file: &str, #[case] copies: usize) {
    let text = std::fs::read_to_string(repository(file))
        .unwrap()
        .replace(',', "");
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    let sizes: Vec<_> = numbers
        .filter(|number| number.starts_with("6291"))
        .collect();
    assert_eq!(sizes, vec![MAX_EVENT.to_string(); copies]);
}

#[test]
fn every_alarm_leads_to_its_line_of_the_runbook() {
    let runbook = std::fs::read_to_string(repository("docs/runbook.md")).unwrap();
    let resources = TEMPLATE["Resources"].as_object().unwrap();
    let alarms = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    let mut names = Vec::new();
    for (name, alarm) in alarms {
        let description = alarm["Properties"]["AlarmDescription"].as_str().unwrap();
        let link = format!("${{RunbookUrl}}#{}", name.to_lowercase());
        assert!(description.ends_with(&link), "{name}: {description}");
        assert!(runbook.contains(&format!("\n### {name}\n")), "{name}");
        names.push(name);
    }
    assert_eq!(names.len(), 5);
}

#[test]
fn the_stacks_output_is_the_crates_version() {
    assert_eq!(
        TEMPLATE["Outputs"]["Version"]["Value"],
        concat!(env!("CARGO_PKG_VERSION"), " (${Commit})")
    );
}

/// The settings of the tools that run the function beside the local stack.
#[test]
fn the_local_settings_name_what_the_local_stack_makes() {
    let config = local::schema::config("");
    let env = std::fs::read_to_string(repository("events/local.env")).unwrap();
    let endpoints = |host: &str| Endpoints {
        dynamodb: format!("http://{host}:8000"),
        s3: format!("http://{host}:8014"),
    };
    for (name, value) in endpoints("127.0.0.1").variables(&config) {
        assert!(
            env.lines().any(|line| line == format!("{name}={value}")),
            "{name} in local.env"
        );
    }
    // The region and the credentials are the caller's: SAM takes no others.
    let container = endpoints("host.docker.internal");
    let variables = container.variables(&config).into_iter();
    let variables: Value = variables
        .filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL") || !name.starts_with("AWS_"))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(local_json()["Parameters"], variables);
}

fn local_json() -> Value {
    serde_json::from_slice(&std::fs::read(repository("events/local.json")).unwrap()).unwrap()
}

/// SAM drops variables that the template doesn't declare.
#[test]
fn every_variable_of_sam_local_is_declared_and_no_endpoint_is_deployed() {
    let declared =
        &TEMPLATE["Resources"]["PutImageFunction"]["Properties"]["Environment"]["Variables"];
    for name in local_json()["Parameters"].as_object().unwrap().keys() {
        assert!(declared.get(name).is_some(), "{name}");
    }
    let text = std::fs::read_to_string(repository("template.yaml")).unwrap();
    let endpoints = text.lines().filter(|line| line.contains("AWS_ENDPOINT"));
    let endpoints: Vec<&str> = endpoints.map(str::trim).collect();
    assert_eq!(
        endpoints,
        [
            "AWS_ENDPOINT_URL_DYNAMODB: !Ref AWS::NoValue",
            "AWS_ENDPOINT_URL_S3: !Ref AWS::NoValue"
        ]
    );
}

/// The attributes that the expressions of an operation's calls name.
fn attributes(calls: &[String]) -> BTreeSet<String> {
    let mut attributes = BTreeSet::new();
    for call in calls {
        let (_, body) = call.split_once('{').unwrap();
        let call: Value = serde_json::from_str(&format!("{{{body}")).unwrap();
        if let Some(key) = call["Key"].as_object() {
            attributes.extend(key.keys().cloned());
        }
        let members = call.as_object().unwrap().iter();
        let expressions = members.filter(|(member, _)| member.ends_with("Expression"));
        for (_, expression) in expressions {
            let words = expression.as_str().unwrap().split([' ', ',', '(', ')']);
            let words = words.filter(|word| !word.starts_with([':', '=', '>']));
            let words = words.map(|word| {
                call["ExpressionAttributeNames"][word]
                    .as_str()
                    .unwrap_or(word)
            });
            let syntax = ["", "SET", "AND", "attribute_exists", "attribute_not_exists"];
            attributes.extend(
                words
                    .filter(|word| !syntax.contains(word))
                    .map(str::to_owned),
            );
        }
    }
    attributes
}

/// Attributes that only the previous release's code names: while requests shift, one role serves both.
const LEAVING: [&str; 0] = [];

/// IAM denies a call that names any other attribute.
#[rstest]
#[case::query("FindProject", Operation::Query)]
#[case::read("ReadSubmission", Operation::GetItem)]
#[case::commit("CommitImages", Operation::UpdateItem)]
#[tokio::test]
async fn the_role_may_access_the_attributes_that_the_function_names(
    #[case] statement: &str,
    #[case] operation: Operation,
) {
    let app = TestApp::start().await;
    let no_delay = End::Late(Duration::ZERO);
    app.faults.fail(operation, When::Always, no_delay);
    assert_eq!(app.put(&Form::full()).await.row(), SUCCESS);
    let unknown = Form::full().with_key(KEY_WITHOUT_PROJECT);
    assert_eq!(app.put(&unknown).await.row(), UNKNOWN_PROJECT);
    let calls = app.faults.hits().into_iter().map(|hit| hit.call);
    let mut named = attributes(&calls.collect::<Vec<_>>());
    named.extend(LEAVING.map(str::to_owned));

    let policy = &TEMPLATE["Resources"]["PutImagePolicy"]["Properties"]["PolicyDocument"];
    let mut statements = policy["Statement"].as_array().unwrap().iter();
    let statement = statements.find(|it| it["Sid"] == statement).unwrap();
    let allowed = &statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"];
    let allowed: BTreeSet<String> = serde_json::from_value(allowed.clone()).unwrap();
    assert_eq!(named, allowed);
}
