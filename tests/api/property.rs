//! Properties over many generated inputs.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use put_image::multipart;

use crate::helpers::*;
use crate::images;

/// Runs a property over one app, in whose bucket there must be nothing in the end.
fn never_stored<S: Strategy>(strategy: &S, form: impl Fn(S::Value) -> Form) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(App::start());
    let mut runner = TestRunner::new(Config { cases: 512, failure_persistence: None, ..Config::default() });
    let run = runner.run(strategy, |value| {
        let answer = runtime.block_on(app.put(&form(value)));
        prop_assert_eq!(answer.row(), ROW_1);
        Ok(())
    });
    run.unwrap();
    assert!(runtime.block_on(app.objects()).is_empty());
}

fn image() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), 100usize..3000, any::<u64>())
        .prop_map(|(jpeg, size, seed)| if jpeg { images::jpeg(size, seed) } else { images::png(size, seed) })
}

#[test]
fn base64_with_one_blank_or_foreign_character_inside_is_never_stored() {
    let foreign = prop_oneof![
        Just(" ".to_owned()),
        Just("\t".to_owned()),
        any::<char>()
            .prop_filter("foreign", |c| !c.is_ascii_alphanumeric() && !"+/=\r\n".contains(*c))
            .prop_map(String::from),
    ];
    never_stored(&(image(), any::<prop::sample::Index>(), foreign, any::<bool>()), |(image, at, foreign, replace)| {
        let text = BASE64_STANDARD.encode(image);
        // Inside: a blank before the first or behind the last character is around it.
        let at = 1 + at.index(text.len() - 2);
        let rest = &text[at + usize::from(replace)..];
        Form::selfie(&[]).with("selfieImage", format!("{}{foreign}{rest}", &text[..at]))
    });
}

#[test]
fn an_image_cut_anywhere_before_its_end_is_never_stored() {
    never_stored(&(image(), any::<prop::sample::Index>()), |(image, at)| {
        Form::selfie(&image[..=at.index(image.len() - 1)])
    });
}

#[test]
fn a_base64_text_cut_anywhere_is_never_stored() {
    never_stored(&(image(), any::<prop::sample::Index>()), |(image, at)| {
        // What is cut off stands for at least one byte.
        let text = BASE64_STANDARD.encode(&image).trim_end_matches('=').to_owned();
        Form::selfie(&[]).with("selfieImage", &text[..=at.index(text.len() - 1)])
    });
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    /// Any content in any number of parts comes back as it was, and as multer reads it.
    #[test]
    fn parts_come_back_as_they_were(
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..10),
        preamble in "[a-z\n]{0,20}",
    ) {
        let boundary = "5f1c7a9e";
        let mut body = preamble.into_bytes();
        if !body.is_empty() {
            body.extend(b"\r\n");
        }
        for (i, content) in contents.iter().enumerate() {
            body.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"f{i}\"\r\n\r\n").bytes());
            body.extend(content);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let parts = multipart::parts(&content_type, &body).unwrap();
        let ours: Vec<Vec<u8>> = parts.iter().map(|part| part.content.to_vec()).collect();
        prop_assert_eq!(&ours, &contents);
        prop_assert_eq!(multer_reads(body.clone(), boundary), contents);
    }

    /// Whatever the body, the parser ends, and what it finds lies in the body.
    #[test]
    fn any_body_is_read_or_refused(body in "(--b|--b--|\r\n|\n|Content-Disposition: form-data; name=a|:|;|\"|x| ){0,40}") {
        if let Ok(parts) = multipart::parts("multipart/form-data; boundary=b", body.as_bytes()) {
            let total: usize = parts.iter().map(|part| part.content.len()).sum();
            prop_assert!(total <= body.len());
        }
    }
}

/// The contents of a body's fields as another parser reads them.
fn multer_reads(body: Vec<u8>, boundary: &str) -> Vec<Vec<u8>> {
    let stream = futures_util::stream::once(async move { Ok::<_, std::io::Error>(bytes::Bytes::from(body)) });
    let mut multipart = multer::Multipart::new(stream, boundary);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut contents = Vec::new();
        while let Some(field) = multipart.next_field().await.unwrap() {
            contents.push(field.bytes().await.unwrap().to_vec());
        }
        contents
    })
}
