//! The bucket's objects and their versions: listed, and erased for good.

use std::collections::BTreeSet;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use percent_encoding::percent_decode_str;

use crate::{Error, Records, failed};

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
    /// Lists the objects whose keys begin with a prefix, a page at a time.
    pub(crate) fn objects(
        &self,
        prefix: &str,
    ) -> impl Stream<Item = Result<Vec<ListedObject>, Error>> {
        let bucket = &self.config.images_bucket;
        let list = self
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .encoding_type(EncodingType::Url);
        let mut pages = list.into_paginator().send();
        stream::poll_fn(move |context| pages.poll_next(context)).map(move |page| {
            let page =
                page.map_err(|error| failed(format!("can't list the bucket {bucket}"), &error))?;
            let encoding = page.encoding_type;
            let objects = page.contents.into_iter().flatten().filter_map(|object| {
                Some(ListedObject {
                    key: decode(&object.key?, encoding.as_ref()),
                    size: object.size.unwrap_or_default(),
                    modified: object.last_modified,
                })
            });
            Ok(objects.collect())
        })
    }

    /// Lists the versions and delete markers whose keys begin with a prefix. In a bucket without versions, lists its
    /// objects.
    pub(crate) async fn versions(&self, prefix: &str) -> Result<Vec<ObjectIdentifier>, Error> {
        let bucket = &self.config.images_bucket;
        let mut found = Vec::new();
        let (mut next_key, mut next_version) = (None, None);
        loop {
            let list = self
                .s3
                .list_object_versions()
                .bucket(bucket)
                .prefix(prefix)
                .encoding_type(EncodingType::Url)
                .set_key_marker(next_key)
                .set_version_id_marker(next_version);
            let listed = match list.send().await {
                Ok(listed) => listed,
                // The local stack's S3 keeps no versions.
                Err(error) if error.code() == Some("NotImplemented") => {
                    let objects = self.objects(prefix).try_concat().await?;
                    return objects
                        .into_iter()
                        .map(|object| identifier(object.key, None))
                        .collect();
                }
                Err(error) => {
                    let what = format!("can't list the versions in the bucket {bucket}");
                    return Err(failed(what, &error));
                }
            };
            let decode = |key: Option<String>| {
                decode(&key.unwrap_or_default(), listed.encoding_type.as_ref())
            };
            for version in listed.versions.into_iter().flatten() {
                found.push(identifier(decode(version.key), version.version_id)?);
            }
            for marker in listed.delete_markers.into_iter().flatten() {
                found.push(identifier(decode(marker.key), marker.version_id)?);
            }
            if listed.is_truncated != Some(true) {
                return Ok(found);
            }
            next_key = Some(decode(listed.next_key_marker));
            next_version = listed.next_version_id_marker;
        }
    }

    /// Deletes versions and delete markers for good.
    pub(crate) async fn delete_versions(&self, versions: &[ObjectIdentifier]) -> Result<(), Error> {
        let bucket = &self.config.images_bucket;
        for batch in versions.chunks(MAX_DELETIONS) {
            let delete = Delete::builder()
                .set_objects(Some(batch.to_vec()))
                .quiet(true);
            let delete = self
                .s3
                .delete_objects()
                .bucket(bucket)
                .delete(delete.build()?);
            let deleted = delete.send().await.map_err(|error| {
                let keys: BTreeSet<_> = batch.iter().map(ObjectIdentifier::key).collect();
                failed(format!("can't delete {keys:?} from {bucket}"), &error)
            })?;
            let errors = deleted.errors().iter();
            let refused: BTreeSet<_> = errors
                .map(|error| {
                    let why = error.message().or(error.code()).unwrap_or_default();
                    format!("{:?}: {why}", error.key().unwrap_or_default())
                })
                .collect();
            if !refused.is_empty() {
                let refused: Vec<_> = refused.into_iter().collect();
                bail!("can't delete {}", refused.join("; "));
            }
        }
        Ok(())
    }
}

fn identifier(key: String, version: Option<String>) -> Result<ObjectIdentifier, Error> {
    let identifier = ObjectIdentifier::builder().key(key);
    Ok(identifier.set_version_id(version).build()?)
}

/// Decodes a key in a list. Keys are encoded there so that an odd one can't break the list's XML.
fn decode(key: &str, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key.to_owned();
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
