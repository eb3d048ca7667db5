//! `sweep`.

use indicatif::ProgressBar;

use super::print;
use crate::printable::in_line;
use crate::sweep::{LeftOver, Progress, Sweep};
use crate::{Error, Records};

/// Lists what is left over, and deletes it if it is no more than `delete`.
pub(super) async fn run(records: &Records, delete: Option<usize>) -> Result<(), Error> {
    let (table, bucket) = (
        &records.config.submissions_table,
        &records.config.images_bucket,
    );
    tell!("comparing the bucket {bucket} with the table {table}");
    // Drawn on a terminal alone.
    let bar = ProgressBar::new_spinner();
    let found = records.find_left_over(Sweep::now(), |progress| {
        let Progress {
            records,
            objects,
            left_over,
            ..
        } = progress;
        bar.set_message(format!(
            "{records} records, {objects} objects, {left_over} left over"
        ));
        bar.tick();
    });
    let (progress, listed) = found.await?;
    bar.finish_and_clear();
    let Progress {
        objects,
        named,
        records: count,
        young,
        foreign,
        left_over,
    } = progress;
    for object in &listed {
        print_object("left over", object)?;
    }
    tell!(
        "{objects} objects: {named} named by {count} records, {young} younger than an hour, {foreign} not ours, \
         {left_over} left over"
    );
    match delete {
        None if left_over > 0 => tell!("Nothing was deleted: that takes --delete {left_over}."),
        Some(expected) if left_over > expected => {
            return Err(format!(
                "{left_over} are left over, more than the {expected} of --delete: none is deleted"
            )
            .into());
        }
        Some(_) if left_over > 0 && named == 0 => {
            return Err(format!(
                "no record of {table} names any object: is that the right table? None is deleted"
            )
            .into());
        }
        Some(_) => {
            let mut told = Ok(());
            let tell = |object: &LeftOver| {
                if told.is_ok() {
                    told = print_object("deleted", object);
                }
            };
            let deleted = records.delete_left_over(listed, tell).await?;
            told?;
            tell!(
                "{deleted} deleted. If the bucket keeps versions, they can be brought back for a while."
            );
        }
        None => {}
    }
    Ok(())
}

fn print_object(
    what: &str,
    LeftOver {
        key,
        size,
        modified,
    }: &LeftOver,
) -> Result<(), Error> {
    let key = in_line(key);
    print(&format!("{what:9}  {size:>9} bytes  {modified}  {key}\n"))
}
