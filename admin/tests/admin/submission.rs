//! Submissions: created, listed, shown, and saved to a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use put_image::domain::ImageField::{self, IdBackImage, IdImage, SelfieImage};
use put_image::image::Format;
use put_image::records::attribute::image::{CONTENT_TYPE, KEY, SHA256};
use put_image::records::attribute::{PROJECT_ID, SUBMISSION_ID};
use rstest::rstest;
use serde_json::{Value, json};
use testkit::images::{jpeg, png};

use crate::helpers::{DEMO, DEMO_KEY, Ran, TestStack, demo_key, key, text};

const OTHER: &str = "second-submission";

/// Runs `submission show` and saves to a folder.
fn save(app: &TestStack, id: &str, folder: &Path) -> Ran {
    app.run(&format!("submission show {id} --save {}", folder.display()))
}

/// Returns the names of a folder's files.
fn files(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_created_once() {
    let app = TestStack::start().await;
    let create = "submission create S-1 --project demo-project";
    let created = app.run(create);
    created.said("created the submission S-1 of the project demo-project");
    assert_eq!(created.printed(), "");
    let expected = json!({ SUBMISSION_ID: "S-1", PROJECT_ID: "demo-project" });
    assert_eq!(app.record("S-1").await, expected);
    app.run(create)
        .refused("there is a submission \"S-1\" already");
    app.run("submission show S-2")
        .refused("there is no submission \"S-2\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_are_listed_by_project() {
    let app = TestStack::start().await;
    app.put_demo(2, 1).await;
    let of_project = "submission list --project demo-project";
    let list = app.run(of_project).printed();
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("demo-submission    demo-project  2")
            && lines[0].ends_with("Z  idImage, idBackImage"),
        "{list}"
    );
    assert_eq!(lines[1], "second-submission  demo-project  -");
    assert_eq!(app.run("submission list").printed().lines().count(), 4);
    let list = app.run(&format!("{of_project} --json")).printed();
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        list,
        json!([app.record(DEMO).await, app.record(OTHER).await])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_shown_with_its_objects() {
    let app = TestStack::start().await;
    app.put_demo(2, 1).await;
    app.put_object(&demo_key(SelfieImage, 1)).await;
    let record = app.record(DEMO).await;
    let back = record[IdBackImage.name()][KEY].as_str().unwrap();
    app.delete_object(back).await;
    let foreign = key("demo-project", OTHER, SelfieImage, 2);
    app.name(DEMO, SelfieImage, &foreign).await;

    let shown = app.run("submission show demo-submission").printed();
    let lines: Vec<Vec<_>> = shown
        .lines()
        .map(|line| {
            line.split("  ")
                .filter(|cell| !cell.is_empty())
                .map(str::trim)
                .collect()
        })
        .collect();
    assert_eq!(lines[0], ["idType", "passport"]);
    assert_eq!(lines[1], ["projectId", "demo-project"]);
    let front = record[IdImage.name()][KEY].as_str().unwrap();
    let left = demo_key(SelfieImage, 1);
    let expected = [
        ["idImage", "image/jpeg", "2000 bytes", front],
        ["idBackImage", "MISSING", "-", back],
        ["selfieImage", "NOT ITS OWN", "-", &foreign],
        ["-", "not in the record", "8 bytes", &left],
    ];
    assert_eq!(lines[5..], expected);

    let shown = app.run("submission show demo-submission --json").printed();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown, app.record(DEMO).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_saved_for_the_current_user_alone() {
    let app = TestStack::start().await;
    let images = app.put_demo(2, 1).await;
    let folder = app.folder.path().join("saved");
    let saved = save(&app, DEMO, &folder);
    saved.said(&format!(
        "saved to {}: idImage.jpg, idBackImage.jpg",
        folder.display()
    ));
    saved.printed();
    assert_eq!(
        files(&folder),
        ["idBackImage.jpg", "idImage.jpg", "submission.json"]
    );
    assert_eq!(fs::read(folder.join("idImage.jpg")).unwrap(), images[0]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("idImage.jpg")), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_again_replaces_the_images() {
    let app = TestStack::start().await;
    app.put_demo(2, 1).await;
    let folder = app.folder.path().join("saved");
    save(&app, DEMO, &folder).printed();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let new = png(2000, 2);
    assert_eq!(
        app.put(DEMO_KEY, DEMO, std::slice::from_ref(&new)).await,
        200
    );
    let saved = save(&app, DEMO, &folder);
    saved.said("idImage.png, idBackImage.jpg");
    saved.printed();
    let expected = [
        "idBackImage.jpg",
        "idImage.png",
        "notes.txt",
        "submission.json",
    ];
    assert_eq!(files(&folder), expected);
    assert_eq!(fs::read(folder.join("idImage.png")).unwrap(), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peoples_images_never_mix() {
    let app = TestStack::start().await;
    let images = app.put_demo(1, 1).await;
    assert_eq!(app.put(DEMO_KEY, OTHER, &[jpeg(500, 2)]).await, 200);
    let folder = app.folder.path().join("saved");
    save(&app, DEMO, &folder).printed();
    let refused = save(&app, OTHER, &folder);
    assert_eq!(refused.code, Some(1));
    refused.said("this submission's images weren't saved to it");
    assert_eq!(fs::read(folder.join("idImage.jpg")).unwrap(), images[0]);

    let empty = app.folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    save(&app, DEMO, &empty).said("name a new one");
    assert!(files(&empty).is_empty());
}

/// What is wrong with the demo submission's `idImage`.
enum Damage {
    Missing,
    Changed,
    OfAnotherSubmission,
    OfAnotherField,
    NotAnImage,
}

#[rstest]
#[case::missing(Damage::Missing, "is missing, or not this submission's")]
#[case::changed(Damage::Changed, "its SHA-256 differs")]
#[case::of_another_submission(Damage::OfAnotherSubmission, "is missing, or not this submission's")]
#[case::of_another_field(Damage::OfAnotherField, "is missing, or not this submission's")]
#[case::not_an_image(Damage::NotAnImage, "its contentType is no image's")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_saved_if_an_object_is_not_what_the_record_says(
    #[case] damage: Damage,
    #[case] why: &str,
) {
    let app = TestStack::start().await;
    let images = app.put_demo(2, 1).await;
    assert_eq!(app.put(DEMO_KEY, OTHER, &images).await, 200);
    let [front, back] = [IdImage, IdBackImage].map(ImageField::name);
    let key = |record: &Value, field: &str| record[field][KEY].as_str().unwrap().to_owned();
    let record = app.record(DEMO).await;
    match damage {
        Damage::Missing => app.delete_object(&key(&record, front)).await,
        Damage::Changed => app.put_object(&key(&record, front)).await,
        Damage::OfAnotherSubmission => {
            let other = key(&app.record(OTHER).await, front);
            app.name(DEMO, IdImage, &other).await;
        }
        Damage::OfAnotherField => app.name(DEMO, IdImage, &key(&record, back)).await,
        Damage::NotAnImage => {
            let members = [KEY, SHA256].map(|name| (name, record[front][name].as_str().unwrap()));
            let members = [&members[..], &[(CONTENT_TYPE, "image/gif")]].concat();
            let members = members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), text(value)));
            app.set(DEMO, front, AttributeValue::M(members.collect()))
                .await;
        }
    }
    let folder = app.folder.path().join("saved");
    let refused = save(&app, DEMO, &folder);
    assert_eq!(refused.code, Some(1));
    refused.said(why);
    assert!(!folder.exists());
}

#[rstest]
#[case::jpeg(Format::Jpeg, jpeg(500, 1))]
#[case::png(Format::Png, png(500, 1))]
#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_saved(#[case] format: Format, #[case] image: Vec<u8>) {
    let app = TestStack::start().await;
    assert_eq!(
        app.put(DEMO_KEY, DEMO, std::slice::from_ref(&image)).await,
        200
    );
    let folder = app.folder.path().join("saved");
    save(&app, DEMO, &folder).printed();
    let file = format!("idImage.{}", format.extension());
    assert_eq!(fs::read(folder.join(file)).unwrap(), image);
}

/// A submission that was another project's when an image was put.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_under_an_earlier_project_is_its_own() {
    let app = TestStack::start().await;
    let images = app.put_demo(1, 1).await;
    app.set(DEMO, PROJECT_ID, text("closed-project")).await;
    let folder = app.folder.path().join("saved");
    save(&app, DEMO, &folder).printed();
    assert_eq!(fs::read(folder.join("idImage.jpg")).unwrap(), images[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_of_no_project_is_listed_and_shown() {
    let app = TestStack::start().await;
    assert!(
        app.records
            .create_submission("nobodys", None)
            .await
            .unwrap()
    );
    let shown = app.run("submission show nobodys").printed();
    assert_eq!(shown, "submissionId  nobodys\n");
    assert!(
        app.run("submission list")
            .printed()
            .contains("nobodys             -")
    );
}
