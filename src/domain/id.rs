//! IDs of projects and submissions, and the administrators' accounts.

use derive_more::{Display, From};

use super::Text;

/// Returns whether an ID can be part of an object key: S3 lists keys in XML 1.0, which lacks some code points, and a
/// slash or a dot segment would put its keys among another ID's (the contract's section on records). A project or a
/// submission with another ID has no images.
///
/// ```
/// use put_image::domain::is_usable_id;
///
/// assert!(is_usable_id("S-1"));
/// assert!(!is_usable_id("S/1"));
/// assert!(!is_usable_id(".."));
/// ```
pub fn is_usable_id(id: &str) -> bool {
    let is_odd = |c: char| c == '/' || c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}');
    !matches!(id, "" | "." | "..") && !id.contains(is_odd)
}

/// The ID of a project, as its record has it.
#[derive(Clone, Debug, Display, From, PartialEq, Eq)]
pub struct ProjectId(String);

impl ProjectId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The ID of a submission, which may or may not exist.
#[derive(Clone, Debug, Display, From, PartialEq, Eq)]
#[from(String, Text)]
pub struct SubmissionId(String);

impl SubmissionId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An administrator's account, an e-mail address. Compared ignoring ASCII case.
#[derive(Clone, Debug, From)]
#[from(String, Text)]
pub struct Admin(String);

impl Admin {
    /// Returns the account as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Admin {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Admin {}
