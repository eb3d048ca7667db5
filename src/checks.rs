//! The checks of a request against the records: rows 3 to 9 of the contract's table.

use crate::domain::{Admin, ApiKey, IdType, ImageField, UnknownIdType};
use crate::error::{Error, KeyError};
use crate::form::Images;
use crate::storage::{Project, Submission};

/// Checks that the gateway let the request in by the key of the header, if it says by which: row 3.
///
/// # Errors
///
/// [`Error::UnknownProject`].
pub fn gateway_key(key: &ApiKey, gateway_key: Option<&ApiKey>) -> Result<(), Error> {
    match gateway_key {
        Some(gateway_key) if gateway_key != key => {
            Err(Error::UnknownProject(KeyError::NotTheGateways))
        }
        _ => Ok(()),
    }
}

/// Checks the project that the key opens: rows 3 and 4.
///
/// # Errors
///
/// The first row that fails.
pub fn project(project: Option<Project>) -> Result<Project, Error> {
    let project = project.ok_or(Error::UnknownProject(KeyError::NoProject))?;
    if project.is_active {
        Ok(project)
    } else {
        Err(Error::InactiveProject)
    }
}

/// Checks the administrator: row 5. Returns the account as it is registered.
///
/// # Errors
///
/// [`Error::InvalidAdmin`].
pub fn admin<'a>(project: &'a Project, admin: &Admin) -> Result<&'a Admin, Error> {
    let registered = project
        .admins
        .iter()
        .find(|registered| *registered == admin);
    registered.ok_or(Error::InvalidAdmin)
}

/// Checks that the submission exists and is the project's: row 6. The two are not told apart.
///
/// # Errors
///
/// [`Error::InvalidSubmission`].
pub fn submission(submission: Option<Submission>, project: &Project) -> Result<Submission, Error> {
    match submission {
        Some(submission) if submission.is_of(&project.id) => Ok(submission),
        _ => Err(Error::InvalidSubmission),
    }
}

/// Checks what is sent: rows 7 to 9. Returns the type to record, which is recorded with an ID image alone.
///
/// # Errors
///
/// The first row that fails.
pub fn id_type(
    images: &Images,
    id_type: Option<Result<IdType, UnknownIdType>>,
) -> Result<Option<IdType>, Error> {
    let shows_id = images.keys().copied().any(ImageField::is_id);
    if images.is_empty() {
        return Err(Error::NoImages);
    }
    if shows_id && id_type.is_none() {
        return Err(Error::MissingIdType);
    }
    let id_type = id_type.transpose()?;
    Ok(if shows_id { id_type } else { None })
}
