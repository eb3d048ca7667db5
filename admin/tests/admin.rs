//! The administrator's commands against the local stack, as a library and as the binary.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use admin::Records;
use admin::bucket::Object;
use admin::erase::Erasure;
use admin::project::{NewKey, Project, SetKey};
use admin::sweep::Progress;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use local::event;
use local::faults::{End, Fault, Faults, Operation, When};
use local::function::invoke_and_clean_up;
use local::images::jpeg;
use local::stack::Stack;
use local::{schema, server};
use put_image::deadline::TIMEOUT;
use put_image::domain::ApiKey;
use serde_json::{Value, json};
use tempfile::TempDir;

const HOUR: Duration = Duration::from_hours(1);

struct App {
    stack: Stack,
    records: Records,
    folder: TempDir,
}

impl App {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let objects = folder.path().join("s3");
        fs::create_dir(&objects).unwrap();
        let endpoints = server::embedded(&objects).await.unwrap();
        let sample = local::records::Records::sample().unwrap();
        let stack = Stack::over(endpoints, schema::config(""), sample)
            .await
            .unwrap();
        let records = stack.endpoints.records(stack.config.clone());
        Self {
            stack,
            records,
            folder,
        }
    }

    /// Puts images of noise to the demo submission. Returns their contents.
    async fn put(&self, images: usize, seed: u64) -> Vec<Vec<u8>> {
        let images: Vec<_> = (0..images).map(|_| jpeg(2000, seed)).collect();
        let function = self.stack.function();
        let event = event::put("demo-submission", &images).to_string();
        let response = invoke_and_clean_up(&function, event.as_bytes(), TIMEOUT);
        assert_eq!(response.await.unwrap()["statusCode"], 200);
        images
    }

    /// Faults, and the records behind them.
    async fn behind_faults(&self) -> (Faults, Records) {
        let (faults, endpoints) = Faults::in_front_of(&self.stack).await.unwrap();
        (faults, endpoints.records(self.stack.config.clone()))
    }

    /// The binary, run over the stack.
    fn admin(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_admin"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.stack.endpoints.variables(&self.stack.config));
        command
    }

    /// What the binary prints; it succeeds.
    #[track_caller]
    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.admin(arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the binary says when it fails; nothing is printed then.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.admin(arguments);
        assert!(!output.status.success());
        assert_eq!(output.stdout, b"");
        String::from_utf8(output.stderr).unwrap()
    }

    async fn project(&self, id: &str) -> BTreeMap<String, AttributeValue> {
        let get = self
            .records
            .dynamodb
            .get_item()
            .table_name(&self.stack.config.projects_table);
        let item = get
            .key("projectId", AttributeValue::S(id.to_owned()))
            .send()
            .await
            .unwrap()
            .item;
        item.unwrap().into_iter().collect()
    }

    async fn put_object(&self, key: &str) {
        let put = self
            .records
            .s3
            .put_object()
            .bucket(&self.stack.config.images_bucket)
            .key(key);
        put.body(b"an image".to_vec().into()).send().await.unwrap();
    }

    /// Has a submission's record name an object as its `idImage`.
    async fn name(&self, submission: &str, key: &str) {
        let image = [("key".to_owned(), AttributeValue::S(key.to_owned()))];
        let update = self
            .records
            .dynamodb
            .update_item()
            .table_name(&self.stack.config.submissions_table)
            .key("submissionId", AttributeValue::S(submission.to_owned()))
            .update_expression("SET idImage = :image")
            .expression_attribute_values(":image", AttributeValue::M(image.into()));
        update.send().await.unwrap();
    }

    async fn objects(&self) -> Vec<String> {
        let list = self
            .records
            .s3
            .list_objects_v2()
            .bucket(&self.stack.config.images_bucket)
            .send()
            .await
            .unwrap();
        list.contents
            .unwrap_or_default()
            .into_iter()
            .map(|object| object.key.unwrap())
            .collect()
    }

    /// What is left over, as it would be some time from now.
    async fn find(&self, later: Duration) -> (Progress, Vec<Object>) {
        let now = SystemTime::now() + later;
        self.records.find_left_over(now, |_| {}).await.unwrap()
    }
}

fn keys(left_over: &[Object]) -> Vec<&str> {
    left_over.iter().map(|object| object.key.as_str()).collect()
}

fn key(field: &str, n: u8) -> String {
    format!("demo-project/demo-submission/{field}/00000000-0000-4000-8000-0000000000{n:02}.jpg")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_printed_once_and_stored_as_its_hash() {
    let app = App::start().await;
    let admins = [
        "--admin",
        "a@acme.example",
        "--admin",
        "b@acme.example",
        "--admin",
        "a@acme.example",
    ];
    let create = [["project", "create", "acme"].as_slice(), &admins].concat();
    let printed = app.printed(&create);
    let api_key = printed.strip_suffix('\n').unwrap();
    assert!(
        api_key.len() == 40 && api_key.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{api_key}"
    );
    let hash = |key: &str| AttributeValue::S(ApiKey::parse(key).unwrap().hash().to_string());
    let project = app.project("acme").await;
    assert_eq!(
        project.keys().collect::<Vec<_>>(),
        ["admins", "apiKeyHash", "projectId", "status"]
    );
    assert_eq!(project["apiKeyHash"], hash(api_key));
    assert_eq!(project["status"], AttributeValue::S("active".to_owned()));
    assert_eq!(project["admins"].as_ss().unwrap().len(), 2);

    assert!(
        app.refused(&create)
            .contains("there is a project \"acme\" already")
    );
    assert_eq!(app.project("acme").await, project);

    let rotated = app.printed(&["project", "key", "rotate", "acme"]);
    assert_ne!(rotated, printed);
    assert_eq!(app.project("acme").await["apiKeyHash"], hash(&rotated));
    assert!(
        app.refused(&["project", "key", "rotate", "none"])
            .contains("there is no project \"none\"")
    );
    for (id, admin, why) in [
        ("a/b", "a@acme.example", "slash"),
        (".", "a@acme.example", "slash"),
        ("..", "a@acme.example", "slash"),
        ("a\tb", "a@acme.example", "control character"),
        ("a\u{9b}b", "a@acme.example", "control character"),
        (" ", "a@acme.example", "blanks around"),
        ("b", " a@acme.example", "not an e-mail address"),
        ("b", "acme.example", "not an e-mail address"),
        ("b", "@acme.example", "not an e-mail address"),
        ("b", "a@acme..example", "not an e-mail address"),
        ("b", "a@b@acme.example", "not an e-mail address"),
        ("b", "A <a@acme.example", "not an e-mail address"),
        ("b", "mailto:a@acme.example", "not an e-mail address"),
        (
            "b",
            &format!("{}@b", "a".repeat(255)),
            "longer than 256 bytes",
        ),
    ] {
        assert!(
            app.refused(&["project", "create", id, "--admin", admin])
                .contains(why),
            "{why}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projects_administrators_and_status_change() {
    let app = App::start().await;
    let admins = async || app.project("demo-project").await["admins"].clone();
    let set =
        |accounts: &[&str]| AttributeValue::Ss(accounts.iter().map(ToString::to_string).collect());
    let before = admins().await;
    let [first, second] = ["Admin@Example.com", "second@example.com"];
    assert_eq!(before, set(&[first, second]));

    let add = ["project", "add-admin", "demo-project"];
    // One is registered already, in another case.
    app.printed(&[&add[..], &["SECOND@example.com", "zoe@example.com"]].concat());
    assert_eq!(admins().await, set(&[first, second, "zoe@example.com"]));
    let refused = app.refused(&[&add[..], &["zoe"]].concat());
    assert!(refused.contains("not an e-mail address"), "{refused}");

    let remove = ["project", "remove-admin", "demo-project"];
    let stranger = app.refused(&[&remove[..], &["zoe@example.com", "x@example.com"]].concat());
    assert!(
        stranger.contains("\"x@example.com\" is no administrator of \"demo-project\""),
        "{stranger}"
    );
    app.printed(&[&remove[..], &["ZOE@example.com"]].concat());
    assert_eq!(admins().await, before);
    let all = app.admin(&[&remove[..], &[first, second]].concat());
    assert!(String::from_utf8_lossy(&all.stderr).contains("has no administrator now"));
    assert!(!app.project("demo-project").await.contains_key("admins"));
    app.printed(&[&add[..], &["a@example.com", "A@example.com"]].concat());

    for (command, status) in [("close", "closed"), ("reopen", "active")] {
        app.printed(&["project", command, "demo-project"]);
        let list = app.printed(&["project", "list"]);
        let line = format!("{status:8}  demo-project  a@example.com\n");
        assert!(list.contains(&line), "{list}");
        let shown = app.printed(&["project", "show", "demo-project"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["status"], status);
    }
    for command in ["show", "close", "reopen"] {
        let none = app.refused(&["project", command, "none"]);
        assert!(none.contains("there is no project \"none\""), "{none}");
    }
    let none = app.refused(&["project", "add-admin", "none", "a@example.com"]);
    assert!(none.contains("there is no project \"none\""), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_is_gone_gets_no_message() {
    let app = App::start().await;
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let mut list = app.command(&["project", "list"]);
    let output = list.stdout(closed()).output().unwrap();
    assert_eq!(output.stderr, b"");
    assert_eq!(output.status.code(), Some(1));
    // What is said beside it may be unheard.
    let mut sweep = app.command(&["sweep"]);
    let status = sweep.stderr(closed()).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_made_once_and_for_a_project_that_exists() {
    let app = App::start().await;
    assert_eq!(
        app.printed(&["submission", "create", "S-1", "--project", "demo-project"]),
        ""
    );
    let again = app.refused(&["submission", "create", "S-1", "--project", "demo-project"]);
    assert!(
        again.contains("there is a submission \"S-1\" already"),
        "{again}"
    );
    let nobodys = app.refused(&["submission", "create", "S-2", "--project", "none"]);
    assert!(
        nobodys.contains("there is no project \"none\""),
        "{nobodys}"
    );
    for odd in ["a/b", ".", "..", "a\u{7f}"] {
        app.refused(&["submission", "create", odd, "--project", "demo-project"]);
    }
    assert!(
        app.refused(&["submission", "show", "S-2"])
            .contains("there is no submission \"S-2\"")
    );
    assert!(
        app.printed(&["submission", "show", "S-1"])
            .contains("\"projectId\": \"demo-project\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submissions_images_are_shown_and_saved() {
    let app = App::start().await;
    let images = app.put(2, 1).await;
    app.put_object(&key("selfieImage", 1)).await;
    app.put_object(
        "demo-project/demo-submission/extra/idImage/00000000-0000-4000-8000-000000000000.jpg",
    )
    .await;
    let folder = app.folder.path().join("saved");
    let save = [
        "submission",
        "show",
        "demo-submission",
        "--save",
        folder.to_str().unwrap(),
    ];
    let shown = app.printed(&save);
    assert!(
        shown.contains("2000 bytes  idImage       demo-project/demo-submission/idImage/"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!(
            "8 bytes  not in the record  {}",
            key("selfieImage", 1)
        )),
        "{shown}"
    );
    assert!(!shown.contains("/extra/"), "another submission's: {shown}");
    let saved = |name: &str| fs::read(folder.join(name)).unwrap();
    assert_eq!(
        (saved("idImage.jpg"), saved("idBackImage.jpg")),
        (images[0].clone(), images[1].clone())
    );

    // Others, which may not be mixed with these.
    let others = app.put(2, 2).await;
    assert!(
        String::from_utf8(app.admin(&save).stderr)
            .unwrap()
            .contains("can't save in the new folder")
    );
    assert_eq!(
        (saved("idImage.jpg"), saved("idBackImage.jpg")),
        (images[0].clone(), images[1].clone())
    );
    assert_ne!(images, others);

    // A record that names another submission's image.
    let function = app.stack.function();
    let event = event::put("second-submission", &others).to_string();
    let response = invoke_and_clean_up(&function, event.as_bytes(), TIMEOUT);
    assert_eq!(response.await.unwrap()["statusCode"], 200);
    let objects = app.objects().await;
    let key = objects
        .iter()
        .find(|key| key.contains("/demo-submission/idImage/"));
    app.name("second-submission", key.unwrap()).await;
    let second = app
        .records
        .submission("second-submission")
        .await
        .unwrap()
        .unwrap();
    let folder = app.folder.path().join("second");
    let error = app
        .records
        .save(&second, &folder)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("or not this submission's") && !folder.exists(),
        "{error}"
    );

    // An object that is gone, and one that is another.
    let record = app
        .records
        .submission("demo-submission")
        .await
        .unwrap()
        .unwrap();
    for field in ["idBackImage", "idImage"] {
        let key = app
            .objects()
            .await
            .into_iter()
            .find(|key| key.contains(&format!("/demo-submission/{field}/")))
            .unwrap();
        if field == "idImage" {
            app.put_object(&key).await;
        } else {
            app.records
                .s3
                .delete_object()
                .bucket(&app.stack.config.images_bucket)
                .key(key)
                .send()
                .await
                .unwrap();
            assert!(
                app.printed(&["submission", "show", "demo-submission"])
                    .contains("MISSING")
            );
        }
        let error = app
            .records
            .save(&record, &app.folder.path().join(field))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("{field}'s object")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_what_no_record_names_and_touches_nothing_else() {
    let app = App::start().await;
    app.put(4, 1).await;
    let before = app.objects().await;
    let left = [
        key("idImage", 1),
        key("selfieImage", 2),
        key("selfieImage", 3),
    ];
    for key in &left {
        app.put_object(key).await;
    }
    let foreign = [
        "backup.tar",
        "demo-project/demo-submission/idImage/mine.jpg",
    ];
    for key in foreign {
        app.put_object(key).await;
    }
    let all = app.objects().await;
    let records = local::records::Records::sample().unwrap().submissions.len();

    // By now all of it is younger than an hour.
    let (progress, none) = app.find(Duration::ZERO).await;
    let expected = Progress {
        records,
        objects: 9,
        named: 4,
        young: 3,
        foreign: 2,
        left_over: 0,
    };
    assert_eq!((progress, none), (expected, vec![]));

    let (progress, found) = app.find(2 * HOUR).await;
    let expected = Progress {
        young: 0,
        left_over: 3,
        ..expected
    };
    assert_eq!(progress, expected);
    assert_eq!(keys(&found), left);
    assert_eq!(app.objects().await, all, "nothing is deleted yet");

    let mut deleted = Vec::new();
    let sweep = app
        .records
        .delete_left_over(found, |object| deleted.push(object.key.clone()));
    assert_eq!(sweep.await.unwrap(), 3);
    assert_eq!(deleted, left);
    let mut rest = [before, foreign.map(str::to_owned).to_vec()].concat();
    rest.sort();
    assert_eq!(app.objects().await, rest);
    assert_eq!(app.find(2 * HOUR).await.0.left_over, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_committed_during_a_sweep_is_spared() {
    let app = App::start().await;
    let (late, left) = (key("idImage", 1), key("idImage", 2));
    app.put_object(&late).await;
    app.put_object(&left).await;
    let (_, listed) = app.find(2 * HOUR).await;
    assert_eq!(keys(&listed), [&late, &left]);
    app.name("demo-submission", &late).await;
    let deleted = app.records.delete_left_over(listed, |_| {}).await;
    assert_eq!(deleted.unwrap(), 1);
    assert_eq!(app.objects().await, [late]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_takes_several_pages() {
    let app = App::start().await;
    app.put(1, 1).await;
    // A page of a scan is at most 1 MB of records, whatever is read of them.
    let padding = AttributeValue::S("a".repeat(350 << 10));
    for n in 0..4 {
        let id = AttributeValue::S(format!("padded-{n}"));
        let put = app.records.dynamodb.put_item();
        let put = put.table_name(&app.stack.config.submissions_table);
        let put = put
            .item("submissionId", id)
            .item("padding", padding.clone());
        put.send().await.unwrap();
    }
    // The embedded S3 keeps an object as a file.
    let objects = app.folder.path().join("s3");
    for n in 0..1000 {
        let file = format!("{}/foreign-{n}", app.stack.config.images_bucket);
        fs::write(objects.join(file), "").unwrap();
    }
    let mut told = Vec::new();
    let found = app.records.find_left_over(SystemTime::now(), |progress| {
        told.push(progress.objects);
    });
    let (progress, _) = found.await.unwrap();
    assert_eq!(told, [0, 0, 1000, 1001]);
    let records = local::records::Records::sample().unwrap().submissions.len();
    assert_eq!(progress.records, records + 4);
    assert_eq!((progress.foreign, progress.named), (1000, 1));
}

/// Whichever record it is that names an object.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_another_submission_names_is_not_left_over() {
    let app = App::start().await;
    app.put_object(&key("idImage", 1)).await;
    app.name("second-submission", &key("idImage", 1)).await;
    let (progress, found) = app.find(2 * HOUR).await;
    assert_eq!((progress.named, found), (1, vec![]));
}

/// Images whose record goes away between listing and deleting were not listed, and so are not deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_deletes_nothing_that_it_has_not_listed() {
    let app = App::start().await;
    app.put(2, 1).await;
    let left = key("idImage", 1);
    app.put_object(&left).await;
    let (_, listed) = app.find(2 * HOUR).await;
    let delete = app
        .records
        .dynamodb
        .delete_item()
        .table_name(&app.stack.config.submissions_table);
    let delete = delete.key(
        "submissionId",
        AttributeValue::S("demo-submission".to_owned()),
    );
    delete.send().await.unwrap();
    assert_eq!(
        app.records.delete_left_over(listed, |_| {}).await.unwrap(),
        1
    );
    assert_eq!(app.objects().await.len(), 2);
    assert!(!app.objects().await.contains(&left));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_fails_has_told_what_it_deleted() {
    let app = App::start().await;
    let (faults, records) = app.behind_faults().await;
    for n in 0..4 {
        app.put_object(&key("idImage", n)).await;
    }
    let (_, listed) = app.find(2 * HOUR).await;
    faults.inject(Fault {
        operation: Operation::DeleteObject,
        when: When::Nth(2),
        takes_effect: false,
        end: End::Error(403, "AccessDenied"),
    });
    let mut told = 0;
    let error = records
        .delete_left_over(listed, |_| told += 1)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("can't delete") && error.contains("AccessDenied"),
        "{error}"
    );
    assert_eq!((told, app.objects().await.len()), (3, 1));
}

/// Objects that are two hours old.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_command_deletes_what_is_expected_and_no_more() {
    let app = App::start().await;
    let left = [key("idImage", 1), key("idImage", 2)];
    for key in &left {
        app.put_object(key).await;
    }
    let said = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    let young = app.admin(&["sweep", "--delete", "9"]);
    let summary =
        "2 objects: 0 named by 4 records, 2 younger than an hour, 0 not ours, 0 left over";
    assert!(said(&young).contains(summary), "{}", said(&young));

    age(app.folder.path());
    assert!(said(&app.admin(&["sweep", "--delete", "9"])).contains("is that the right table?"));
    assert_eq!(app.objects().await.len(), 2, "no record names any object");

    app.put(1, 1).await;
    let told = app.admin(&["sweep"]);
    assert!(
        said(&told).contains("Nothing was deleted: that takes --delete 2."),
        "{}",
        said(&told)
    );
    assert!(
        said(&app.admin(&["sweep", "--delete", "1"]))
            .contains("more than the 1 of --delete: none is deleted")
    );
    assert_eq!(app.objects().await.len(), 3);

    let deleted = app.admin(&["sweep", "--delete", "2"]);
    assert!(said(&deleted).contains("2 deleted."), "{}", said(&deleted));
    let lines = String::from_utf8(deleted.stdout).unwrap();
    assert!(
        left.iter().all(|key| lines
            .lines()
            .any(|line| line.starts_with("deleted") && line.ends_with(key))),
        "{lines}"
    );
    assert_eq!(app.objects().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_does_not_lose_a_key() {
    let app = App::start().await;
    let (faults, records) = app.behind_faults().await;
    let always = |operation, takes_effect| Fault {
        operation,
        when: When::Always,
        takes_effect,
        end: End::Cut,
    };
    let key = || NewKey::generate().unwrap();

    faults.inject(always(Operation::UpdateItem, true));
    let new = key();
    assert!(matches!(
        records.set_key("demo-project", &new, None).await,
        SetKey::Done
    ));
    let hash = app.project("demo-project").await["apiKeyHash"].clone();
    assert_eq!(
        hash,
        AttributeValue::S(ApiKey::parse(new.reveal()).unwrap().hash().to_string())
    );

    faults.clear();
    faults.inject(always(Operation::UpdateItem, false));
    assert!(matches!(
        records.set_key("demo-project", &key(), None).await,
        SetKey::Unknown(_)
    ));
    // The read before the change is the first.
    faults.inject(Fault {
        operation: Operation::GetItem,
        when: When::Nth(2),
        takes_effect: false,
        end: End::Error(400, "AccessDeniedException"),
    });
    assert!(matches!(
        records.set_key("demo-project", &key(), None).await,
        SetKey::Unknown(_)
    ));
    assert_eq!(app.project("demo-project").await["apiKeyHash"], hash);
}

/// A record whose first answer is lost is found by the retry, and is no other one's.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_does_not_hide_what_was_made() {
    let app = App::start().await;
    let (faults, records) = app.behind_faults().await;
    faults.inject(Fault {
        operation: Operation::PutItem,
        when: When::Nth(1),
        takes_effect: true,
        end: End::Cut,
    });
    let project = Project {
        id: "acme".to_owned(),
        api_key: NewKey::generate().unwrap(),
        status: "active".to_owned(),
        admins: vec!["b@acme.example".to_owned(), "a@acme.example".to_owned()],
    };
    assert!(records.create_project(&project).await.unwrap());
    let again = Project {
        api_key: NewKey::generate().unwrap(),
        ..project
    };
    assert!(!records.create_project(&again).await.unwrap());
}

/// An API Gateway that has made the key when it is asked a second time, its first answer being lost; and that lets a
/// key onto the plan or not. Returns its URL and the calls that it gets.
async fn gateway(plan: StatusCode) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = server::bind(0, "API Gateway", "").await.unwrap();
    let url = server::url(&listener).unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (told, key) = (Arc::clone(&calls), Arc::new(Mutex::new(String::new())));
    tokio::spawn(server::serve(listener, move |_| {
        let (told, key) = (Arc::clone(&told), Arc::clone(&key));
        service_fn(move |request: Request<Incoming>| {
            let (told, key) = (Arc::clone(&told), Arc::clone(&key));
            async move {
                let call = format!("{} {}", request.method(), request.uri().path());
                told.lock().unwrap().push(call.clone());
                let body = request.into_body().collect().await?.to_bytes();
                let (status, answer) = match call.as_str() {
                    "POST /apikeys" => {
                        let sent: Value = serde_json::from_slice(&body).unwrap();
                        sent["value"]
                            .as_str()
                            .unwrap()
                            .clone_into(&mut key.lock().unwrap());
                        (
                            StatusCode::CONFLICT,
                            json!({ "message": "API Key already exists" }),
                        )
                    }
                    "GET /apikeys" => {
                        let another =
                            json!({ "id": "another", "name": "acme", "value": "another" });
                        let ours =
                            json!({ "id": "ours", "name": "acme", "value": *key.lock().unwrap() });
                        (StatusCode::OK, json!({ "item": [another, ours] }))
                    }
                    "POST /usageplans/plan/keys" => (
                        plan,
                        json!({ "id": "ours", "message": "Invalid Usage Plan ID" }),
                    ),
                    _ => (StatusCode::ACCEPTED, json!({})),
                };
                let error = if status == StatusCode::CONFLICT {
                    "ConflictException"
                } else {
                    "NotFoundException"
                };
                let response = Response::builder()
                    .status(status)
                    .header("x-amzn-errortype", error);
                Ok::<_, admin::Error>(response.body(Full::<Bytes>::from(answer.to_string()))?)
            }
        })
    }));
    (url, calls)
}

fn create_on_plan(app: &App, gateway: &str) -> Output {
    let arguments = [
        "project",
        "create",
        "acme",
        "--admin",
        "a@acme.example",
        "--usage-plan",
        "plan",
    ];
    app.command(&arguments)
        .env("AWS_ENDPOINT_URL_API_GATEWAY", gateway)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_which_api_gateways_answer_was_lost_is_put_on_the_plan() {
    let app = App::start().await;
    let (url, calls) = gateway(StatusCode::CREATED).await;
    let output = create_on_plan(&app, &url);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let hash = ApiKey::parse(&String::from_utf8(output.stdout).unwrap())
        .unwrap()
        .hash();
    assert_eq!(
        app.project("acme").await["apiKeyHash"],
        AttributeValue::S(hash.to_string())
    );
    assert_eq!(
        *calls.lock().unwrap(),
        [
            "POST /apikeys",
            "GET /apikeys",
            "POST /usageplans/plan/keys"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_get_onto_the_plan_is_removed_and_the_way_on_is_said() {
    let app = App::start().await;
    let (url, calls) = gateway(StatusCode::NOT_FOUND).await;
    let output = create_on_plan(&app, &url);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said.contains("Invalid Usage Plan ID"), "{said}");
    assert!(
        said.contains("then run: project key rotate \"acme\" --usage-plan plan"),
        "{said}"
    );
    assert_eq!(
        calls.lock().unwrap().last().unwrap(),
        "DELETE /apikeys/ours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_stack_gives_the_demo_key_back_when_it_is_asked() {
    let app = App::start().await;
    let before = app.project("demo-project").await;
    assert!(matches!(
        app.records
            .set_key("demo-project", &NewKey::generate().unwrap(), None)
            .await,
        SetKey::Done
    ));
    let rotated = app.project("demo-project").await;
    assert_ne!(rotated, before);
    let sample = local::records::Records::sample().unwrap();
    sample.seed(&app.records).await.unwrap();
    assert_eq!(app.project("demo-project").await, rotated);
    sample.restore_keys(&app.records).await.unwrap();
    assert_eq!(app.project("demo-project").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_to_do() {
    let app = App::start().await;
    let output = Command::new(env!("CARGO_BIN_EXE_admin"))
        .arg("sweep")
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("admin: the environment variable PROJECTS_TABLE is missing"),
        "{said}"
    );

    let config = put_image::config::Config {
        submissions_table: "none".to_owned(),
        ..app.stack.config.clone()
    };
    let records = app.stack.endpoints.records(config);
    let error = records.submission("x").await.unwrap_err().to_string();
    assert!(
        error.starts_with("can't read the table none: ") && error.contains("ResourceNotFound"),
        "{error}"
    );
    let project = Project {
        id: "x".to_owned(),
        api_key: NewKey::known(" "),
        status: String::new(),
        admins: vec![],
    };
    assert!(app.records.create_project(&project).await.is_err());
    let nobodys = app.records.create_submission("nobodys", None).await;
    assert!(nobodys.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rotations_at_once_one_wins() {
    let app = App::start().await;
    let (faults, records) = app.behind_faults().await;
    let gate = faults.hold(Operation::UpdateItem, 1);
    let (slow, fast) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
    let (lost, ()) = tokio::join!(records.set_key("demo-project", &slow, None), async {
        gate.arrived().await;
        let won = app.records.set_key("demo-project", &fast, None).await;
        assert!(matches!(won, SetKey::Done));
        gate.open();
    });
    let SetKey::Refused(error) = lost else {
        panic!("{lost:?}")
    };
    assert!(error.to_string().contains("another rotation"), "{error}");
    let hash = ApiKey::parse(fast.reveal()).unwrap().hash().to_string();
    assert_eq!(
        app.project("demo-project").await["apiKeyHash"],
        AttributeValue::S(hash)
    );
}

/// The command of a rotation that loses leaves no key of its own at the gateway, and prints none.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_fails_leaves_no_key_at_the_gateway() {
    let app = App::start().await;
    let (faults, endpoints) = Faults::in_front_of(&app.stack).await.unwrap();
    let (url, calls) = gateway(StatusCode::CREATED).await;
    let rotate = [
        "project",
        "key",
        "rotate",
        "demo-project",
        "--usage-plan",
        "plan",
    ];
    let read = faults.hold(Operation::GetItem, 1);
    let update = faults.hold(Operation::UpdateItem, 1);
    let mut command = app.command(&rotate);
    command
        .env("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb)
        .env("AWS_ENDPOINT_URL_API_GATEWAY", url);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    // The record is read before the plan, so that a rotation that takes place since makes this one fail: a winner removes
    // all keys that it has found on the plan.
    read.arrived().await;
    assert!(calls.lock().unwrap().is_empty());
    read.open();
    update.arrived().await;
    let other = NewKey::generate().unwrap();
    let won = app.records.set_key("demo-project", &other, None).await;
    assert!(matches!(won, SetKey::Done));
    update.open();
    let output = output.await.unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert_eq!(
        calls.lock().unwrap().last().unwrap(),
        "DELETE /apikeys/ours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_can_be_kept_for_a_while() {
    let app = App::start().await;
    let put = async |key: &str| {
        let images = [jpeg(200, 1)];
        let event = event::put("demo-submission", &images).to_string();
        let event = event.replace("demo-key-for-the-local-stack", key);
        let function = app.stack.function();
        let response = invoke_and_clean_up(&function, event.as_bytes(), TIMEOUT);
        response.await.unwrap()["statusCode"].as_u64().unwrap()
    };
    let old = "demo-key-for-the-local-stack";
    let new = app.printed(&[
        "project",
        "key",
        "rotate",
        "demo-project",
        "--keep-old",
        "7d",
    ]);
    assert_eq!((put(old).await, put(new.trim()).await), (200, 200));
    let until = app.project("demo-project").await["previousApiKeyUntil"]
        .as_n()
        .unwrap()
        .parse::<u64>()
        .unwrap();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!((now + 7 * 86_400).abs_diff(until) < 60, "{until}");

    // The time is over, whatever the gateway thinks.
    let over = NewKey::generate().unwrap();
    let set = app
        .records
        .set_key("demo-project", &over, Some(now - 1))
        .await;
    assert!(matches!(set, SetKey::Done));
    assert_eq!((put(new.trim()).await, put(old).await), (400, 400));
    assert_eq!(put(over.reveal()).await, 200);

    let last = app.printed(&["project", "key", "rotate", "demo-project"]);
    assert_eq!(
        (put(over.reveal()).await, put(last.trim()).await),
        (400, 200)
    );
    assert!(
        !app.project("demo-project")
            .await
            .contains_key("previousApiKeyHash")
    );
    for odd in ["7", "d", "0d", "-1d", "7w", "7é", "99999999999999999999d"] {
        app.refused(&[
            "project",
            "key",
            "rotate",
            "demo-project",
            "--keep-old",
            odd,
        ]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_escaped() {
    let app = App::start().await;
    let (table, id) = (&app.stack.config.submissions_table, "odd");
    let item = [
        ("submissionId", id),
        ("projectId", "demo-project"),
        ("note", "\u{1b}]0;x\u{7}\u{9b}31m"),
    ];
    let item = item.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let put = app
        .records
        .dynamodb
        .put_item()
        .table_name(table)
        .set_item(Some(item.into()));
    put.send().await.unwrap();
    let shown = app.printed(&["submission", "show", id]);
    assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{shown:?}");
    let said = app.refused(&["submission", "show", "none\u{1b}[2J"]);
    assert!(!said.contains('\u{1b}'), "{said:?}");

    // No ID can forge a line.
    let project = Project {
        id: "odd\nactive    forged".to_owned(),
        api_key: NewKey::generate().unwrap(),
        status: "active".to_owned(),
        admins: Vec::new(),
    };
    assert!(app.records.create_project(&project).await.unwrap());
    let list = app.printed(&["project", "list"]);
    assert!(
        list.contains("active    odd\\u{a}active    forged"),
        "{list}"
    );
    let id = "S-1\nerased the record";
    let erase = ["submission", "erase", id, "--project", "acme", "--yes"];
    let erased = app.printed(&[&erase[..], &["--wait", "0"]].concat());
    assert_eq!(erased.lines().count(), 1, "{erased}");
    let said = app.refused(&[
        "project",
        "remove-admin",
        "demo-project",
        "a\nadmin: forged",
    ]);
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_erased() {
    let app = App::start().await;
    app.put(4, 1).await;
    app.put_object(&key("selfieImage", 1)).await;
    let others =
        "demo-project/demo-submission/extra/idImage/00000000-0000-4000-8000-000000000000.jpg";
    app.put_object(others).await;
    let erase = ["submission", "erase", "demo-submission", "--wait", "0"];

    // Nothing is erased without a yes, or of another project.
    assert!(app.refused(&erase).contains("nothing was erased"));
    let other = [&erase[..], &["--project", "closed-project", "--yes"]].concat();
    assert!(app.refused(&other).contains("is another project's"));
    let none = ["submission", "erase", "none", "--yes"];
    assert!(app.refused(&none).contains("name its project by --project"));
    assert_eq!(app.objects().await.len(), 6);

    let printed = app.printed(&[&erase[..], &["--yes"]].concat());
    assert_eq!(
        printed,
        "erased the record and 5 versions and delete markers of demo-submission\n"
    );
    assert_eq!(app.objects().await, [others]);
    assert!(
        app.records
            .submission("demo-submission")
            .await
            .unwrap()
            .is_none()
    );
    // A record without a project is erased for the project that is named.
    let records = &app.records;
    let nobodys = records.create_submission("demo-submission", None).await;
    assert!(nobodys.unwrap());
    assert!(
        app.refused(&[&erase[..], &["--yes"]].concat())
            .contains("name its project by --project")
    );
    let named = [&erase[..], &["--yes", "--project", "demo-project"]].concat();
    assert_eq!(
        app.printed(&named),
        "erased the record and 0 versions and delete markers of demo-submission\n"
    );
    // What had been stopped halfway goes on, without a record; and the ID that is asked for is as good as a yes.
    app.put_object(&key("selfieImage", 2)).await;
    let answer = app.folder.path().join("answer");
    fs::write(&answer, "demo-submission\n").unwrap();
    let again = [&erase[..], &["--project", "demo-project"]].concat();
    let mut again = app.command(&again);
    let output = again.stdin(fs::File::open(&answer).unwrap()).output();
    assert_eq!(
        String::from_utf8(output.unwrap().stdout).unwrap(),
        "erased 1 versions and delete markers of demo-submission\n"
    );
    assert_eq!(app.objects().await, [others]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_anew_is_not_erased() {
    let app = App::start().await;
    app.put(1, 1).await;
    let erasure = Erasure {
        project: "demo-project".to_owned(),
        submission: "demo-submission".to_owned(),
        has_record: false,
        versions: 1,
    };
    let error = app
        .records
        .erase(&erasure, Duration::ZERO)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("was created again"), "{error}");
    assert_eq!(app.objects().await.len(), 1);
    let moved = Erasure {
        project: "closed-project".to_owned(),
        has_record: true,
        ..erasure
    };
    let error = app.records.erase(&moved, Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("another project"), "{error}");
    assert_eq!(app.objects().await.len(), 1);
}
