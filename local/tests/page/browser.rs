//! Chromium, driven by Debian's chromedriver over the WebDriver protocol (W3C).
//!
//! The crates for it cost more than these calls: thirtyfour turns on `serde_json/preserve_order` under all that is
//! tested, and fantoccini's webdriver has a licence that we don't take.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::Stdio;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::FutureExt as _;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// How somebody looks at the page.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    pub dark: bool,
    pub phone: bool,
}

/// A browser with one window.
pub struct Browser {
    client: Client,
    session: String,
}

impl Browser {
    /// Runs a test in a browser of its own, which ends whatever becomes of the test.
    pub async fn run(view: View, test: impl AsyncFnOnce(&Self)) {
        // Chromium's own sandbox doesn't work as root.
        let mut driver = Command::new("chromedriver");
        driver.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let Ok(mut driver) = driver.spawn() else {
            assert!(std::env::var_os("CI").is_none(), "CI has no chromedriver");
            eprintln!("skipped: no chromium; apt-get install chromium chromium-driver");
            return;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver has ended");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let url = format!("http://127.0.0.1:{port}");
        let mut arguments = vec!["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1400"];
        if view.dark {
            arguments.push("--force-dark-mode");
        }
        let mut options = json!({ "args": arguments });
        if view.phone {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 2, "touch": true } });
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let mut browser = Self { client: Client::new(), session: url };
        let session = browser.call(Method::POST, "/session", wanted).await;
        browser.session += &format!("/session/{}", session["sessionId"].as_str().unwrap());

        let result = AssertUnwindSafe(test(&browser)).catch_unwind().await;
        browser.call(Method::DELETE, "", json!({})).await;
        driver.kill().await.unwrap();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    pub async fn open(&self, url: &str) {
        self.call(Method::POST, "/url", json!({ "url": url })).await;
    }

    /// Waits until an expression in the page is true, and returns it.
    #[track_caller]
    pub fn until(&self, expression: &str) -> impl Future<Output = Value> {
        let script = format!(
            "const done = arguments[0];
             (function look() {{
               let value;
               try {{ value = {expression}; }} catch {{}}
               if (value) done(value); else setTimeout(look, 10);
             }})()"
        );
        self.call(Method::POST, "/execute/async", json!({ "script": script, "args": [] }))
    }

    /// Returns what a script returns.
    #[track_caller]
    pub fn script(&self, script: &str) -> impl Future<Output = Value> {
        self.call(Method::POST, "/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Clicks what a person would, which must be visible and uncovered.
    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.call(Method::POST, &format!("{element}/click"), json!({})).await;
    }

    /// Types into a field, at its end.
    pub async fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.call(Method::POST, &format!("{element}/value"), json!({ "text": text })).await;
    }

    /// Chooses a file.
    pub async fn choose(&self, css: &str, file: &Path) {
        self.type_into(css, file.to_str().unwrap()).await;
    }

    /// A PNG of the window.
    pub async fn screenshot(&self) -> Vec<u8> {
        let png = self.call(Method::GET, "/screenshot", Value::Null).await;
        BASE64_STANDARD.decode(png.as_str().unwrap()).unwrap()
    }

    async fn find(&self, css: &str) -> String {
        let found = self.call(Method::POST, "/element", json!({ "using": "css selector", "value": css })).await;
        let (_, id) = found.as_object().unwrap().iter().next().unwrap();
        format!("/element/{}", id.as_str().unwrap())
    }

    #[track_caller]
    fn call(&self, method: Method, path: &str, body: Value) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        let mut request = self.client.request(method, format!("{}{path}", self.session));
        if !body.is_null() {
            request = request.json(&body);
        }
        async move {
            let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
            let value = answer["value"].take();
            assert!(value.get("error").is_none_or(|error| !error.is_string()), "{caller}: {}: {body}", value["message"]);
            value
        }
    }
}
