//! Projects: created, changed, listed.

use admin::project::{NewKey, NewProject, generate_key};
use aws_sdk_dynamodb::types::AttributeValue;
use put_image::records::attribute::{ADMINS, API_KEY_HASH, PROJECT_ID, STATUS};
use put_image::records::{ACTIVE, Item};
use rstest::rstest;
use serde_json::{Value, json};
use testkit::faults::{End, Fault, Operation, When};

use crate::helpers::{Ran, TestStack, bare, hash, text};

#[track_caller]
fn assert_admins(project: &Item, expected: &[&str]) {
    let expected = expected.iter().map(ToString::to_string).collect();
    assert_eq!(project[ADMINS], AttributeValue::Ss(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_printed_once_and_stored_as_its_hash() {
    let app = TestStack::start().await;
    let create =
        "project create acme --admin a@acme.example --admin b@acme.example --admin A@acme.example";
    let created = app.run(create);
    created.said("created the project acme");
    let printed = created.printed();
    let key = printed.strip_suffix('\n').unwrap();
    assert_eq!(key.len(), 40);
    assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    let project = app.project("acme").await;
    assert_eq!(project.len(), 4);
    assert_eq!(project[PROJECT_ID], text("acme"));
    assert_eq!(project[API_KEY_HASH], hash(key));
    assert_eq!(project[STATUS], text(ACTIVE));
    assert_admins(&project, &["a@acme.example", "b@acme.example"]);

    app.run(create)
        .refused("there is a project \"acme\" already");
    assert_eq!(app.project("acme").await, project);
}

#[rstest]
#[case::slash("a/b")]
#[case::dot(".")]
#[case::two_dots("..")]
#[case::noncharacter("a\u{FFFE}b")]
#[case::last_code_point_of_the_plane("a\u{FFFF}b")]
#[case::tab("a\tb")]
#[case::c1_control("a\u{9b}b")]
#[case::delete("a\u{7f}")]
#[case::whitespace(" ")]
#[case::whitespace_before(" a")]
#[case::too_long(&"a".repeat(257))]
fn an_unusable_id_is_refused(
    #[case] id: &str,
    #[values("project --admin a@acme.example", "submission --project demo-project")] kind: &str,
) {
    let (kind, option) = kind.split_once(' ').unwrap();
    let (option, value) = option.split_once(' ').unwrap();
    let ran = Ran::new(&mut bare(&[kind, "create", id, option, value]));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    ran.refused("invalid value");
}

#[rstest]
#[case::no_at("acme.example")]
#[case::no_user("@acme.example")]
#[case::two_at("a@b@acme.example")]
#[case::empty_label("a@acme..example")]
#[case::whitespace_before(" a@acme.example")]
#[case::with_a_name("A <a@acme.example")]
#[case::url("mailto:a@acme.example")]
fn an_account_that_is_no_address_is_refused(#[case] account: &str) {
    let create = ["project", "create", "acme", "--admin", account];
    Ran::new(&mut bare(&create)).refused("not an e-mail address");
}

#[test]
fn an_account_longer_than_a_field_is_refused() {
    let domain = vec!["a".repeat(63); 4].join(".");
    let long = format!("{}@{}", "a".repeat(64), &domain[..200]);
    let create = ["project", "create", "acme", "--admin", &long];
    Ran::new(&mut bare(&create)).refused("longer than 256 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_registered_once_in_whatever_case() {
    let app = TestStack::start().await;
    let add = "project add-admin demo-project SECOND@example.com";
    let ran = app.run(&format!("{add} zoe@example.com"));
    ran.said("registered on demo-project: zoe@example.com\n");
    ran.printed();
    let before = ["Admin@Example.com", "second@example.com"];
    let with_zoe = [&before[..], &["zoe@example.com"]].concat();
    assert_admins(&app.project("demo-project").await, &with_zoe);
    app.run(add)
        .said("all of them were registered on demo-project already");

    let remove = "project remove-admin demo-project";
    app.run(&format!("{remove} zoe@example.com x@example.com"))
        .refused("\"x@example.com\" is not an administrator of \"demo-project\"");
    let ran = app.run(&format!("{remove} ZOE@example.com"));
    ran.said("removed from demo-project: ZOE@example.com; 2 remain");
    ran.printed();
    assert_admins(&app.project("demo-project").await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_goes_only_after_a_yes() {
    let app = TestStack::start().await;
    let both = "project remove-admin demo-project admin@example.com second@example.com";
    for typed in ["", "yes\n"] {
        let ran = app.run_and_type(both, typed);
        ran.said("would have no administrator");
        ran.refused("nothing was changed");
    }
    assert!(app.project("demo-project").await.contains_key(ADMINS));
    app.run_and_type(both, "demo-project\n").printed();
    assert!(!app.project("demo-project").await.contains_key(ADMINS));

    let ran = app.run("project remove-admin closed-project admin@example.com --yes");
    ran.said("has no administrator now");
    ran.printed();
    assert!(!app.project("closed-project").await.contains_key(ADMINS));
}

#[rstest]
#[case::close(
    "close",
    "closed",
    "closed demo-project: its requests get invalid_project"
)]
#[case::reopen("reopen", ACTIVE, "reopened demo-project")]
#[tokio::test(flavor = "multi_thread")]
async fn a_status_changes(#[case] command: &str, #[case] status: &str, #[case] said: &str) {
    let app = TestStack::start().await;
    let ran = app.run(&format!("project {command} demo-project"));
    ran.said(said);
    assert_eq!(ran.printed(), "");
    assert_eq!(app.project("demo-project").await[STATUS], text(status));
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_listed_and_shown() {
    let app = TestStack::start().await;
    let list = app.run("project list").printed();
    let expected = [
        "closed  closed-project  admin@example.com",
        "active  demo-project    Admin@Example.com, second@example.com",
        "active  twin-project-1  admin@example.com",
        "active  twin-project-2  admin@example.com",
    ];
    assert_eq!(list.lines().collect::<Vec<_>>(), expected);

    let list = app.run("project list --json").printed();
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 4);
    let shown = app.run("project show demo-project --json").printed();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown, list[1]);
    let admins = json!(["Admin@Example.com", "second@example.com"]);
    assert_eq!((&shown[STATUS], &shown[ADMINS]), (&json!(ACTIVE), &admins));
    let shown = app.run("project show demo-project").printed();
    let admins = "admins      Admin@Example.com, second@example.com\n";
    assert!(shown.starts_with(admins), "{shown}");
}

#[rstest]
#[case::show("project show none")]
#[case::close("project close none")]
#[case::reopen("project reopen none")]
#[case::add_admin("project add-admin none a@example.com")]
#[case::remove_admin("project remove-admin none a@example.com")]
#[case::rotate("project key rotate none")]
#[case::create_submission("submission create S-1 --project none")]
#[case::list_submissions("submission list --project none")]
#[case::erase("submission erase S-1 --project none --yes --wait 0")]
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_project_is_an_error(#[case] command: &str) {
    let app = TestStack::start().await;
    app.run(command)
        .refused("there is no project \"none\" in the table projects");
}

/// A record whose first response is lost is found by the retry, and is not mistaken for another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_response_does_not_hide_what_was_created() {
    let app = TestStack::start().await;
    let (faults, records) = app.faults().await;
    faults.inject(Fault {
        operation: Operation::PutItem,
        when: When::Nth(1),
        takes_effect: true,
        end: End::Cut,
    });
    let project = NewProject {
        project_id: "acme".to_owned(),
        api_key: generate_key().unwrap(),
        status: ACTIVE.to_owned(),
        admins: vec!["b@acme.example".to_owned(), "a@acme.example".to_owned()],
    };
    assert!(records.create_project(&project).await.unwrap());
    let again = NewProject {
        api_key: generate_key().unwrap(),
        ..project
    };
    assert!(!records.create_project(&again).await.unwrap());
    let without_key = NewProject {
        project_id: "x".to_owned(),
        api_key: NewKey::from(" "),
        ..again
    };
    assert!(records.create_project(&without_key).await.is_err());
}
