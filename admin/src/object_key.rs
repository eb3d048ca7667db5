//! The keys that the function writes objects under: `{projectId}/{submissionId}/{field}/{unique}.{jpg|png}`.

use put_image::domain::ImageField;
use uuid::Uuid;

/// Returns a key's `{projectId}/{submissionId}`; `None` if the function doesn't write such keys. IDs may hold slashes, so
/// that where the project's ID ends can't always be told.
pub(crate) fn owner(key: &str) -> Option<&str> {
    let (rest, name) = key.rsplit_once('/')?;
    let (owner, field) = rest.rsplit_once('/')?;
    let (unique, extension) = name.split_once('.')?;
    let is_field = ImageField::ALL.iter().any(|known| known.name() == field);
    // Random, and in the one form in which it is written: a hash in hex is not.
    let is_ours = |uuid: Uuid| uuid.get_version_num() == 4 && uuid.to_string() == unique;
    let is_unique = Uuid::parse_str(unique).is_ok_and(is_ours);
    let is_image = matches!(extension, "jpg" | "png");
    (is_field && is_unique && is_image && owner.contains('/')).then_some(owner)
}

/// Returns the IDs of the submissions that a key may be of: all but always one.
pub(crate) fn submissions(key: &str) -> impl Iterator<Item = &str> {
    let owner = owner(key).unwrap_or_default();
    let ids = owner
        .match_indices('/')
        .map(|(slash, _)| &owner[slash + 1..]);
    ids.filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{owner, submissions};

    #[test]
    fn takes_apart_what_the_function_writes_and_nothing_else() {
        let unique = "5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21";
        let key = format!("a/b/c/selfieImage/{unique}.jpg");
        assert_eq!(owner(&key), Some("a/b/c"));
        assert_eq!(submissions(&key).collect::<Vec<_>>(), ["b/c", "c"]);
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
            assert_eq!(owner(&key), None, "{key}");
        }
    }

    #[test]
    fn finds_no_submission_without_an_id() {
        let key = "a/S-9//idImage/5f0c6b0a-7c1e-4d3f-9a52-0c8d4f6b7e21.jpg";
        assert_eq!(submissions(key).collect::<Vec<_>>(), ["S-9/"]);
    }
}
