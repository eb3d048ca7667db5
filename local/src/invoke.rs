//! `invoke`: one event through the function, and what it left behind.

use std::io::Write as _;
use std::process::ExitCode;

use put_image::event::Event;
use put_image::function::{Invocation, TIMEOUT};
use put_image::request::Request;
use serde::de::IgnoredAny;

use crate::Error;
use crate::cli::Invoke;
use crate::records::Records;
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
        Ok(data) => {
            Stack::start(
                Ports::default(),
                data,
                options.data.fresh,
                Records::sample()?,
            )
            .await?
        }
        // `serve` is up: the event goes to the same storage.
        Err(Taken::By(endpoints)) if !options.data.fresh => {
            Stack::over(endpoints, schema::config(""), Records::sample()?).await?
        }
        Err(Taken::By(_)) => {
            return Err("a local stack runs over the data folder: end it before --fresh".into());
        }
        Err(Taken::Other(error)) => return Err(error),
    };
    let function = stack.function();
    let response = function
        .handle(Invocation::new(json.as_bytes(), TIMEOUT))
        .await;
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
async fn list(stack: &Stack, id: &str) -> Result<String, Error> {
    match stack
        .endpoints
        .records(stack.config.clone())
        .submission(id)
        .await?
    {
        Some(submission) => Ok(format!("\nrecord {submission}")),
        None => Ok(format!("\nno record {id:?}\n")),
    }
}
