//! A stack of its own for each test, and the binary run over it.

use std::fs;
use std::process::{Command, Stdio};

use admin::Records;
use admin::table::plain_item;
use aws_sdk_dynamodb::types::AttributeValue;
use local::clients::Endpoints;
use local::event;
use local::function::{context, invoke};
use local::stack::Stack;
use local::{schema, server};
use put_image::deadline::TIMEOUT;
use put_image::domain::{ApiKey, ImageField};
use put_image::records::Item;
use put_image::records::attribute::image::KEY;
use put_image::records::attribute::{API_KEY_HASH, PROJECT_ID, SUBMISSION_ID};
use serde_json::Value;
use tempfile::TempDir;
use testkit::faults::Faults;

pub const DEMO: &str = "demo-submission";
pub const DEMO_KEY: &str = "demo-key-for-the-local-stack";

pub struct TestStack {
    pub stack: Stack,
    pub records: Records,
    pub folder: TempDir,
}

/// What the binary did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn new(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Returns what it printed; it succeeded.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// It failed, printed nothing, and said this.
    #[track_caller]
    pub fn refused(self, why: &str) {
        assert_ne!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stdout, "");
        self.said(why);
    }

    #[track_caller]
    pub fn said(&self, what: &str) {
        assert!(
            self.stderr.contains(what),
            "{what:?} is not in {:?}",
            self.stderr
        );
    }
}

/// The binary without an environment.
pub fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_admin-under-test"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

impl TestStack {
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let objects = folder.path().join("s3");
        fs::create_dir(&objects).unwrap();
        Self::over(server::embedded(&objects).await.unwrap(), "", folder).await
    }

    pub async fn over(endpoints: Endpoints, prefix: &str, folder: TempDir) -> Self {
        let sample = local::records::Records::sample().unwrap();
        let stack = Stack::over(endpoints, schema::config(prefix), sample)
            .await
            .unwrap();
        let records = stack.endpoints.records(stack.config.clone());
        Self {
            stack,
            records,
            folder,
        }
    }

    /// Runs the binary with arguments between which there are spaces.
    pub fn run(&self, arguments: &str) -> Ran {
        Ran::new(&mut self.command(&arguments.split(' ').collect::<Vec<_>>()))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.envs(self.stack.endpoints.variables(&self.stack.config));
        command
    }

    /// Runs the binary with an answer to its question.
    pub fn run_and_type(&self, arguments: &str, typed: &str) -> Ran {
        let file = self.folder.path().join("typed");
        fs::write(&file, typed).unwrap();
        let arguments: Vec<_> = arguments.split(' ').collect();
        Ran::new(
            self.command(&arguments)
                .stdin(fs::File::open(file).unwrap()),
        )
    }

    /// Puts images to a submission with a project's key. Returns the status.
    pub async fn put(&self, key: &str, submission: &str, images: &[Vec<u8>]) -> u64 {
        let event = event::put(submission, images).to_string();
        let event = event.replace(DEMO_KEY, key);
        let function = self.stack.function();
        let invoked = invoke(&function, event.as_bytes(), context(TIMEOUT)).await;
        invoked.unwrap().response["statusCode"].as_u64().unwrap()
    }

    /// Puts images of noise to the demo submission, and returns them.
    pub async fn put_demo(&self, images: usize, seed: u64) -> Vec<Vec<u8>> {
        let images: Vec<_> = (0..images)
            .map(|_| testkit::images::jpeg(2000, seed))
            .collect();
        assert_eq!(self.put(DEMO_KEY, DEMO, &images).await, 200);
        images
    }

    /// Faults, and the records that are reached through them.
    pub async fn faults(&self) -> (Faults, Records) {
        let (faults, endpoints) = Faults::in_front_of(&self.stack).await.unwrap();
        (faults, endpoints.records(self.stack.config.clone()))
    }

    pub async fn project(&self, id: &str) -> Item {
        let table = &self.stack.config.projects_table;
        self.item(table, PROJECT_ID, id).await.unwrap()
    }

    /// Returns a submission's record; `null` if there is none.
    pub async fn record(&self, id: &str) -> Value {
        let table = &self.stack.config.submissions_table;
        let item = self.item(table, SUBMISSION_ID, id).await;
        item.as_ref().map_or(Value::Null, plain_item)
    }

    async fn item(&self, table: &str, key: &str, id: &str) -> Option<Item> {
        let get = self.records.dynamodb.get_item().table_name(table);
        let found = get.key(key, text(id)).send().await.unwrap();
        found.item
    }

    /// Writes an attribute of a submission's record, as other systems do.
    pub async fn set(&self, id: &str, name: &str, value: AttributeValue) {
        let update = self.records.dynamodb.update_item();
        let update = update
            .table_name(&self.stack.config.submissions_table)
            .key(SUBMISSION_ID, text(id))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value);
        update.send().await.unwrap();
    }

    /// Has a submission's record name an object as one of its images.
    /// Removes the API key's hash from a project's record.
    pub async fn remove_key(&self, project: &str) {
        let update = self.records.dynamodb.update_item();
        update
            .table_name(&self.records.config.projects_table)
            .key(PROJECT_ID, text(project))
            .update_expression(format!("REMOVE {API_KEY_HASH}"))
            .send()
            .await
            .unwrap();
    }

    pub async fn name(&self, id: &str, field: ImageField, key: &str) {
        let image = [(KEY.to_owned(), text(key))];
        self.set(id, field.name(), AttributeValue::M(image.into()))
            .await;
    }

    pub async fn put_object(&self, key: &str) {
        let put = self.records.s3.put_object().key(key);
        let put = put.bucket(&self.stack.config.images_bucket);
        put.body(b"an image".to_vec().into()).send().await.unwrap();
    }

    pub async fn delete_object(&self, key: &str) {
        let delete = self.records.s3.delete_object().key(key);
        let delete = delete.bucket(&self.stack.config.images_bucket);
        delete.send().await.unwrap();
    }

    pub async fn objects(&self) -> Vec<String> {
        let list = self.records.s3.list_objects_v2();
        let list = list.bucket(&self.stack.config.images_bucket);
        let listed = list.send().await.unwrap().contents.unwrap_or_default();
        listed.into_iter().map(|it| it.key.unwrap()).collect()
    }
}

pub fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Returns a key's hash as a project's record has it.
pub fn hash(key: &str) -> AttributeValue {
    text(&ApiKey::parse(key).unwrap().hash().to_string())
}

/// Returns a key that the function could have written.
pub fn key(project: &str, submission: &str, field: ImageField, n: u8) -> String {
    let field = field.name();
    format!("{project}/{submission}/{field}/00000000-0000-4000-8000-0000000000{n:02}.jpg")
}

/// Returns such a key of the demo submission.
pub fn demo_key(field: ImageField, n: u8) -> String {
    key("demo-project", DEMO, field, n)
}
