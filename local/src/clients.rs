//! Clients for a DynamoDB and an S3 at given endpoints.

use admin::Records;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use put_image::config::Config;
use put_image::storage::{Limits, Storage};
use serde::{Deserialize, Serialize};

/// Credentials for the local stack's servers, which accept any. They give access to nothing else.
const CREDENTIALS: (&str, &str) = ("local", "local-secret");

const REGION: &str = "us-east-1";

/// The URLs of a DynamoDB and an S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    pub dynamodb: String,
    pub s3: String,
}

impl Endpoints {
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(self.dynamodb_builder().build())
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(self.s3_builder().build())
    }

    /// The tables and the bucket, with an operator's rights.
    pub fn records(&self, config: Config) -> Records {
        Records {
            dynamodb: self.dynamodb(),
            s3: self.s3(),
            config,
        }
    }

    pub fn storage(&self, config: Config, limits: Limits) -> Storage {
        Storage::new(config, limits, self.dynamodb_builder(), self.s3_builder())
    }

    /// The environment variables that tell the function and the SDK where the storage is.
    pub fn variables<'a>(&'a self, config: &'a Config) -> [(&'static str, &'a str); 8] {
        [
            ("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb),
            ("AWS_ENDPOINT_URL_S3", &self.s3),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", CREDENTIALS.0),
            ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1),
            ("PROJECTS_TABLE", &config.projects_table),
            ("SUBMISSIONS_TABLE", &config.submissions_table),
            ("IMAGES_BUCKET", &config.images_bucket),
        ]
    }

    fn dynamodb_builder(&self) -> aws_sdk_dynamodb::config::Builder {
        aws_sdk_dynamodb::config::Builder::from(&sdk()).endpoint_url(&self.dynamodb)
    }

    fn s3_builder(&self) -> aws_sdk_s3::config::Builder {
        aws_sdk_s3::config::Builder::from(&sdk())
            .endpoint_url(&self.s3)
            .force_path_style(true)
    }
}

fn sdk() -> SdkConfig {
    let (id, secret) = CREDENTIALS;
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            id, secret, None, None, "local",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}
