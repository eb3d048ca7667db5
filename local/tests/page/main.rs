//! The page, in a real browser.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod browser;
mod safety;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use local::page::Page;
use local::records::Records;
use local::stack::Stack;
use local::{images, schema, server};
use reqwest::multipart;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{Browser, View};

const KEY: &str = "demo-key-for-the-local-stack";
const FIELDS: [&str; 4] = ["idImage", "idBackImage", "selfieImage", "addressImage"];

/// The key of an object of the demo submission that its record doesn't name.
const LEFT_OVER: &str =
    "demo-project/demo-submission/selfieImage/5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21.jpg";

/// In the page: it is ready to put, and its images are loaded.
const READY: &str =
    "document.querySelector('#mistakes button') && document.querySelector('#live.good')";
const SELFIE_LOADED: &str = "document.querySelector('#images img').naturalWidth";
const FOUR_LOADED: &str = "document.querySelectorAll('#images img').length === 4
    && [...document.querySelectorAll('#images img')].every(image => image.naturalWidth)";

/// A stack of a test's own, with its gateway and its page.
struct Site {
    stack: Stack,
    api: String,
    page: String,
    folder: TempDir,
}

impl Site {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let endpoints = server::embedded(folder.path()).await.unwrap();
        let records = Records::sample().unwrap();
        let stack = Stack::over(endpoints, schema::config(""), records)
            .await
            .unwrap();
        let gateway = Arc::new(stack.gateway().unwrap());
        let port = server::bind(0, "the gateway", "").await.unwrap();
        let api = server::url(&port).unwrap() + gateway.path();
        tokio::spawn(Arc::clone(&gateway).serve(port));
        let port = server::bind(0, "the page", "").await.unwrap();
        let page = server::url(&port).unwrap();
        tokio::spawn(Page::new(&stack, gateway, &api).unwrap().serve(port));
        Self {
            stack,
            api,
            page,
            folder,
        }
    }

    /// The demo submission's record.
    async fn record(&self) -> Value {
        let records = self.stack.endpoints.records(self.stack.config.clone());
        records
            .submission("demo-submission")
            .await
            .unwrap()
            .unwrap()
            .record
    }

    /// Puts a selfie to the gateway, as another client than the page.
    async fn put_selfie(&self, image: &[u8]) {
        let form = multipart::Form::new()
            .text("submissionId", "demo-submission")
            .text("admin", "second@example.com")
            .text("selfieImage", BASE64_STANDARD.encode(image));
        let put = reqwest::Client::new()
            .put(&self.api)
            .header("x-api-key", KEY);
        assert_eq!(put.multipart(form).send().await.unwrap().status(), 200);
    }

    /// Stores an object.
    async fn store(&self, key: &str, content_type: &str, content: impl Into<Bytes>) {
        let (s3, bucket) = (self.stack.endpoints.s3(), &self.stack.config.images_bucket);
        let put = s3.put_object().bucket(bucket).key(key);
        let put = put.content_type(content_type).body(content.into().into());
        put.send().await.unwrap();
    }

    /// A file to choose.
    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Opens the page of a stack of its own in a browser of its own.
async fn on_the_page(view: View, test: impl AsyncFnOnce(&Browser, &Site)) {
    let site = Site::start().await;
    Browser::run(view, async |browser| {
        browser.open(&site.page).await;
        browser.until(READY).await;
        test(browser, &site).await;
    })
    .await;
}

#[tokio::test]
async fn puts_four_images_and_shows_them() {
    on_the_page(View::Light, async |browser, site| {
        browser.click("#send").await;
        browser.until_text("#answer", "200 in ").await;
        browser
            .until_text("#answer", r#"{"message":"complete to update image."}"#)
            .await;
        browser.until(FOUR_LOADED).await;
        let record = site.record().await;
        for field in FIELDS {
            let image = &record[field];
            browser
                .until_text("#images", image["sha256"].as_str().unwrap())
                .await;
            let pixels = format!("{} × {}", image["width"], image["height"]);
            browser.until_text("#images", &pixels).await;
        }
        browser.until_text("#images", "by Admin@Example.com").await;
        browser.click("summary").await;
        let shown = browser
            .script("return document.querySelector('#record').innerText")
            .await;
        assert_eq!(
            serde_json::from_str::<Value>(shown.as_str().unwrap()).unwrap(),
            record
        );
    })
    .await;
}

#[tokio::test]
async fn shows_why_a_file_is_refused() {
    on_the_page(View::Light, async |browser, site| {
        let gif = site.file("picture.gif", b"GIF89a\x01\0\x01\0\0\0\0;");
        browser.type_into("#selfieImage", &gif).await;
        browser.until_text("#slots", "picture.gif, 14").await;
        browser.click("#send").await;
        browser.until_text("#answer", "400 in ").await;
        browser
            .until_text(
                "#answer",
                r#"{"errorCode":"invalid_payload","message":"Fail to parse the input data."}"#,
            )
            .await;
        browser
            .until_text(
                "#answer",
                "x-error-detail: selfieImage: a GIF; send a JPEG or PNG",
            )
            .await;
        browser
            .until_text("#log", "selfieImage: a GIF; send a JPEG or PNG")
            .await;
        assert_eq!(site.record().await["selfieImage"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn works_by_keyboard() {
    on_the_page(View::Light, async |browser, site| {
        let enter = "\u{E007}";
        for (slot, name) in [(1, "ID front"), (2, "ID back")] {
            let leave_out = format!("button[aria-label='Leave out: {name}']");
            browser.type_into(&leave_out, enter).await;
            let slot = format!("#slots .slot:nth-child({slot})");
            browser.until_text(&slot, "Choose or drop a file").await;
        }
        browser.type_into("#admin", enter).await;
        browser.until_text("#answer", "200 in ").await;
        let record = site.record().await;
        assert_eq!(
            (&record["idImage"], &record["idBackImage"]),
            (&Value::Null, &Value::Null)
        );
        assert!(record["selfieImage"].is_object() && record["addressImage"].is_object());
    })
    .await;
}

#[tokio::test]
async fn each_mistake_gets_the_answer_that_it_names() {
    on_the_page(View::Light, async |browser, site| {
        let count = browser
            .until("document.querySelectorAll('#mistakes button').length")
            .await;
        let mut rows = Vec::new();
        for mistake in 1..=count.as_u64().unwrap() {
            let button = format!("#mistakes button:nth-child({mistake})");
            let named = format!("document.querySelector('{button}').innerText.split('\\n')");
            let named: Vec<String> = serde_json::from_value(browser.until(&named).await).unwrap();
            let [row, label, code] = &named[..] else {
                panic!("{named:?}")
            };
            browser.click(&button).await;
            browser.until_text("#answer", label).await;
            let answer = browser
                .until("document.querySelector('#answer pre').innerText")
                .await;
            let answer: Value = serde_json::from_str(answer.as_str().unwrap()).unwrap();
            let answered = answer["errorCode"].as_str().or(answer["message"].as_str());
            assert_eq!(answered, Some(code.as_str()), "{label}: {answer}");
            rows.push(row.clone());
        }
        let all = [
            "1", "1", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "–", "–", "–",
        ];
        assert_eq!(rows, all);
        assert_eq!(
            site.record().await.as_object().unwrap().len(),
            2,
            "something was put"
        );
    })
    .await;
}

#[tokio::test]
async fn two_puts_at_once_leave_one_set() {
    on_the_page(View::Light, async |browser, site| {
        browser.click("#race").await;
        browser
            .until_text("#verdict", "All four images are of ")
            .await;
        let answers = "document.querySelectorAll('#answer b.good').length";
        assert_eq!(browser.until(answers).await, 2);
        browser.until(FOUR_LOADED).await;
        // A's are JPEGs, B's PNGs.
        let record = site.record().await;
        for field in FIELDS {
            assert_eq!(
                record[field]["contentType"], record["idImage"]["contentType"],
                "{record}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn shows_what_others_put_without_a_reload() {
    on_the_page(View::Light, async |browser, site| {
        browser.script("window.isTheSame = true").await;
        site.put_selfie(&images::jpeg(1234, 1)).await;
        browser.until_text("#log", "200 ok").await;
        browser.until_text("#images", "JPEG, 3 × 2, 1,234").await;
        browser.until_text("#images", "by second@example.com").await;
        // What was replaced makes room.
        site.put_selfie(&images::png(2345, 2)).await;
        browser.until_text("#images", "PNG, 3 × 2, 2,345").await;
        browser
            .until("document.querySelector('#rest').hidden")
            .await;
        let steps = "document.querySelector('#log .bar').ariaLabel";
        let steps = browser.until(steps).await;
        for step in ["decode", "read", "upload", "commit"] {
            assert!(steps.as_str().unwrap().contains(step), "{steps}");
        }
        assert_eq!(browser.script("return window.isTheSame").await, true);
    })
    .await;
}

#[tokio::test]
async fn shows_earlier_requests_to_who_comes_later() {
    let site = Site::start().await;
    site.put_selfie(&images::jpeg(1234, 1)).await;
    Browser::run(View::Light, async |browser| {
        browser.open(&site.page).await;
        browser.until_text("#log", "200 ok").await;
    })
    .await;
}

#[tokio::test]
async fn shows_what_the_record_does_not_name() {
    on_the_page(View::Light, async |browser, site| {
        site.store(LEFT_OVER, "image/jpeg", images::jpeg(3456, 1))
            .await;
        site.put_selfie(&images::png(1234, 1)).await;
        browser.until_text("#unnamed", "3,456").await;
        browser
            .until("document.querySelector('#unnamed img').naturalWidth === 3")
            .await;
    })
    .await;
}

#[tokio::test]
async fn breaks_no_rule_of_accessibility() {
    let Ok(axe) = std::env::var("AXE") else {
        assert!(std::env::var_os("CI").is_none(), "AXE names no axe-core");
        eprintln!("skipped: AXE is not the path of axe-core's axe.min.js");
        return;
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    for view in [View::Light, View::Dark, View::Phone] {
        on_the_page(view, async |browser, site| {
            site.store(LEFT_OVER, "image/jpeg", images::jpeg(3456, 1)).await;
            site.put_selfie(&images::png(1234, 1)).await;
            browser.until(SELFIE_LOADED).await;
            browser.until_text("#unnamed", "3,456").await;
            browser.click("#mistakes button").await;
            browser.until_text("#answer", "400 in ").await;
            browser.click("summary").await;
            let dark = browser.script("return matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(dark, view == View::Dark);
            let run = "return axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))";
            let violations = browser.script(&format!("{axe};\n{run}")).await;
            assert_eq!(violations, json!([]), "{view:?}");
            // Nothing is wider than the window.
            let beyond = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.script(beyond).await, 0, "{view:?}");
        })
        .await;
    }
}

/// Writes the screenshot of the docs, if asked: `SCREENSHOT=docs/page.png`, from the workspace's folder.
#[tokio::test]
async fn takes_a_screenshot() {
    let Ok(path) = std::env::var("SCREENSHOT") else {
        return;
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join(path);
    on_the_page(View::Light, async |browser, _| {
        // Later ones stand above: the watched requests end with the GIF's.
        for mistake in (1..=15).rev() {
            if mistake == 1 {
                browser.click("#send").await;
                browser.until(FOUR_LOADED).await;
            }
            let button = format!("#mistakes button:nth-child({mistake})");
            browser.click(&button).await;
            browser.until("document.querySelector('#answer pre')").await;
        }
        browser
            .until("document.querySelectorAll('#log li').length === 16")
            .await;
        let rest = "document.activeElement.blur(); scrollTo(0, 0)";
        browser.script(rest).await;
        let screenshot = with_palette(&browser.screenshot().await);
        std::fs::write(path, screenshot).unwrap();
    })
    .await;
}

/// Encodes an RGB screenshot with its 256 most frequent colours, in a third of its bytes.
fn with_palette(screenshot: &[u8]) -> Vec<u8> {
    let mut decoder = png::Decoder::new(Cursor::new(screenshot))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
    let frame = decoder.next_frame(&mut pixels).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Rgb);
    let (pixels, _) = pixels.as_chunks::<3>();
    let mut counts: BTreeMap<[u8; 3], usize> = BTreeMap::new();
    for pixel in pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut palette: Vec<[u8; 3]> = counts.keys().copied().collect();
    palette.sort_by_key(|colour| Reverse(counts[colour]));
    palette.truncate(256);
    let nearest = |colour: &[u8; 3]| {
        let distance = |(_, other): &(u8, &[u8; 3])| -> u32 {
            let channels = colour.iter().zip(*other);
            channels
                .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
                .sum()
        };
        let (index, _) = (0..=255).zip(&palette).min_by_key(distance).unwrap();
        (*colour, index)
    };
    let nearest: BTreeMap<[u8; 3], u8> = counts.keys().map(nearest).collect();
    let indices: Vec<u8> = pixels.iter().map(|pixel| nearest[pixel]).collect();
    let mut small = Vec::new();
    let mut encoder = png::Encoder::new(&mut small, frame.width, frame.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&indices).unwrap();
    writer.finish().unwrap();
    small
}
