//! From an event's bytes to four validated images: ours, the floor below it, and the straightforward path.
//! Each is at growing sizes, as text and in Base64; then the ratios at the largest size, measured by turns.
//! `cargo bench --bench decode`

#![allow(clippy::expect_used, reason = "what is measured is known to be good")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "all paths are given the event as the runtime hands it over"
)]

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, Simd, general_purpose::GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use futures_util::{FutureExt as _, stream};
use lambda_http::request::LambdaRequest;
use local::images::jpeg;
use local::noise::Put;
use multer::Multipart;
use put_image::form::Form;

/// Sizes of the event in bytes, about.
const SIZES: [usize; 4] = [64 << 10, 512 << 10, 2 << 20, 5_870_000];

/// How often each is run for the ratios.
const TURNS: usize = 101;

type Images = Vec<Bytes>;

/// A way from an event to its images.
type Path = fn(Bytes) -> Images;

fn main() {
    divan::main();
    println!("\nRatios at {} bytes, medians of {TURNS} turns:", SIZES[3]);
    let events = [
        ("text", text_event(SIZES[3])),
        ("Base64", base64_event(SIZES[3])),
    ];
    for (name, event) in events {
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..TURNS {
            for (times, path) in times.iter_mut().zip([ours as Path, floor, straightforward]) {
                // As the runtime hands it over.
                let event = Bytes::from(event.clone());
                let start = Instant::now();
                drop(black_box(path(black_box(event))));
                times.push(start.elapsed());
            }
        }
        let [ours, floor, straightforward] = times.map(median);
        println!(
            "{name}: ours {ours:?}, floor {floor:?}, straightforward {straightforward:?}; ours takes {:.2} x the floor, \
             the straightforward path {:.1} x ours",
            ours.as_secs_f64() / floor.as_secs_f64(),
            straightforward.as_secs_f64() / ours.as_secs_f64(),
        );
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn images(event_size: usize) -> Vec<Vec<u8>> {
    (0..4)
        .map(|seed| jpeg(event_size / 4 * 3 / 4 - 250, seed))
        .collect()
}

fn text_event(size: usize) -> Vec<u8> {
    Put::default().event(&images(size)).into_bytes()
}

fn base64_event(size: usize) -> Vec<u8> {
    Put::default()
        .base64_event(&images(size / 4 * 3))
        .into_bytes()
}

fn measure(bencher: Bencher<'_, '_>, event: &[u8], path: Path) {
    assert_eq!(path(event.to_vec().into()).len(), 4);
    bencher
        .counter(BytesCount::new(event.len()))
        .with_inputs(|| Bytes::from(event.to_vec()))
        .bench_values(|event| path(black_box(event)));
}

#[divan::bench(args = SIZES)]
fn text_ours(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &text_event(size), ours);
}

#[divan::bench(args = SIZES)]
fn text_floor(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &text_event(size), floor);
}

#[divan::bench(args = SIZES)]
fn text_straightforward(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &text_event(size), straightforward);
}

#[divan::bench(args = SIZES)]
fn base64_ours(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &base64_event(size), ours);
}

#[divan::bench(args = SIZES)]
fn base64_floor(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &base64_event(size), floor);
}

#[divan::bench(args = SIZES)]
fn base64_straightforward(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &base64_event(size), straightforward);
}

fn ours(event: Bytes) -> Images {
    let (content_type, body) = request(&event);
    drop(event);
    let form = Form::read(&content_type, body).now_or_never();
    let form = form.expect("a body in memory").expect("a good form");
    form.images
        .values()
        .map(|image| image.bytes().clone())
        .collect()
}

/// What the crates themselves cost, with nothing checked: `lambda_http`'s request, multer's chunks, base64's SIMD engine.
fn floor(event: Bytes) -> Images {
    let (content_type, body) = request(&event);
    drop(event);
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

/// The request of an event, as `lambda_http` makes it.
fn request(event: &Bytes) -> (String, Bytes) {
    let request: lambda_http::Request = serde_json::from_slice::<LambdaRequest>(event)
        .expect("an event")
        .into();
    let content_type = request.headers()["content-type"]
        .to_str()
        .expect("text")
        .to_owned();
    let body = match request.into_body() {
        lambda_http::Body::Text(text) => text.into(),
        lambda_http::Body::Binary(bytes) => bytes.into(),
        _ => Bytes::new(),
    };
    (content_type, body)
}

fn straightforward(event: Bytes) -> Images {
    let (content_type, body) = request(&event);
    let boundary = multer::parse_boundary(content_type).expect("a form");
    let mut form = Multipart::new(
        stream::once(async { Ok::<_, std::io::Error>(body) }),
        boundary,
    );
    let mut images = Vec::new();
    let read = async {
        while let Some(field) = form.next_field().await.expect("a field") {
            let is_image = field.name().is_some_and(|name| name.ends_with("Image"));
            let bytes = field.bytes().await.expect("its bytes");
            if is_image {
                images.push(BASE64_STANDARD.decode(&bytes).expect("Base64").into());
            }
        }
    };
    read.now_or_never().expect("a body in memory");
    images
}
