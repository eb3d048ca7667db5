//! `invoke`: one event through the function, and what it left behind.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use aws_sdk_dynamodb::types::AttributeValue;
use put_image::event::Event;
use put_image::function::{Invocation, TIMEOUT};
use put_image::request::Request;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::Error;
use crate::cli::Invoke;
use crate::records::{Records, plain};
use crate::schema;
use crate::stack::{Data, Ports, Stack, Taken};

/// Puts an event through the function.
///
/// # Errors
///
/// A sentence: the event can't be read, or the stack doesn't start.
pub async fn run(options: Invoke) -> Result<ExitCode, Error> {
    let json = std::fs::read_to_string(&options.event)
        .map_err(|error| format!("can't read the event {}: {error}", options.event.display()))?;
    serde_json::from_str::<IgnoredAny>(&json)
        .map_err(|error| format!("{} is not JSON: {error}", options.event.display()))?;
    let stack = match Data::take(&options.data.data) {
        Ok(data) => Stack::start(Ports::default(), data, options.data.fresh, Records::sample()?).await?,
        // `serve` is up: the event goes to the same storage.
        Err(Taken::By(endpoints)) if !options.data.fresh => {
            Stack::over(endpoints, schema::config(""), Records::sample()?).await?
        }
        Err(Taken::By(_)) => return Err("a local stack runs over the data folder: end it before --fresh".into()),
        Err(Taken::Other(error)) => return Err(error),
    };
    let function = stack.function();
    let response = function.handle(Invocation::new(json.as_bytes(), TIMEOUT)).await;
    function.clean_up().await;
    let response_json = serde_json::to_string_pretty(&response)? + "\n";
    let left = match Request::parse(Event::parse(json.as_bytes().into())) {
        Ok(request) => list(&stack, &request.submission_id).await?,
        Err(_) => String::new(),
    };
    // A reader that has read enough and is gone doesn't change how the event ended.
    let _ = std::io::stdout().write_all(response_json.as_bytes());
    let _ = std::io::stderr().write_all(left.as_bytes());
    Ok(match response.status_code {
        200..300 => ExitCode::SUCCESS,
        400..500 => ExitCode::from(4),
        _ => ExitCode::from(5),
    })
}

/// The record of a submission and the objects under it, to read.
async fn list(stack: &Stack, submission: &str) -> Result<String, Error> {
    let found = stack.endpoints.dynamodb().get_item().table_name(&stack.config.submissions_table);
    let found = found.key("submissionId", AttributeValue::S(submission.to_owned())).send().await?;
    let Some(item) = found.item else {
        return Ok(format!("\nno record {submission:?}\n"));
    };
    let record: Map<String, Value> = item.into_iter().map(|(name, value)| (name, plain(&value))).collect();
    let mut list = format!("\nrecord {}\n", serde_json::to_string_pretty(&record)?);
    let Some(project) = record.get("projectId").and_then(Value::as_str) else { return Ok(list) };
    let objects = stack.endpoints.s3().list_objects_v2().bucket(&stack.config.images_bucket);
    let objects = objects.prefix(format!("{project}/{submission}/")).send().await?.contents.unwrap_or_default();
    writeln!(list, "\nobjects in {}", stack.config.images_bucket)?;
    for object in objects {
        writeln!(list, "  {:>9} {}", object.size.unwrap_or_default(), object.key.unwrap_or_default())?;
    }
    Ok(list)
}
