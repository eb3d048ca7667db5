//! The tables and the bucket as `template.yaml` declares them; a test fails when the two differ.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use put_image::config::Config;
use put_image::records::attribute::{
    API_KEY_HASH, PREVIOUS_API_KEY_HASH, PROJECT_ID, SUBMISSION_ID,
};
use put_image::records::{API_KEY_INDEX, PREVIOUS_API_KEY_INDEX};

use crate::Error;
use crate::clients::Endpoints;

/// Names for the local stack, after a prefix. (A deployed stack's are generated.)
pub fn config(prefix: &str) -> Config {
    Config {
        projects_table: format!("{prefix}projects"),
        submissions_table: format!("{prefix}submissions"),
        images_bucket: format!("{prefix}images-000000000000-us-east-1"),
    }
}

/// Creates the tables and the bucket that don't exist yet.
pub async fn create(endpoints: &Endpoints, config: &Config) -> Result<(), Error> {
    let dynamodb = endpoints.dynamodb();
    let existing = dynamodb.list_tables().send().await?;
    let exists = |table| existing.table_names().contains(table);
    let table = |name: &str, key: &str| -> Result<_, Error> {
        let table = dynamodb.create_table().table_name(name);
        Ok(table
            .key_schema(hash_key(key)?)
            .attribute_definitions(string(key)?)
            .billing_mode(BillingMode::PayPerRequest))
    };
    if !exists(&config.projects_table) {
        table(&config.projects_table, PROJECT_ID)?
            .attribute_definitions(string(API_KEY_HASH)?)
            .attribute_definitions(string(PREVIOUS_API_KEY_HASH)?)
            .global_secondary_indexes(index(API_KEY_INDEX, API_KEY_HASH)?)
            .global_secondary_indexes(index(PREVIOUS_API_KEY_INDEX, PREVIOUS_API_KEY_HASH)?)
            .send()
            .await?;
    }
    if !exists(&config.submissions_table) {
        table(&config.submissions_table, SUBMISSION_ID)?
            .send()
            .await?;
    }
    let s3 = endpoints.s3();
    let bucket = &config.images_bucket;
    let existing = s3.list_buckets().send().await?;
    if !existing
        .buckets()
        .iter()
        .any(|it| it.name() == Some(bucket))
    {
        s3.create_bucket().bucket(bucket).send().await?;
    }
    Ok(())
}

/// An index by one attribute, which projects all of them.
fn index(name: &str, attribute: &str) -> Result<GlobalSecondaryIndex, Error> {
    let all = Projection::builder().projection_type(ProjectionType::All);
    Ok(GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(hash_key(attribute)?)
        .projection(all.build())
        .build()?)
}

fn hash_key(name: &str) -> Result<KeySchemaElement, Error> {
    Ok(KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(KeyType::Hash)
        .build()?)
}

fn string(name: &str) -> Result<AttributeDefinition, Error> {
    Ok(AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()?)
}
