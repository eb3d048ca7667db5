//! The typed request: what can be known of a request without asking the database. Its images are
//! complete and its required texts are there.

use std::cmp::Reverse;
use std::ops::Range;

use bytes::BytesMut;

use crate::error::{Error, Reason};
use crate::event::{ApiKey, Event, HttpRequest};
use crate::field::{ImageField, TextField};
use crate::form::Form;
use crate::image::Image;

/// A request that passed rows 1 and 2 of the contract's table.
#[derive(Debug)]
pub struct Request {
    /// The caller's key.
    pub api_key: ApiKey,
    /// The submission that the images are for, as sent.
    pub submission_id: String,
    /// The administrator's account, as sent.
    pub admin: String,
    /// The ID document's type, as sent: whether it is one is row 9's to say, after the records.
    pub id_type: Option<String>,
    /// The images, in the contract's order; there may be none, which is row 7's to refuse.
    pub images: Vec<(ImageField, Image)>,
}

impl Request {
    /// Reads an event.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPayload`] or else [`Error::MissingData`].
    pub fn parse(event: Event) -> Result<Self, Error> {
        let HttpRequest {
            api_key,
            content_type,
            body,
        } = event.into_request()?;
        let form = Form::parse(&content_type, &body)?;
        let text = |field| form.text(field).map(str::to_owned);
        let (submission_id, admin) = (text(TextField::SubmissionId), text(TextField::Admin));
        let id_type = text(TextField::IdType);
        let images = form.images().collect();
        let images = split(body, images).into_iter().map(|(field, text)| {
            let image = Image::decode(text).map_err(|reason| Error::field(field, reason))?;
            Ok((field, image))
        });
        let images = images.collect::<Result<_, Error>>()?;
        Ok(Self {
            api_key: api_key.ok_or(Error::MissingData(Reason::NoApiKey))?,
            submission_id: submission_id.ok_or(Error::MissingData(Reason::NoSubmissionId))?,
            admin: admin.ok_or(Error::MissingData(Reason::NoAdmin))?,
            id_type,
            images,
        })
    }
}

/// Cuts the images' texts out of the body's memory, in which each keeps its place.
fn split(
    mut body: BytesMut,
    mut texts: Vec<(ImageField, Range<usize>)>,
) -> Vec<(ImageField, BytesMut)> {
    texts.sort_unstable_by_key(|(_, range)| Reverse(range.start));
    let cut = texts.into_iter().map(|(field, range)| {
        let mut text = body.split_off(range.start);
        text.truncate(range.len());
        (field, text)
    });
    let mut texts: Vec<_> = cut.collect();
    texts.sort_unstable_by_key(|(field, _)| *field as usize);
    texts
}
