//! `invoke`: one event through the function, and what it left behind.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use put_image::deadline::TIMEOUT;
use put_image::domain::SubmissionId;
use put_image::form::Form;
use serde::de::IgnoredAny;

use crate::Error;
use crate::function::{self, content, context};
use crate::stack::Stack;

/// Runs an event through the function.
pub async fn run(event: &Path, fresh: bool, data: &Path) -> Result<ExitCode, Error> {
    let json = std::fs::read(event)
        .map_err(|error| format!("can't read the event {}: {error}", event.display()))?;
    serde_json::from_slice::<IgnoredAny>(&json)
        .map_err(|error| format!("{} is not JSON: {error}", event.display()))?;
    let stack = Stack::open(data, fresh).await?;
    let response = function::invoke(&stack.function(), &json, context(TIMEOUT))
        .await?
        .response;
    let response_json = serde_json::to_string_pretty(&response)? + "\n";
    let left = match submission_id(&json).await {
        Some(id) => list(&stack, id.as_str()).await?,
        None => String::new(),
    };
    // A reader that has read enough and left doesn't change how the event ended.
    let _ = std::io::stdout().write_all(response_json.as_bytes());
    let _ = std::io::stderr().write_all(left.as_bytes());
    Ok(match response["statusCode"].as_u64().unwrap_or_default() {
        200..300 => ExitCode::SUCCESS,
        400..500 => ExitCode::from(4),
        _ => ExitCode::from(5),
    })
}

/// The submission that an event is about, if it can be read.
async fn submission_id(event: &[u8]) -> Option<SubmissionId> {
    let (content_type, body) = content(event)?;
    Form::read(&content_type, body).await.ok()?.submission_id
}

/// The record of a submission and the objects under it, to read.
async fn list(stack: &Stack, id: &str) -> Result<String, Error> {
    let records = stack.endpoints.records(stack.config.clone());
    Ok(match records.submission(id).await? {
        Some(submission) => format!("\n{submission}"),
        None => format!("\nno record {id:?}\n"),
    })
}
