//! The administrator's commands against the local stack, as a library and as the binary.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use admin::Records;
use admin::project::{NewKey, Project};
use admin::sweep::{Progress, Sweep};
use admin::table::Created;
use aws_sdk_dynamodb::types::AttributeValue;
use local::clients::CREDENTIALS;
use local::noise::{Put, jpeg};
use local::stack::Stack;
use local::{schema, server};
use put_image::event::ApiKey;
use put_image::function::{Invocation, TIMEOUT};
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
        let stack = Stack::over(endpoints, schema::config(""), sample).await.unwrap();
        let records = stack.endpoints.records(stack.config.clone());
        Self { stack, records, folder }
    }

    /// Puts images of noise to the demo submission. Returns their contents.
    async fn put(&self, images: usize, seed: u64) -> Vec<Vec<u8>> {
        let images: Vec<_> = (0..images).map(|_| jpeg(2000, &mut { seed })).collect();
        let function = self.stack.function();
        let response = function.handle(Invocation::new(Put::default().event(&images).as_bytes(), TIMEOUT)).await;
        assert_eq!(response.status_code, 200, "{}", response.body);
        function.clean_up().await;
        images
    }

    /// The binary, run over the stack.
    fn admin(&self, arguments: &[&str]) -> Output {
        let config = &self.stack.config;
        Command::new(env!("CARGO_BIN_EXE_admin"))
            .args(arguments)
            .env_clear()
            .envs([
                ("AWS_ENDPOINT_URL_DYNAMODB", &*self.stack.endpoints.dynamodb),
                ("AWS_ENDPOINT_URL_S3", &self.stack.endpoints.s3),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", CREDENTIALS.0),
                ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1),
                ("PROJECTS_TABLE", &config.projects_table),
                ("SUBMISSIONS_TABLE", &config.submissions_table),
                ("IMAGES_BUCKET", &config.images_bucket),
            ])
            .output()
            .unwrap()
    }

    /// What the binary prints; it succeeds.
    #[track_caller]
    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.admin(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
        let get = self.records.dynamodb.get_item().table_name(&self.stack.config.projects_table);
        let item = get.key("projectId", AttributeValue::S(id.to_owned())).send().await.unwrap().item;
        item.unwrap().into_iter().collect()
    }

    async fn put_object(&self, key: &str) {
        let put = self.records.s3.put_object().bucket(&self.stack.config.images_bucket).key(key);
        put.body(b"an image".to_vec().into()).send().await.unwrap();
    }

    async fn objects(&self) -> Vec<String> {
        let list = self.records.s3.list_objects_v2().bucket(&self.stack.config.images_bucket).send().await.unwrap();
        list.contents.unwrap_or_default().into_iter().map(|object| object.key.unwrap()).collect()
    }

    /// A sweep as it would be some time from now. Returns the progress, and the keys that are left over.
    async fn sweep(&self, later: Duration, delete: bool) -> (Progress, Vec<String>) {
        let mut left_over = Vec::new();
        // So small that everything takes several pages.
        let sweep = Sweep { now: SystemTime::now() + later, delete, page_size: 2 };
        let note = |_: &Progress, page: &[admin::sweep::LeftOver]| {
            left_over.extend(page.iter().map(|object| object.key.clone()));
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
    let create = ["project", "create", "acme", "--admin", "a@acme.example", "--admin", "b@acme.example"];
    let printed = app.printed(&create);
    let api_key = printed.strip_suffix('\n').unwrap();
    assert!(api_key.len() == 40 && api_key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{api_key}");
    let hash = |key: &str| AttributeValue::S(ApiKey::new(key).unwrap().hash());
    let project = app.project("acme").await;
    assert_eq!(project.keys().collect::<Vec<_>>(), ["admins", "apiKeyHash", "projectId", "status"]);
    assert_eq!(project["apiKeyHash"], hash(api_key));
    assert_eq!(project["status"], AttributeValue::S("active".to_owned()));
    assert_eq!(project["admins"].as_ss().unwrap().len(), 2);

    assert!(app.refused(&create).contains("there is a project \"acme\" already"));
    assert_eq!(app.project("acme").await, project);

    let rotated = app.printed(&["project", "key", "rotate", "acme"]);
    assert_ne!(rotated, printed);
    assert_eq!(app.project("acme").await["apiKeyHash"], hash(&rotated));
    assert!(app.refused(&["project", "key", "rotate", "none"]).contains("there is no project \"none\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_made_once_and_for_a_project_that_exists() {
    let app = App::start().await;
    assert_eq!(app.printed(&["submission", "create", "S-1", "--project", "demo-project"]), "");
    let again = app.refused(&["submission", "create", "S-1", "--project", "demo-project"]);
    assert!(again.contains("there is a submission \"S-1\" already"), "{again}");
    let nobodys = app.refused(&["submission", "create", "S-2", "--project", "none"]);
    assert!(nobodys.contains("there is no project \"none\""), "{nobodys}");
    assert!(app.refused(&["submission", "show", "S-2"]).contains("there is no submission \"S-2\""));
    assert!(app.printed(&["submission", "show", "S-1"]).contains("\"projectId\": \"demo-project\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submissions_images_are_shown_and_saved() {
    let app = App::start().await;
    let images = app.put(2, 1).await;
    app.put_object(&key("selfieImage", 1)).await;
    app.put_object("demo-project/demo-submission/extra/idImage/00000000-0000-4000-8000-000000000000.jpg").await;
    let folder = app.folder.path().join("a").join("b");
    let save = ["submission", "show", "demo-submission", "--save", folder.to_str().unwrap()];
    let shown = app.printed(&save);
    assert!(shown.contains("2000 bytes  idImage       demo-project/demo-submission/idImage/"), "{shown}");
    assert!(shown.contains(&format!("8 bytes  not in the record  {}", key("selfieImage", 1))), "{shown}");
    assert!(!shown.contains("/extra/"), "another submission's: {shown}");
    let saved = |name: &str| fs::read(folder.join(name)).unwrap();
    assert_eq!((saved("idImage.jpg"), saved("idBackImage.jpg")), (images[0].clone(), images[1].clone()));

    // Others, which may not be mixed with these.
    let others = app.put(2, 2).await;
    assert!(String::from_utf8(app.admin(&save).stderr).unwrap().contains("is not empty: choose another one"));
    assert_eq!((saved("idImage.jpg"), saved("idBackImage.jpg")), (images[0].clone(), images[1].clone()));
    assert_ne!(images, others);

    // An object that is gone, and one that is another.
    let record = app.records.submission("demo-submission").await.unwrap().unwrap();
    for field in ["idBackImage", "idImage"] {
        let key =
            app.objects().await.into_iter().find(|key| key.contains(&format!("/demo-submission/{field}/"))).unwrap();
        if field == "idImage" {
            app.put_object(&key).await;
        } else {
            app.records.s3.delete_object().bucket(&app.stack.config.images_bucket).key(key).send().await.unwrap();
            assert!(app.printed(&["submission", "show", "demo-submission"]).contains("MISSING"));
        }
        let error = app.records.save(&record, &app.folder.path().join(field)).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{field}'s object")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_what_no_record_names_and_touches_nothing_else() {
    let app = App::start().await;
    app.put(4, 1).await;
    let before = app.objects().await;
    let left = [key("idImage", 1), key("selfieImage", 2), key("selfieImage", 3)];
    for key in &left {
        app.put_object(key).await;
    }
    let foreign = ["backup.tar", "demo-project/demo-submission/idImage/mine.jpg"];
    for key in foreign {
        app.put_object(key).await;
    }
    let all = app.objects().await;
    let records = local::records::Records::sample().unwrap().submissions.len();

    // By now all of it is younger than an hour.
    let (progress, none) = app.sweep(Duration::ZERO, true).await;
    assert_eq!(progress, Progress { records, objects: 9, named: 4, young: 3, foreign: 2, left_over: 0 });
    assert_eq!((none, app.objects().await), (vec![], all.clone()));

    let (progress, mut found) = app.sweep(2 * HOUR, false).await;
    assert_eq!(progress, Progress { records, objects: 9, named: 4, young: 0, foreign: 2, left_over: 3 });
    found.sort();
    assert_eq!((found.as_slice(), app.objects().await), (&left[..], all), "a dry run");

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
    let sweep = Sweep { now: SystemTime::now() + 2 * HOUR, delete: true, page_size: 1000 };
    let progress = app.records.sweep(sweep, |progress, _| {
        // All records are read, and no object yet: now a commit names one.
        if progress.objects == 0 {
            let image = AttributeValue::M([("key".to_owned(), AttributeValue::S(late.clone()))].into());
            let update = app.records.dynamodb.update_item().table_name(&app.stack.config.submissions_table);
            let update = update.key("submissionId", AttributeValue::S("demo-submission".to_owned()));
            let update = update.update_expression("SET idImage = :i").expression_attribute_values(":i", image);
            block_in_place(|| Handle::current().block_on(async { update.send().await.unwrap() }));
        }
    });
    assert_eq!(progress.await.unwrap().left_over, 1);
    assert_eq!(app.objects().await, [late]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_command_only_tells_unless_asked() {
    let app = App::start().await;
    app.put_object(&key("idImage", 1)).await;
    let output = app.admin(&["sweep", "--delete"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("1 objects: 0 named by 4 records, 1 younger than an hour, 0 not ours, 0 left over"),
        "{said}"
    );
    assert_eq!((output.stdout.as_slice(), app.objects().await.len()), (&b""[..], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_stack_gives_the_demo_key_back() {
    let app = App::start().await;
    let before = app.project("demo-project").await;
    app.records.set_key("demo-project", &NewKey::generate().unwrap()).await.unwrap();
    assert_ne!(app.project("demo-project").await, before);
    local::records::Records::sample().unwrap().seed(&app.records).await.unwrap();
    assert_eq!(app.project("demo-project").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_to_do() {
    let app = App::start().await;
    let output = Command::new(env!("CARGO_BIN_EXE_admin")).arg("sweep").env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("admin: the environment variable PROJECTS_TABLE is missing"), "{said}");

    let config = put_image::config::Config { submissions_table: "none".to_owned(), ..app.stack.config.clone() };
    let records = app.stack.endpoints.records(config);
    let error = records.submission("x").await.unwrap_err().to_string();
    assert!(error.starts_with("can't read the table none: ") && error.contains("ResourceNotFound"), "{error}");
    let project = Project { id: "x".to_owned(), api_key: NewKey::known(" "), status: String::new(), admins: vec![] };
    assert!(app.records.create_project(&project).await.is_err());
    assert!(matches!(app.records.create_submission("nobodys", None).await, Ok(Created::Yes)));
}
