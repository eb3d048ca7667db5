//! One process handles good and bad requests of 1.2 MB in turn, one at a time as Lambda gives them, while 5% of the calls to
//! storage fail: memory stays flat. `LOAD` is how many of each there are; 40 by default. That nothing is lost is in
//! `concurrent.rs`.

use put_image::domain::ImageField;
use testkit::faults::End::{Cut, Error};
use testkit::faults::Operation::{DeleteObject, GetItem, PutObject, Query, UpdateItem};
use testkit::faults::{End, Fault, Operation, When};
use testkit::images::jpeg;
use testkit::lambda::Lambda;

use crate::binary::{answer, over};
use crate::helpers::*;

/// Bytes of an image.
const IMAGE: usize = 300_000;
/// KiB that the peak may grow by in the second half: less than one leaked image for each request.
const GROWTH: u64 = 4096;
/// Every n-th call of an operation fails: whether it takes effect, and how it ends.
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

fn large_images(seed: usize) -> Form {
    let fields = ImageField::ALL.into_iter().zip((seed * 100) as u64..);
    fields.fold(Form::texts(), |form, (field, seed)| {
        form.with_image(field.name(), &jpeg(IMAGE, seed))
    })
}

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

/// Has about 5% of the calls to storage fail.
pub fn inject_faults(app: &TestApp) {
    for (operation, n, takes_effect, end) in FAULTS {
        app.faults.inject(Fault {
            operation,
            when: When::Every(n),
            takes_effect,
            end,
        });
    }
}

#[tokio::test]
async fn memory_stays_flat_under_load() {
    let requests = std::env::var("LOAD")
        .map_or(40, |load| load.parse().unwrap())
        .max(4);
    let app = TestApp::start().await;
    inject_faults(&app);
    let lambda = Lambda::start(over(&app)).await.unwrap();
    let memory = |name| lambda.memory(name).unwrap_or_default();
    let mut peaks = Vec::new();
    for i in 1..=requests {
        let form = large_images(i);
        let stored = answer(&lambda, &form.event()).await;
        assert!([SUCCESS, PROCESSING_ERROR].contains(&stored.row()));
        let (bad, row) = spoil(form, i);
        let refused = answer(&lambda, &bad.event()).await;
        assert!([row, PROCESSING_ERROR].contains(&refused.row()));
        if i % requests.div_ceil(4) == 0 {
            let (now, peak) = (memory("VmRSS"), memory("VmHWM"));
            println!("{i} of each: resident {now} KiB, peak {peak} KiB");
            peaks.push(peak);
        }
    }
    lambda.idle().await.unwrap();
    assert!(peaks.last().unwrap() - peaks[1] < GROWTH, "{peaks:?}");
}
