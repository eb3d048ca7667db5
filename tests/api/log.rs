//! The log of the whole test suite at its lowest level: no line may hold a key, an e-mail or an image.

use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, Once};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use local::function::{context, invoke};
use put_image::deadline::TIMEOUT;
use put_image::domain::ApiKey;
use tracing::level_filters::LevelFilter;

use crate::helpers::*;
use local::images;

/// What the tests send and the records hold that is nobody's business: keys and their hashes, accounts,
/// images as Base64.
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
    let hashes = records.projects.iter().map(|project| {
        ApiKey::parse(project.api_key.reveal())
            .unwrap()
            .hash()
            .to_string()
    });
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
            put_image::telemetry::logging::init_with(LevelFilter::TRACE, true, || Writer(&LOG));
        });
    }

    /// Where lines go that the function writes itself.
    pub fn writer(&'static self) -> Writer {
        Writer(self)
    }

    /// Fails if a line has held something private so far, in whichever test.
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
    let app = App::start().await;
    let image = images::png(4321, 1);
    assert_eq!(
        app.put(&Form::selfie(&image).with("submissionId", "second-submission"))
            .await
            .row(),
        SUCCESS
    );
    let lines = LOG.lines_with("\"selfieImageBytes\":4321");
    assert_eq!(lines.len(), 1);
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["message"], "put image");
    assert_eq!(line["level"], "INFO");
    assert_eq!(
        (&line["status"], &line["Code"]),
        (&200.into(), &"ok".into())
    );
    assert_eq!(
        (&line["project"], &line["submission"]),
        (&"demo-project".into(), &"second-submission".into())
    );
    assert_eq!(line["selfieImageFormat"], "png");
    assert!(line.get("idImageFormat").is_none());
    assert!(line.get("_aws").is_none(), "no metrics without a namespace");
    for time in [
        "DecodeDuration",
        "ReadDuration",
        "UploadDuration",
        "CommitDuration",
        "TotalDuration",
    ] {
        assert!(line[time].is_f64(), "{time}");
    }
}

#[tokio::test]
async fn what_a_caller_sends_is_in_no_line() {
    let app = App::start().await;
    let marks = [
        "injected-1\r\nINFO forged",
        "injected-2\u{1b}[31m",
        "injected-3@example.com",
    ];
    for mark in marks {
        for field in ["submissionId", "admin", "idType", "selfieImage", "unknown"] {
            let _ = app.put(&Form::full().with(field, mark)).await;
        }
        let odd_key = Form::full().with_key(mark).event().to_string();
        let _ = invoke(&app.function, odd_key.as_bytes(), context(TIMEOUT)).await;
        let event = event(Some(mark), mark, mark.as_bytes());
        // A header with control characters makes an event that no gateway writes.
        let event = event.to_string();
        let _ = invoke(&app.function, event.as_bytes(), context(TIMEOUT)).await;
    }
    assert_eq!(LOG.lines_with("injected"), [""; 0]);
}

#[test]
fn what_is_private_would_be_found() {
    let hash = ApiKey::parse(KEY).unwrap().hash().to_string();
    let images =
        [images::png(200, 1), images::jpeg(200, 1)].map(|image| BASE64_STANDARD.encode(image));
    for text in [KEY, ADMIN, &hash, &images[0], &images[1]] {
        assert!(is_private(&format!("a line with {text} in it")), "{text}");
    }
}

/// The deployed function's lines on standard error, from a process of its own.
#[test]
fn a_panics_message_is_not_logged() {
    for format in ["JSON", "Text"] {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "log::child_that_panics",
                "--nocapture",
            ])
            .env("AWS_LAMBDA_LOG_FORMAT", format)
            .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .output()
            .unwrap();
        let log = String::from_utf8(child.stderr).unwrap();
        assert!(log.contains("panicked") && log.contains("log.rs"), "{log}");
        assert!(!log.contains("s3cret"), "{log}");
    }
}

#[test]
#[ignore = "run by a_panics_message_is_not_logged"]
fn child_that_panics() {
    put_image::telemetry::logging::init();
    let _ = std::panic::catch_unwind(|| panic!("s3cret"));
}
