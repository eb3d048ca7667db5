//! The tables and the bucket: the clients with their timeouts and retries, and the reads. Uploads and the commit have
//! their own modules.

mod attempts;
mod commit;
mod http_client;
mod trash;
mod upload;

use std::env;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use futures_util::TryFutureExt as _;
use futures_util::future::try_join_all;
use time::OffsetDateTime;
use tokio::time::timeout;

pub(crate) use self::commit::Change;
use self::trash::Trash;
use crate::config::Config;
use crate::domain::{ApiKeyHash, ImageField, SubmissionId};
use crate::error::Fault;
use crate::records::attribute::{
    ADMINS, API_KEY_HASH, PREVIOUS_API_KEY_HASH, PREVIOUS_API_KEY_UNTIL, PROJECT_ID, STATUS,
    SUBMISSION_ID,
};
use crate::records::{API_KEY_INDEX, Item, PREVIOUS_API_KEY_INDEX, Project, Submission};

/// How long warming up may take. Storage in the same region responds in about 50 ms, and Lambda ends an init phase
/// after 10 s.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long calls may take, and how often they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connecting takes a millisecond or two inside a region, plus two round trips for TLS.
    pub connect: Duration,
    /// One attempt at a DynamoDB call, which takes about 5 ms.
    pub dynamodb_attempt: Duration,
    /// A DynamoDB call with its retries.
    pub dynamodb: Duration,
    /// One attempt at an S3 call. 4.7 MB in 5 s is 8 Mbit/s, far less than the smallest function has.
    pub s3_attempt: Duration,
    /// An S3 call with its retries.
    pub s3: Duration,
    /// The first attempt and two more, as in the SDK's standard mode.
    pub max_attempts: u32,
    /// The wait before the first retry; it doubles, with jitter. The SDK's default, one second, is too long for a
    /// person who is waiting.
    pub initial_backoff: Duration,
}

impl Default for Limits {
    /// Returns the limits of the deployed function. Reads, uploads and commit run one after another, so their sum must
    /// fit into the function's timeout minus the reserve of [`crate::deadline`]. The sum leaves out the second query
    /// that a previous key takes: if all calls are slow, the deadline cuts the request off.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            dynamodb_attempt: Duration::from_secs(2),
            dynamodb: Duration::from_secs(4),
            s3_attempt: Duration::from_secs(5),
            s3: Duration::from_secs(8),
            max_attempts: 3,
            initial_backoff: Duration::from_millis(50),
        }
    }
}

/// Loads the AWS SDK's usual configuration, with our HTTP client.
pub async fn sdk_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client::http_client())
        .load()
        .await
}

/// Returns whether buckets are addressed by path: a custom endpoint rarely has a hostname for each of them.
pub fn path_style() -> bool {
    let endpoints = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    endpoints
        .iter()
        .any(|name| env::var_os(name).is_some_and(|url| !url.is_empty()))
}

/// The tables and the bucket. Created once per process, so that connections are reused.
#[derive(Debug)]
pub struct Storage {
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    config: Config,
    trash: Trash,
}

impl Storage {
    /// Makes clients configured by the AWS SDK's usual variables: region, credentials, endpoints.
    pub async fn from_env(config: Config) -> Self {
        let sdk = sdk_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(path_style());
        Self::new(config, Limits::default(), (&sdk).into(), s3)
    }

    /// Makes clients from the given configurations, with the given timeouts and retries.
    pub fn new(
        config: Config,
        limits: Limits,
        dynamodb: aws_sdk_dynamodb::config::Builder,
        s3: aws_sdk_s3::config::Builder,
    ) -> Self {
        let retries = RetryConfig::standard()
            .with_max_attempts(limits.max_attempts)
            .with_initial_backoff(limits.initial_backoff);
        let timeouts = |attempt, operation| {
            TimeoutConfig::builder()
                .connect_timeout(limits.connect)
                .operation_attempt_timeout(attempt)
                .operation_timeout(operation)
                .build()
        };
        let dynamodb = dynamodb
            .retry_config(retries.clone())
            .timeout_config(timeouts(limits.dynamodb_attempt, limits.dynamodb))
            .build();
        let s3 = s3
            .retry_config(retries)
            .timeout_config(timeouts(limits.s3_attempt, limits.s3))
            .build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            s3: aws_sdk_s3::Client::from_conf(s3),
            config,
            trash: Trash::default(),
        }
    }

    /// Opens the connections that a request with an image in each field needs, and has the SDK resolve credentials and
    /// endpoints, by reading nonexistent items and calling `GetBucketLocation` once for each field. Lambda gives a
    /// process a whole CPU until its first request, and only a share of one afterward. If the storage doesn't respond
    /// in time, the first request opens its own connections.
    pub async fn warm_up(&self) {
        let none = SubmissionId::from("none".to_owned());
        let no_submission = self.submission(&none);
        let no_project = only(self.projects_by(API_KEY_INDEX, API_KEY_HASH, "none"));
        let bucket = &self.config.images_bucket;
        let location = self.s3.get_bucket_location().bucket(bucket);
        let locations = try_join_all(ImageField::ALL.map(|_| location.clone().send()))
            .map_err(|error| call_failed("GetBucketLocation", error));
        let calls = async { tokio::try_join!(no_submission, no_project, locations) };
        match timeout(WARM_UP, calls).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "not warmed up"),
            Err(_elapsed) => tracing::warn!("not warmed up in time"),
        }
    }

    /// Finds the project whose current key has this hash, or whose previous key does and is still in its grace period.
    pub(crate) async fn project(&self, key: &ApiKeyHash) -> Result<Option<Project>, Fault> {
        let hash = key.to_string();
        let current = self.projects_by(API_KEY_INDEX, API_KEY_HASH, &hash);
        if let Some(project) = only(current).await? {
            return Ok(Some(project));
        }
        let now = OffsetDateTime::now_utc().unix_timestamp().to_string();
        let previous = self
            .projects_by(PREVIOUS_API_KEY_INDEX, PREVIOUS_API_KEY_HASH, &hash)
            .filter_expression(format!("{PREVIOUS_API_KEY_UNTIL} > :now"))
            .expression_attribute_values(":now", AttributeValue::N(now));
        only(previous).await
    }

    fn projects_by(&self, index: &str, attribute: &str, hash: &str) -> QueryFluentBuilder {
        self.dynamodb
            .query()
            .table_name(&self.config.projects_table)
            .index_name(index)
            .key_condition_expression(format!("{attribute} = :hash"))
            .expression_attribute_values(":hash", AttributeValue::S(hash.to_owned()))
            .expression_attribute_names("#status", STATUS)
            .projection_expression(format!("{PROJECT_ID}, #status, {ADMINS}"))
            // Implied by the projection; explicit because IAM compares it with the policy.
            .select(Select::SpecificAttributes)
    }

    /// Reads a submission. Strongly consistent: callers upload right after creating a submission.
    pub(crate) async fn submission(&self, id: &SubmissionId) -> Result<Option<Submission>, Fault> {
        let images = ImageField::ALL.map(ImageField::name).join(", ");
        let found = self
            .dynamodb
            .get_item()
            .table_name(&self.config.submissions_table)
            .key(SUBMISSION_ID, AttributeValue::S(id.to_string()))
            .projection_expression(format!("{PROJECT_ID}, {images}"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| call_failed("GetItem", error))?;
        Ok(found.item.map(|item| Submission::new(id.clone(), item)))
    }
}

/// Returns the only project that a query finds. Two projects with the same key are a fault: picking one could hand a
/// submission to the wrong customer.
async fn only(query: QueryFluentBuilder) -> Result<Option<Project>, Fault> {
    let response = query.send().await;
    let found = response.map_err(|error| call_failed("Query", error))?;
    match <[Item; 1]>::try_from(found.items.unwrap_or_default()) {
        Ok([item]) => Ok(Some(item.try_into()?)),
        Err(none) if none.is_empty() => Ok(None),
        Err(_several) => Err(Fault::SharedApiKey),
    }
}

/// Converts a failed call's error to a fault.
fn call_failed<E>(operation: &'static str, error: SdkError<E>) -> Fault
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let (Some(service), Some(response)) = (error.as_service_error(), error.raw_response()) else {
        let source = error.into();
        return Fault::NoResponse { operation, source };
    };
    match service.code() {
        Some("ValidationException") => Fault::Invalid { operation },
        code => Fault::Refused {
            operation,
            status: response.status().as_u16(),
            code: code.unwrap_or("without an error code").to_owned(),
        },
    }
}
