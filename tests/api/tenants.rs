//! Nothing is readable or writable across projects, and no answer tells of another project's records.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::helpers::*;

#[tokio::test]
async fn another_projects_submission_is_like_none() {
    let app = App::start().await;
    let of_other = app.put(&Form::full().with("submissionId", "closed-submission")).await;
    let of_none = app.put(&Form::full().with("submissionId", "none")).await;
    assert_eq!(of_other.row(), of_none.row());
    assert_eq!(of_other.detail, of_none.detail);
    assert!(app.objects().await.is_empty());
}

#[tokio::test]
async fn a_project_without_administrators_lets_nobody_in() {
    let app = App::start().await;
    let (admins, removed) = ("REMOVE admins", AttributeValue::S("demo-project".to_owned()));
    let update = app.stack.endpoints.dynamodb().update_item().table_name(&app.stack.config.projects_table);
    update.key("projectId", removed).update_expression(admins).send().await.unwrap();
    app.assert_refused(&Form::full(), ROW_5, "no administrators").await;
}

#[tokio::test]
async fn two_projects_with_one_key_are_a_fault() {
    let app = App::start().await;
    let mut records = app.stack.records.clone();
    let mut twin = records.projects[0].clone();
    twin.project_id = "twin-project".to_owned();
    records.projects = vec![twin];
    records.seed(&app.stack.endpoints, &app.stack.config).await.unwrap();
    app.assert_refused(&Form::full(), ROW_10, "whose submission is it?").await;
}

#[tokio::test]
async fn a_key_is_stored_only_as_its_hash() {
    let app = App::start().await;
    let scan = app.stack.endpoints.dynamodb().scan().table_name(&app.stack.config.projects_table);
    let items = scan.send().await.unwrap().items.unwrap();
    assert_eq!(items.len(), 2);
    for item in items {
        assert!(!format!("{item:?}").contains("demo-key"));
        let hash = item["apiKeyHash"].as_s().unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    }
}
