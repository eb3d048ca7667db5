//! A multipart body to a form: it is read at once, and what is accepted is what the body says, for another parser, too.

#![no_main]

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use futures_util::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use put_image::form::{Form, MAX_BOUNDARY};
use put_image::image::Image;
use put_image::image::png::Budget;

const TYPE: &str = "multipart/form-data; boundary=b";

fuzz_target!(|body: &[u8]| {
    let Ok(form) = read(TYPE, body.to_vec()) else {
        return;
    };
    assert_needs_its_end(body);
    assert_reads_again(&form);
    if let Some(fields) = SECOND_READER.lock().unwrap().read(body) {
        assert_same(&form, &fields);
    }
});

fn read(content_type: &str, body: Vec<u8>) -> Result<Form, put_image::form::FormError> {
    let form = Form::read(content_type, body.into());
    form.now_or_never()
        .expect("a body in memory is read at once")
}

/// The texts of a form, by their names.
fn texts(form: &Form) -> Vec<(&'static str, &str)> {
    let submission_id = form.submission_id.as_ref().map(|id| id.as_str());
    let admin = form.admin.as_ref().map(|admin| admin.as_str());
    let id_type = form.id_type.as_ref().map(|id_type| id_type.as_str());
    [
        ("submissionId", submission_id),
        ("admin", admin),
        ("idType", id_type),
    ]
    .into_iter()
    .filter_map(|(name, text)| Some((name, text?)))
    .collect()
}

/// Without its closing boundary it is no form any more.
fn assert_needs_its_end(body: &[u8]) {
    let windows = body.windows(5).enumerate();
    let ends: Vec<usize> = windows
        .filter(|(_, window)| *window == b"--b--")
        .map(|(at, _)| at)
        .collect();
    assert!(!ends.is_empty());
    if let [end] = ends[..] {
        assert!(read(TYPE, body[..end].to_vec()).is_err());
    }
}

/// Written again, it is read as before, with a boundary that no text contains.
fn assert_reads_again(form: &Form) {
    let texts = texts(form);
    let mut boundary = "b".to_owned();
    while texts.iter().any(|(_, text)| text.contains(&boundary)) {
        boundary.push('b');
    }
    if boundary.len() > MAX_BOUNDARY {
        return;
    }
    let parts = texts.iter().map(|(name, text)| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    });
    let again = parts.collect::<String>() + &format!("--{boundary}--");
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let second = read(&content_type, again.into()).expect("a form");
    assert_eq!(self::texts(&second), texts);
}

/// The documented fields are those that the other parser found, and no others.
fn assert_same(form: &Form, fields: &[(String, Vec<u8>)]) {
    let value = |name: &str| {
        let mut fields = fields.iter().filter(|(other, _)| other == name);
        let value = fields.next().map(|(_, value)| value.trim_ascii());
        assert!(fields.next().is_none(), "{name} is there twice");
        value.filter(|value| !value.is_empty())
    };
    let texts = texts(form);
    for name in ["submissionId", "admin", "idType"] {
        let ours = texts.iter().find(|(other, _)| *other == name);
        let theirs = value(name).map(|text| str::from_utf8(text).expect("UTF-8").trim());
        let theirs = theirs.filter(|text| !text.is_empty());
        assert_eq!(ours.map(|(_, text)| *text), theirs, "{name}");
    }
    for field in put_image::domain::ImageField::ALL {
        let theirs = value(field.name()).map(|text| Image::decode(text, &mut Budget::default()).unwrap());
        assert_eq!(form.images.get(&field), theirs.as_ref(), "{field:?}");
    }
}

/// Python's `email`, in a process of its own.
static SECOND_READER: LazyLock<Mutex<SecondReader>> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/second_reader.py");
    let mut command = Command::new("python3");
    command
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Mutex::new(SecondReader(command.spawn().expect("python3")))
});

struct SecondReader(Child);

impl SecondReader {
    /// Returns the name and the content of each part; `None` if the body has a defect.
    fn read(&mut self, body: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        let stdin = self.0.stdin.as_mut().expect("a pipe");
        let length = u32::try_from(body.len()).expect("a small body");
        stdin
            .write_all(&[&length.to_be_bytes(), body].concat())
            .expect("the reader runs");
        let stdout = self.0.stdout.as_mut().expect("a pipe");
        let mut length = [0; 4];
        stdout.read_exact(&mut length).expect("the reader runs");
        let mut json = vec![0; u32::from_be_bytes(length) as usize];
        stdout.read_exact(&mut json).expect("the reader runs");
        let fields: Option<Vec<(String, String)>> = serde_json::from_slice(&json).expect("JSON");
        let bytes = |hex: String| {
            let pairs = hex.as_bytes().chunks(2);
            let pairs = pairs.map(|pair| str::from_utf8(pair).expect("hex"));
            pairs
                .map(|pair| u8::from_str_radix(pair, 16).expect("hex"))
                .collect()
        };
        let fields = fields?.into_iter();
        Some(fields.map(|(name, hex)| (name, bytes(hex))).collect())
    }
}
