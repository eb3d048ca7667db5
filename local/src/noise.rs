//! Requests made up of noise, for the load test and the benchmarks: as large as asked for, and never the
//! same twice.

use std::net::Ipv4Addr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use put_image::domain::ImageField;
use serde_json::Value;

use crate::event::{Received, rest};

/// The boundary of the forms.
const BOUNDARY: &str = "----noise";
const CONTENT_TYPE: &str = "multipart/form-data; boundary=----noise";

/// A put to the demo submission.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// The submission's ID.
    pub submission_id: &'a str,
    /// The administrator's account.
    pub admin: &'a str,
    /// The characters that are left out at the end of each image's text.
    pub cut: usize,
    /// Whether the form has its closing boundary.
    pub closed: bool,
}

impl Default for Put<'_> {
    fn default() -> Self {
        Self {
            submission_id: "demo-submission",
            admin: "Admin@Example.com",
            cut: 0,
            closed: true,
        }
    }
}

impl Put<'_> {
    /// The multipart form with these images as text, the first of them as `idImage` and so on.
    #[must_use]
    pub fn form(&self, images: &[Vec<u8>]) -> String {
        let mut form = String::new();
        let mut field = |name: &str, value: &str| {
            let head = [
                "--",
                BOUNDARY,
                "\r\nContent-Disposition: form-data; name=\"",
                name,
                "\"\r\n\r\n",
            ];
            form.extend(head.into_iter().chain([value, "\r\n"]));
        };
        field("submissionId", self.submission_id);
        field("admin", self.admin);
        field("idType", "passport");
        for (name, image) in ImageField::ALL.iter().zip(images) {
            let mut text = BASE64_STANDARD.encode(image);
            text.truncate(text.len() - self.cut);
            field(name.name(), &text);
        }
        if self.closed {
            form.extend(["--", BOUNDARY, "--\r\n"]);
        }
        form
    }

    /// A REST event with the form as text.
    #[must_use]
    pub fn event(&self, images: &[Vec<u8>]) -> String {
        event(&self.form(images)).to_string()
    }

    /// A REST event with the form in Base64, as an API with binary media types sends it.
    #[must_use]
    pub fn base64_event(&self, images: &[Vec<u8>]) -> String {
        let mut event = event("");
        event["body"] = BASE64_STANDARD.encode(self.form(images)).into();
        event["isBase64Encoded"] = true.into();
        event.to_string()
    }
}

fn event(form: &str) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(
        "x-api-key",
        HeaderValue::from_static("demo-key-for-the-local-stack"),
    );
    rest(&Received {
        headers: &headers,
        query: None,
        source: Ipv4Addr::LOCALHOST.into(),
        body: form.as_bytes(),
    })
}
