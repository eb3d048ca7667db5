//! Text that isn't Base64 is never accepted, and an image comes back as it was: properties over many generated inputs.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::sample::Index;
use put_image::domain::ImageField;
use put_image::form::{Form as Parsed, FormError};

use crate::helpers::*;
use testkit::images;

fn image() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), 200usize..3000, any::<u64>()).prop_map(|(jpeg, size, seed)| {
        if jpeg {
            images::jpeg(size, seed)
        } else {
            images::png(size, seed)
        }
    })
}

/// A character that Base64 never has. Line breaks may be anywhere.
fn foreign() -> impl Strategy<Value = char> {
    let is_foreign = |c: &char| !c.is_ascii_alphanumeric() && !"+/=\r\n".contains(*c);
    prop_oneof![
        Just(' '),
        Just('\t'),
        any::<char>().prop_filter("foreign", is_foreign)
    ]
}

fn read(body: Vec<u8>) -> Result<Parsed, FormError> {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let form = Parsed::read(&content_type, body.into());
    form.now_or_never()
        .expect("a body in memory is read at once")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn base64_with_whitespace_or_a_foreign_character_inside_is_never_read(
        image in image(),
        at in any::<Index>(),
        foreign in foreign(),
        replace in any::<bool>(),
    ) {
        let text = BASE64_STANDARD.encode(image);
        // Whitespace before the first or after the last character is not inside.
        let at = 1 + at.index(text.len() - 2);
        let rest = &text[at + usize::from(replace)..];
        let text = format!("{}{foreign}{rest}", &text[..at]);
        let read = read(Form::texts().with("selfieImage", text).body());
        prop_assert!(matches!(read, Err(FormError::Field { .. })), "{read:?}");
    }

    #[test]
    fn an_image_comes_back_as_it_was_whatever_unknown_fields_hold(
        image in image(),
        contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..10),
        preamble in "[a-z\n]{0,20}",
    ) {
        let others = contents.into_iter().fold(Form::texts(), |form, content| form.and("note", content));
        let form = others.with_image("selfieImage", &image);
        let read = read([format!("{preamble}\r\n").into_bytes(), form.body()].concat()).unwrap();
        prop_assert_eq!(read.images[&ImageField::SelfieImage].bytes(), &image);
    }
}
