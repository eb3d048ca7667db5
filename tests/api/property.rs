//! What is no whole image is never stored, and an image comes back as it was: properties over many generated inputs.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use put_image::domain::ImageField;
use put_image::form::Form as Parsed;

use crate::helpers::*;
use testkit::images;

/// Runs a property over one app, whose bucket must be empty in the end.
fn never_stored<S: Strategy>(strategy: &S, form: impl Fn(S::Value) -> Form) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let app = runtime.block_on(TestApp::start());
    let mut runner = TestRunner::new(Config {
        cases: 512,
        failure_persistence: None,
        ..Config::default()
    });
    let run = runner.run(strategy, |value| {
        let answer = runtime.block_on(app.put(&form(value)));
        prop_assert_eq!(answer.row(), INVALID_PAYLOAD);
        Ok(())
    });
    run.unwrap();
    assert!(runtime.block_on(app.objects()).is_empty());
}

fn image() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), 200usize..3000, any::<u64>()).prop_map(|(jpeg, size, seed)| {
        if jpeg {
            images::jpeg(size, seed)
        } else {
            images::png(size, seed)
        }
    })
}

#[test]
fn base64_with_whitespace_or_a_foreign_character_inside_is_never_stored() {
    let foreign = prop_oneof![
        Just(" ".to_owned()),
        Just("\t".to_owned()),
        any::<char>()
            .prop_filter("foreign", |c| !c.is_ascii_alphanumeric()
                && !"+/=\r\n".contains(*c))
            .prop_map(String::from),
    ];
    never_stored(
        &(
            image(),
            any::<prop::sample::Index>(),
            foreign,
            any::<bool>(),
        ),
        |(image, at, foreign, replace)| {
            let text = BASE64_STANDARD.encode(image);
            // Whitespace before the first or after the last character is not inside.
            let at = 1 + at.index(text.len() - 2);
            let rest = &text[at + usize::from(replace)..];
            Form::selfie(&[]).with("selfieImage", format!("{}{foreign}{rest}", &text[..at]))
        },
    );
}

#[test]
fn a_truncated_image_is_never_stored() {
    never_stored(&(image(), any::<prop::sample::Index>()), |(image, at)| {
        Form::selfie(&image[..=at.index(image.len() - 1)])
    });
}

#[test]
fn truncated_base64_is_never_stored() {
    never_stored(&(image(), any::<prop::sample::Index>()), |(image, at)| {
        // What is cut off encodes at least one byte.
        let text = BASE64_STANDARD
            .encode(&image)
            .trim_end_matches('=')
            .to_owned();
        Form::selfie(&[]).with("selfieImage", &text[..=at.index(text.len() - 1)])
    });
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    /// An image comes back as it was, whatever other fields hold.
    #[test]
    fn images_come_back_as_they_were(
        image in image(),
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..10),
        preamble in "[a-z\n]{0,20}",
    ) {
        let boundary = "5f1c7a9e";
        let mut body = preamble.into_bytes();
        if !body.is_empty() {
            body.extend(b"\r\n");
        }
        let mut part = |name: &str, content: &[u8]| {
            let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend(head.bytes());
            body.extend(content);
            body.extend(b"\r\n");
        };
        for (i, content) in contents.iter().enumerate() {
            part(&format!("f{i}"), content);
        }
        part("selfieImage", BASE64_STANDARD.encode(&image).as_bytes());
        body.extend(format!("--{boundary}--\r\n").bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let form = Parsed::read(&content_type, body.into()).now_or_never().unwrap().unwrap();
        prop_assert_eq!(form.images[&ImageField::SelfieImage].bytes(), &image);
    }

    /// Whatever the body, reading it ends at once.
    #[test]
    fn any_body_is_read_or_refused(body in "(--b|--b--|\r\n|\n|Content-Disposition: form-data; name=a|:|;|\"|x| ){0,40}") {
        let form = Parsed::read("multipart/form-data; boundary=b", body.into());
        prop_assert!(form.now_or_never().is_some());
    }
}
