//! A submission's images as files in a folder of its own, so that two people's images never mix.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use put_image::domain::ImageField;
use put_image::image::Format;
use put_image::records::attribute::SUBMISSION_ID;
use serde_json::{Value, json};

/// The file that says whose images a folder has.
const OWNER: &str = "submission.json";

/// Saves a submission's images as `{field}.jpg` or `.png`, readable only by the current user: in a new folder, or in
/// place of those that were saved to it before. Returns a list of the files' names.
pub(crate) fn save(
    images: &BTreeMap<ImageField, (Format, Vec<u8>)>,
    submission: &str,
    folder: &Path,
) -> io::Result<String> {
    let owner = json!({ SUBMISSION_ID: submission });
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if saved_owner(folder) != Some(owner) {
                let why =
                    "it exists, and this submission's images weren't saved to it: name a new one";
                return Err(io::Error::new(ErrorKind::AlreadyExists, why));
            }
            // An image may have disappeared since, or changed its format.
            for field in ImageField::ALL {
                for format in Format::ALL {
                    match fs::remove_file(folder.join(file_name(field, format))) {
                        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
            }
        }
        created => {
            created?;
            write_new(&folder.join(OWNER), owner.to_string().as_bytes())?;
        }
    }
    let mut saved = Vec::new();
    for (field, (format, bytes)) in images {
        let name = file_name(*field, *format);
        write_new(&folder.join(&name), bytes)?;
        saved.push(name);
    }
    if saved.is_empty() {
        return Ok("nothing, since it has no image".to_owned());
    }
    Ok(saved.join(", "))
}

fn file_name(field: ImageField, format: Format) -> String {
    format!("{}.{}", field.name(), format.extension())
}

fn saved_owner(folder: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(folder.join(OWNER)).ok()?).ok()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(bytes)
}
