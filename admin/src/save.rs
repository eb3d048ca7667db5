//! A submission's images as files in a folder of its own, so that two people's images never mix.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use put_image::domain::ImageField;
use put_image::image::Format;
use put_image::records::attribute::SUBMISSION_ID;
use serde_json::{Value, json};

use crate::submission::StoredSubmission;
use crate::{Error, Records};

/// The file that says whose images a folder has.
const OWNER: &str = "submission.json";

impl Records {
    /// Saves a submission's images as `{field}.jpg` or `.png`, readable only by the current user: in a new folder, or
    /// in place of those that were saved to it before. Returns the files' names.
    pub async fn save(
        &self,
        submission: &StoredSubmission,
        folder: &Path,
    ) -> Result<Vec<String>, Error> {
        let mut images = Vec::new();
        for field in ImageField::ALL {
            if let Some((format, bytes)) = self.image(submission, field).await? {
                images.push((file_name(field, format), bytes));
            }
        }
        let unusable = |error| format!("can't save in the folder {}: {error}", folder.display());
        let owner = json!({ SUBMISSION_ID: submission.submission.id.as_str() });
        match DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => {
                write_new(&folder.join(OWNER), owner.to_string().as_bytes()).map_err(unusable)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if saved_owner(folder) != Some(owner) {
                    bail!(
                        "the folder {} exists, and this submission's images weren't saved to it: name a new one",
                        folder.display()
                    );
                }
                remove_images(folder).map_err(unusable)?;
            }
            Err(error) => return Err(unusable(error).into()),
        }
        for (name, bytes) in &images {
            write_new(&folder.join(name), bytes).map_err(unusable)?;
        }
        Ok(images.into_iter().map(|(name, _)| name).collect())
    }
}

fn file_name(field: ImageField, format: Format) -> String {
    format!("{}.{}", field.name(), format.extension())
}

fn saved_owner(folder: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(folder.join(OWNER)).ok()?).ok()
}

/// Removes what was saved before: an image may have disappeared since, or changed its format.
fn remove_images(folder: &Path) -> std::io::Result<()> {
    for field in ImageField::ALL {
        for format in Format::ALL {
            match fs::remove_file(folder.join(file_name(field, format))) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(bytes)
}
