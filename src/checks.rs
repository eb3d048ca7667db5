//! The checks of a request against the records: rows 3 to 9 of the contract's table, in that order.

use crate::error::Error;
use crate::field::ImageField;
use crate::image::Image;
use crate::records::{Project, Submission};
use crate::request::Request;

/// The kinds of ID documents.
const ID_TYPES: [&str; 8] = [
    "drivers_license",
    "government_id",
    "passport",
    "residence_permit",
    "vehicle_registration_certificate",
    "visa",
    "aadhaar",
    "pancard",
];

/// One of the contract's eight kinds of ID documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdType(&'static str);

impl IdType {
    /// The kind of this name, compared to the letter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ID_TYPES.into_iter().find(|known| *known == name).map(Self)
    }

    /// The kind's name in the form and in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// A request that may be carried out.
#[derive(Debug)]
pub struct Put {
    /// The project's ID.
    pub project_id: String,
    /// The submission's ID.
    pub submission_id: String,
    /// The administrator, as registered on the project.
    pub admin: String,
    /// What the record's `idType` becomes: it is set with an ID image alone.
    pub id_type: Option<IdType>,
    /// At least one image, in the contract's order.
    pub images: Vec<(ImageField, Image)>,
}

/// Checks the project: rows 3 to 5. Returns it with the administrator as registered.
///
/// # Errors
///
/// The first row that fails.
pub fn check_project(project: Option<Project>, admin: &str) -> Result<(Project, String), Error> {
    let project = project.ok_or(Error::UnknownProject)?;
    if !project.active {
        return Err(Error::InactiveProject);
    }
    let admin = project.admin(admin).ok_or(Error::InvalidAdmin)?.to_owned();
    Ok((project, admin))
}

/// Checks that the submission is there and the project's: row 6. The two are not told apart.
///
/// # Errors
///
/// [`Error::InvalidSubmission`].
pub fn check_submission(
    submission: Option<Submission>,
    project: &Project,
) -> Result<Submission, Error> {
    submission
        .filter(|submission| submission.is_of(&project.id))
        .ok_or(Error::InvalidSubmission)
}

/// Checks what is asked for: rows 7 to 9.
///
/// # Errors
///
/// The first row that fails.
pub fn check_images(request: Request, project: Project, admin: String) -> Result<Put, Error> {
    let shows_id = request.images.iter().any(|(field, _)| field.is_id());
    if request.images.is_empty() {
        return Err(Error::NoImages);
    }
    if shows_id && request.id_type.is_none() {
        return Err(Error::MissingIdType);
    }
    let id_type = request
        .id_type
        .map(|name| IdType::from_name(&name).ok_or(Error::InvalidIdType))
        .transpose()?;
    Ok(Put {
        project_id: project.id,
        submission_id: request.submission_id,
        admin,
        id_type: id_type.filter(|_| shows_id),
        images: request.images,
    })
}
