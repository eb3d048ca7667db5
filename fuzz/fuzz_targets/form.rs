//! A multipart body to its parts: what is found lies in the body, and written anew it is found again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use put_image::form::Form;
use put_image::multipart::{MAX_PARTS, parts};

const TYPE: &str = "multipart/form-data; boundary=b";

fuzz_target!(|body: &[u8]| {
    let Ok(found) = parts(TYPE, body) else {
        assert!(Form::parse(TYPE, body).is_err());
        return;
    };
    assert!(found.len() <= MAX_PARTS);
    let mut again = Vec::new();
    for part in &found {
        again.extend_from_slice(b"--b\r\nContent-Disposition: form-data; name=\"");
        // Unquoted, a name may end with a backslash; before a quote that is refused.
        again.extend_from_slice(part.name.strip_suffix(b"\\").unwrap_or(part.name));
        again.extend_from_slice(b"\"\r\n\r\n");
        again.extend_from_slice(&body[part.content.clone()]);
        again.extend_from_slice(b"\r\n");
    }
    again.extend_from_slice(b"--b--");
    let second = parts(TYPE, &again).unwrap();
    let contents = found.iter().map(|part| &body[part.content.clone()]);
    assert!(contents.eq(second.iter().map(|part| &again[part.content.clone()])));
    let _ = Form::parse(TYPE, body);
});
