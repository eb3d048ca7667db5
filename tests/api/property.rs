//! Properties over many generated inputs.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use put_image::event::Event;
use put_image::multipart;

use crate::helpers::*;
use crate::images;

/// Runs a property over one app, in whose bucket there must be nothing in the end.
fn never_stored<S: Strategy>(strategy: &S, form: impl Fn(S::Value) -> Form) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let app = runtime.block_on(App::start());
    let mut runner = TestRunner::new(Config {
        cases: 512,
        failure_persistence: None,
        ..Config::default()
    });
    let run = runner.run(strategy, |value| {
        let answer = runtime.block_on(app.put(&form(value)));
        prop_assert_eq!(answer.row(), ROW_1);
        Ok(())
    });
    run.unwrap();
    assert!(runtime.block_on(app.objects()).is_empty());
}

fn image() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), 100usize..3000, any::<u64>()).prop_map(|(jpeg, size, seed)| {
        if jpeg {
            images::jpeg(size, seed)
        } else {
            images::png(size, seed)
        }
    })
}

#[test]
fn base64_with_one_blank_or_foreign_character_inside_is_never_stored() {
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
            // Inside: a blank before the first or behind the last character is around it.
            let at = 1 + at.index(text.len() - 2);
            let rest = &text[at + usize::from(replace)..];
            Form::selfie(&[]).with("selfieImage", format!("{}{foreign}{rest}", &text[..at]))
        },
    );
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
        let text = BASE64_STANDARD
            .encode(&image)
            .trim_end_matches('=')
            .to_owned();
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
        let ours: Vec<Vec<u8>> = parts.iter().map(|part| body[part.content.clone()].to_vec()).collect();
        prop_assert_eq!(&ours, &contents);
        prop_assert_eq!(multer_reads(body.clone(), boundary), contents);
    }

    /// A body comes out of its event as another JSON parser reads it, whatever stands around it and however
    /// its characters are escaped.
    #[test]
    fn bodies_come_out_of_their_events(
        body in any::<String>(),
        others in prop::collection::vec(("[a-z\"\\\\{}]{0,9}", json_value()), 0..4),
        escapes in prop::collection::vec(0..3_u8, 1..9),
        position in any::<prop::sample::Index>(),
        pretty in any::<bool>(),
    ) {
        let mut members: Vec<String> = others.iter().map(|(name, value)| {
            let name = serde_json::to_string(&format!("other {name}")).unwrap();
            let value = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
            format!("{name}:{}", value.unwrap())
        }).collect();
        members.insert(position.index(members.len() + 1), format!("\"body\" : \"{}\"", escape(&body, &escapes)));
        members.push("\"headers\":{}".to_owned());
        let json = format!("{{{}}}", members.join(if pretty { " ,\r\n\t" } else { "," }));
        let oracle: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(oracle["body"].as_str(), Some(body.as_str()));
        let request = Event::parse(json.as_bytes().into()).into_request().unwrap();
        prop_assert_eq!(request.body, body.as_bytes());
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

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        "[\"\\\\{}\\[\\],:]{0,9}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), value, 0..4).prop_map(|members| members
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

/// A text as a JSON string, some of its characters escaped that need not be.
fn escape(text: &str, choices: &[u8]) -> String {
    let choices = choices.iter().cycle();
    text.chars()
        .zip(choices)
        .fold(String::new(), |mut json, (character, choice)| {
            match (choice, character) {
                (0, _) => json.extend(
                    character
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .map(|unit| format!("\\u{unit:04x}")),
                ),
                (1, '/') => json.push_str("\\/"),
                _ => {
                    let quoted = serde_json::to_string(&character).unwrap();
                    json.push_str(&quoted[1..quoted.len() - 1]);
                }
            }
            json
        })
}

/// The contents of a body's fields as another parser reads them.
fn multer_reads(body: Vec<u8>, boundary: &str) -> Vec<Vec<u8>> {
    let stream =
        futures_util::stream::once(
            async move { Ok::<_, std::io::Error>(bytes::Bytes::from(body)) },
        );
    let mut multipart = multer::Multipart::new(stream, boundary);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut contents = Vec::new();
        while let Some(field) = multipart.next_field().await.unwrap() {
            contents.push(field.bytes().await.unwrap().to_vec());
        }
        contents
    })
}
