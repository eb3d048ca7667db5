//! A load test: one process of the release binary takes a thousand puts of 1.2 MB and a thousand bad
//! requests, mixed, one at a time as Lambda gives them, while 1% of the calls to storage fail. Nothing may
//! be lost, and memory has to stay flat.
//!
//! ```sh
//! cargo build --release -p put-image && cargo run --profile bench --example load -- target/release/put-image
//! ```

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use local::faults::{self, End, Fault, Faults, Operation, When, unit};
use local::images::jpeg;
use local::lambda::Lambda;
use local::noise::Put;
use local::records::Records;
use local::stack::Stack;
use local::{Error, schema, server};
use put_image::deadline::TIMEOUT;
use serde_json::Value;
use sha2::{Digest, Sha256};

const PUTS: usize = 1000;
const BAD: usize = 1000;
const IMAGE: usize = 300_000;
const FIELDS: [&str; 4] = ["idImage", "idBackImage", "selfieImage", "addressImage"];
/// Together 1% of an operation's calls, or a little more.
const FAULTS: [(Operation, bool, End, f64); 8] = [
    (
        Operation::Query,
        false,
        End::Error(500, "InternalServerError"),
        0.01,
    ),
    (Operation::GetItem, false, End::Cut, 0.01),
    (Operation::UpdateItem, true, End::Cut, 0.005),
    (
        Operation::UpdateItem,
        false,
        End::Error(500, "InternalServerError"),
        0.005,
    ),
    (
        Operation::PutObject,
        false,
        End::Error(403, "AccessDenied"),
        0.003,
    ),
    (Operation::PutObject, false, End::Cut, 0.003),
    (
        Operation::PutObject,
        true,
        End::Error(503, "SlowDown"),
        0.004,
    ),
    (
        Operation::DeleteObject,
        false,
        End::Error(403, "AccessDenied"),
        0.01,
    ),
];

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let folder = tempfile::tempdir()?;
    let direct = server::embedded(folder.path()).await?;
    let faults = Faults::new(1);
    let stack = Stack::over(direct, schema::config(""), Records::sample()?).await?;
    let through_faults = faults
        .in_front_of(&stack.endpoints, &stack.config.submissions_table)
        .await?;
    for (operation, takes_effect, end, share) in FAULTS {
        faults.inject(Fault {
            operation,
            when: When::Share(share),
            takes_effect,
            end,
        });
    }
    let log = [("AWS_LAMBDA_LOG_LEVEL", OsStr::new("OFF"))];
    let binary = std::env::args_os()
        .nth(1)
        .ok_or("name the function's binary")?;
    let lambda =
        Lambda::start(&binary, &through_faults, &stack.config, log, Stdio::inherit).await?;

    let mut random = 1;
    let (mut puts, mut bad, mut wrong) = (0, 0, 0);
    let mut answers: BTreeMap<u64, usize> = BTreeMap::new();
    // What the record has to show: of the last put that succeeded, or of one after it whose answer was 500.
    let mut possible: Vec<Vec<String>> = Vec::new();
    let started = Instant::now();
    while puts + bad < PUTS + BAD {
        let remaining = f64::from(u32::try_from(PUTS - puts)?)
            / f64::from(u32::try_from(PUTS + BAD - puts - bad)?);
        let good = unit(&mut random) < remaining;
        let images: Vec<Vec<u8>> = (0..4)
            .map(|_| jpeg(IMAGE, faults::random(&mut random)))
            .collect();
        let event = put((!good).then_some(bad % 4)).event(&images);
        let response: Value = serde_json::from_slice(&lambda.invoke(event, TIMEOUT).await??)?;
        let status = response["statusCode"].as_u64().unwrap_or_default();
        *answers.entry(status).or_default() += 1;
        let hashes: Vec<String> = images
            .iter()
            .map(|image| hex::encode(Sha256::digest(image)))
            .collect();
        match (good, status) {
            (true, 200) => possible = vec![hashes],
            (true, 500) => possible.push(hashes),
            (false, 400 | 500) => {}
            _ => wrong += 1,
        }
        *(if good { &mut puts } else { &mut bad }) += 1;
        if (puts + bad) % 250 == 0 {
            let (now, peak) = (lambda.memory("VmRSS"), lambda.memory("VmHWM"));
            println!(
                "{:5} requests, resident {} KiB, peak {} KiB",
                puts + bad,
                now.unwrap_or(0),
                peak.unwrap_or(0)
            );
        }
    }
    lambda.idle().await?;
    println!(
        "{puts} puts and {bad} bad requests in {:.1} s: {answers:?}",
        started.elapsed().as_secs_f64()
    );

    let (named, shown) = record(&stack).await?;
    let objects = objects(&stack).await?;
    let lost = named
        .iter()
        .filter(|(key, sha256)| objects.get(*key) != Some(*sha256))
        .count();
    let left_over: Vec<&String> = objects
        .keys()
        .filter(|key| !named.contains_key(*key))
        .collect();
    let hits = faults.hits();
    let unexplained = left_over
        .iter()
        .filter(|key| !hits.iter().any(|hit| hit.call.contains(key.as_str())))
        .count();
    println!(
        "{} calls, {} faults, {} objects left over, {unexplained} of them without a fault, {lost} lost, {wrong} wrong answers",
        faults.calls().len(),
        hits.len(),
        left_over.len(),
    );
    let sound = faults.named_deletions().is_empty()
        && lost == 0
        && unexplained == 0
        && wrong == 0
        && possible.contains(&shown);
    println!(
        "{}",
        if sound {
            "nothing is lost"
        } else {
            "something is WRONG"
        }
    );
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A put, in one of four ways bad if asked for.
fn put(defect: Option<usize>) -> Put<'static> {
    let good = Put::default();
    match defect {
        None => good,
        Some(0) => Put {
            cut: IMAGE / 2,
            ..good
        },
        Some(1) => Put {
            admin: "nobody@example.com",
            ..good
        },
        Some(2) => Put {
            submission_id: "none",
            ..good
        },
        Some(_) => Put {
            closed: false,
            ..good
        },
    }
}

/// The keys and hashes that the record names, and the hashes in the fields' order.
async fn record(stack: &Stack) -> Result<(HashMap<String, String>, Vec<String>), Error> {
    let get = stack
        .endpoints
        .dynamodb()
        .get_item()
        .table_name(&stack.config.submissions_table)
        .consistent_read(true);
    let item = get
        .key(
            "submissionId",
            AttributeValue::S("demo-submission".to_owned()),
        )
        .send()
        .await?;
    let record = admin::table::plain(&AttributeValue::M(item.item.unwrap_or_default()));
    let text =
        |field: &str, name: &str| record[field][name].as_str().unwrap_or_default().to_owned();
    let named = FIELDS
        .iter()
        .map(|field| (text(field, "key"), text(field, "sha256")))
        .collect();
    Ok((
        named,
        FIELDS.iter().map(|field| text(field, "sha256")).collect(),
    ))
}

/// The objects' keys and the hashes of their contents.
async fn objects(stack: &Stack) -> Result<HashMap<String, String>, Error> {
    let (s3, bucket) = (stack.endpoints.s3(), &stack.config.images_bucket);
    let mut objects = HashMap::new();
    for object in s3.list_objects_v2().bucket(bucket).send().await?.contents() {
        let key = object.key().unwrap_or_default();
        let content = s3
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await?
            .body
            .collect()
            .await?
            .into_bytes();
        objects.insert(key.to_owned(), hex::encode(Sha256::digest(&content)));
    }
    Ok(objects)
}
