//! The form's documented fields, each at most once, without blanks around its value. What stands in
//! an unknown field is never looked at.

use crate::error::{Error, Reason};
use crate::field::{Field, ImageField, TextField};
use crate::multipart;

/// The longest text field in bytes; the contract names the number. E-mail addresses end at 254.
pub const MAX_TEXT: usize = 256;

/// The values of a form's documented fields, borrowed from the body. An empty or blank value is none.
#[derive(Debug, Default)]
pub struct Form<'a> {
    texts: [Option<&'a str>; TextField::ALL.len()],
    images: [Option<&'a [u8]>; ImageField::ALL.len()],
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
            let Some(field) = Field::from_name(part.name) else { continue };
            if part.encoded {
                return Err(Error::field(field, Reason::TransferEncoding));
            }
            let repeated = match field {
                Field::Text(text) => form.texts[text as usize].replace(parse_text(text, part.content)?).is_some(),
                Field::Image(image) => form.images[image as usize].replace(part.content.trim_ascii()).is_some(),
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

    /// The image fields that have a value, in the contract's order, as sent.
    pub fn images(&self) -> impl Iterator<Item = (ImageField, &'a [u8])> {
        ImageField::ALL
            .into_iter()
            .filter_map(|field| Some((field, self.images[field as usize]?)))
            .filter(|(_, text)| !text.is_empty())
    }
}

fn parse_text(field: TextField, content: &[u8]) -> Result<&str, Error> {
    // A REST API without binary media types replaces what is not UTF-8 before it gets here.
    let text = std::str::from_utf8(content).ok().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER));
    let text = text.ok_or(Error::field(field, Reason::NotUtf8))?.trim();
    if text.len() > MAX_TEXT {
        return Err(Error::field(field, Reason::TooLong));
    }
    Ok(text)
}
