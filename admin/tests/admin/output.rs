//! What is printed, where, and how errors are said.

use std::io::pipe;

use admin::project::{NewProject, generate_key};
use put_image::config::Config;
use put_image::domain::is_invisible;
use put_image::records::ACTIVE;
use put_image::records::attribute::PROJECT_ID;
use rstest::rstest;
use serde_json::Value;

use crate::helpers::{Ran, TestStack, bare, text};

#[test]
fn a_missing_variable_is_named() {
    let ran = Ran::new(&mut bare(&["sweep"]));
    ran.refused("admin: the environment variable PROJECTS_TABLE is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_says_what_failed_and_why() {
    let app = TestStack::start().await;
    let config = Config {
        submissions_table: "none".to_owned(),
        ..app.stack.config.clone()
    };
    let records = app.stack.endpoints.records(config);
    let error = records.submission("x").await.unwrap_err().to_string();
    assert!(
        error.starts_with("can't read the table none: ") && error.contains("ResourceNotFound"),
        "{error}"
    );
}

#[rstest]
#[case::command(&["projects"], "'project'")]
#[case::subcommand(&["project", "creat"], "'create'")]
#[case::option(&["submission", "show", "S-1", "--sav", "x"], "'--save'")]
fn a_typo_gets_a_suggestion(#[case] arguments: &[&str], #[case] suggestion: &str) {
    Ran::new(&mut bare(arguments)).refused(suggestion);
}

#[rstest]
#[case::admin(&["--version"])]
#[case::project(&["project", "--version"])]
#[case::create(&["project", "create", "--version"])]
#[case::rotate(&["project", "key", "rotate", "--version"])]
#[case::sweep(&["sweep", "--version"])]
fn every_command_has_a_version(#[case] arguments: &[&str]) {
    let printed = Ran::new(&mut bare(arguments)).printed();
    assert!(
        printed.ends_with(&format!(" {}\n", put_image::VERSION)),
        "{printed}"
    );
}

#[rstest]
#[case::bash("bash")]
#[case::zsh("zsh")]
#[case::fish("fish")]
fn a_shell_completes_commands(#[case] shell: &str) {
    let script = Ran::new(&mut bare(&["completions", shell])).printed();
    assert!(script.contains("remove-admin") && script.contains("usage-plan"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_is_gone_gets_no_message() {
    let app = TestStack::start().await;
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let ran = Ran::new(
        app.command(&["project", "list"])
            .stdout(writer.try_clone().unwrap()),
    );
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(1)));
    // Nobody has to read what it says in addition.
    Ran::new(app.command(&["sweep"]).stderr(writer)).printed();
}

const ODD: &str = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{e0001}";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_printed_controls_a_terminal() {
    let app = TestStack::start().await;
    app.set("odd", "note", text(ODD)).await;
    app.set("odd", PROJECT_ID, text("demo-project")).await;
    let shown = app.run("submission show odd").printed();
    let escaped = "\\u{1b}]0;x\\u{7}\\u{9b}31m\\u{202e}\\u{e0001}\n";
    assert!(shown.contains(escaped), "{shown:?}");
    let shown = app.run("submission show odd --json").printed();
    assert!(!shown.replace('\n', "").contains(is_invisible), "{shown:?}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["note"], ODD);
    app.run("submission show none\u{1b}[2J")
        .refused("none\\u{1b}[2J");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_id_forges_a_line() {
    let app = TestStack::start().await;
    let project = NewProject {
        project_id: "odd\nactive    forged".to_owned(),
        api_key: generate_key().unwrap(),
        status: ACTIVE.to_owned(),
        admins: Vec::new(),
    };
    assert!(app.records.create_project(&project).await.unwrap());
    let list = app.run("project list").printed();
    assert!(
        list.contains("active  odd\\u{a}active    forged  -\n"),
        "{list}"
    );
    let forged = [
        "project",
        "remove-admin",
        "demo-project",
        "a\nadmin: forged",
    ];
    let ran = Ran::new(&mut app.command(&forged));
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    let erase = ["submission", "erase", "S-1\nerased the record", "--yes"];
    let ran = Ran::new(&mut app.command(&erase));
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
}
