//! One process takes puts and bad requests by turns, one at a time as Lambda gives them, while 5% of the calls to
//! storage fail: nothing is lost, and memory stays flat. `LOAD` is how many of each it takes, 40 without it.

use local::faults::End::{Cut, Error};
use local::faults::Operation::{DeleteObject, GetItem, PutObject, Query, UpdateItem};
use local::faults::{End, Fault, Operation, When};
use local::images::jpeg;
use local::lambda::Lambda;
use sha2::{Digest as _, Sha256};

use crate::binary::{answer, over};
use crate::helpers::*;

const FIELDS: [&str; 4] = ["idImage", "idBackImage", "selfieImage", "addressImage"];
/// Bytes of an image, of which a put has four.
const IMAGE: usize = 300_000;
/// KiB that the peak may grow by in the second half: less than one leaked image for each put.
const GROWTH: u64 = 4096;
/// Each n-th call of an operation fails: whether it takes effect, and what becomes of it.
const FAULTS: [(Operation, usize, bool, End); 8] = [
    (Query, 20, false, Error(500, "InternalServerError")),
    (GetItem, 20, false, Cut),
    (UpdateItem, 31, true, Cut),
    (UpdateItem, 37, false, Error(500, "InternalServerError")),
    (PutObject, 53, false, Error(403, "AccessDenied")),
    (PutObject, 59, false, Cut),
    (PutObject, 61, true, Error(503, "SlowDown")),
    (DeleteObject, 20, false, Error(403, "AccessDenied")),
];

/// Spoils a form. Returns it with the row that refuses it.
fn spoil(form: Form, i: usize) -> (Form, Row) {
    let cut = form.fields[3].1[..IMAGE].to_vec();
    match i % 4 {
        0 => (form.with("idImage", cut), INVALID_PAYLOAD),
        1 => (form.and("idType", "passport"), INVALID_PAYLOAD),
        2 => (form.with("admin", "nobody@example.com"), INVALID_ADMIN),
        _ => (form.with("submissionId", "none"), INVALID_SUBMISSION),
    }
}

fn sha256(image: &[u8]) -> String {
    hex::encode(Sha256::digest(image))
}

#[tokio::test]
async fn nothing_is_lost_under_load() {
    let puts = std::env::var("LOAD")
        .map_or(40, |puts| puts.parse().unwrap())
        .max(4);
    let app = App::start().await;
    for (operation, n, takes_effect, end) in FAULTS {
        app.faults.inject(Fault {
            operation,
            when: When::Every(n),
            takes_effect,
            end,
        });
    }
    let mut command = over(&app);
    command.env("AWS_LAMBDA_LOG_LEVEL", "OFF");
    let lambda = Lambda::start(command).await.unwrap();
    let memory = |name| lambda.memory(name).unwrap_or_default();
    let mut peaks = Vec::new();
    // What the record may show: the last success, or a put after it whose outcome is unknown.
    let mut possible = Vec::new();
    let mut seeds = 0..;
    for i in 1..=puts {
        let images = FIELDS.map(|_| jpeg(IMAGE, seeds.next().unwrap()));
        let fields = FIELDS.iter().zip(&images);
        let form = fields.fold(Form::texts(), |form, (field, image)| {
            form.with_image(field, image)
        });
        let (bad, row) = spoil(form.clone(), i);
        let put = answer(&lambda, &form.event()).await;
        let images = images.map(|image| sha256(&image));
        match put.row() {
            SUCCESS => possible = vec![images],
            PROCESSING_ERROR => possible.push(images),
            other => panic!("a put is answered with {other:?}"),
        }
        let refused = answer(&lambda, &bad.event()).await;
        assert!([row, PROCESSING_ERROR].contains(&refused.row()));
        if i % (puts / 4) == 0 {
            let (now, peak) = (memory("VmRSS"), memory("VmHWM"));
            println!("{i} of each: resident {now} KiB, peak {peak} KiB");
            peaks.push(peak);
        }
    }
    lambda.idle().await.unwrap();
    assert!(peaks[3] < peaks[1] + GROWTH, "{peaks:?}");

    let (record, mut objects) = (app.record(SUBMISSION).await, app.objects().await);
    let shown = FIELDS.map(|field| {
        let object = &objects.remove(record[field]["key"].as_str().unwrap());
        let sha256 = sha256(object.as_ref().unwrap());
        assert_eq!(record[field]["sha256"], sha256);
        sha256
    });
    assert!(possible.contains(&shown));
    let hits = app.faults.hits();
    for left_over in objects.keys() {
        let mut calls = hits.iter().map(|hit| &hit.call);
        assert!(calls.any(|call| call.contains(left_over)), "{left_over}");
    }
    let (calls, hits, left_over) = (app.faults.calls().len(), hits.len(), objects.len());
    println!("{calls} calls, {hits} of them hit, {left_over} objects left over");
}
