//! Nothing is readable or writable across projects, and no answer tells of another project's records.

use admin::project::{NewKey, NewProject};
use aws_sdk_dynamodb::types::AttributeValue;

use crate::helpers::*;

#[tokio::test]
async fn another_projects_submission_is_like_none() {
    let app = App::start().await;
    let of_other = app
        .put(&Form::full().with("submissionId", "closed-submission"))
        .await;
    let of_none = app.put(&Form::full().with("submissionId", "none")).await;
    assert_eq!(of_other.row(), of_none.row());
    assert_eq!(of_other.detail, of_none.detail);
    assert!(app.objects().await.is_empty());
}

/// All mixes of two projects' keys, administrators and submissions: only what belongs together is
/// carried out, and what is refused tells nothing of another project's submissions.
#[tokio::test]
async fn only_what_belongs_together_is_carried_out() {
    let app = App::start().await;
    let project = |name: &str| NewProject {
        project_id: format!("project-{name}"),
        api_key: NewKey::known(&format!("demo-key-{name}")),
        status: "active".to_owned(),
        admins: vec![format!("{name}@example.com")],
    };
    let submission = |name: &str| local::records::Submission {
        submission_id: format!("submission-{name}"),
        project_id: Some(format!("project-{name}")),
    };
    let records = local::records::Records {
        projects: vec![project("a"), project("b")],
        submissions: vec![submission("a"), submission("b")],
        keys_without_project: Vec::new(),
    };
    records
        .seed(&app.stack.endpoints.records(app.stack.config.clone()))
        .await
        .unwrap();
    for key in ["a", "b", "without-a-project", "of-a-closed-project"] {
        for admin in ["a", "b", "nobody"] {
            let mut of_foreign_and_none = Vec::new();
            for submission in ["a", "b", "none"] {
                let form = Form::full()
                    .with_key(&format!("demo-key-{key}"))
                    .with("admin", format!("{admin}@example.com"))
                    .with("submissionId", format!("submission-{submission}"));
                let before = app.stored().await;
                let answer = app.put(&form).await;
                let expected = match (key, admin, submission) {
                    ("without-a-project", ..) => UNKNOWN_PROJECT,
                    ("of-a-closed-project", ..) => INACTIVE_PROJECT,
                    _ if admin != key => INVALID_ADMIN,
                    _ if submission != key => INVALID_SUBMISSION,
                    _ => SUCCESS,
                };
                assert_eq!(answer.row(), expected, "{key} {admin} {submission}");
                let after = app.stored().await;
                assert_eq!(
                    after == before,
                    expected != SUCCESS,
                    "{key} {admin} {submission}"
                );
                // Only the key's own submission and what is under its prefix have changed.
                let own = format!("project-{key}/submission-{key}/");
                let own_record = format!("\"submissionId\":\"submission-{key}\"");
                let others = |stored: Stored| -> (Vec<_>, Vec<_>) {
                    let records = stored
                        .records
                        .into_iter()
                        .filter(|record| !record.contains(&own_record));
                    let objects = stored
                        .objects
                        .into_iter()
                        .filter(|(name, _)| !name.starts_with(&own));
                    (records.collect(), objects.collect())
                };
                assert_eq!(others(after), others(before));
                if submission != key {
                    of_foreign_and_none.push((answer.status, answer.body, answer.detail));
                }
            }
            of_foreign_and_none.dedup();
            assert_eq!(
                of_foreign_and_none.len(),
                1,
                "{key} {admin}: another project's is told from none"
            );
        }
    }
}

#[tokio::test]
async fn a_project_without_administrators_lets_nobody_in() {
    let app = App::start().await;
    let (admins, removed) = (
        "REMOVE admins",
        AttributeValue::S("demo-project".to_owned()),
    );
    let update = app
        .stack
        .endpoints
        .dynamodb()
        .update_item()
        .table_name(&app.stack.config.projects_table);
    update
        .key("projectId", removed)
        .update_expression(admins)
        .send()
        .await
        .unwrap();
    app.assert_refused(&Form::full(), INVALID_ADMIN, "no administrators")
        .await;
}

#[tokio::test]
async fn two_projects_with_one_key_are_a_fault() {
    let app = App::start().await;
    app.assert_refused(
        &Form::full().with_key(KEY_OF_TWO),
        PROCESSING_ERROR,
        "whose submission is it?",
    )
    .await;
}

#[tokio::test]
async fn a_key_is_stored_only_as_its_hash() {
    let app = App::start().await;
    let scan = app
        .stack
        .endpoints
        .dynamodb()
        .scan()
        .table_name(&app.stack.config.projects_table);
    let items = scan.send().await.unwrap().items.unwrap();
    assert_eq!(items.len(), 4);
    for item in items {
        assert!(!format!("{item:?}").contains("demo-key"));
        let hash = item["apiKeyHash"].as_s().unwrap();
        assert!(
            hash.len() == 64
                && hash
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
    }
}
