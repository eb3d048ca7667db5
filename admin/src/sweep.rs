//! Objects that no record names: what a crash, a deletion that failed, or a commit of unknown outcome left over.
//!
//! All records are read first, then all objects are gone through. One that is old enough and was not named is
//! looked up once more in the record that could name it, just before it is deleted, by a consistent read: no
//! commit is missed that came in between. In a bucket that keeps versions, as the template's does, what was deleted
//! can be brought back.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Object;
use futures_util::stream::{self, StreamExt as _};
use put_image::domain::ImageField;

use crate::object_key::ObjectKey;
use crate::table::Item;
use crate::{Error, Records, failed};

/// What is younger may be of a request that is not committed yet. A request takes half a minute at most.
const MIN_AGE: Duration = Duration::from_hours(1);

/// How many objects are looked up and deleted at the same time.
const CONCURRENCY: usize = 16;

/// How to sweep.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The time now; objects younger than an hour are never touched.
    pub now: SystemTime,
    /// Whether to delete what is left over, or just to tell.
    pub delete: bool,
    /// Records and objects that are asked for at once; a service may give fewer.
    pub page_size: i32,
}

impl Sweep {
    /// A sweep from now on, that tells or deletes.
    #[must_use]
    pub fn now(delete: bool) -> Self {
        Self {
            now: SystemTime::now(),
            delete,
            page_size: 1000,
        }
    }
}

/// What has been gone through so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records read.
    pub records: usize,
    /// Objects gone through. Each is one of the following four.
    pub objects: usize,
    /// Named by a record.
    pub named: usize,
    /// Younger than an hour.
    pub young: usize,
    /// With a key that the function doesn't write: somebody else's.
    pub foreign: usize,
    /// Left over, and deleted if asked for.
    pub left_over: usize,
}

/// An object that is left over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOver {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: i64,
    /// When it was written.
    pub modified: DateTime,
}

impl Records {
    /// Sweeps. It calls `tell` after each page of records and of objects, and with each object that is left over, when
    /// that is deleted if it is to be.
    ///
    /// # Errors
    ///
    /// If table or bucket can't be read, an object can't be deleted, or `tell` fails. What was deleted has been told,
    /// and it can be started again.
    pub async fn sweep(
        &self,
        sweep: Sweep,
        mut tell: impl FnMut(&Progress, Option<&LeftOver>) -> io::Result<()>,
    ) -> Result<Progress, Error> {
        let mut progress = Progress::default();
        let named = self
            .named(sweep.page_size, &mut progress, &mut tell)
            .await?;
        let young = DateTime::from(sweep.now - MIN_AGE);
        let bucket = &self.config.images_bucket;
        let list = self
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .max_keys(sweep.page_size);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page
                .map_err(|error| failed(format_args!("can't list the bucket {bucket}"), &error))?;
            let mut candidates = Vec::new();
            for Object {
                key,
                size,
                last_modified,
                ..
            } in page.contents.unwrap_or_default()
            {
                progress.objects += 1;
                let Some(key) = key else { continue };
                match last_modified {
                    _ if ObjectKey::parse(&key).is_none() => progress.foreign += 1,
                    _ if named.contains(&key) => progress.named += 1,
                    Some(modified) if modified < young => {
                        candidates.push(LeftOver {
                            key,
                            size: size.unwrap_or_default(),
                            modified,
                        });
                    }
                    _ => progress.young += 1,
                }
            }
            let mut removals = stream::iter(candidates)
                .map(|object| self.remove(object, sweep.delete))
                .buffered(CONCURRENCY);
            let mut result = Ok(());
            // To the end of the page, so that one that fails hides none that is deleted.
            while let Some(removed) = removals.next().await {
                let told = match removed {
                    Ok(None) => {
                        progress.named += 1;
                        Ok(())
                    }
                    Ok(Some(object)) => {
                        progress.left_over += 1;
                        tell(&progress, Some(&object)).map_err(Error::from)
                    }
                    Err(error) => Err(error),
                };
                result = result.and(told);
            }
            result?;
            tell(&progress, None)?;
        }
        Ok(progress)
    }

    /// The keys that the records name.
    async fn named(
        &self,
        page_size: i32,
        progress: &mut Progress,
        tell: &mut impl FnMut(&Progress, Option<&LeftOver>) -> io::Result<()>,
    ) -> Result<Keys, Error> {
        let table = self.submissions();
        let fields = ImageField::ALL.map(|field| format!("{}.#key", field.name()));
        let scan = self
            .dynamodb
            .scan()
            .table_name(table.name)
            .consistent_read(true);
        let scan = scan
            .projection_expression(fields.join(", "))
            .expression_attribute_names("#key", "key");
        let mut keys = Keys::default();
        let mut pages = scan.limit(page_size).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| table.unreadable(&error))?;
            for item in page.items() {
                progress.records += 1;
                images(item).for_each(|key| keys.insert(key));
            }
            tell(progress, None)?;
        }
        Ok(keys)
    }

    /// Deletes an object, if asked for, unless a record names it by now.
    async fn remove(&self, object: LeftOver, delete: bool) -> Result<Option<LeftOver>, Error> {
        for id in ObjectKey::parse(&object.key)
            .into_iter()
            .flat_map(ObjectKey::submissions)
        {
            let found = self.submissions().read(id).await?;
            if found.is_some_and(|item| images(&item).any(|key| key == object.key)) {
                return Ok(None);
            }
        }
        if delete {
            let deleted = self
                .s3
                .delete_object()
                .bucket(&self.config.images_bucket)
                .key(&object.key)
                .send()
                .await;
            deleted.map_err(|error| failed(format_args!("can't delete {}", object.key), &error))?;
        }
        Ok(Some(object))
    }
}

/// The object keys in a record.
fn images(item: &Item) -> impl Iterator<Item = &str> {
    ImageField::ALL
        .into_iter()
        .filter_map(|field| match item.get(field.name())? {
            AttributeValue::M(image) => image.get("key")?.as_s().ok().map(String::as_str),
            _ => None,
        })
}

/// A set of keys in 8 bytes each. Two keys may be taken for one, which spares an object that could go, and never
/// the other way round.
#[derive(Debug, Default)]
struct Keys {
    hashes: HashSet<u64>,
    state: RandomState,
}

impl Keys {
    fn insert(&mut self, key: &str) {
        self.hashes.insert(self.state.hash_one(key));
    }

    fn contains(&self, key: &str) -> bool {
        self.hashes.contains(&self.state.hash_one(key))
    }
}
