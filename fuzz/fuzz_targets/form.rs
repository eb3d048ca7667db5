//! A multipart body to a form: it is read at once, and what is accepted is what stands in the body.

#![no_main]

use futures_util::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use put_image::form::Form;

const TYPE: &str = "multipart/form-data; boundary=b";

/// For what is written anew: a text may be the first one's delimiter, behind a bare line feed.
const ANOTHER: &str = "multipart/form-data; boundary=6f1c6d1e";

fuzz_target!(|body: &[u8]| {
    let read = |content_type, body: Vec<u8>| {
        Form::read(content_type, body.into())
            .now_or_never()
            .expect("a body in memory is read at once")
    };
    let Ok(form) = read(TYPE, body.to_vec()) else {
        return;
    };
    // Without its closing boundary it is no form any more.
    let ends: Vec<usize> = body
        .windows(5)
        .enumerate()
        .filter(|(_, window)| *window == b"--b--")
        .map(|(at, _)| at)
        .collect();
    assert!(!ends.is_empty());
    if let [end] = ends[..] {
        assert!(read(TYPE, body[..end].to_vec()).is_err());
    }
    let stands_there = |text: &str| {
        body.windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    if let Some(id) = &form.submission_id {
        assert!(stands_there(id.as_str()));
    }
    if let Some(admin) = &form.admin {
        assert!(stands_there(admin.as_str()));
    }
    // Written anew, it is read as it was.
    let mut again = Vec::new();
    let mut part = |name: &str, value: &str| {
        again.extend(
            format!(
                "--6f1c6d1e\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .bytes(),
        );
    };
    if let Some(id) = &form.submission_id {
        part("submissionId", id.as_str());
    }
    if let Some(admin) = &form.admin {
        part("admin", admin.as_str());
    }
    again.extend(b"--6f1c6d1e--");
    let second = read(ANOTHER, again).expect("a form");
    assert_eq!(
        (second.submission_id, second.admin),
        (form.submission_id, form.admin)
    );
});
