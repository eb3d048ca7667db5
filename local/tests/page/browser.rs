//! Chromium, driven by Debian's chromedriver over the W3C's `WebDriver` protocol.
//!
//! The crates for it cost more than these few calls: thirtyfour turns on `serde_json/preserve_order` under all that is
//! tested, and fantoccini takes a crate under the MPL, which `deny.toml` doesn't allow.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::Stdio;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::FutureExt as _;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How somebody looks at the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Light,
    Dark,
    Phone,
}

/// A browser with one window.
pub(crate) struct Browser {
    client: Client,
    session: String,
}

impl Browser {
    /// Runs a test in a browser of its own, which is ended whatever becomes of the test.
    pub(crate) async fn run(view: View, test: impl AsyncFnOnce(&Self)) {
        let Some((mut driver, port)) = start_driver().await else {
            return;
        };
        // As root, Chromium's own sandbox doesn't work, and a container's /dev/shm is small.
        let mut arguments = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--window-size=1280,1640",
        ];
        if view == View::Dark {
            arguments.push("--force-dark-mode");
        }
        let mut options = json!({ "args": arguments });
        if view == View::Phone {
            let metrics = json!({ "width": 390, "height": 844, "pixelRatio": 2, "touch": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let sessions = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self {
            // A connection that is kept may be closed by the driver just when the next call is sent.
            client: Client::builder().pool_max_idle_per_host(0).build().unwrap(),
            session: sessions.clone(),
        };
        let session = browser.call(Method::POST, "", wanted).await;
        browser.session = format!("{sessions}/{}", session["sessionId"].as_str().unwrap());

        let result = AssertUnwindSafe(test(&browser)).catch_unwind().await;
        browser.call(Method::DELETE, "", Value::Null).await;
        driver.kill().await.unwrap();
        result.unwrap_or_else(|panic| resume_unwind(panic));
    }

    pub(crate) async fn open(&self, url: &str) {
        self.call(Method::POST, "/url", json!({ "url": url })).await;
    }

    /// Waits until an expression is true in the page, and returns its value.
    pub(crate) async fn until(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[0];
             const look = () => {{
               let value;
               try {{ value = {expression}; }} catch {{}}
               if (value) done(value); else setTimeout(look, 10);
             }};
             look();"
        );
        let body = json!({ "script": script, "args": [] });
        self.call(Method::POST, "/execute/async", body).await
    }

    /// Waits until the page shows a text in an element.
    pub(crate) async fn until_text(&self, css: &str, text: &str) -> Value {
        let (css, text) = (json!(css), json!(text));
        self.until(&format!(
            "document.querySelector({css}).innerText.includes({text})"
        ))
        .await
    }

    /// Runs a script in the page, and returns what it returns or promises.
    pub(crate) async fn script(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.call(Method::POST, "/execute/sync", body).await
    }

    /// Clicks like a person: what is hidden or covered can't be clicked.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.call(Method::POST, &format!("{element}/click"), json!({}))
            .await;
    }

    /// Presses keys in an element, or chooses a file by its path.
    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.call(
            Method::POST,
            &format!("{element}/value"),
            json!({ "text": text }),
        )
        .await;
    }

    /// Returns a PNG of the window.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let png = self.call(Method::GET, "/screenshot", Value::Null).await;
        BASE64_STANDARD.decode(png.as_str().unwrap()).unwrap()
    }

    async fn find(&self, css: &str) -> String {
        let query = json!({ "using": "css selector", "value": css });
        let found = self.call(Method::POST, "/element", query).await;
        let (_, id) = found.as_object().unwrap().iter().next().unwrap();
        format!("/element/{}", id.as_str().unwrap())
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.session));
        if !body.is_null() {
            request = request.json(&body);
        }
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        let value = answer["value"].take();
        let failed = value.get("error").is_some_and(Value::is_string);
        assert!(!failed, "{}: {body}", value["message"]);
        value
    }
}

/// Starts chromedriver on a free port; `None` where there is no browser, which there must be on CI.
async fn start_driver() -> Option<(Child, String)> {
    let mut command = Command::new("chromedriver");
    command
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let Ok(mut driver) = command.spawn() else {
        assert!(std::env::var_os("CI").is_none(), "no chromium");
        eprintln!("skipped: no chromium; apt-get install chromium chromium-driver");
        return None;
    };
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Some((driver, port.trim_end_matches('.').to_owned()));
        }
    }
    panic!("chromedriver ends without a port");
}
