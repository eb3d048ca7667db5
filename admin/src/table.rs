//! A table whose key is one text: its items read, created where there is none, and changed.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use put_image::records::Item;
use serde_json::{Number, Value};

use crate::{Context as _, Error};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    pub(crate) dynamodb: &'a Client,
    pub(crate) name: &'a str,
    /// The key attribute.
    pub(crate) key: &'static str,
}

impl Table<'_> {
    /// Reads the item with this ID, as it is now.
    pub(crate) async fn read(self, id: &str) -> Result<Option<Item>, Error> {
        let get = self
            .dynamodb
            .get_item()
            .table_name(self.name)
            .key(self.key, text(id))
            .consistent_read(true);
        Ok(get.send().await.context(self.unreadable())?.item)
    }

    /// Begins a scan that sees every item as it is now.
    pub(crate) fn scan(self) -> ScanFluentBuilder {
        let scan = self.dynamodb.scan().table_name(self.name);
        scan.consistent_read(true)
    }

    /// Reads all items of a scan, in the order of their IDs.
    pub(crate) async fn read_all(self, scan: ScanFluentBuilder) -> Result<Vec<Item>, Error> {
        let scanned = scan.into_paginator().items().send().try_collect().await;
        let mut items: Vec<Item> = scanned.context(self.unreadable())?;
        items.sort_by_cached_key(|item| cell(item, self.key));
        Ok(items)
    }

    /// Begins an update of the item with this ID.
    pub(crate) fn update(self, id: &str) -> UpdateItemFluentBuilder {
        self.dynamodb
            .update_item()
            .table_name(self.name)
            .key(self.key, text(id))
    }

    /// Creates an item, unless one with its ID exists: then nothing changes. Returns whether it is new.
    pub(crate) async fn create(
        self,
        id: &str,
        attributes: impl IntoIterator<Item = (&str, AttributeValue)>,
    ) -> Result<bool, Error> {
        // An item that exists already must not be mistaken, below, for one that an earlier attempt created. And some
        // logs show a refused write as a warning.
        if self.read(id).await?.is_some() {
            return Ok(false);
        }
        let item: Item = attributes
            .into_iter()
            .chain([(self.key, text(id))])
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let put = self
            .dynamodb
            .put_item()
            .table_name(self.name)
            .set_item(Some(item.clone()))
            .condition_expression(format!("attribute_not_exists({})", self.key));
        if self.write(put.send()).await?.is_some() {
            return Ok(true);
        }
        // An earlier attempt, whose response was lost, may have created it.
        let found = self.read(id).await?.unwrap_or_default();
        let mut texts = item.iter().filter(|(_, value)| value.is_s());
        Ok(texts.all(|(name, value)| found.get(name) == Some(value)))
    }

    /// Waits for a conditional write. Returns its output; `None` if its condition wasn't met.
    pub(crate) async fn write<T, E>(
        self,
        call: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<Option<T>, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match call.await {
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
            written => written
                .context(format!("can't write to the table {}", self.name))
                .map(Some),
        }
    }

    /// Says that a read failed.
    pub(crate) fn unreadable(self) -> String {
        format!("can't read the table {}", self.name)
    }
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Returns an attribute of an item as a person reads it; `-` if it has none.
pub(crate) fn cell(item: &Item, name: &str) -> String {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    match item.get(name).map(plain) {
        None => "-".to_owned(),
        Some(Value::Array(values)) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        Some(value) => text(&value),
    }
}

/// Returns an item as plain JSON.
pub fn plain_item(item: &Item) -> Value {
    item.iter()
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

/// Returns an attribute as plain JSON; bytes become a placeholder.
fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => text.as_str().into(),
        // DynamoDB's numbers have up to 38 digits: one that JSON's can't hold stays a text.
        AttributeValue::N(number) => match number.parse::<Number>() {
            Ok(parsed) if parsed.to_string() == *number => Value::Number(parsed),
            _ => number.as_str().into(),
        },
        AttributeValue::M(members) => plain_item(members),
        AttributeValue::L(values) => values.iter().map(plain).collect(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.as_slice().into(),
        AttributeValue::Bool(value) => (*value).into(),
        AttributeValue::Null(_) => Value::Null,
        other => format!("{other:?}").into(),
    }
}
