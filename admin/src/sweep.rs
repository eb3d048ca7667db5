//! Objects that no record names: what a crash, a deletion that failed, or a commit of unknown outcome left over.
//!
//! All records are read first, then all objects are gone through. What is old enough and not named is listed, and
//! nothing else is ever deleted: an object whose record goes away afterwards is not among it. Just before its deletion,
//! each is looked up in the record that could name it, by a consistent read. In a bucket that keeps versions, as the
//! template's does, what was deleted can be brought back.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::DateTime;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use put_image::domain::ImageField;

use crate::bucket::Object;
use crate::object_key::{owner, submissions};
use crate::table::Item;
use crate::{Error, Records, failed};

/// What is younger may be of a request that is not committed yet. A request takes half a minute at most.
const MIN_AGE: Duration = Duration::from_hours(1);

/// How many objects are looked up and deleted at the same time.
const CONCURRENCY: usize = 16;

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

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            records,
            objects,
            named,
            young,
            foreign,
            left_over,
        } = self;
        write!(
            f,
            "{objects} objects: {named} named by {records} records, {young} younger than an hour, {foreign} not ours, \
             {left_over} left over"
        )
    }
}

impl Records {
    /// Lists what is left over. Objects younger than an hour at the time `now` are never listed. It calls `tell` after
    /// each page of records and of objects.
    ///
    /// # Errors
    ///
    /// If table or bucket can't be read.
    pub async fn find_left_over(
        &self,
        now: SystemTime,
        mut tell: impl FnMut(&Progress),
    ) -> Result<(Progress, Vec<Object>), Error> {
        let young = DateTime::from(now - MIN_AGE);
        let mut progress = Progress::default();
        // Hashes, since a bucket may have millions of keys. Two keys may be taken for one, which spares an object that
        // could go, and never the other way round.
        let (mut named, hasher) = (HashSet::new(), RandomState::new());
        let table = self.submissions();
        let fields = ImageField::ALL.map(|field| format!("{}.#key", field.name()));
        let scan = self
            .dynamodb
            .scan()
            .table_name(table.name)
            .consistent_read(true)
            .projection_expression(fields.join(", "))
            .expression_attribute_names("#key", "key");
        let mut pages = scan.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| table.unreadable(&error))?;
            let images = page.items().iter().flat_map(images);
            named.extend(images.map(|key| hasher.hash_one(key)));
            progress.records += page.items().len();
            tell(&progress);
        }
        let mut left_over = Vec::new();
        let mut pages = pin!(self.objects(""));
        while let Some(page) = pages.try_next().await? {
            for object in page {
                progress.objects += 1;
                if owner(&object.key).is_none() {
                    progress.foreign += 1;
                } else if named.contains(&hasher.hash_one(&object.key)) {
                    progress.named += 1;
                } else if object.modified.is_none_or(|modified| modified >= young) {
                    progress.young += 1;
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
        listed: Vec<Object>,
        mut tell: impl FnMut(&Object),
    ) -> Result<usize, Error> {
        let deletions = listed.into_iter().map(async |object| {
            if self.is_named(&object.key).await? {
                return Ok(None);
            }
            let bucket = &self.config.images_bucket;
            let delete = self.s3.delete_object().bucket(bucket).key(&object.key);
            match delete.send().await {
                Ok(_) => Ok(Some(object)),
                Err(error) => Err(failed(format!("can't delete {:?}", object.key), &error)),
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

    /// Whether a record names an object now.
    async fn is_named(&self, key: &str) -> Result<bool, Error> {
        for id in submissions(key) {
            let found = self.submissions().read(id).await?;
            if found.is_some_and(|item| images(&item).any(|named| named == key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The object keys in a record.
fn images(item: &Item) -> impl Iterator<Item = &String> {
    let key = |field: ImageField| item.get(field.name())?.as_m().ok()?.get("key")?.as_s().ok();
    ImageField::ALL.into_iter().filter_map(key)
}
