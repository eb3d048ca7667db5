//! The records in DynamoDB (the contract's section on records): every attribute's name, and what the function reads
//! from them. `admin` and the local stack use the same names and types.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::domain::{Admin, ImageField, ObjectKey, ProjectId, SubmissionId, is_usable_id};
use crate::error::Fault;

/// The attributes' names. An image's attribute has the name of its [`ImageField`].
pub mod attribute {
    pub const PROJECT_ID: &str = "projectId";
    pub const API_KEY_HASH: &str = "apiKeyHash";
    pub const PREVIOUS_API_KEY_HASH: &str = "previousApiKeyHash";
    pub const PREVIOUS_API_KEY_UNTIL: &str = "previousApiKeyUntil";
    /// A reserved word in DynamoDB: expressions need a placeholder for it.
    pub const STATUS: &str = "status";
    pub const ADMINS: &str = "admins";
    pub const SUBMISSION_ID: &str = "submissionId";
    pub const ID_TYPE: &str = "idType";
    pub const UPDATED_AT: &str = "updatedAt";
    pub const UPDATED_BY: &str = "updatedBy";

    /// The members of an image's map, which also has `UPDATED_AT` and `UPDATED_BY`.
    pub mod image {
        /// Also a reserved word in DynamoDB.
        pub const KEY: &str = "key";
        pub const CONTENT_TYPE: &str = "contentType";
        pub const SIZE: &str = "size";
        pub const SHA256: &str = "sha256";
        pub const WIDTH: &str = "width";
        pub const HEIGHT: &str = "height";
    }
}

pub const API_KEY_INDEX: &str = "apiKeyHash-index";
pub const PREVIOUS_API_KEY_INDEX: &str = "previousApiKeyHash-index";

/// The `status` of a project in service.
pub const ACTIVE: &str = "active";

pub type Item = HashMap<String, AttributeValue>;

/// A project: whether it is in service, and who administers it.
#[derive(Clone, Debug)]
pub struct Project {
    pub id: ProjectId,
    /// [`ACTIVE`], or anything else if the project is out of service; empty if the record has none.
    pub status: String,
    /// As registered. DynamoDB can't store an empty set, so a project without the attribute has none.
    pub admins: Vec<Admin>,
}

impl TryFrom<Item> for Project {
    type Error = Fault;

    fn try_from(mut item: Item) -> Result<Self, Fault> {
        let admins = match item.remove(attribute::ADMINS) {
            None => Vec::new(),
            Some(AttributeValue::Ss(admins)) => admins.into_iter().map(Admin::from).collect(),
            Some(_) => return Err(Fault::MalformedRecord(attribute::ADMINS)),
        };
        let status = match item.remove(attribute::STATUS) {
            Some(AttributeValue::S(status)) => status,
            _ => String::new(),
        };
        let Some(AttributeValue::S(id)) = item.remove(attribute::PROJECT_ID) else {
            return Err(Fault::MalformedRecord(attribute::PROJECT_ID));
        };
        Ok(Self {
            id: id.into(),
            status,
            admins,
        })
    }
}

/// A submission as it was read: which project it belongs to, and which images it has.
#[derive(Clone, Debug)]
pub struct Submission {
    pub id: SubmissionId,
    item: Item,
}

impl Submission {
    pub const fn new(id: SubmissionId, item: Item) -> Self {
        Self { id, item }
    }

    pub const fn item(&self) -> &Item {
        &self.item
    }

    /// Returns the ID of the project that it belongs to. A record without one belongs to nobody.
    pub fn project(&self) -> Option<&str> {
        let id = self.item.get(attribute::PROJECT_ID)?.as_s().ok()?;
        Some(id)
    }

    /// Returns whether it belongs to the project and both can have images.
    pub(crate) fn is_of(&self, project: &ProjectId) -> bool {
        let (project, submission) = (project.as_str(), self.id.as_str());
        self.project() == Some(project) && is_usable_id(project) && is_usable_id(submission)
    }

    /// Returns an image's attribute as it is in the record, for the condition that it hasn't changed.
    pub fn image(&self, field: ImageField) -> Option<&AttributeValue> {
        self.item.get(field.name())
    }

    /// Returns the key of the object that the record names for an image, whoever wrote it.
    pub fn named_key(&self, field: ImageField) -> Option<&str> {
        let image = self.image(field)?.as_m().ok()?;
        Some(image.get(attribute::image::KEY)?.as_s().ok()?)
    }

    /// Returns the same key, but only if the function wrote the object for this field of this submission, in any
    /// project.
    pub fn key(&self, field: ImageField) -> Option<ObjectKey> {
        let key = ObjectKey::parse(self.named_key(field)?)?;
        let is_own = key.submission() == self.id.as_str() && key.field() == field;
        is_own.then_some(key)
    }
}
