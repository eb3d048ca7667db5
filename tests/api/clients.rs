//! Real clients over a socket, as the API's documentation shows them: what they send is stored byte for
//! byte, at 1 KB and at 4.6 MB of images in one request. Common parsers cut such a field at 1 MiB.

use std::path::Path;
use std::process::Stdio;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use local::gateway::default_rate;
use rstest::rstest;
use tempfile::TempDir;
use tokio::process::Command;

use crate::gateway::serve;
use crate::helpers::*;
use testkit::images;

const FIELDS: [&str; 4] = ["idImage", "idBackImage", "selfieImage", "addressImage"];

/// Has a client put four images of `total` bytes, from files with their Base64, and compares.
async fn assert_puts(total: usize, client: impl AsyncFn(&Path, &str) -> Option<String>) {
    let app = TestApp::start().await;
    let url = serve(&app, default_rate()).await;
    let folder = TempDir::new().unwrap();
    let images: Vec<Vec<u8>> = (0..4)
        .map(|i| {
            if i % 2 == 0 {
                images::jpeg(total / 4, i)
            } else {
                images::png(total / 4, i)
            }
        })
        .collect();
    for (field, image) in FIELDS.iter().zip(&images) {
        std::fs::write(
            folder.path().join(format!("{field}.b64")),
            BASE64_STANDARD.encode(image),
        )
        .unwrap();
    }
    let Some(answer) = client(folder.path(), &url).await else {
        return;
    };
    assert_eq!(answer.trim(), SUCCESS.1);
    for (field, image) in FIELDS.iter().zip(images) {
        assert!(
            app.image(SUBMISSION, field).await.as_ref() == Some(&image),
            "{field} is not what was sent"
        );
    }
    assert_eq!(app.record(SUBMISSION).await["idType"], "passport");
}

/// Runs a program to its end. A missing one is skipped, but never on CI, which installs it.
async fn run(command: &mut Command) -> Option<String> {
    let output = match command.stdin(Stdio::null()).output().await {
        Ok(output) => output,
        Err(error) => return skip(&format!("{command:?}: {error}")),
    };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if errors.contains("No module named 'requests'") {
        return skip("Python has no requests");
    }
    assert!(output.status.success(), "{errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn skip(why: &str) -> Option<String> {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("skipped: {why}");
    None
}

/// `curl --form`, with each image's value as `field=<prefix><file>`.
async fn curl(folder: &Path, url: &str, prefix: &str) -> Option<String> {
    let mut command = Command::new("curl");
    command
        .current_dir(folder)
        .args(["--silent", "--show-error", "--request", "PUT", url]);
    command.args(["--header", &format!("x-api-key: {KEY}")]);
    command.args([
        "--form",
        &format!("submissionId={SUBMISSION}"),
        "--form",
        &format!("admin={ADMIN}"),
    ]);
    command.args(["--form", "idType=passport"]);
    for field in FIELDS {
        command.args(["--form", &format!("{field}={prefix}{field}.b64")]);
    }
    run(&mut command).await
}

const REQUESTS: &str = r#"
import sys, requests
url, key, submission, admin, as_file = sys.argv[1:]
def value(field):
    text = open(f"{field}.b64").read()
    return (f"{field}.b64", text) if as_file == "yes" else (None, text)
files = {"submissionId": (None, submission), "admin": (None, admin), "idType": (None, "passport")}
files |= {field: value(field) for field in ("idImage", "idBackImage", "selfieImage", "addressImage")}
print(requests.put(url, headers={"x-api-key": key}, files=files).text)
"#;

async fn python(folder: &Path, url: &str, as_file: &str) -> Option<String> {
    let mut command = Command::new("python3");
    command
        .current_dir(folder)
        .args(["-c", REQUESTS, url, KEY, SUBMISSION, ADMIN, as_file]);
    run(&mut command).await
}

#[rstest]
#[case::text_parts("<")]
#[case::file_parts("@")]
#[tokio::test]
async fn curl_puts(#[case] prefix: &str, #[values(1_000, 4_600_000)] total: usize) {
    assert_puts(total, async |folder: &Path, url: &str| {
        curl(folder, url, prefix).await
    })
    .await;
}

#[rstest]
#[case::text_parts("no")]
#[case::file_parts("yes")]
#[tokio::test]
async fn python_requests_puts(#[case] as_file: &str, #[values(1_000, 4_600_000)] total: usize) {
    assert_puts(total, async |folder: &Path, url: &str| {
        python(folder, url, as_file).await
    })
    .await;
}
