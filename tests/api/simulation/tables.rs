//! The tables of a simulation: dynoxide in this process, or those of the server that `TEST_DYNAMODB_ENDPOINT` names.
//! Either way a call blocks, so simulated time stops meanwhile.

use std::fmt;
use std::sync::LazyLock;

use dynoxide::{Database, DynoxideError};
use put_image::config::Config;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::helpers::call_dynamodb;
use crate::template::TEMPLATE;

/// Tables of one run's own, as the template declares them.
pub struct Tables {
    pub config: Config,
    engine: Engine,
}

enum Engine {
    InProcess(Database),
    Server(reqwest::Client, String),
}

/// Runs the calls to servers, on a clock that is not paused.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

impl Tables {
    pub fn create() -> Self {
        let (prefix, engine) = match std::env::var("TEST_DYNAMODB_ENDPOINT") {
            Err(_) => (
                String::new(),
                Engine::InProcess(Database::memory().unwrap()),
            ),
            Ok(endpoint) => (
                format!("simulation-{}-", Uuid::new_v4()),
                Engine::Server(reqwest::Client::new(), endpoint),
            ),
        };
        let config = local::schema::config(&prefix);
        let tables = Self { config, engine };
        for (resource, name) in [
            ("ProjectsTable", &tables.config.projects_table),
            ("SubmissionsTable", &tables.config.submissions_table),
        ] {
            let declared = TEMPLATE["Resources"][resource]["Properties"]
                .as_object()
                .unwrap();
            let mut request = declared.clone();
            request.retain(|member, _| {
                let is_schema = [
                    "KeySchema",
                    "AttributeDefinitions",
                    "GlobalSecondaryIndexes",
                ];
                is_schema.contains(&member.as_str()) || member == "BillingMode"
            });
            request.insert("TableName".to_owned(), json!(name));
            tables.must("CreateTable", &request.into());
        }
        tables
    }

    /// Makes a call. Returns the status and the body of its response.
    pub fn call(&self, operation: &str, request: &Value) -> (u16, Value) {
        match &self.engine {
            Engine::InProcess(database) => dynoxide(database, operation, request),
            Engine::Server(client, endpoint) => {
                let call = call_dynamodb(client, endpoint, operation, request);
                // A runtime can't be entered from within another one, and the simulation's thread is in one.
                std::thread::scope(|scope| scope.spawn(|| RUNTIME.block_on(call)).join().unwrap())
            }
        }
    }

    /// Makes a call that must succeed.
    pub fn must(&self, operation: &str, request: &Value) -> Value {
        let (status, body) = self.call(operation, request);
        assert_eq!(status, 200, "{operation} {request}: {body}");
        body
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        // A test that has failed must not abort because the server is gone.
        if matches!(self.engine, Engine::Server(..)) && !std::thread::panicking() {
            for table in [&self.config.projects_table, &self.config.submissions_table] {
                self.call("DeleteTable", &json!({ "TableName": table }));
            }
        }
    }
}

fn dynoxide(database: &Database, operation: &str, request: &Value) -> (u16, Value) {
    fn call<Request: DeserializeOwned, Response: Serialize>(
        request: &Value,
        operation: impl FnOnce(Request) -> Result<Response, DynoxideError>,
    ) -> (u16, Value) {
        match operation(serde_json::from_value(request.clone()).unwrap()) {
            Ok(response) => (200, serde_json::to_value(response).unwrap()),
            Err(error) => (
                error.status_code(),
                serde_json::from_str(&error.to_json()).unwrap(),
            ),
        }
    }
    match operation {
        "CreateTable" => call(request, |request| database.create_table(request)),
        "DeleteItem" => call(request, |request| database.delete_item(request)),
        "GetItem" => call(request, |request| database.get_item(request)),
        "PutItem" => call(request, |request| database.put_item(request)),
        "Query" => call(request, |request| database.query(request)),
        "UpdateItem" => call(request, |request| database.update_item(request)),
        other => panic!("nobody makes the call {other}"),
    }
}
