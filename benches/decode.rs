//! From an event's bytes to four validated images, as text and in Base64: at growing sizes; then, at the largest, by
//! turns with the floor below. `cargo bench --bench decode`

#![allow(clippy::expect_used, reason = "what is measured is known to be good")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "both paths are given the event as the runtime hands it over"
)]

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, Simd, general_purpose::GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use futures_util::{FutureExt as _, stream};
use local::event;
use local::function::content;
use multer::Multipart;
use put_image::form::Form;
use testkit::images::jpeg;

/// Sizes of the event in bytes, about.
const SIZES: [usize; 4] = [64 << 10, 512 << 10, 2 << 20, 5_870_000];

/// How often each is run for the ratios.
const TURNS: usize = 101;

type Images = Vec<Bytes>;

fn main() {
    divan::main();
    println!("\nRatios at {} bytes, medians of {TURNS} turns:", SIZES[3]);
    for (name, event) in [("text", text(SIZES[3])), ("Base64", base64(SIZES[3]))] {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            ours.push(time(self::ours, &event));
            floor.push(time(self::floor, &event));
        }
        let (ours, floor) = (median(ours), median(floor));
        let ratio = ours.as_secs_f64() / floor.as_secs_f64();
        println!("{name}: ours {ours:?}, floor {floor:?}; ours takes {ratio:.2} x the floor");
    }
}

fn time(path: fn(Bytes) -> Images, event: &[u8]) -> Duration {
    // As the runtime hands it over.
    let event = Bytes::from(event.to_vec());
    let start = Instant::now();
    drop(black_box(path(black_box(event))));
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// An event whose form is text.
fn text(size: usize) -> Vec<u8> {
    let images: Vec<_> = (0..4)
        .map(|seed| jpeg(size / 4 * 3 / 4 - 250, seed))
        .collect();
    event::put("demo-submission", &images).to_string().into()
}

/// An event whose form is in Base64, as an API with binary media types sends it.
fn base64(size: usize) -> Vec<u8> {
    let mut event: serde_json::Value =
        serde_json::from_slice(&text(size / 4 * 3)).expect("an event");
    let form = event["body"].as_str().expect("a form");
    event["body"] = BASE64_STANDARD.encode(form).into();
    event["isBase64Encoded"] = true.into();
    event.to_string().into()
}

fn measure(bencher: Bencher<'_, '_>, event: &[u8]) {
    assert_eq!(ours(event.to_vec().into()).len(), 4);
    bencher
        .counter(BytesCount::new(event.len()))
        .with_inputs(|| Bytes::from(event.to_vec()))
        .bench_values(|event| ours(black_box(event)));
}

#[divan::bench(args = SIZES)]
fn of_text(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &text(size));
}

#[divan::bench(args = SIZES)]
fn of_base64(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &base64(size));
}

fn ours(event: Bytes) -> Images {
    let (content_type, body) = request(event);
    let form = Form::read(&content_type, body).now_or_never();
    let form = form.expect("a body in memory").expect("a good form");
    form.images
        .values()
        .map(|image| image.bytes().clone())
        .collect()
}

/// What the crates themselves cost, with nothing checked: `lambda_http`'s request, multer's chunks, base64's SIMD engine.
fn floor(event: Bytes) -> Images {
    let (content_type, body) = request(event);
    let boundary = multer::parse_boundary(content_type).expect("a form");
    let simd = Simd::standard(
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let mut form = Multipart::new(
        stream::once(async { Ok::<_, std::io::Error>(body) }),
        boundary,
    );
    let mut images = Vec::new();
    let read = async {
        while let Some(mut field) = form.next_field().await.expect("a field") {
            let is_image = field.name().is_some_and(|name| name.ends_with("Image"));
            let content = field
                .chunk()
                .await
                .expect("its content")
                .expect("its content");
            if is_image {
                images.push(simd.decode(&content).expect("Base64").into());
            }
        }
    };
    read.now_or_never().expect("a body in memory");
    images
}

/// The content type and the body of an event's request.
fn request(event: Bytes) -> (String, Bytes) {
    content(&event).expect("an event with a form")
}
