//! No line of the log holds a key, an e-mail or an image, at any level and in any test of this process.

use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, Once};

use admin::project::ExposeSecret as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use local::function::{context, invoke};
use put_image::deadline::TIMEOUT;
use put_image::domain::{ApiKey, Field};
use put_image::image::Format;
use put_image::telemetry::logging;
use rstest::rstest;
use serde_json::Value;
use testkit::images;
use tracing::level_filters::LevelFilter;

use crate::helpers::*;

/// What the tests send and the records hold that must stay private: keys and their hashes, accounts, images as Base64.
static PRIVATE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let texts = [
        "demo-key",
        "DEMO-KEY",
        "@example",
        "@EXAMPLE",
        "s3cret",
        "iVBORw0KGgo",
        "/9j/",
    ];
    let records = local::records::Records::sample().unwrap();
    let keys = records.projects.iter().map(|project| &project.api_key);
    let keys = keys.filter_map(|key| ApiKey::parse(key.expose_secret()));
    let hashes = keys.map(|key| key.hash().to_string());
    texts.map(str::to_owned).into_iter().chain(hashes).collect()
});

pub static LOG: Log = Log {
    start: Once::new(),
    lines: Mutex::new(Vec::new()),
    leaks: Mutex::new(Vec::new()),
};

/// The lines logged so far by all tests of this process.
pub struct Log {
    start: Once,
    lines: Mutex<Vec<String>>,
    leaks: Mutex<Vec<String>>,
}

impl Log {
    /// Starts to write all log lines into this log, as the deployed function would at the level TRACE.
    pub fn start(&'static self) {
        self.start.call_once(|| {
            logging::init_with(LevelFilter::TRACE, true, || Writer(&LOG));
        });
    }

    /// Where lines go that the function writes itself.
    pub fn writer(&'static self) -> Writer {
        Writer(self)
    }

    /// Fails if a line of any test has held something private so far.
    pub fn assert_clean(&self) {
        assert_eq!(*self.leaks.lock().unwrap(), [""; 0]);
    }

    /// The lines that hold a text.
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        self.lines
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains(text))
            .cloned()
            .collect()
    }
}

fn is_private(text: &str) -> bool {
    PRIVATE.iter().any(|private| text.contains(private))
}

pub struct Writer(&'static Log);

impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line).into_owned();
        // The servers and the tests' own clients log in this process too; the deployed function has none.
        let deployed = ["put_image", "aws", "lambda", "hyper", "rustls"];
        let is_request = !text.contains("\"target\":");
        let ours = is_request
            || deployed
                .iter()
                .any(|target| text.contains(&format!("\"target\":\"{target}")));
        if ours && is_private(&text) {
            self.0.leaks.lock().unwrap().push(text.clone());
        }
        self.0.lines.lock().unwrap().push(text);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_is_one_line_with_what_an_operator_looks_for() {
    let app = TestApp::start().await;
    let form = Form::selfie(&images::png(4321, 1)).with("submissionId", "second-submission");
    assert_eq!(app.put(&form).await.row(), SUCCESS);
    let lines = LOG.lines_with("\"selfieImageBytes\":4321");
    assert_eq!(lines.len(), 1);
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let members: Vec<&str> = line
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = "BodyBytes Code ColdStarts CommitDuration DecodeDuration ReadDuration Requests TotalDuration \
                    UploadDuration level message project requestId selfieImageBytes selfieImageFormat status \
                    submission timestamp";
    assert_eq!(members.join(" "), expected);
    assert_eq!(line["message"], "put image");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["status"], 200);
    assert_eq!(line["Code"], "ok");
    assert_eq!(line["project"], "demo-project");
    assert_eq!(line["submission"], "second-submission");
    assert_eq!(line["selfieImageFormat"], Format::Png.extension());
}

#[rstest]
#[case::line_break("injected-1\r\nINFO forged")]
#[case::escape_sequence("injected-2\u{1b}[31m")]
#[case::account("injected-3@example.com")]
#[tokio::test]
async fn what_a_caller_sends_is_in_no_line(#[case] mark: &str) {
    let app = TestApp::start().await;
    for field in Field::all().map(Field::name).chain(["unknown"]) {
        // One key lets the later checks run, the other is a fault.
        for key in [KEY, KEY_OF_TWO] {
            app.put(&Form::full().with_key(key).with(field, mark)).await;
        }
    }
    // A header with control characters makes an event that no gateway writes.
    let odd_key = Form::full().with_key(mark).event();
    let odd_everywhere = event(Some(mark), mark, mark.as_bytes());
    for event in [odd_key, odd_everywhere].map(|event| event.to_string()) {
        let _ = invoke(&app.function, event.as_bytes(), context(TIMEOUT)).await;
    }
    assert_eq!(LOG.lines_with(&mark[..10]), [""; 0]);
}

#[rstest]
#[case::key(KEY)]
#[case::hash(&ApiKey::parse(KEY).unwrap().hash().to_string())]
#[case::account(ADMIN)]
#[case::png(&BASE64_STANDARD.encode(images::png(200, 1)))]
#[case::jpeg(&BASE64_STANDARD.encode(images::jpeg(200, 1)))]
fn what_is_private_would_be_found(#[case] text: &str) {
    assert!(is_private(&format!("a line with {text} in it")));
}

/// The deployed function's lines on standard error, from a process of its own.
#[rstest]
#[case::json("JSON")]
#[case::text("Text")]
fn a_panics_message_is_not_logged(#[case] format: &str) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--ignored",
            "--exact",
            "log::child_that_panics",
            "--nocapture",
        ])
        .env("AWS_LAMBDA_LOG_FORMAT", format)
        .env("AWS_LAMBDA_LOG_LEVEL", "TRACE");
    let log = String::from_utf8(child.output().unwrap().stderr).unwrap();
    assert!(log.contains("panicked") && log.contains("log.rs"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
#[ignore = "run by a_panics_message_is_not_logged"]
fn child_that_panics() {
    logging::init();
    let _ = std::panic::catch_unwind(|| panic!("s3cret"));
}
