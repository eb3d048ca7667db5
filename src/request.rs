//! The typed request: what can be known of a request without asking the database. Its images are
//! complete and its required texts are there.

use crate::error::{Error, Reason};
use crate::event::{ApiKey, Event};
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
        let http = event.into_request()?;
        let form = Form::parse(&http.content_type, &http.body)?;
        let images = form.images().map(|(field, text)| {
            let image = Image::decode(text).map_err(|reason| Error::field(field, reason))?;
            Ok((field, image))
        });
        let images = images.collect::<Result<_, Error>>()?;
        let required = |field, reason| form.text(field).map(str::to_owned).ok_or(Error::MissingData(reason));
        Ok(Self {
            api_key: http.api_key.ok_or(Error::MissingData(Reason::NoApiKey))?,
            submission_id: required(TextField::SubmissionId, Reason::NoSubmissionId)?,
            admin: required(TextField::Admin, Reason::NoAdmin)?,
            id_type: form.text(TextField::IdType).map(str::to_owned),
            images,
        })
    }
}
