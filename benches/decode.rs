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
use bytes::{Bytes, BytesMut};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use futures_util::stream;
use lambda_http::request::LambdaRequest;
use local::noise::{Put, jpeg};
use memchr::memmem;
use multer::Multipart;
use put_image::event::Event;
use put_image::request::Request;

/// Sizes of the event in bytes, about.
const SIZES: [usize; 4] = [64 << 10, 512 << 10, 2 << 20, 5_870_000];

/// How often each is run for the ratios.
const TURNS: usize = 101;

type Images = Vec<Bytes>;

/// A way from an event to its images.
type Path = fn(BytesMut) -> Images;

fn main() {
    divan::main();
    println!("\nRatios at {} bytes, medians of {TURNS} turns:", SIZES[3]);
    for (name, event, floor) in [
        ("text", text_event(SIZES[3]), floor_text as Path),
        ("Base64", base64_event(SIZES[3]), floor_base64),
    ] {
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..TURNS {
            for (times, path) in times.iter_mut().zip([ours, floor, straightforward]) {
                // As the runtime hands it over.
                let event = BytesMut::from(&event[..]);
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
    let seed = &mut 7;
    (0..4)
        .map(|_| jpeg(event_size / 4 * 3 / 4 - 250, seed))
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
    assert_eq!(path(event.into()).len(), 4);
    bencher
        .counter(BytesCount::new(event.len()))
        .with_inputs(|| BytesMut::from(event))
        .bench_values(|event| path(black_box(event)));
}

#[divan::bench(args = SIZES)]
fn text_ours(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &text_event(size), ours);
}

#[divan::bench(args = SIZES)]
fn text_floor(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &text_event(size), floor_text);
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
    measure(bencher, &base64_event(size), floor_base64);
}

#[divan::bench(args = SIZES)]
fn base64_straightforward(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, &base64_event(size), straightforward);
}

fn ours(event: BytesMut) -> Images {
    let request = Request::parse(Event::parse(event)).expect("a good request");
    request
        .images
        .into_iter()
        .map(|(_, image)| image.bytes().clone())
        .collect()
}

/// One pass over the JSON string, one over the text for the boundaries, one decoding. It takes all for granted:
/// that the body comes last, that nothing but `\r\n` and `\"` is escaped, that the form is as ours, that
/// what is decoded are images.
fn floor_text(event: BytesMut) -> Images {
    let body = body(&event);
    let mut text = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memchr2(b'\\', b'"', rest) {
        text.extend_from_slice(&rest[..at]);
        if rest[at] == b'"' {
            break;
        }
        text.push(match rest[at + 1] {
            b'r' => b'\r',
            b'n' => b'\n',
            other => other,
        });
        rest = &rest[at + 2..];
    }
    floor_form(&text)
}

fn floor_base64(event: BytesMut) -> Images {
    let body = body(&event);
    let end = memchr::memchr(b'"', body).expect("the body's end");
    floor_form(&simd().decode(&body[..end]).expect("Base64"))
}

fn body(event: &[u8]) -> &[u8] {
    const START: &[u8] = b"\"body\":\"";
    &event[memmem::find(event, START).expect("a body") + START.len()..]
}

fn floor_form(text: &[u8]) -> Images {
    let simd = simd();
    let mut starts = memmem::find_iter(text, b"------noise").peekable();
    let mut images = Vec::new();
    while let (Some(start), Some(end)) = (starts.next(), starts.peek()) {
        let part = &text[start..*end - 2];
        let content = memmem::find(part, b"\r\n\r\n").expect("a header's end") + 4;
        if part[..content].ends_with(b"Image\"\r\n\r\n") {
            images.push(simd.decode(&part[content..]).expect("Base64").into());
        }
    }
    images
}

fn simd() -> Simd {
    Simd::standard(
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    )
}

fn straightforward(event: BytesMut) -> Images {
    let request: lambda_http::Request = serde_json::from_slice::<LambdaRequest>(&event)
        .expect("an event")
        .into();
    let boundary =
        multer::parse_boundary(request.headers()["content-type"].to_str().expect("text"))
            .expect("a form");
    let body = match request.into_body() {
        lambda_http::Body::Text(text) => text.into_bytes(),
        lambda_http::Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
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
    futures_util::FutureExt::now_or_never(read).expect("a body in memory");
    images
}
