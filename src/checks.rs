//! The checks of a request against the records: rows 3 to 9 of the contract's table.

use crate::domain::{Admin, ApiKey, IdType, ImageField, SubmissionId, TextHint};
use crate::error::Error;
use crate::form::Form;
use crate::records::{ACTIVE, Project, Submission};

/// Checks that the gateway, if it names a key, authenticated the same key as the header's: row 3. A blank key doesn't
/// match.
pub(crate) fn gateway_key(key: &ApiKey, gateway_key: Option<&str>) -> Result<(), Error> {
    if gateway_key.is_some_and(|named| ApiKey::parse(named).as_ref() != Some(key)) {
        return Err(Error::OtherKey);
    }
    Ok(())
}

/// Checks the key's project: rows 3 and 4.
pub(crate) fn project(project: Option<Project>) -> Result<Project, Error> {
    let project = project.ok_or(Error::UnknownKey)?;
    if project.status == ACTIVE {
        Ok(project)
    } else {
        Err(Error::InactiveProject)
    }
}

/// Checks the administrator: row 5. Returns the account as it is registered.
pub(crate) fn admin<'a>(project: &'a Project, admin: &Admin) -> Result<&'a Admin, Error> {
    let mut registered = project.admins.iter();
    let account = registered.find(|registered| *registered == admin);
    account.ok_or_else(|| Error::InvalidAdmin(TextHint::of(admin.as_str())))
}

/// Checks that the submission exists and is the project's: row 6. Both get the same response.
pub(crate) fn submission(
    id: &SubmissionId,
    submission: Option<Submission>,
    project: &Project,
) -> Result<Submission, Error> {
    match submission {
        Some(submission) if submission.is_of(&project.id) => Ok(submission),
        _ => Err(Error::InvalidSubmission(TextHint::of(id.as_str()))),
    }
}

/// Checks that there is an image: row 7.
pub(crate) fn images(form: &Form) -> Result<(), Error> {
    if form.images.is_empty() {
        return Err(form.empty_image.map_or(Error::NoImages, Error::EmptyImage));
    }
    Ok(())
}

/// Checks the type of the ID document: rows 8 and 9. Returns the type to record, if there is an ID image.
pub(crate) fn id_type(form: &Form) -> Result<Option<IdType>, Error> {
    let shows_id = form.images.keys().copied().any(ImageField::is_id);
    if shows_id && form.id_type.is_none() {
        return Err(Error::MissingIdType);
    }
    let Some(name) = &form.id_type else {
        return Ok(None);
    };
    let invalid = || Error::InvalidIdType(TextHint::of(name.as_str()));
    let id_type = IdType::parse(name.as_str()).ok_or_else(invalid)?;
    Ok(shows_id.then_some(id_type))
}
