//! The grammar that `Content-Type` and `Content-Disposition` share: a value, then parameters after `;`, each
//! `name=token` or `name="quoted"` (RFC 9110, section 5.6.6; RFC 7578, section 4.2).

/// A header's value and its parameters: `form-data; name="idImage"` is the value `form-data` and one parameter.
#[derive(Debug)]
pub(super) struct HeaderParams<'a> {
    /// What precedes the first `;`, without whitespace around it.
    pub(super) value: &'a [u8],
    parameters: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> HeaderParams<'a> {
    /// Parses a header strictly, so that no parameter can hide in another's value.
    pub(super) fn parse(header: &'a [u8]) -> Result<Self, ParamsError> {
        let end = memchr::memchr(b';', header).unwrap_or(header.len());
        let (value, mut rest) = header.split_at(end);
        let mut parameters = Vec::new();
        while let Some(after) = rest.trim_ascii_start().strip_prefix(b";") {
            rest = after.trim_ascii_start();
            // A `;` with nothing after it is common and harmless.
            if rest.is_empty() || rest.starts_with(b";") {
                continue;
            }
            let name_end = rest.iter().position(|&byte| !is_token(byte));
            let (name, after) = rest.split_at(name_end.unwrap_or(rest.len()));
            let sign = after.trim_ascii_start();
            let text = sign.strip_prefix(b"=").ok_or(ParamsError::Malformed)?;
            if name.is_empty() {
                return Err(ParamsError::Malformed);
            }
            if sign.len() < after.len() || text.trim_ascii_start().len() < text.len() {
                return Err(ParamsError::SpacedSign);
            }
            let value;
            (value, rest) = match text.strip_prefix(b"\"") {
                Some(quoted) => unquote(quoted)?,
                None => bare(text)?,
            };
            parameters.push((name, value));
        }
        if !rest.trim_ascii().is_empty() {
            return Err(ParamsError::Malformed);
        }
        Ok(Self {
            value: value.trim_ascii(),
            parameters,
        })
    }

    /// Returns the value of the parameter of this name, in any case; `None` unless there is exactly one. Parsers differ
    /// on RFC 2231's extensions, `name*=utf-8''x` and `name*0="x"` (RFC 7578, section 4.2, doesn't allow them), so
    /// an extension counts as another parameter of this name.
    pub(super) fn the(&self, name: &str) -> Option<&'a [u8]> {
        let mut named = self.parameters.iter().filter(|(other, _)| {
            let base = other.split(|&byte| byte == b'*').next();
            base.is_some_and(|base| base.eq_ignore_ascii_case(name.as_bytes()))
        });
        match (named.next(), named.next()) {
            (Some((other, value)), None) if other.len() == name.len() => Some(value),
            _ => None,
        }
    }
}

/// Returns whether a token may contain the byte (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Splits off an unquoted value, up to the next `;`. It may be more than a token: real clients don't quote boundaries
/// with `=`, `/` or `:` (`JavaMail`, for example).
fn bare(text: &[u8]) -> Result<(&[u8], &[u8]), ParamsError> {
    let end = memchr::memchr(b';', text).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    let value = value.trim_ascii_end();
    let is_odd = |byte: &u8| *byte == b'"' || byte.is_ascii_whitespace();
    if value.iter().any(is_odd) {
        return Err(ParamsError::Unquoted);
    }
    Ok((value, rest))
}

/// Splits off a quoted value. A backslash is literal, as in the Windows paths of old browsers. Before a quote it is
/// refused: parsers differ on whether it escapes the quote, and so on where the value ends.
fn unquote(text: &[u8]) -> Result<(&[u8], &[u8]), ParamsError> {
    let end = memchr::memchr(b'"', text).ok_or(ParamsError::Malformed)?;
    let (value, rest) = text.split_at(end);
    if value.ends_with(b"\\") {
        return Err(ParamsError::Backslash);
    }
    Ok((value, &rest[1..]))
}

/// Why a header doesn't follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    #[error("has a backslash before a quotation mark: use a filename without them")]
    Backslash,
    #[error("has whitespace around an equals sign")]
    SpacedSign,
    #[error("has a value with whitespace that isn't in quotation marks")]
    Unquoted,
    #[error("is malformed")]
    Malformed,
}
