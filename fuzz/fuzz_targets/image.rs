//! Base64 and image bytes to an image: what is accepted comes back as it was, and no damage to its text
//! passes.

#![no_main]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libfuzzer_sys::fuzz_target;
use put_image::image::png::Budget;
use put_image::image::{DecodeError, Image};

fn decode(text: &[u8]) -> Result<Image, DecodeError> {
    Image::decode(text, &mut Budget::default())
}

fuzz_target!(|input: &[u8]| {
    // The first byte says whether the rest is a text or the bytes that a good text stands for.
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let text = if first % 2 == 0 {
        BASE64_STANDARD.encode(rest).into_bytes()
    } else {
        rest.to_vec()
    };
    let Ok(image) = decode(&text) else {
        return;
    };
    assert!(text.len() >= 4 * image.bytes().len() / 3);
    let canonical = BASE64_STANDARD.encode(image.bytes());
    assert_eq!(decode(canonical.as_bytes()).as_ref(), Ok(&image));
    let middle = canonical.len() / 2;
    for damage in [" ", "\t", "-", "\0"] {
        let damaged = format!("{}{damage}{}", &canonical[..middle], &canonical[middle..]);
        assert!(decode(damaged.as_bytes()).is_err());
    }
    // No first half of an accepted image is one, unless the second half is what a camera appended.
    let half = BASE64_STANDARD.encode(&image.bytes()[..image.bytes().len() / 2]);
    if let Ok(half) = decode(half.as_bytes()) {
        assert_eq!(
            (half.format(), half.dimensions()),
            (image.format(), image.dimensions())
        );
    }
});
