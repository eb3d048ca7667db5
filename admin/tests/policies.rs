//! The IAM policies of `admin`'s four jobs allow the calls that its commands make, and no others.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use admin::Records;
use admin::cli::Cli;
use aws_sdk_apigateway::config::{Credentials, Region};
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_dynamodb::error::BoxError;
use bytes::Bytes;
use clap::Parser as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use local::stack::Stack;
use local::{event, function, schema, server};
use put_image::deadline::TIMEOUT;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::images::jpeg;
use testkit::repository;

/// Actions, each with the resource that it is taken on, as the policies write them.
type Calls = BTreeSet<(String, String)>;

/// Notes the calls of a client.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Calls>>);

impl Recorder {
    fn note(&self, action: String, resource: &str) {
        let mut calls = self.0.lock().unwrap();
        calls.insert((action, resource.to_owned()));
    }
}

impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "Recorder"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        if let Some(target) = request.headers().get("x-amz-target") {
            let (_, operation) = target.split_once('.').unwrap();
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let table = match body["TableName"].as_str().unwrap() {
                "projects" => "${TABLES}/${PROJECTS_TABLE}",
                "submissions" => "${TABLES}/${SUBMISSIONS_TABLE}",
                other => panic!("{other}"),
            };
            self.note(format!("dynamodb:{operation}"), table);
            return Ok(());
        }
        let (bucket, objects) = ("${BUCKETS}${IMAGES_BUCKET}", "${BUCKETS}${IMAGES_BUCKET}/*");
        let query = request.uri().split_once('?').map_or("", |(_, query)| query);
        let has = |name: &str| {
            query
                .split('&')
                .any(|it| it.split('=').next() == Some(name))
        };
        let (action, resource) = match request.method() {
            "GET" if has("versions") => ("ListBucketVersions", bucket),
            "GET" if has("list-type") => ("ListBucket", bucket),
            // Each of them names a version.
            "POST" if has("delete") => ("DeleteObjectVersion", objects),
            "DELETE" => ("DeleteObject", objects),
            other => panic!("{other} {}", request.uri()),
        };
        self.note(format!("s3:{action}"), resource);
        Ok(())
    }
}

/// An API Gateway on which a key for the project `twice` was made before, and that knows the usage plan `plan` alone.
async fn gateway(recorder: Recorder, http: SharedHttpClient) -> aws_sdk_apigateway::Client {
    let listener = server::bind(0, "API Gateway", "").await.unwrap();
    let url = server::url(&listener).unwrap();
    tokio::spawn(server::serve(listener, move |_| {
        let recorder = recorder.clone();
        service_fn(move |request: Request<Incoming>| {
            let path = request.uri().path().to_owned();
            let parts: Vec<_> = path.split('/').skip(1).collect();
            let resource = match parts[..] {
                ["apikeys"] => "${GATEWAY}/apikeys",
                ["apikeys", _] => "${GATEWAY}/apikeys/*",
                ["usageplans", _, "keys"] => "${GATEWAY}/usageplans/${USAGE_PLAN}/keys",
                _ => panic!("{path}"),
            };
            recorder.note(format!("apigateway:{}", request.method()), resource);
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                let body = String::from_utf8(body.to_vec())?;
                let (status, error) = if path == "/apikeys" && body.contains("twice") {
                    (409, "ConflictException")
                } else if path == "/usageplans/none/keys" {
                    (404, "NotFoundException")
                } else {
                    (200, "")
                };
                let keys = json!({ "id": "key", "name": "demo-project", "item": [{ "id": "old", "name": "demo-project" }] });
                let response = Response::builder()
                    .status(status)
                    .header("x-amzn-errortype", error);
                Ok::<_, admin::Error>(response.body(Full::<Bytes>::from(keys.to_string()))?)
            }
        })
    }));
    let config = aws_sdk_apigateway::Config::builder()
        .behavior_version_latest()
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            "local",
            "local-secret",
            None,
            None,
            "local",
        ))
        .http_client(http)
        .endpoint_url(url);
    aws_sdk_apigateway::Client::from_conf(config.build())
}

fn allowed(job: &str) -> Calls {
    let policy = fs::read(repository(format!("admin/policies/{job}.json"))).unwrap();
    let policy: Value = serde_json::from_slice(&policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let calls = statements.flat_map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        let actions = match &statement["Action"] {
            Value::String(action) => vec![action.clone()],
            actions => serde_json::from_value(actions.clone()).unwrap(),
        };
        let resource = statement["Resource"].as_str().unwrap();
        actions
            .into_iter()
            .map(move |action| (action, resource.to_owned()))
    });
    calls.collect()
}

/// Runs a command. Some fail, on purpose: what they then take back needs permissions, too.
async fn run(command: &str, records: &Records, gateway: Option<aws_sdk_apigateway::Client>) {
    let arguments = ["admin"].into_iter().chain(command.split(' '));
    let Cli::Records(command) = Cli::try_parse_from(arguments).unwrap() else {
        panic!("{command} is on no record");
    };
    let _ = admin::run(command, records, gateway).await;
}

#[rstest]
#[case::register("register", &[
    "project create acme --admin a@acme.example --usage-plan plan",
    "project create twice --admin a@acme.example --usage-plan plan",
    "project create unplanned --admin a@acme.example --usage-plan none",
    "project list",
    "project show demo-project",
    "project add-admin demo-project b@acme.example",
    "project remove-admin demo-project b@acme.example",
    "project close demo-project",
    "project reopen demo-project",
    "submission create S-1 --project demo-project",
    "submission create S-1 --project demo-project",
])]
#[case::rotate("rotate", &[
    "project key rotate demo-project --usage-plan plan --keep-old 7d",
    "project key rotate demo-project --usage-plan plan",
    "project key rotate demo-project --usage-plan none",
    "project key rotate twice-made --usage-plan plan",
])]
#[case::sweep("sweep", &["sweep", "sweep --delete 9"])]
#[case::erase("erase", &[
    "submission list --project demo-project",
    "submission show demo-submission",
    "submission erase demo-submission --yes --wait 0",
    "submission erase demo-submission --project demo-project --yes --wait 0",
])]
#[tokio::test(flavor = "multi_thread")]
async fn the_policy_allows_what_the_job_needs(#[case] job: &str, #[case] commands: &[&str]) {
    let folder = TempDir::new().unwrap();
    let endpoints = server::embedded(folder.path()).await.unwrap();
    let sample = local::records::Records::sample().unwrap();
    let stack = Stack::over(endpoints, schema::config(""), sample)
        .await
        .unwrap();
    let put = event::put("demo-submission", &[jpeg(2000, 1)]).to_string();
    let invoked = function::invoke(
        &stack.function(),
        put.as_bytes(),
        function::context(TIMEOUT),
    )
    .await;
    assert_eq!(invoked.unwrap().response["statusCode"], 200);

    // An object that no record names, old enough for a sweep.
    let left = "demo-project/demo-submission/idImage/00000000-0000-4000-8000-000000000001.jpg";
    let bucket = &stack.config.images_bucket;
    let upload = stack.endpoints.s3().put_object().bucket(bucket).key(left);
    upload
        .body(b"an image".to_vec().into())
        .send()
        .await
        .unwrap();
    let file = File::options()
        .write(true)
        .open(folder.path().join(bucket).join(left));
    file.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();

    run(
        "project create twice-made --admin a@acme.example",
        &stack.endpoints.records(stack.config.clone()),
        None,
    )
    .await;

    let recorder = Recorder::default();
    let dynamodb = stack.endpoints.dynamodb();
    let s3 = stack.endpoints.s3();
    let http = dynamodb.config().http_client().unwrap();
    let config = dynamodb.config().to_builder().interceptor(recorder.clone());
    let dynamodb = aws_sdk_dynamodb::Client::from_conf(config.build());
    let config = s3.config().to_builder().interceptor(recorder.clone());
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    let records = Records {
        dynamodb,
        s3,
        config: stack.config.clone(),
    };
    let gateway = gateway(recorder.clone(), http).await;
    for command in commands {
        run(command, &records, Some(gateway.clone())).await;
    }
    assert_eq!(*recorder.0.lock().unwrap(), allowed(job));
}
