//! The tables of a simulation: dynoxide in this process, or those of the server that `TEST_DYNAMODB_ENDPOINT` names.
//! Either way a call blocks, so simulated time stops meanwhile.

use std::sync::LazyLock;

use dynoxide::{Database, DynoxideError};
use put_image::config::Config;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Tables of one run's own.
pub struct Tables {
    pub config: Config,
    database: Engine,
}

enum Engine {
    InProcess(Database),
    Server(Server),
}

struct Server {
    endpoint: String,
    client: reqwest::Client,
}

/// Runs the calls to servers, on a clock that is not paused.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

impl Tables {
    pub fn create() -> Self {
        let tables = match std::env::var("TEST_DYNAMODB_ENDPOINT") {
            Err(_) => Self {
                config: local::schema::config(""),
                database: Engine::InProcess(Database::memory().unwrap()),
            },
            Ok(endpoint) => Self {
                config: local::schema::config(&format!("simulation-{}-", Uuid::new_v4())),
                database: Engine::Server(Server {
                    endpoint,
                    client: reqwest::Client::new(),
                }),
            },
        };
        let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let key = |name: &str| json!([{ "AttributeName": name, "KeyType": "HASH" }]);
        let index = |name: &str| {
            let projection = json!({ "ProjectionType": "ALL" });
            json!({ "IndexName": format!("{name}-index"), "KeySchema": key(name), "Projection": projection })
        };
        let hashes = ["apiKeyHash", "previousApiKeyHash"];
        let projects = json!({
            "TableName": tables.config.projects_table,
            "KeySchema": key("projectId"),
            "AttributeDefinitions": [attribute("projectId"), attribute(hashes[0]), attribute(hashes[1])],
            "GlobalSecondaryIndexes": hashes.map(index),
            "BillingMode": "PAY_PER_REQUEST",
        });
        let submissions = json!({
            "TableName": tables.config.submissions_table,
            "KeySchema": key("submissionId"),
            "AttributeDefinitions": [attribute("submissionId")],
            "BillingMode": "PAY_PER_REQUEST",
        });
        tables.must("CreateTable", &projects);
        tables.must("CreateTable", &submissions);
        tables
    }

    /// Makes a call. Returns the status and the body of its response.
    pub fn call(&self, operation: &str, request: &Value) -> (u16, Value) {
        match &self.database {
            Engine::InProcess(database) => dynoxide(database, operation, request),
            Engine::Server(server) => server.call(operation, request),
        }
    }

    /// Makes a call that must succeed.
    pub fn must(&self, operation: &str, request: &Value) -> Value {
        let (status, body) = self.call(operation, request);
        assert_eq!(status, 200, "{operation} {request}: {body}");
        body
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        // A test that has failed must not abort because the server is gone.
        if let Engine::Server(server) = &self.database
            && !std::thread::panicking()
        {
            for table in [&self.config.projects_table, &self.config.submissions_table] {
                server.call("DeleteTable", &json!({ "TableName": table }));
            }
        }
    }
}

impl Server {
    fn call(&self, operation: &str, request: &Value) -> (u16, Value) {
        let call = async {
            // The server checks no signature, but asks for one.
            let authorization = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                                 SignedHeaders=host, Signature=0";
            let response = self
                .client
                .post(&self.endpoint)
                .header("authorization", authorization)
                .header("content-type", "application/x-amz-json-1.0")
                .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
                .body(request.to_string())
                .send()
                .await
                .unwrap();
            (response.status().as_u16(), response.json().await.unwrap())
        };
        // A runtime can't be entered from within another one, and the simulation's thread is in one.
        std::thread::scope(|scope| scope.spawn(|| RUNTIME.block_on(call)).join().unwrap())
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
