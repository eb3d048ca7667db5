//! The template declares what the local stack makes: the two differ in nothing that the function sees. What the
//! template has beyond that is compared by `.ci/stack.py`.

use local::clients::Endpoints;
use local::gateway::MAX_EVENT;
use serde_json::{Value, json};

use crate::helpers::*;

pub fn template() -> Value {
    // Tags such as `!Sub` are left out: what stands behind them is compared.
    serde_saphyr::from_str(&std::fs::read_to_string("template.yaml").unwrap()).unwrap()
}

#[tokio::test]
async fn tables_have_the_declared_keys_and_indexes() {
    let app = App::start().await;
    let template = template();
    let config = &app.stack.config;
    for (resource, table) in [
        ("ProjectsTable", &config.projects_table),
        ("SubmissionsTable", &config.submissions_table),
    ] {
        let declared = &template["Resources"][resource]["Properties"];
        let made = app
            .stack
            .endpoints
            .dynamodb()
            .describe_table()
            .table_name(table)
            .send()
            .await
            .unwrap()
            .table
            .unwrap();
        let keys = |keys: &[aws_sdk_dynamodb::types::KeySchemaElement]| -> Value {
            keys.iter()
                .map(|key| json!({ "AttributeName": key.attribute_name, "KeyType": key.key_type.as_str() }))
                .collect()
        };
        assert_eq!(keys(made.key_schema()), declared["KeySchema"]);
        let attributes = made.attribute_definitions().iter();
        let attributes = attributes
            .map(|a| json!({ "AttributeName": a.attribute_name, "AttributeType": a.attribute_type.as_str() }));
        assert_eq!(
            attributes.collect::<Value>(),
            declared["AttributeDefinitions"]
        );
        let indexes = made.global_secondary_indexes().iter().map(|index| {
            let projection = index
                .projection()
                .unwrap()
                .projection_type()
                .unwrap()
                .as_str();
            json!({
                "IndexName": index.index_name,
                "KeySchema": keys(index.key_schema()),
                "Projection": { "ProjectionType": projection },
            })
        });
        let declared_indexes = declared
            .get("GlobalSecondaryIndexes")
            .cloned()
            .unwrap_or_else(|| json!([]));
        assert_eq!(indexes.collect::<Value>(), declared_indexes);
        assert_eq!(
            made.billing_mode_summary()
                .unwrap()
                .billing_mode()
                .unwrap()
                .as_str(),
            declared["BillingMode"]
        );
    }
}

#[test]
fn the_gateway_and_the_function_have_the_declared_numbers() {
    let template = template();
    let default = |name: &str| template["Parameters"][name]["Default"].as_u64().unwrap();
    assert_eq!(
        u64::from(local::gateway::default_rate().burst_size().get()),
        default("RequestsPerSecond")
    );
    let function = &template["Resources"]["PutImageFunction"]["Properties"];
    assert_eq!(put_image::deadline::TIMEOUT.as_secs(), function["Timeout"]);
}

#[test]
fn every_copy_of_the_largest_events_size_is_the_same() {
    for (file, copies) in [
        ("template.yaml", 1),
        ("openapi.yaml", 3),
        ("docs/api.md", 2),
    ] {
        let text = std::fs::read_to_string(file).unwrap().replace(',', "");
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        let sizes: Vec<_> = numbers
            .filter(|number| number.starts_with("6291"))
            .collect();
        assert_eq!(sizes, vec![MAX_EVENT.to_string(); copies], "{file}");
    }
}

#[test]
fn every_alarm_leads_to_its_line_of_the_runbook() {
    let runbook = std::fs::read_to_string("docs/runbook.md").unwrap();
    let template = template();
    let resources = template["Resources"].as_object().unwrap();
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
fn the_stack_tells_the_crates_version() {
    assert_eq!(
        template()["Outputs"]["Version"]["Value"],
        concat!(env!("CARGO_PKG_VERSION"), " (${Commit})")
    );
}

/// The settings of the tools that run the function beside the local stack.
#[test]
fn the_local_settings_name_what_the_local_stack_makes() {
    let config = local::schema::config("");
    let env = std::fs::read_to_string("events/local.env").unwrap();
    let sam: Value = serde_json::from_slice(&std::fs::read("events/local.json").unwrap()).unwrap();
    let endpoints = Endpoints {
        dynamodb: "http://127.0.0.1:8000".to_owned(),
        s3: "http://127.0.0.1:8014".to_owned(),
    };
    for (name, value) in endpoints.variables(&config) {
        assert!(
            env.lines().any(|line| line == format!("{name}={value}")),
            "{name} in local.env"
        );
        assert_eq!(sam["Parameters"][name], value, "{name} in local.json");
    }
}
