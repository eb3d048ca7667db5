//! What comes from outside runs nothing, and nobody but the page is answered.

use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::browser::{Browser, View};
use crate::{FOUR_LOADED, LEFT_OVER, READY, Site, on_the_page};

const SCRIPT: &str = "<script>document.title = 'it ran'; window.itRan = true</script>";

async fn get(site: &Site, path: &str) -> Response {
    Client::new()
        .get(format!("{}/{path}", site.page))
        .send()
        .await
        .unwrap()
}

#[track_caller]
fn assert_harmless(response: &Response) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
}

/// Asserts that nothing has run in what the window shows.
async fn assert_nothing_ran(browser: &Browser) {
    let ran = "return [document.title === 'it ran', window.itRan === true]";
    assert_eq!(browser.script(ran).await, json!([false, false]));
}

#[tokio::test]
async fn a_polyglot_jpeg_is_a_picture() {
    let sample = include_bytes!("../../../events/images/front.jpg");
    let length = u16::try_from(SCRIPT.len() + 2).unwrap().to_be_bytes();
    // In a comment behind the first marker, and behind the end.
    let comment = [b"\xFF\xFE", &length[..], SCRIPT.as_bytes()].concat();
    let polyglot = [
        &sample[..2],
        &comment,
        &sample[2..],
        b"<html>",
        SCRIPT.as_bytes(),
    ]
    .concat();
    on_the_page(View::Light, async |browser, site| {
        let file = site.file("polyglot.jpg", &polyglot);
        browser.type_into("#idImage", &file).await;
        browser.click("#send").await;
        browser.until(FOUR_LOADED).await;
        assert_nothing_ran(browser).await;
        let record = site.record().await;
        let path = format!("images/{}", record["idImage"]["key"].as_str().unwrap());
        let response = get(site, &path).await;
        assert_harmless(&response);
        assert_eq!(response.headers()["content-type"], "image/jpeg");
        assert_eq!(
            response.headers()["content-disposition"],
            "inline; filename=\"idImage.jpg\""
        );
        assert_eq!(response.bytes().await.unwrap(), polyglot);
        browser.open(&format!("{}/{path}", site.page)).await;
        browser.until("document.images[0].naturalWidth").await;
        assert_nothing_ran(browser).await;
    })
    .await;
}

#[tokio::test]
async fn an_svg_is_not_stored_and_runs_nothing_in_its_preview() {
    let svg =
        format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{SCRIPT}</svg>");
    on_the_page(View::Light, async |browser, site| {
        let file = site.file("drawing.svg", svg.as_bytes());
        browser.type_into("#selfieImage", &file).await;
        browser
            .until("document.querySelector('#selfieImage + b + img').naturalWidth === 9")
            .await;
        assert_nothing_ran(browser).await;
        browser.click("#send").await;
        browser
            .until_text("#answer", "selfieImage: an SVG; send a JPEG or PNG")
            .await;
        assert_eq!(site.record().await["selfieImage"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn an_svg_that_is_in_the_storage_is_not_shown() {
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>");
    let site = Site::start().await;
    let path = format!("images/{LEFT_OVER}");
    site.store(LEFT_OVER, "image/svg+xml", svg.clone()).await;
    let refused = get(&site, &path).await;
    assert_harmless(&refused);
    assert_eq!(refused.status(), 404);
    assert_eq!(refused.text().await.unwrap(), "neither a JPEG nor a PNG");
    // One that claims to be a JPEG is a broken picture.
    site.store(LEFT_OVER, "image/jpeg", svg).await;
    let response = get(&site, &path).await;
    assert_harmless(&response);
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    Browser::run(View::Light, async |browser| {
        browser.open(&format!("{}/{path}", site.page)).await;
        browser.until("document.readyState === 'complete'").await;
        assert_nothing_ran(browser).await;
        browser.open(&site.page).await;
        browser.until(READY).await;
        browser.until_text("#unnamed", "can't be shown").await;
        assert_nothing_ran(browser).await;
    })
    .await;
}

#[tokio::test]
async fn an_object_that_is_not_what_the_record_says_is_not_shown() {
    let site = Site::start().await;
    site.put_selfie(&local::images::jpeg(1234, 1)).await;
    let record = site.record().await;
    let key = record["selfieImage"]["key"].as_str().unwrap();
    site.store(key, "image/jpeg", local::images::jpeg(1234, 2))
        .await;
    let refused = get(&site, &format!("images/{key}")).await;
    assert_eq!(refused.status(), 502);
    assert_eq!(
        refused.text().await.unwrap(),
        "its SHA-256 is not the record's"
    );
}

#[tokio::test]
async fn only_objects_of_submissions_are_images() {
    let site = Site::start().await;
    let jpeg = local::images::jpeg(1234, 1);
    let elsewhere = LEFT_OVER.replace("demo-project", "closed-project");
    let odd = "demo-project/demo-submission/notes/page.jpg";
    for key in [LEFT_OVER, &elsewhere, odd] {
        site.store(key, "image/jpeg", jpeg.clone()).await;
    }
    let image = get(&site, &format!("images/{LEFT_OVER}")).await;
    assert_eq!(image.bytes().await.unwrap(), jpeg);
    for key in [
        &elsewhere,
        odd,
        &LEFT_OVER.replace("selfieImage", "idImage"),
        "a/b/c/d",
        "%FF",
        "",
    ] {
        let response = get(&site, &format!("images/{key}")).await;
        assert_eq!(response.status(), 404, "{key}");
        assert_harmless(&response);
    }
}

#[tokio::test]
async fn other_names_and_other_origins_are_refused() {
    let site = Site::start().await;
    let port = site.page.rsplit_once(':').unwrap().1;
    let own = format!("127.0.0.1:{port}");
    let client = Client::new();
    let refused: [(u16, &[(&str, &str)]); 9] = [
        (421, &[("host", "evil.example")]),
        (421, &[("host", &format!("evil.example:{port}"))]),
        (421, &[("host", "127.0.0.1")]),
        (421, &[("host", "127.0.0.1:1")]),
        (403, &[("origin", "http://evil.example")]),
        (403, &[("origin", "null")]),
        (403, &[("origin", &format!("http://localhost:{port}"))]),
        (403, &[("sec-fetch-site", "cross-site")]),
        (403, &[("sec-fetch-site", "same-site")]),
    ];
    for (status, headers) in refused {
        for (method, path) in [
            ("GET", ""),
            ("GET", "demo"),
            ("GET", "events"),
            ("GET", "submissions/demo-submission"),
            ("GET", "images/a/b/c/d"),
            ("PUT", "v3/Image"),
            ("OPTIONS", "v3/Image"),
        ] {
            let url = format!("{}/{path}", site.page);
            let mut request = client.request(method.parse().unwrap(), url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.send().await.unwrap();
            assert_eq!(
                response.status().as_u16(),
                status,
                "{method} {path} {headers:?}"
            );
            assert!(
                !response
                    .headers()
                    .contains_key("access-control-allow-origin")
            );
            assert_harmless(&response);
        }
    }
    for host in [&own, &format!("localhost:{port}"), &format!("[::1]:{port}")] {
        let request = client.get(&site.page).header("host", host);
        let request = request.header("origin", format!("http://{host}"));
        let response = request
            .header("sec-fetch-site", "same-origin")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{host}");
    }
}

#[tokio::test]
async fn another_site_gets_nothing_from_a_browser() {
    let site = Site::start().await;
    Browser::run(View::Light, async |browser| {
        // The gateway's answer under another name: a document of another site, which may ask whom it likes.
        browser.open(&site.api.replace("127.0.0.1", "localhost")).await;
        let script = format!(
            "const image = new Image();
             image.src = '{0}/samples/idImage';
             return Promise.allSettled([fetch('{0}/demo'), fetch('{0}/demo', {{ mode: 'no-cors' }}), image.decode()])
               .then(results => results.map(({{ status }}) => status))",
            site.page
        );
        let got = browser.script(&script).await;
        assert_eq!(got, json!(["rejected", "rejected", "rejected"]));
    })
    .await;
}

#[tokio::test]
async fn the_page_runs_only_its_own_script() {
    on_the_page(View::Light, async |browser, site| {
        let policy = get(site, "").await.headers()["content-security-policy"].to_str().unwrap().to_owned();
        for rule in ["default-src 'none'; ", "base-uri 'none'; ", "form-action 'none'; ", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let add = "const script = document.createElement('script'); script.textContent = 'window.itRan = true';
            document.body.append(script);";
        browser.script(add).await;
        assert_nothing_ran(browser).await;
    })
    .await;
}
