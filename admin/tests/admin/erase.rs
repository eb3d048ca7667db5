//! Erasing a submission in a bucket without versions: what goes, what stays, and in which order.

use std::time::Duration;

use admin::Records;
use admin::project::{NewKey, NewProject};
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use local::clients::Endpoints;
use local::server;
use put_image::domain::ImageField::{AddressImage, IdImage, SelfieImage};
use put_image::records::ACTIVE;
use put_image::records::attribute::PROJECT_ID;
use rstest::rstest;
use serde_json::Value;
use testkit::images::jpeg;

use crate::helpers::{DEMO, DEMO_KEY, Ran, TestStack, demo_key, key, text};

const OTHER: &str = "second-submission";
const ERASE: &str = "submission erase demo-submission --wait 0";

fn erase(app: &TestStack) -> Ran {
    app.run(&format!("{ERASE} --yes"))
}

/// Creates a project that the demo administrator administers. Its key has its name in it.
async fn create_project(app: &TestStack, id: &str) {
    let project = NewProject {
        project_id: id.to_owned(),
        api_key: NewKey::from(format!("key-of-{id}")),
        status: ACTIVE.to_owned(),
        admins: vec!["admin@example.com".to_owned()],
    };
    assert!(app.records.create_project(&project).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_erased_and_no_other() {
    let app = TestStack::start().await;
    app.put_demo(4, 1).await;
    app.put_object(&demo_key(SelfieImage, 1)).await;
    // Its ID begins like the demo submission's.
    let neighbor = key("demo-project", "demo-submission-2", IdImage, 1);
    app.put_object(&neighbor).await;
    assert_eq!(app.put(DEMO_KEY, OTHER, &[jpeg(500, 1)]).await, 200);
    let mut rest = app.objects().await;
    rest.retain(|key| !key.contains("/demo-submission/"));
    let erased = erase(&app).printed();
    assert_eq!(
        erased,
        "erased the record and 5 versions and delete markers of demo-submission\n"
    );
    assert_eq!(app.objects().await, rest);
    assert_eq!(app.record(DEMO).await, Value::Null);
}

/// The record names keys of all three projects.
#[tokio::test(flavor = "multi_thread")]
async fn a_submission_moved_twice_between_requests_leaves_nothing() {
    let app = TestStack::start().await;
    app.put_demo(4, 1).await;
    for (n, project) in [(2, "first"), (1, "second")] {
        create_project(&app, project).await;
        app.set(DEMO, PROJECT_ID, text(project)).await;
        let images: Vec<_> = (0..n).map(|_| jpeg(500, 2)).collect();
        assert_eq!(
            app.put(&format!("key-of-{project}"), DEMO, &images).await,
            200
        );
    }
    // Replaced images of an earlier project are nobody's: they go because of its prefix.
    assert_eq!(app.objects().await.len(), 7);
    app.put_object(&key("first", OTHER, IdImage, 1)).await;
    erase(&app).printed();
    assert_eq!(app.objects().await, [key("first", OTHER, IdImage, 1)]);
    assert_eq!(app.record(DEMO).await, Value::Null);
}

/// No key in the record names the first project any more.
#[rstest]
#[case::named(" --project first --project demo-project")]
#[case::found("")]
#[tokio::test(flavor = "multi_thread")]
async fn a_project_of_before_is_erased(#[case] projects: &str) {
    let app = TestStack::start().await;
    app.put_demo(1, 1).await;
    create_project(&app, "first").await;
    app.set(DEMO, PROJECT_ID, text("first")).await;
    assert_eq!(app.put("key-of-first", DEMO, &[jpeg(500, 2)]).await, 200);
    app.run(&format!("{ERASE} --yes{projects}")).printed();
    assert_eq!(app.objects().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_erased_without_a_yes() {
    let app = TestStack::start().await;
    app.put_demo(1, 1).await;
    for typed in ["", "\n", "yes\n", "demo-submission-2\n"] {
        app.run_and_type(ERASE, typed)
            .refused("nothing was changed");
    }
    assert_eq!(app.objects().await.len(), 1);
    app.run_and_type(ERASE, "demo-submission\n").printed();
    assert_eq!(app.objects().await, [""; 0]);
}

#[rstest]
#[case::another_projects("--project closed-project", "is another project's: \"demo-project\"")]
#[case::unknown_project(
    "--project demo-project --project typo",
    "there is no project \"typo\""
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_project_is_refused(#[case] project: &str, #[case] why: &str) {
    let app = TestStack::start().await;
    app.put_demo(1, 1).await;
    app.run(&format!("{ERASE} --yes {project}")).refused(why);
    assert_eq!(app.objects().await.len(), 1);
    assert_ne!(app.record(DEMO).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_no_project_needs_one() {
    let app = TestStack::start().await;
    let erase = "submission erase nobodys-submission --wait 0 --yes";
    app.run(erase).refused("name its project by --project");
    let erased = app
        .run(&format!("{erase} --project demo-project"))
        .printed();
    assert!(
        erased.starts_with("erased the record and 0 versions"),
        "{erased}"
    );
    assert_eq!(app.record("nobodys-submission").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_whose_record_is_gone_can_be_continued() {
    let app = TestStack::start().await;
    let erase = "submission erase none --wait 0 --yes";
    app.run(erase).refused("name its project by --project");
    let left = key("demo-project", "none", IdImage, 1);
    app.put_object(&left).await;
    let erase = format!("{erase} --project demo-project");
    let erased = app.run(&erase).printed();
    assert_eq!(erased, "erased 1 versions and delete markers of none\n");
    assert_eq!(app.objects().await, [""; 0]);

    let nothing = app.run(&erase);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(3), ""));
    nothing.said("nothing found: no record of none, and nothing under demo-project/none/");
}

#[rstest]
#[case::slash("a/b")]
#[case::dot(".")]
#[case::two_dots("..")]
#[case::empty("")]
#[case::control_character("a\u{1}b")]
#[case::noncharacter("a\u{FFFE}b")]
#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_id_is_refused(#[case] id: &str) {
    let app = TestStack::start().await;
    // Records that another system wrote.
    let (submission, project) = if id.is_empty() {
        ("S-1", "x")
    } else {
        (id, id)
    };
    app.set(submission, PROJECT_ID, text("demo-project")).await;
    app.set("of-odd-project", PROJECT_ID, text(project)).await;
    let others = ["p/a/b/idImage/x.jpg", "demo-project/a/b/idImage/x.jpg"];
    for key in others {
        app.put_object(key).await;
    }
    let erase = |id| ["submission", "erase", id, "--yes", "--wait", "0"];
    Ran::new(&mut app.command(&erase(id))).refused("an ID can't have a slash");
    if !id.is_empty() {
        let ran = Ran::new(&mut app.command(&erase("of-odd-project")));
        ran.refused("has the projectId");
    }
    assert_ne!(app.record("of-odd-project").await, Value::Null);
    assert_eq!(app.objects().await.len(), others.len());
}

/// A key that the record names, wherever it is.
#[rstest]
#[case::earlier_project(key("before", DEMO, IdImage, 1))]
#[case::earlier_id(key("demo-project", "before", IdImage, 1))]
#[case::written_by_hand_under_its_prefix("demo-project/demo-submission/front.jpg".to_owned())]
#[case::written_by_hand_in_an_earlier_project("before/demo-submission/front.jpg".to_owned())]
#[tokio::test(flavor = "multi_thread")]
async fn a_named_key_is_erased(#[case] named: String) {
    let app = TestStack::start().await;
    app.put_object(&named).await;
    // Its key begins with the named one.
    let longer = format!("{}.bak", key("demo-project", "before", IdImage, 1));
    app.put_object(&longer).await;
    app.name(DEMO, SelfieImage, &named).await;
    erase(&app).printed();
    assert_eq!(app.objects().await, [longer]);
    assert_eq!(app.record(DEMO).await, Value::Null);
}

#[rstest]
#[case::of_another_submission(key("demo-project", OTHER, SelfieImage, 1))]
#[case::not_written_by_the_function("backup.tar".to_owned())]
#[tokio::test(flavor = "multi_thread")]
async fn a_named_key_that_something_else_may_use_stops_it(#[case] named: String) {
    let app = TestStack::start().await;
    app.put_demo(1, 1).await;
    app.put_object(&named).await;
    app.name(DEMO, AddressImage, &named).await;
    app.name(OTHER, SelfieImage, &named).await;
    let before = app.objects().await;
    let record = app.record(DEMO).await;
    erase(&app).refused(&format!("the record's addressImage names {named:?}"));
    assert_eq!(
        (app.objects().await, app.record(DEMO).await),
        (before, record)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_names_no_key_stops_it() {
    let app = TestStack::start().await;
    app.set(DEMO, IdImage.name(), AttributeValue::Null(true))
        .await;
    erase(&app).refused("the record's idImage doesn't say which object it is");
    assert_ne!(app.record(DEMO).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nothing_is_left_under_stops_nothing() {
    let app = TestStack::start().await;
    app.name(DEMO, IdImage, "exports/gone.jpg").await;
    // Somebody else's, though it looks like the submission's in a project `exports`.
    let export = format!("exports/{DEMO}/report.pdf");
    app.put_object(&export).await;
    erase(&app).printed();
    assert_eq!(app.record(DEMO).await, Value::Null);
    assert_eq!(app.objects().await, [export]);
}

/// A request commits, or the project changes, after the record was read.
#[rstest]
#[case::commit(None)]
#[case::project(Some("first"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_changed_meanwhile_is_erased_as_it_is_then(#[case] project: Option<&str>) {
    let app = TestStack::start().await;
    app.put_demo(2, 1).await;
    let erasure = app.records.erasure(DEMO, &[]).await.unwrap();
    let mut api_key = DEMO_KEY.to_owned();
    if let Some(project) = project {
        create_project(&app, project).await;
        app.set(DEMO, PROJECT_ID, text(project)).await;
        api_key = format!("key-of-{project}");
    }
    assert_eq!(app.put(&api_key, DEMO, &[jpeg(500, 2)]).await, 200);
    app.records.erase(erasure, Duration::ZERO).await.unwrap();
    assert_eq!(app.objects().await, [""; 0]);
    assert_eq!(app.record(DEMO).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_is_created_again_is_not_erased() {
    let app = TestStack::start().await;
    let demo = ["demo-project".to_owned()];
    let left = key("demo-project", "S-1", IdImage, 1);
    app.put_object(&left).await;
    let erasure = app.records.erasure("S-1", &demo).await.unwrap();
    assert!(erasure.record.is_none());
    app.set("S-1", PROJECT_ID, text("demo-project")).await;
    let error = app
        .records
        .erase(erasure, Duration::ZERO)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("was created again"), "{error}");
    assert_eq!(app.objects().await, [left]);
}

/// Starts an S3 that has one version of a key and refuses to delete it.
async fn stubborn_s3(key: &'static str) -> String {
    let listener = server::bind(0, "S3", "").await.unwrap();
    let url = server::url(&listener).unwrap();
    tokio::spawn(server::serve(listener, move |_| {
        service_fn(move |request: Request<Incoming>| async move {
            let body = if request.method() == Method::POST {
                format!(
                    "<DeleteResult><Error><Key>{key}</Key><Code>AccessDenied</Code><Message>locked</Message></Error></DeleteResult>"
                )
            } else if request.uri().to_string().contains("prefix=demo-project") {
                format!(
                    "<ListVersionsResult><Version><Key>{key}</Key><VersionId>1</VersionId></Version></ListVersionsResult>"
                )
            } else {
                "<ListVersionsResult></ListVersionsResult>".to_owned()
            };
            Ok::<_, admin::Error>(Response::new(Full::<Bytes>::from(body)))
        })
    }));
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_stays_if_an_object_can_not_be_erased() {
    let app = TestStack::start().await;
    let locked = "demo-project/demo-submission/idImage/locked.jpg";
    let endpoints = Endpoints {
        s3: stubborn_s3(locked).await,
        ..app.stack.endpoints.clone()
    };
    let records: Records = endpoints.records(app.stack.config.clone());
    let erasure = records.erasure(DEMO, &[]).await.unwrap();
    assert_eq!(erasure.versions, 1);
    let error = records.erase(erasure, Duration::ZERO).await.unwrap_err();
    let expected = format!("can't delete {locked:?}: locked");
    assert_eq!(error.to_string(), expected);
    assert_ne!(app.record(DEMO).await, Value::Null);
}
