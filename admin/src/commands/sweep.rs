//! `sweep`.

use std::process::ExitCode;
use std::time::SystemTime;

use indicatif::ProgressBar;

use super::print;
use crate::bucket::ListedObject;
use crate::printable::in_line;
use crate::{Error, Records};

/// Lists what is left over, and deletes it if it is no more than `delete`.
pub(super) async fn run(delete: Option<usize>, records: &Records) -> Result<ExitCode, Error> {
    let table = &records.config.submissions_table;
    let bucket = &records.config.images_bucket;
    tell!("comparing the bucket {bucket} with the table {table}");
    // Drawn only on a terminal.
    let bar = ProgressBar::new_spinner();
    let found = records.find_left_over(SystemTime::now(), |progress| {
        bar.set_message(progress.to_string());
        bar.tick();
    });
    let (progress, listed) = found.await?;
    bar.finish_and_clear();
    for object in &listed {
        print_object("left over", object)?;
    }
    tell!("{progress}");
    let left_over = listed.len();
    match delete {
        None if left_over > 0 => tell!("Nothing was deleted: that takes --delete {left_over}."),
        None => {}
        Some(expected) if left_over > expected => {
            bail!(
                "{left_over} are left over, more than the {expected} of --delete: none is deleted"
            );
        }
        Some(_) if left_over > 0 && progress.named == 0 => {
            bail!(
                "no record of {table} names any object: is that the right table? None is deleted"
            );
        }
        Some(_) => {
            let deletion = records.delete_left_over(listed, |it| print_object("deleted", it));
            let deleted = deletion.await?;
            tell!(
                "{deleted} deleted. If the bucket keeps versions, they can be brought back for a while."
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_object(what: &str, object: &ListedObject) -> Result<(), Error> {
    let (size, key) = (object.size, in_line(&object.key));
    let modified = object.modified.map(|modified| modified.to_string());
    let modified = modified.unwrap_or_default();
    print(&format!("{what:9}  {size:>9} bytes  {modified}  {key}\n")).map(drop)
}
