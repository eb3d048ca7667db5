//! The records in DynamoDB, as the contract's section on records has them, and which of their attributes are read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{Admin, ImageField};
use crate::error::Fault;

/// A DynamoDB item.
type Item = HashMap<String, AttributeValue>;

/// A project: whether it is in service, and who administers it.
#[derive(Debug)]
pub(crate) struct Project {
    /// `projectId`.
    pub(crate) id: String,
    /// Whether `status` is `active`. Anything else, or nothing, is not.
    pub(crate) is_active: bool,
    /// `admins`, as registered. DynamoDB can't store an empty set, so a project without the attribute has none.
    pub(crate) admins: Vec<Admin>,
}

impl Project {
    /// The attributes that are read. `status` is a reserved word of DynamoDB's, and stands as `#status`.
    pub(super) const PROJECTION: &str = "projectId, #status, admins";
}

impl TryFrom<Item> for Project {
    type Error = Fault;

    fn try_from(mut item: Item) -> Result<Self, Fault> {
        let is_active =
            matches!(item.get("status"), Some(AttributeValue::S(status)) if status == "active");
        let admins = match item.remove("admins") {
            None => Vec::new(),
            Some(AttributeValue::Ss(admins)) => admins.into_iter().map(Admin::from).collect(),
            Some(_) => return Err(Fault::MalformedRecord("admins")),
        };
        let Some(AttributeValue::S(id)) = item.remove("projectId") else {
            return Err(Fault::MalformedRecord("projectId"));
        };
        Ok(Self {
            id,
            is_active,
            admins,
        })
    }
}

/// A submission, as it was read: whose it is, and which images it has.
#[derive(Debug)]
pub(crate) struct Submission(pub(super) Item);

impl Submission {
    /// Returns the attributes that are read.
    pub(super) fn projection() -> String {
        let images = ImageField::ALL.map(ImageField::name).join(", ");
        format!("projectId, {images}")
    }

    /// Returns whether it is the submission of the project with this ID. A record without one is nobody's.
    pub(crate) fn is_of(&self, project_id: &str) -> bool {
        matches!(self.0.get("projectId"), Some(AttributeValue::S(id)) if id == project_id)
    }

    /// Returns an image's attribute, whatever is in it.
    pub(super) fn image(&self, field: ImageField) -> Option<&AttributeValue> {
        self.0.get(field.name())
    }

    /// Returns the object key of an image that the submission has.
    pub(super) fn key(&self, field: ImageField) -> Option<&str> {
        let image = self.image(field)?.as_m().ok()?;
        image.get("key")?.as_s().ok().map(String::as_str)
    }
}
