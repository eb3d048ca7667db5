//! The keys that the function writes objects under: `{projectId}/{submissionId}/{field}/{unique}.{jpg|png}`.

use put_image::domain::ImageField;
use uuid::Uuid;

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
        let field = ImageField::ALL
            .into_iter()
            .find(|known| known.name() == field)?;
        // Random, and in the one form in which it is written: a hash in hex is not.
        let is_ours = |uuid: Uuid| uuid.get_version_num() == 4 && uuid.to_string() == unique;
        let ours = Uuid::parse_str(unique).is_ok_and(is_ours) && matches!(extension, "jpg" | "png");
        (ours && owner.contains('/')).then_some(Self { owner, field })
    }

    /// The IDs of the submissions that it may be of: all but always one.
    pub(crate) fn submissions(self) -> impl Iterator<Item = &'a str> {
        let ids = self
            .owner
            .match_indices('/')
            .map(move |(slash, _)| &self.owner[slash + 1..]);
        ids.filter(|id| !id.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use put_image::domain::ImageField;

    use super::ObjectKey;

    #[test]
    fn takes_apart_what_the_function_writes_and_nothing_else() {
        let unique = "5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21";
        let key = format!("a/b/c/selfieImage/{unique}.jpg");
        let parsed = ObjectKey::parse(&key).unwrap();
        assert_eq!(
            parsed,
            ObjectKey {
                owner: "a/b/c",
                field: ImageField::SelfieImage
            }
        );
        assert_eq!(parsed.submissions().collect::<Vec<_>>(), ["b/c", "c"]);
        for key in [
            format!("a/selfieImage/{unique}.jpg"),
            format!("a/b/portrait/{unique}.jpg"),
            format!("a/b/selfieImage/{unique}.gif"),
            format!("a/b/selfieImage/{unique}"),
            format!("a/b/selfieImage/{}.jpg", unique.to_uppercase()),
            format!("a/b/selfieImage/{}.jpg", unique.replace('-', "")),
            format!("a/b/selfieImage/urn:uuid:{unique}.jpg"),
            format!("a/b/selfieImage/{{{unique}}}.jpg"),
            "a/b/selfieImage/d41d8cd9-8f00-b204-e980-0998ecf8427e.png".to_owned(),
            "a/b/selfieImage/front.jpg".to_owned(),
            unique.to_owned(),
        ] {
            assert_eq!(ObjectKey::parse(&key), None, "{key}");
        }
    }

    #[test]
    fn finds_no_submission_without_an_id() {
        let key = "a/S-9//idImage/5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21.jpg";
        assert_eq!(
            ObjectKey::parse(key)
                .unwrap()
                .submissions()
                .collect::<Vec<_>>(),
            ["S-9/"]
        );
    }
}
