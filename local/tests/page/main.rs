//! The page, in a real browser.

mod browser;

use std::sync::Arc;

use local::page::Page;
use local::records::Records;
use local::stack::Stack;
use local::{schema, server};
use tempfile::TempDir;

use crate::browser::{Browser, View};

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
        let stack = Stack::over(endpoints, schema::config(""), records).await.unwrap();
        let gateway = Arc::new(stack.gateway().unwrap());
        let port = server::bind(0, "the gateway", "").await.unwrap();
        let api = server::url(&port).unwrap() + gateway.path();
        tokio::spawn(Arc::clone(&gateway).serve(port));
        let port = server::bind(0, "the page", "").await.unwrap();
        let page = server::url(&port).unwrap();
        tokio::spawn(Page::new(&stack, gateway, &api).unwrap().serve(port));
        Self { stack, api, page, folder }
    }
}

#[tokio::test]
async fn takes_a_screenshot() {
    let Ok(path) = std::env::var("SCREENSHOT") else {
        return;
    };
    for (view, name) in [(View { dark: false, phone: false }, ""), (View { dark: true, phone: false }, "dark"), (View { dark: false, phone: true }, "phone")] {
    let site = Site::start().await;
    Browser::run(view, async |browser| {
        browser.open(&site.page).await;
        browser.until("document.querySelectorAll('#mistakes button').length").await;
        browser.click("#send").await;
        browser.until("document.querySelectorAll('#images img').length == 4 && [...document.querySelectorAll('#images img')].every(i => i.complete)").await;
        browser.click("#race").await;
        browser.until("document.querySelectorAll('#replaced img').length >= 4").await;
        browser.script("document.querySelector('#mistakes button').click()").await;
        browser.until("document.querySelector('#answer').textContent.includes('A GIF')").await;
        if view.phone { 
            for (i, id) in ["put","answer", "look","watch"].iter().enumerate() { 
            browser.script(&format!("document.getElementById('{id}').scrollIntoView()")).await;
        std::fs::write(format!("{path}{name}{i}.png"), browser.screenshot().await).unwrap();
            }
        }
        std::fs::write(format!("{path}{name}.png"), browser.screenshot().await).unwrap();
    })
    .await;
    }
}
