//! The records in DynamoDB, and their conversion from attributes. What the contract's section on
//! records says of names and types stands here.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::field::ImageField;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// A project: whose key this is, whether it is in service, who administers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// `projectId`.
    pub id: String,
    /// Whether `status` is `active`. Anything else, or nothing, is not.
    pub active: bool,
    /// `admins`. A project without the attribute has none: DynamoDB can't store an empty set.
    pub admins: Vec<String>,
}

impl Project {
    /// The administrator who has this account, as registered; compared without regard to ASCII case.
    #[must_use]
    pub fn admin(&self, account: &str) -> Option<&str> {
        self.admins
            .iter()
            .map(String::as_str)
            .find(|admin| admin.eq_ignore_ascii_case(account))
    }
}

impl TryFrom<Item> for Project {
    type Error = MalformedRecord;

    fn try_from(mut item: Item) -> Result<Self, MalformedRecord> {
        let active =
            matches!(item.get("status"), Some(AttributeValue::S(status)) if status == "active");
        let admins = match item.remove("admins") {
            None => Vec::new(),
            Some(AttributeValue::Ss(admins)) => admins,
            Some(_) => return Err(MalformedRecord("admins")),
        };
        Ok(Self {
            id: string(&mut item, "projectId")?,
            active,
            admins,
        })
    }
}

/// A submission: whose it is and which images it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// `projectId`; a record without it is nobody's.
    project_id: Option<String>,
    images: HashMap<ImageField, AttributeValue>,
}

impl Submission {
    /// Whether it is the submission of the project with this ID.
    #[must_use]
    pub fn is_of(&self, project_id: &str) -> bool {
        self.project_id.as_deref() == Some(project_id)
    }

    /// An image's attribute as it was read, whatever is in it.
    #[must_use]
    pub fn image(&self, field: ImageField) -> Option<&AttributeValue> {
        self.images.get(&field)
    }

    /// The object key of an image that the submission has.
    #[must_use]
    pub fn key(&self, field: ImageField) -> Option<&str> {
        let image = self.images.get(&field)?.as_m().ok()?;
        image.get("key")?.as_s().ok().map(String::as_str)
    }
}

impl From<Item> for Submission {
    fn from(mut item: Item) -> Self {
        let images = ImageField::ALL.into_iter();
        let images = images
            .filter_map(|field| Some((field, item.remove(field.name())?)))
            .collect();
        Self {
            project_id: string(&mut item, "projectId").ok(),
            images,
        }
    }
}

fn string(item: &mut Item, name: &'static str) -> Result<String, MalformedRecord> {
    match item.remove(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(MalformedRecord(name)),
    }
}

/// A record that lacks an attribute, or has it in another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record's attribute {0} is missing or of another type")]
pub struct MalformedRecord(&'static str);
