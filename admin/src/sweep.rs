//! Objects that no record names: what a crash, a deletion that failed, or a commit with an unknown outcome left over.
//!
//! All records are read first, then all objects are listed. A leftover is an object that is old enough, that no record
//! names, and whose key is one that the function writes; nothing else is ever deleted. Just before each deletion, a
//! consistent read checks the record that could name the object. In a versioned bucket, such as the template's, deleted
//! objects can be restored.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::DateTime;
use put_image::domain::{ImageField, ObjectKey};
use put_image::records::Submission;
use put_image::records::attribute::SUBMISSION_ID;
use put_image::records::attribute::image::KEY;

use crate::bucket::ListedObject;
use crate::submission::named_keys;
use crate::table::cell;
use crate::terminal::{in_line, print};
use crate::{Context as _, Error, Records};

/// A younger object may belong to a request that is not committed yet. A request takes half a minute at most.
const MIN_AGE: Duration = Duration::from_hours(1);

/// What a sweep found. Each object is counted once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub records: usize,
    /// Objects that a record names.
    pub named: usize,
    /// Objects younger than [`MIN_AGE`].
    pub young: usize,
    /// Objects with a key that the function doesn't write: somebody else's.
    pub foreign: usize,
    pub left_over: Vec<ListedObject>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, young, foreign) = (self.named, self.young, self.foreign);
        let left_over = self.left_over.len();
        write!(
            f,
            "{} objects: {named} named by {} records, {young} younger than an hour, {foreign} not ours, {left_over} left over",
            named + young + foreign + left_over,
            self.records
        )
    }
}

/// Lists what is left over, and deletes it if it is no more than `delete`.
pub(crate) async fn run(delete: Option<usize>, records: &Records) -> Result<ExitCode, Error> {
    let table = &records.config.submissions_table;
    let bucket = &records.config.images_bucket;
    tell!("comparing the bucket {bucket} with the table {table}");
    let found = records.find_left_over(SystemTime::now()).await?;
    for object in &found.left_over {
        print_object("left over", object)?;
    }
    tell!("{found}");
    let left_over = found.left_over.len();
    let Some(expected) = delete else {
        if left_over > 0 {
            tell!("Nothing was deleted: that takes --delete {left_over}.");
        }
        return Ok(ExitCode::SUCCESS);
    };
    if left_over > expected {
        bail!(
            "{left_over} are left over, more than --delete {expected} allows: nothing was deleted"
        );
    }
    if left_over > 0 && found.named == 0 {
        bail!(
            "no record of {table} names any object: is that the right table? Nothing was deleted"
        );
    }
    let mut deleted = 0;
    for object in &found.left_over {
        if records.delete_left_over(&object.key).await? {
            print_object("deleted", object)?;
            deleted += 1;
        }
    }
    tell!("{deleted} deleted. If the bucket keeps versions, they can be brought back for a while.");
    Ok(ExitCode::SUCCESS)
}

fn print_object(what: &str, object: &ListedObject) -> Result<(), Error> {
    let (size, key) = (object.size, in_line(&object.key));
    let modified = object
        .modified
        .map_or(String::new(), |time| time.to_string());
    print(&format!("{what:9}  {size:>9} bytes  {modified}  {key}\n")).map(drop)
}

impl Records {
    /// Finds what is left over. Objects younger than an hour at the time `now` never are.
    pub async fn find_left_over(&self, now: SystemTime) -> Result<Found, Error> {
        let young = DateTime::from(now - MIN_AGE);
        let mut found = Found::default();
        // Hashes, since a bucket may have millions of keys. A collision spares a leftover; it never deletes an object
        // that a record names.
        let (mut named, hasher) = (HashSet::new(), RandomState::new());
        let table = self.submissions();
        let fields = ImageField::ALL.map(|field| format!("{}.#key", field.name()));
        let scan = table
            .scan()
            .projection_expression(format!("{SUBMISSION_ID}, {}", fields.join(", ")))
            .expression_attribute_names("#key", KEY);
        let mut items = scan.into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item.context(table.unreadable())?;
            let submission = Submission::new(cell(&item, SUBMISSION_ID).into(), item);
            named.extend(named_keys(&submission).map(|key| hasher.hash_one(key)));
            found.records += 1;
        }
        let sort = |object: ListedObject| {
            if ObjectKey::parse(&object.key).is_none() {
                found.foreign += 1;
            } else if named.contains(&hasher.hash_one(object.key.as_str())) {
                found.named += 1;
            } else if object.modified.is_none_or(|modified| modified >= young) {
                found.young += 1;
            } else {
                found.left_over.push(object);
            }
        };
        self.each_object("", sort).await?;
        Ok(found)
    }

    /// Deletes a listed object, unless the record that could name it names it by now, or its key isn't understood.
    /// Returns whether it did.
    pub async fn delete_left_over(&self, key: &str) -> Result<bool, Error> {
        let Some(parsed) = ObjectKey::parse(key) else {
            return Ok(false);
        };
        if let Some(submission) = self.read_submission(parsed.submission()).await?
            && named_keys(&submission).any(|named| named == key)
        {
            return Ok(false);
        }
        let delete = self.s3.delete_object().bucket(&self.config.images_bucket);
        let deleted = delete.key(key).send().await;
        deleted.context(format!("can't delete {key:?}"))?;
        Ok(true)
    }
}
