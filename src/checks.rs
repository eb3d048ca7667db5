//! The checks of a request against the records: rows 3 to 9 of the contract's table.

use crate::domain::{Admin, ApiKey, IdType, ImageField, Text};
use crate::error::Error;
use crate::form::Images;
use crate::records::{Project, Submission};

/// Checks that the gateway, if it names a key, authenticated the request with the header's: row 3.
pub(crate) fn gateway_key(key: &ApiKey, gateway_key: Option<ApiKey>) -> Result<(), Error> {
    if gateway_key.is_some_and(|gateway_key| gateway_key != *key) {
        return Err(Error::OtherKey);
    }
    Ok(())
}

/// Checks the project that the key opens: rows 3 and 4.
pub(crate) fn project(project: Option<Project>) -> Result<Project, Error> {
    let project = project.ok_or(Error::UnknownKey)?;
    if project.is_active() {
        Ok(project)
    } else {
        Err(Error::InactiveProject)
    }
}

/// Checks the administrator: row 5. Returns the account as it is registered.
pub(crate) fn admin<'a>(project: &'a Project, admin: &Admin) -> Result<&'a Admin, Error> {
    let mut registered = project.admins.iter();
    let account = registered.find(|registered| *registered == admin);
    account.ok_or(Error::InvalidAdmin)
}

/// Checks that the submission exists and is the project's: row 6. Both get the same response.
pub(crate) fn submission(
    submission: Option<Submission>,
    project: &Project,
) -> Result<Submission, Error> {
    match submission {
        Some(submission) if submission.is_of(&project.id) => Ok(submission),
        _ => Err(Error::InvalidSubmission),
    }
}

/// Checks what is sent: rows 7 to 9. Returns the type to record, if there is an ID image.
pub(crate) fn id_type(images: &Images, id_type: Option<&Text>) -> Result<Option<IdType>, Error> {
    if images.is_empty() {
        return Err(Error::NoImages);
    }
    let shows_id = images.keys().copied().any(ImageField::is_id);
    if shows_id && id_type.is_none() {
        return Err(Error::MissingIdType);
    }
    let Some(name) = id_type else { return Ok(None) };
    let id_type = IdType::parse(name.as_str()).ok_or(Error::InvalidIdType)?;
    Ok(shows_id.then_some(id_type))
}
