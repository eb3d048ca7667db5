//! Nothing is readable or writable across projects, and no response reveals another project's records.

use admin::project::{NewKey, NewProject};
use aws_sdk_dynamodb::types::AttributeValue;
use local::records::{Records, Submission};
use rstest::rstest;

use crate::helpers::*;

/// The project of a name, with its key and its administrator.
fn project(name: &str) -> NewProject {
    NewProject {
        project_id: format!("project-{name}"),
        api_key: NewKey::from(format!("demo-key-{name}")),
        status: "active".to_owned(),
        admins: vec![format!("{name}@example.com")],
    }
}

/// An app with the projects `a` and `b`, each with an administrator, and with submissions of them.
pub async fn two_projects(submissions: impl IntoIterator<Item = (String, &str)>) -> TestApp {
    let app = TestApp::start().await;
    let submission = |(submission_id, project)| Submission {
        submission_id,
        project_id: Some(format!("project-{project}")),
    };
    let records = Records {
        projects: ["a", "b"].map(project).to_vec(),
        submissions: submissions.into_iter().map(submission).collect(),
        keys_without_project: Vec::new(),
    };
    let tables = app.stack.endpoints.records(app.stack.config.clone());
    records.seed(&tables).await.unwrap();
    app
}

/// What is stored, except for a submission's record and objects.
fn others(stored: Stored, own: &str) -> Stored {
    let (record, prefix) = (
        format!("\"submissionId\":\"submission-{own}\""),
        format!("project-{own}/submission-{own}/"),
    );
    let records = stored.records.into_iter();
    let objects = stored.objects.into_iter();
    Stored {
        records: records.filter(|item| !item.contains(&record)).collect(),
        objects: objects
            .filter(|(key, _)| !key.starts_with(&prefix))
            .collect(),
    }
}

/// All mixes of two projects' keys, administrators and submissions.
#[rstest]
#[tokio::test]
async fn only_what_belongs_together_is_carried_out(
    #[values("a", "b", "without-a-project", "of-a-closed-project")] key: &str,
    #[values("a", "b", "nobody")] admin: &str,
    #[values("a", "b", "none")] submission: &str,
) {
    let submissions = ["a", "b"].map(|name| (format!("submission-{name}"), name));
    let app = two_projects(submissions).await;
    let form = Form::full()
        .with_key(&format!("demo-key-{key}"))
        .with("admin", format!("{admin}@example.com"))
        .with("submissionId", format!("submission-{submission}"));
    let row = match (key, admin, submission) {
        ("without-a-project", ..) => UNKNOWN_PROJECT,
        ("of-a-closed-project", ..) => INACTIVE_PROJECT,
        _ if admin != key => INVALID_ADMIN,
        _ if submission != key => INVALID_SUBMISSION,
        _ => SUCCESS,
    };
    let before = app.stored().await;
    assert_eq!(app.put(&form).await.row(), row);
    let after = app.stored().await;
    assert_eq!(after == before, row != SUCCESS);
    assert_eq!(others(after, key), others(before, key));
}

#[tokio::test]
async fn a_project_without_administrators_accepts_nobody() {
    let app = TestApp::start().await;
    let update = app.stack.endpoints.dynamodb().update_item();
    let update = update
        .table_name(&app.stack.config.projects_table)
        .key("projectId", AttributeValue::S("demo-project".to_owned()))
        .update_expression("REMOVE admins");
    update.send().await.unwrap();
    let detail = "admin: not an administrator of the project";
    app.assert_refused_because(&Form::full(), INVALID_ADMIN, detail)
        .await;
}
