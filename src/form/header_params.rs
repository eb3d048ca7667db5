//! The grammar that `Content-Type` and `Content-Disposition` share: a value, then parameters after `;`, each
//! `name=token` or `name="quoted"` (RFC 9110, section 5.6.6; RFC 7578, section 4.2).

/// A header's value and its parameters: `form-data; name="idImage"` is the value `form-data` and one parameter.
#[derive(Debug)]
pub(super) struct HeaderParams<'a> {
    /// What precedes the first `;`, without blanks around it.
    pub(super) value: &'a [u8],
    parameters: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> HeaderParams<'a> {
    /// Parses a header; `None` unless all of it follows the grammar, so that no parameter can hide in another's value.
    pub(super) fn parse(header: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', header).unwrap_or(header.len());
        let (value, mut rest) = header.split_at(end);
        let mut parameters = Vec::new();
        loop {
            rest = rest.trim_ascii_start();
            let Some(after) = rest.strip_prefix(b";") else {
                break;
            };
            rest = after.trim_ascii_start();
            // A `;` with nothing behind it is common and harmless.
            if rest.is_empty() || rest.starts_with(b";") {
                continue;
            }
            let name_end = rest.iter().position(|&byte| !is_token(byte))?;
            let (name, after) = rest.split_at(name_end);
            let after = after.strip_prefix(b"=")?;
            let (value, after) = match after.strip_prefix(b"\"") {
                Some(quoted) => unquote(quoted)?,
                None => bare(after),
            };
            if name.is_empty() {
                return None;
            }
            parameters.push((name, value));
            rest = after;
        }
        rest.is_empty().then_some(Self {
            value: value.trim_ascii(),
            parameters,
        })
    }

    /// Returns the values of all parameters of this name, in any case.
    pub(super) fn values(&self, name: &str) -> Vec<&'a [u8]> {
        let parameters = self.parameters.iter();
        let named = parameters.filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|&(_, value)| value).collect()
    }
}

/// Returns whether a token may contain the byte (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Splits off an unquoted value, up to the next `;` or blank. It may be more than a token: real clients don't quote
/// boundaries with `=`, `/` or `:` (`JavaMail`, for one).
fn bare(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|&byte| byte == b';' || byte == b'"' || byte.is_ascii_whitespace());
    text.split_at(end.unwrap_or(text.len()))
}

/// Splits off a quoted value. A backslash is itself, as in the Windows paths of old browsers. Before a quote it is
/// refused: parsers differ on whether it escapes the quote, and so on where the value ends.
fn unquote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (value, rest) = text.split_at(memchr::memchr(b'"', text)?);
    (!value.ends_with(b"\\")).then_some((value, &rest[1..]))
}

#[cfg(test)]
mod tests {
    use super::HeaderParams;

    #[track_caller]
    fn assert_name(header: &str, name: Option<&str>) {
        let parsed = HeaderParams::parse(header.as_bytes());
        let found = match parsed.map(|p| p.values("name")).as_deref() {
            Some(&[name]) => Some(name),
            _ => None,
        };
        assert_eq!(found, name.map(str::as_bytes), "{header}");
    }

    #[test]
    fn finds_the_one_parameter() {
        assert_name("form-data; name=\"idImage\"", Some("idImage"));
        assert_name("form-data; name=idImage", Some("idImage"));
        assert_name("form-data;name=idImage ;", Some("idImage"));
        assert_name(
            "form-data ; NAME=\"idImage\"; filename=\"a b.b64\"",
            Some("idImage"),
        );
        assert_name(r#"form-data; name="a\b\\c""#, Some(r"a\b\\c"));
        assert_name(r#"form-data; filename="C:\tmp\x"; name="n""#, Some("n"));
        assert_name("form-data; name=\"\"", Some(""));
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        assert_name("form-data; name=a; name=b", None);
        assert_name("form-data; name=\"a", None);
        assert_name("form-data; name=\"a\"b", None);
        assert_name("form-data; name=a b", None);
        assert_name("form-data; name", None);
        assert_name("form-data; =x; name=a", None);
        assert_name("form-data; name =a", None);
        assert_name(r#"form-data; filename="C:\"; name="n""#, None);
        assert_name(
            r#"form-data; filename="\"; name=evil; x="; name="good""#,
            None,
        );
        assert_name(
            r#"form-data; filename="\\"; name=evil; x="; name="good""#,
            None,
        );
    }
}
