//! The bucket's objects, as its lists give them.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::EncodingType;
use futures_util::stream::{self, Stream, StreamExt as _};
use percent_encoding::percent_decode_str;

use crate::{Error, Records, failed};

/// An object as the bucket lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: i64,
    /// When it was written, if the list tells.
    pub modified: Option<DateTime>,
}

impl Records {
    /// Lists the objects whose keys begin with a prefix, a page at a time.
    pub(crate) fn objects(&self, prefix: &str) -> impl Stream<Item = Result<Vec<Object>, Error>> {
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
                Some(Object {
                    key: listed_key(&object.key?, encoding.as_ref()),
                    size: object.size.unwrap_or_default(),
                    modified: object.last_modified,
                })
            });
            Ok(objects.collect())
        })
    }
}

/// Decodes a key in a list, which is encoded so that an odd one can't break the list's XML.
pub(crate) fn listed_key(key: &str, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key.to_owned();
    }
    let key = key.replace('+', " ");
    percent_decode_str(&key).decode_utf8_lossy().into_owned()
}
