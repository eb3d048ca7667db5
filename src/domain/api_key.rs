//! API keys and their hashes.

use derive_more::{Debug, Display};
use sha2::{Digest as _, Sha256};

/// An API key as the caller sent it. It can be compared and hashed, but not printed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[debug("ApiKey(…)")]
pub struct ApiKey(String);

impl ApiKey {
    /// Parses a header's value; `None` if it is empty or whitespace.
    pub fn parse(value: &str) -> Option<Self> {
        let key = value.trim();
        (!key.is_empty()).then(|| Self(key.to_owned()))
    }

    /// Returns the lower-case hex SHA-256 under which a project is registered.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash(hex::encode(Sha256::digest(&self.0)))
    }
}

/// The hash of an API key, which is all that a record has of it.
#[derive(Clone, Debug, Display, PartialEq, Eq)]
pub struct ApiKeyHash(String);

#[cfg(test)]
mod tests {
    use super::ApiKey;

    #[test]
    fn a_key_is_hashed_and_never_printed() {
        let key = ApiKey::parse(" secret\t").unwrap();
        let sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(key.hash().to_string(), sha256);
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
        assert_eq!(ApiKey::parse(" \t"), None);
    }
}
