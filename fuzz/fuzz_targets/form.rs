//! A multipart body to a form: it is read at once, and what is accepted is what stands in the body.

#![no_main]

use futures_util::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use put_image::form::{Form, MAX_BOUNDARY};

const TYPE: &str = "multipart/form-data; boundary=b";

fuzz_target!(|body: &[u8]| {
    let read = |content_type: &str, body: Vec<u8>| {
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
    let texts = [
        (
            "submissionId",
            form.submission_id.as_ref().map(|id| id.as_str()),
        ),
        ("admin", form.admin.as_ref().map(|admin| admin.as_str())),
    ];
    let texts: Vec<_> = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)))
        .collect();
    for (name, text) in &texts {
        let mut windows = body.windows(text.len());
        assert!(windows.any(|window| window == text.as_bytes()), "{name}");
    }
    // Written again, it is read as before, behind a boundary that no text contains: after a bare line feed, one may.
    let mut boundary = "b".to_owned();
    while texts.iter().any(|(_, text)| text.contains(&boundary)) {
        boundary.push('b');
    }
    if boundary.len() > MAX_BOUNDARY {
        return;
    }
    let mut again = String::new();
    for (name, text) in texts {
        again += &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"
        );
    }
    again += &format!("--{boundary}--");
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let second = read(&content_type, again.into()).expect("a form");
    assert_eq!(
        (second.submission_id, second.admin),
        (form.submission_id, form.admin)
    );
});
