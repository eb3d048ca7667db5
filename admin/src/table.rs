//! Items of a table whose key is one text: read, and made where there is none.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Number, Value};

use crate::{Error, failed};

/// A DynamoDB item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    pub(crate) dynamodb: &'a Client,
    pub(crate) name: &'a str,
    /// The key attribute.
    pub(crate) key: &'static str,
}

impl Table<'_> {
    /// Reads the item of this ID, as it is now.
    pub(crate) async fn read(self, id: &str) -> Result<Option<Item>, Error> {
        let get = self
            .dynamodb
            .get_item()
            .table_name(self.name)
            .key(self.key, text(id))
            .consistent_read(true);
        let found = get.send().await.map_err(|error| self.unreadable(&error))?;
        Ok(found.item)
    }

    /// Begins an update of the item of this ID.
    pub(crate) fn update(self, id: &str) -> UpdateItemFluentBuilder {
        self.dynamodb
            .update_item()
            .table_name(self.name)
            .key(self.key, text(id))
    }

    /// Makes an item, unless there is one of its ID: then nothing is changed. Returns whether it is new.
    pub(crate) async fn create(
        self,
        id: &str,
        item: impl IntoIterator<Item = (&str, AttributeValue)>,
    ) -> Result<bool, Error> {
        // What is there already must not be taken for what an earlier attempt made, below. And a write that is refused
        // is a warning in some logs.
        if self.read(id).await?.is_some() {
            return Ok(false);
        }
        let item = item.into_iter().chain([(self.key, text(id))]);
        let item: Item = item.map(|(name, value)| (name.to_owned(), value)).collect();
        let put = self
            .dynamodb
            .put_item()
            .table_name(self.name)
            .set_item(Some(item.clone()))
            .condition_expression(format!("attribute_not_exists({})", self.key));
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => {
                // An earlier attempt, whose answer was lost, may have made it.
                let found = self.read(id).await?.unwrap_or_default();
                let mut texts = item.iter().filter(|(_, value)| value.is_s());
                Ok(texts.all(|(name, value)| found.get(name) == Some(value)))
            }
            Err(error) => Err(self.unwritable(&error)),
        }
    }

    pub(crate) fn unreadable(self, error: &dyn std::error::Error) -> Error {
        failed(format!("can't read the table {}", self.name), error)
    }

    pub(crate) fn unwritable(self, error: &dyn std::error::Error) -> Error {
        failed(format!("can't write to the table {}", self.name), error)
    }
}

/// Whether a write was refused because its condition doesn't hold.
pub(crate) fn is_refused(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// A text.
pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// An attribute as plain JSON; bytes as a note of them.
#[must_use]
pub fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        // DynamoDB's numbers have up to 38 digits: what JSON's can't hold stays a text.
        AttributeValue::N(number) => match number.parse::<Number>() {
            Ok(parsed) if parsed.to_string() == *number => Value::Number(parsed),
            _ => number.as_str().into(),
        },
        AttributeValue::M(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        AttributeValue::L(values) => values.iter().map(plain).collect(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.as_slice().into(),
        AttributeValue::Bool(value) => (*value).into(),
        AttributeValue::Null(_) => Value::Null,
        other => format!("{other:?}").into(),
    }
}
