//! The form's documented fields, each at most once, without blanks around its value. What stands in
//! an unknown field is never looked at.

use std::ops::Range;

use crate::error::{Error, Reason};
use crate::field::{Field, ImageField, TextField};
use crate::multipart;

/// The longest text field in bytes; the contract names the number. E-mail addresses end at 254.
pub const MAX_TEXT: usize = 256;

/// The values of a form's documented fields, or where in the body they stand. An empty or blank value is none.
#[derive(Debug, Default)]
pub struct Form<'a> {
    texts: [Option<&'a str>; TextField::ALL.len()],
    images: [Option<Range<usize>>; ImageField::ALL.len()],
}

impl<'a> Form<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPayload`] if the body is not a well-formed form, a documented field is
    /// repeated, or a text field is not UTF-8 or over [`MAX_TEXT`] bytes.
    pub fn parse(content_type: &str, body: &'a [u8]) -> Result<Self, Error> {
        let mut form = Self::default();
        for part in multipart::parts(content_type, body)? {
            let Some(field) = Field::from_name(part.name) else {
                continue;
            };
            if part.encoded {
                return Err(Error::field(field, Reason::TransferEncoding));
            }
            let repeated = match field {
                Field::Text(text) => form.texts[text as usize]
                    .replace(parse_text(text, &body[part.content])?)
                    .is_some(),
                Field::Image(image) => form.images[image as usize]
                    .replace(trim(body, part.content))
                    .is_some(),
            };
            if repeated {
                return Err(Error::field(field, Reason::Repeated));
            }
        }
        Ok(form)
    }

    /// A text field's value.
    #[must_use]
    pub fn text(&self, field: TextField) -> Option<&'a str> {
        self.texts[field as usize].filter(|text| !text.is_empty())
    }

    /// The image fields that have a value, in the contract's order, and where in the body their texts stand.
    pub fn images(&self) -> impl Iterator<Item = (ImageField, Range<usize>)> {
        let images = ImageField::ALL.into_iter().zip(self.images.clone());
        images
            .filter_map(|(field, text)| Some((field, text?)))
            .filter(|(_, text)| !text.is_empty())
    }
}

/// A range of the body without the blanks around what stands there.
fn trim(body: &[u8], range: Range<usize>) -> Range<usize> {
    let start = range.end - body[range.clone()].trim_ascii_start().len();
    start..start + body[start..range.end].trim_ascii_end().len()
}

fn parse_text(field: TextField, content: &[u8]) -> Result<&str, Error> {
    // A REST API without binary media types replaces what is not UTF-8 before it gets here.
    let text = std::str::from_utf8(content)
        .ok()
        .filter(|text| !text.contains(char::REPLACEMENT_CHARACTER));
    let text = text.ok_or(Error::field(field, Reason::NotUtf8))?.trim();
    if text.len() > MAX_TEXT {
        return Err(Error::field(field, Reason::TooLong));
    }
    Ok(text)
}
