//! The clients of DynamoDB and S3 with their timeouts and retries, and the reads. Uploads and the
//! commit build on it in modules of their own.

use std::env;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use futures_util::future::try_join_all;
use tokio::time::timeout;

use crate::config::Config;
use crate::error::Error;
use crate::event::ApiKey;
use crate::field::ImageField;
use crate::records::{MalformedRecord, Project, Submission};
use crate::trace::Subsegments;

/// The index of projects by their key's hash.
pub const API_KEY_INDEX: &str = "apiKeyHash-index";

/// How long warming up may take. A region's storage answers in some 50 ms, and Lambda ends an
/// initialisation after 10 s.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long the calls may take and how often they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connecting. It takes a millisecond or two inside a region, and two round trips more with TLS.
    pub connect: Duration,
    /// One attempt at a DynamoDB call, which takes some 5 ms.
    pub dynamodb_attempt: Duration,
    /// A DynamoDB call with its retries.
    pub dynamodb: Duration,
    /// One attempt at an S3 call. 4.7 MB in 5 s is 8 Mbit/s, far below what the smallest function has.
    pub s3_attempt: Duration,
    /// An S3 call with its retries.
    pub s3: Duration,
    /// The first try and two more, as the SDK's standard mode has it.
    pub max_attempts: u32,
    /// The wait before the first retry, doubled for each further one, each with jitter. The SDK's second
    /// is too long for a person who waits.
    pub initial_backoff: Duration,
}

impl Default for Limits {
    /// Those of the deployed function. Reads, uploads and commit come one after the other, so that their
    /// sum has to fit into the function's timeout, less what [`crate::deadline`] keeps back.
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

/// What the AWS SDK's usual configuration says, with our HTTP client.
pub async fn sdk_config() -> SdkConfig {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.build_https())
        .load()
        .await
}

/// Whether buckets are addressed by path: a server that is named by an endpoint rarely has a host name for each.
#[must_use]
pub fn path_style() -> bool {
    let endpoints = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    endpoints
        .iter()
        .any(|name| env::var_os(name).is_some_and(|url| !url.is_empty()))
}

/// The tables and the bucket. Made once a process; its connections are kept.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) config: Config,
}

impl Storage {
    /// Clients that the AWS SDK's usual variables configure: region, credentials, endpoints.
    pub async fn from_env(config: Config) -> Self {
        let (sdk, subsegments) = (sdk_config().await, Subsegments::from_env());
        let dynamodb =
            aws_sdk_dynamodb::config::Builder::from(&sdk).interceptor(subsegments.clone());
        let s3 = aws_sdk_s3::config::Builder::from(&sdk)
            .interceptor(subsegments)
            .force_path_style(path_style());
        Self::new(config, Limits::default(), dynamodb, s3)
    }

    /// Clients of the given configurations, with our limits.
    #[must_use]
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
        }
    }

    /// Opens the connections that a request with four images needs, and has the SDK resolve credentials and
    /// endpoints, so that the first request waits for none of it. Lambda gives a process a whole CPU before its
    /// first request, and only a share of one afterwards. It reads, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Processing`] if the storage doesn't answer, or not in time: the first request tries anew.
    pub async fn warm_up(&self) -> Result<(), Error> {
        // As a request reads: a record that isn't there, by the same operations at the same time.
        let nobodys = ApiKey::nobodys();
        let reads = async { tokio::try_join!(self.project(&nobodys), self.submission("none")) };
        let locations = (0..ImageField::ALL.len()).map(|_| self.bucket_location());
        let answers = async { tokio::try_join!(reads, try_join_all(locations)) };
        let answers = timeout(WARM_UP, answers).await;
        answers
            .map_err(|_elapsed| Error::fault("warm-up", "timed out"))?
            .map(|_| ())
    }

    /// A read of the bucket that tells nothing of what is in it.
    async fn bucket_location(&self) -> Result<(), Error> {
        let location = self
            .s3
            .get_bucket_location()
            .bucket(&self.config.images_bucket)
            .send();
        location
            .await
            .map(|_| ())
            .map_err(|error| fault("GetBucketLocation", &error))
    }

    /// The project that is registered under the key's hash.
    ///
    /// # Errors
    ///
    /// [`Error::Processing`] if it can't be read, or if two projects have the key: to pick one would
    /// hand a submission to the wrong customer.
    pub async fn project(&self, api_key: &ApiKey) -> Result<Option<Project>, Error> {
        let found = self
            .dynamodb
            .query()
            .table_name(&self.config.projects_table)
            .index_name(API_KEY_INDEX)
            .key_condition_expression("apiKeyHash = :hash")
            .expression_attribute_values(":hash", AttributeValue::S(api_key.hash()))
            .limit(2)
            .send()
            .await
            .map_err(|error| fault("Query", &error))?;
        match <[_; 1]>::try_from(found.items.unwrap_or_default()) {
            Ok([item]) => Ok(Some(item.try_into().map_err(
                |error: MalformedRecord| Error::fault("Query", error.to_string()),
            )?)),
            Err(none) if none.is_empty() => Ok(None),
            Err(_) => Err(Error::fault("Query", "two projects have the same API key")),
        }
    }

    /// The submission as it is now: callers put images right after it was made.
    ///
    /// # Errors
    ///
    /// [`Error::Processing`] if it can't be read.
    pub async fn submission(&self, id: &str) -> Result<Option<Submission>, Error> {
        let found = self
            .dynamodb
            .get_item()
            .table_name(&self.config.submissions_table)
            .key("submissionId", AttributeValue::S(id.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("GetItem", &error))?;
        Ok(found.item.map(Submission::from))
    }
}

/// A failed call for the log: the service's error code, or what kept it from answering. Not the
/// service's message, which may quote what the caller sent.
pub(crate) fn fault<E>(operation: &'static str, error: &SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let cause = match (error.as_service_error(), error.raw_response()) {
        (Some(service), Some(response)) => {
            format!(
                "{} {}",
                response.status().as_u16(),
                service.code().unwrap_or("without an error code")
            )
        }
        _ => DisplayErrorContext(error).to_string(),
    };
    Error::fault(operation, cause)
}
