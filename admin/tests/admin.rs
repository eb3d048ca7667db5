//! The administrator's commands against the local stack, as a library and as the binary.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use admin::Records;
use admin::project::{NewKey, Project, SetKey};
use admin::sweep::{LeftOver, Progress, Sweep};
use admin::table::Created;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use local::faults::{End, Fault, Faults, Operation, When};
use local::function::invoke_and_clean_up;
use local::images::jpeg;
use local::noise::Put;
use local::stack::Stack;
use local::{schema, server};
use put_image::deadline::TIMEOUT;
use put_image::domain::ApiKey;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

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
        let event = Put::default().event(&images);
        let response = invoke_and_clean_up(&function, event.as_bytes(), TIMEOUT);
        assert_eq!(response.await.unwrap()["statusCode"], 200);
        images
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

    /// A sweep as it would be some time from now. Returns the progress, and the keys that are left over.
    async fn sweep(&self, later: Duration, delete: bool) -> (Progress, Vec<String>) {
        let mut left_over = Vec::new();
        // So small that everything takes several pages.
        let sweep = Sweep {
            now: SystemTime::now() + later,
            delete,
            page_size: 2,
        };
        let note = |_: &Progress, object: Option<&LeftOver>| {
            left_over.extend(object.map(|object| object.key.clone()));
            Ok(())
        };
        let progress = self.records.sweep(sweep, note).await.unwrap();
        (progress, left_over)
    }
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
        ("a/b", "a@acme.example", "it holds a slash"),
        (" ", "a@acme.example", "blanks around"),
        ("b", " a@acme.example", "blanks around"),
        ("b", &"a".repeat(257), "longer than 256 bytes"),
    ] {
        assert!(
            app.refused(&["project", "create", id, "--admin", admin])
                .contains(why),
            "{why}"
        );
    }
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
    let event = Put {
        submission_id: "second-submission",
        ..Put::default()
    }
    .event(&others);
    let response = invoke_and_clean_up(&function, event.as_bytes(), TIMEOUT);
    assert_eq!(response.await.unwrap()["statusCode"], 200);
    let update = app
        .records
        .dynamodb
        .update_item()
        .table_name(&app.stack.config.submissions_table);
    let update = update.key(
        "submissionId",
        AttributeValue::S("second-submission".to_owned()),
    );
    let key = app
        .objects()
        .await
        .into_iter()
        .find(|key| key.contains("/demo-submission/idImage/"))
        .unwrap();
    let update = update
        .update_expression("SET idImage.#key = :key")
        .expression_attribute_names("#key", "key");
    update
        .expression_attribute_values(":key", AttributeValue::S(key))
        .send()
        .await
        .unwrap();
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
    let (progress, none) = app.sweep(Duration::ZERO, true).await;
    assert_eq!(
        progress,
        Progress {
            records,
            objects: 9,
            named: 4,
            young: 3,
            foreign: 2,
            left_over: 0
        }
    );
    assert_eq!((none, app.objects().await), (vec![], all.clone()));

    let (progress, mut found) = app.sweep(2 * HOUR, false).await;
    assert_eq!(
        progress,
        Progress {
            records,
            objects: 9,
            named: 4,
            young: 0,
            foreign: 2,
            left_over: 3
        }
    );
    found.sort();
    assert_eq!(
        (found.as_slice(), app.objects().await),
        (&left[..], all),
        "a dry run"
    );

    let (_, mut deleted) = app.sweep(2 * HOUR, true).await;
    deleted.sort();
    assert_eq!(deleted, left);
    let mut rest = [before, foreign.map(str::to_owned).to_vec()].concat();
    rest.sort();
    assert_eq!(app.objects().await, rest);

    let (progress, _) = app.sweep(2 * HOUR, true).await;
    assert_eq!(progress.left_over, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_committed_during_a_sweep_is_spared() {
    let app = App::start().await;
    let (late, left) = (key("idImage", 1), key("idImage", 2));
    app.put_object(&late).await;
    app.put_object(&left).await;
    let sweep = Sweep {
        now: SystemTime::now() + 2 * HOUR,
        delete: true,
        page_size: 1000,
    };
    let progress = app.records.sweep(sweep, |progress, _| {
        // All records are read, and no object yet: now a commit names one.
        if progress.objects == 0 {
            let image =
                AttributeValue::M([("key".to_owned(), AttributeValue::S(late.clone()))].into());
            let update = app
                .records
                .dynamodb
                .update_item()
                .table_name(&app.stack.config.submissions_table);
            let update = update.key(
                "submissionId",
                AttributeValue::S("demo-submission".to_owned()),
            );
            let update = update
                .update_expression("SET idImage = :i")
                .expression_attribute_values(":i", image);
            block_in_place(|| Handle::current().block_on(async { update.send().await.unwrap() }));
        }
        Ok(())
    });
    assert_eq!(progress.await.unwrap().left_over, 1);
    assert_eq!(app.objects().await, [late]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_fails_has_told_what_it_deleted() {
    let app = App::start().await;
    let faults = Faults::new(1);
    let endpoints = faults
        .in_front_of(&app.stack.endpoints, &app.stack.config.submissions_table)
        .await
        .unwrap();
    for n in 0..4 {
        app.put_object(&key("idImage", n)).await;
    }
    let when = When::Nth(2);
    let end = End::Error(403, "AccessDenied");
    faults.inject(Fault {
        operation: Operation::DeleteObject,
        when,
        takes_effect: false,
        end,
    });
    let sweep = Sweep {
        now: SystemTime::now() + 2 * HOUR,
        delete: true,
        page_size: 1000,
    };
    let mut told = 0;
    let records = endpoints.records(app.stack.config.clone());
    let error = records.sweep(sweep, |_, object| {
        told += usize::from(object.is_some());
        Ok(())
    });
    let error = error.await.unwrap_err().to_string();
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
    let faults = Faults::new(1);
    let endpoints = faults
        .in_front_of(&app.stack.endpoints, &app.stack.config.submissions_table)
        .await
        .unwrap();
    let records = endpoints.records(app.stack.config.clone());
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
        records.set_key("demo-project", &new).await,
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
        records.set_key("demo-project", &key()).await,
        SetKey::Refused(_)
    ));
    faults.inject(always(Operation::GetItem, false));
    assert!(matches!(
        records.set_key("demo-project", &key()).await,
        SetKey::Unknown(_)
    ));
    assert_eq!(app.project("demo-project").await["apiKeyHash"], hash);
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
        said.contains("then run: project key rotate acme --usage-plan plan"),
        "{said}"
    );
    assert_eq!(
        calls.lock().unwrap().last().unwrap(),
        "DELETE /apikeys/ours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_stack_gives_the_demo_key_back() {
    let app = App::start().await;
    let before = app.project("demo-project").await;
    assert!(matches!(
        app.records
            .set_key("demo-project", &NewKey::generate().unwrap())
            .await,
        SetKey::Done
    ));
    assert_ne!(app.project("demo-project").await, before);
    local::records::Records::sample()
        .unwrap()
        .seed(&app.records)
        .await
        .unwrap();
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
    assert!(matches!(
        app.records.create_submission("nobodys", None).await,
        Ok(Created::Yes)
    ));
}
