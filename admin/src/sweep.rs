//! Objects that no record names: what a crash, a deletion that failed, or a commit of unknown outcome left over.
//!
//! All records are read first, then all objects are gone through. One that is old enough and was not named is looked up
//! once more in the record that could name it, by a consistent read. What that finds is listed, and nothing else is ever
//! deleted: an object whose record goes away afterwards is not among it. Just before its deletion, each is looked up
//! again. In a bucket that keeps versions, as the template's does, what was deleted can be brought back.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::EncodingType;
use futures_util::stream::{self, StreamExt as _};
use put_image::domain::ImageField;

use crate::object_key::ObjectKey;
use crate::table::Item;
use crate::{Error, Records, failed, listed_key};

/// What is younger may be of a request that is not committed yet. A request takes half a minute at most.
const MIN_AGE: Duration = Duration::from_hours(1);

/// How many objects are looked up and deleted at the same time.
const CONCURRENCY: usize = 16;

/// How to sweep.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The time now; objects younger than an hour are never listed.
    pub now: SystemTime,
    /// Records and objects that are asked for at once; a service may give fewer.
    pub page_size: i32,
}

impl Sweep {
    /// A sweep from now on.
    #[must_use]
    pub fn now() -> Self {
        Self {
            now: SystemTime::now(),
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
    /// Left over.
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
    /// Lists what is left over. It calls `tell` after each page of records and of objects.
    ///
    /// # Errors
    ///
    /// If table or bucket can't be read.
    pub async fn find_left_over(
        &self,
        sweep: Sweep,
        mut tell: impl FnMut(&Progress),
    ) -> Result<(Progress, Vec<LeftOver>), Error> {
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
            .encoding_type(EncodingType::Url)
            .max_keys(sweep.page_size);
        let mut pages = list.into_paginator().send();
        let mut left_over = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page
                .map_err(|error| failed(format_args!("can't list the bucket {bucket}"), &error))?;
            let mut candidates = Vec::new();
            for object in page.contents() {
                progress.objects += 1;
                let Some(key) = object.key() else { continue };
                let key = listed_key(key, page.encoding_type());
                match object.last_modified {
                    _ if ObjectKey::parse(&key).is_none() => progress.foreign += 1,
                    _ if named.contains(&key) => progress.named += 1,
                    Some(modified) if modified < young => {
                        let size = object.size.unwrap_or_default();
                        candidates.push(LeftOver {
                            key,
                            size,
                            modified,
                        });
                    }
                    _ => progress.young += 1,
                }
            }
            let checks = candidates.into_iter().map(async |object| {
                let is_named = self.is_named(&object.key).await?;
                Ok::<_, Error>((object, is_named))
            });
            let mut checked = stream::iter(checks).buffered(CONCURRENCY);
            while let Some(checked) = checked.next().await {
                let (object, is_named) = checked?;
                if is_named {
                    progress.named += 1;
                } else {
                    progress.left_over += 1;
                    left_over.push(object);
                }
            }
            tell(&progress);
        }
        Ok((progress, left_over))
    }

    /// Deletes listed objects, but for those that a record names by now. It calls `tell` with each that is deleted.
    /// Returns their number.
    ///
    /// # Errors
    ///
    /// If the table can't be read, or an object can't be deleted. What was deleted has been told, and the sweep can be
    /// started again.
    pub async fn delete_left_over(
        &self,
        listed: Vec<LeftOver>,
        mut tell: impl FnMut(&LeftOver),
    ) -> Result<usize, Error> {
        let deletions = listed.into_iter().map(async |object| {
            if self.is_named(&object.key).await? {
                return Ok(None);
            }
            let bucket = &self.config.images_bucket;
            let delete = self.s3.delete_object().bucket(bucket).key(&object.key);
            match delete.send().await {
                Ok(_) => Ok(Some(object)),
                Err(error) => Err(failed(format_args!("can't delete {}", object.key), &error)),
            }
        });
        let mut deletions = stream::iter(deletions).buffered(CONCURRENCY);
        let mut deleted = 0;
        let mut result = Ok(());
        // To the end of what is under way, so that one that fails hides none that is deleted.
        while let Some(deletion) = deletions.next().await {
            match deletion {
                Ok(Some(object)) => {
                    deleted += 1;
                    tell(&object);
                }
                Ok(None) => {}
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| deleted)
    }

    /// The keys that the records name.
    async fn named(
        &self,
        page_size: i32,
        progress: &mut Progress,
        tell: &mut impl FnMut(&Progress),
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
            tell(progress);
        }
        Ok(keys)
    }

    /// Whether a record names an object now.
    async fn is_named(&self, key: &str) -> Result<bool, Error> {
        let submissions = ObjectKey::parse(key)
            .into_iter()
            .flat_map(ObjectKey::submissions);
        for id in submissions {
            let found = self.submissions().read(id).await?;
            if found.is_some_and(|item| images(&item).any(|named| named == key)) {
                return Ok(true);
            }
        }
        Ok(false)
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
