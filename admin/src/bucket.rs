//! The bucket's objects and their versions: listed, and erased for good.

use std::collections::BTreeSet;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use percent_encoding::percent_decode_str;

use crate::{Context as _, Error, Records};

/// How many versions S3 deletes at once.
const MAX_DELETIONS: usize = 1000;

/// An object as the bucket lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    /// In bytes.
    pub size: i64,
    /// When it was written, if the list says so.
    pub modified: Option<DateTime>,
}

impl Records {
    /// Lists the objects whose keys begin with a prefix.
    pub(crate) async fn each_object(
        &self,
        prefix: &str,
        mut found: impl FnMut(ListedObject),
    ) -> Result<(), Error> {
        let bucket = &self.config.images_bucket;
        let list = self
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .encoding_type(EncodingType::Url);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.context(format!("can't list the bucket {bucket}"))?;
            for object in page.contents() {
                found(ListedObject {
                    key: decode(object.key(), page.encoding_type()),
                    size: object.size().unwrap_or_default(),
                    modified: object.last_modified().copied(),
                });
            }
        }
        Ok(())
    }

    /// Lists the versions and delete markers whose keys begin with a prefix. In a bucket without versions, lists its
    /// objects.
    pub(crate) async fn versions(&self, prefix: &str) -> Result<Vec<ObjectIdentifier>, Error> {
        let bucket = &self.config.images_bucket;
        let mut found = Vec::new();
        let mut list = self
            .s3
            .list_object_versions()
            .bucket(bucket)
            .prefix(prefix)
            .encoding_type(EncodingType::Url);
        loop {
            let listed = match list.clone().send().await {
                // The local stack's S3 keeps no versions.
                Err(error) if error.code() == Some("NotImplemented") => {
                    self.each_object(prefix, |it| found.push((it.key, None)))
                        .await?;
                    break;
                }
                listed => {
                    listed.context(format!("can't list the versions in the bucket {bucket}"))?
                }
            };
            let encoding = listed.encoding_type();
            for it in listed.versions() {
                found.push((decode(it.key(), encoding), it.version_id.clone()));
            }
            for it in listed.delete_markers() {
                found.push((decode(it.key(), encoding), it.version_id.clone()));
            }
            if listed.is_truncated != Some(true) {
                break;
            }
            list = list
                .key_marker(decode(listed.next_key_marker(), encoding))
                .set_version_id_marker(listed.next_version_id_marker);
        }
        let found = found.into_iter().map(|(key, version)| {
            let version = ObjectIdentifier::builder().key(key).set_version_id(version);
            Ok(version.build()?)
        });
        found.collect()
    }

    /// Deletes versions and delete markers for good.
    pub(crate) async fn delete_versions(&self, versions: &[ObjectIdentifier]) -> Result<(), Error> {
        let bucket = &self.config.images_bucket;
        for batch in versions.chunks(MAX_DELETIONS) {
            let objects = Delete::builder()
                .set_objects(Some(batch.to_vec()))
                .quiet(true)
                .build()?;
            let delete = self.s3.delete_objects().bucket(bucket).delete(objects);
            let response = delete.send().await;
            let deleted =
                response.context(format!("can't delete versions in the bucket {bucket}"))?;
            let refused = deleted.errors().iter().map(|error| {
                let why = error.message().or(error.code()).unwrap_or_default();
                format!("{:?}: {why}", error.key().unwrap_or_default())
            });
            let refused: BTreeSet<String> = refused.collect();
            if !refused.is_empty() {
                let refused: Vec<_> = refused.into_iter().collect();
                bail!("can't delete {}", refused.join("; "));
            }
        }
        Ok(())
    }
}

/// Decodes a key in a list. Keys are encoded there so that an odd one can't break the list's XML.
fn decode(key: Option<&str>, encoding: Option<&EncodingType>) -> String {
    let key = key.unwrap_or_default();
    if encoding != Some(&EncodingType::Url) {
        return key.to_owned();
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
