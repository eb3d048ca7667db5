//! The keys that the function writes objects under: `{projectId}/{submissionId}/{field}/{unique}.{jpg|png}`.

use put_image::field::{Field, ImageField};

/// A key, taken apart. IDs may hold slashes, so that where the project's ID ends can't always be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjectKey<'a> {
    /// `{projectId}/{submissionId}`.
    pub(crate) owner: &'a str,
    /// The field.
    pub(crate) field: ImageField,
}

impl<'a> ObjectKey<'a> {
    /// Takes a key apart; `None` if the function doesn't write such keys.
    pub(crate) fn parse(key: &'a str) -> Option<Self> {
        let (rest, name) = key.rsplit_once('/')?;
        let (owner, field) = rest.rsplit_once('/')?;
        let (unique, extension) = name.split_once('.')?;
        let Some(Field::Image(field)) = Field::from_name(field.as_bytes()) else { return None };
        let ours = uuid::Uuid::parse_str(unique).is_ok() && matches!(extension, "jpg" | "png") && owner.contains('/');
        ours.then_some(Self { owner, field })
    }

    /// The IDs of the submissions that it may be of: all but always one.
    pub(crate) fn submissions(self) -> impl Iterator<Item = &'a str> {
        self.owner.match_indices('/').map(move |(slash, _)| &self.owner[slash + 1..])
    }
}

#[cfg(test)]
mod tests {
    use put_image::field::ImageField;

    use super::ObjectKey;

    #[test]
    fn takes_apart_what_the_function_writes_and_nothing_else() {
        let unique = "00000000-0000-4000-8000-000000000000";
        let key = format!("a/b/c/selfieImage/{unique}.jpg");
        let parsed = ObjectKey::parse(&key).unwrap();
        assert_eq!(parsed, ObjectKey { owner: "a/b/c", field: ImageField::SelfieImage });
        assert_eq!(parsed.submissions().collect::<Vec<_>>(), ["b/c", "c"]);
        for key in [
            format!("a/selfieImage/{unique}.jpg"),
            format!("a/b/portrait/{unique}.jpg"),
            format!("a/b/selfieImage/{unique}.gif"),
            format!("a/b/selfieImage/{unique}"),
            "a/b/selfieImage/front.jpg".to_owned(),
            unique.to_owned(),
        ] {
            assert_eq!(ObjectKey::parse(&key), None, "{key}");
        }
    }
}
