//! Objects that no record names: what a crash, a deletion that failed, or a commit with an unknown outcome left over.
//!
//! All records are read first, then all objects are listed. A leftover is an object that is old enough, that no record
//! names, and whose key is one that the function writes; nothing else is ever deleted. Just before each deletion, a
//! consistent read checks the record that could name the object. In a versioned bucket, such as the template's, deleted
//! objects can be restored.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::DateTime;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use put_image::domain::{ImageField, ObjectKey};
use put_image::records::Submission;
use put_image::records::attribute::SUBMISSION_ID;
use put_image::records::attribute::image::KEY;

use crate::bucket::ListedObject;
use crate::submission::named_keys;
use crate::table::text_of;
use crate::{Error, Records, failed};

/// A younger object may belong to a request that is not committed yet. A request takes half a minute at most.
const MIN_AGE: Duration = Duration::from_hours(1);

/// How many objects are looked up and deleted concurrently.
const CONCURRENCY: usize = 16;

/// Counts of what has been read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub records: usize,
    /// Objects listed. Each is counted once below.
    pub objects: usize,
    /// Named by a record.
    pub named: usize,
    /// Younger than [`MIN_AGE`].
    pub young: usize,
    /// With a key that the function doesn't write: somebody else's.
    pub foreign: usize,
    pub left_over: usize,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} objects: {} named by {} records, {} younger than an hour, {} not ours, {} left over",
            self.objects, self.named, self.records, self.young, self.foreign, self.left_over
        )
    }
}

impl Records {
    /// Lists what is left over. Objects younger than an hour at the time `now` are never listed. Calls `tell` after each
    /// page of records and of objects.
    pub async fn find_left_over(
        &self,
        now: SystemTime,
        mut tell: impl FnMut(&Progress),
    ) -> Result<(Progress, Vec<ListedObject>), Error> {
        let young = DateTime::from(now - MIN_AGE);
        let mut progress = Progress::default();
        // Hashes, since a bucket may have millions of keys. Two keys with one hash spare an object that could go; nothing
        // that a record names ever goes.
        let (mut named, hasher) = (HashSet::new(), RandomState::new());
        let table = self.submissions();
        let fields = ImageField::ALL.map(|field| format!("{}.#key", field.name()));
        let scan = table
            .scan()
            .projection_expression(format!("{SUBMISSION_ID}, {}", fields.join(", ")))
            .expression_attribute_names("#key", KEY);
        let mut pages = scan.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| table.unreadable(&error))?;
            for item in page.items.unwrap_or_default() {
                let id = text_of(&item, SUBMISSION_ID).to_owned();
                let submission = Submission::new(id.into(), item);
                named.extend(named_keys(&submission).map(|key| hasher.hash_one(key)));
                progress.records += 1;
            }
            tell(&progress);
        }
        let mut left_over = Vec::new();
        let mut pages = pin!(self.objects(""));
        while let Some(page) = pages.try_next().await? {
            for object in page {
                progress.objects += 1;
                if ObjectKey::parse(&object.key).is_none() {
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

    /// Deletes listed objects, except those that a record names by now. Calls `tell` with each that is deleted. Returns
    /// their number.
    pub async fn delete_left_over(
        &self,
        listed: Vec<ListedObject>,
        mut tell: impl FnMut(&ListedObject) -> Result<(), Error>,
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
        // Waits for those in progress, so that a failure hides no deletion.
        while let Some(deletion) = deletions.next().await {
            let told = deletion.and_then(|object| match object {
                None => Ok(()),
                Some(object) => {
                    deleted += 1;
                    tell(&object)
                }
            });
            result = result.and(told);
        }
        result.map(|()| deleted)
    }

    /// Returns whether the record that could name an object names it now. A key that isn't understood counts as named.
    async fn is_named(&self, key: &str) -> Result<bool, Error> {
        let Some(parsed) = ObjectKey::parse(key) else {
            return Ok(true);
        };
        let found = self.read_submission(parsed.submission()).await?;
        Ok(found.is_some_and(|submission| named_keys(&submission).any(|named| named == key)))
    }
}
