//! Just enough of JSON (RFC 8259) to take an object apart where it stands: where its members are, and what
//! a string of its says. What is passed over is not checked; whoever reads a value says whether it is
//! well-formed.
//!
//! A parser for all of JSON would look at each byte of a body of 6 MB several times, and copy it.

use std::ops::Range;

/// The members of an object, one after the other.
#[derive(Debug)]
pub struct Object<'a> {
    json: &'a mut [u8],
    at: usize,
    first: bool,
}

/// There is no object, or it has no end, or something stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A string has an escape that stands for no character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEscape;

impl<'a> Object<'a> {
    /// An object with nothing but blanks around it.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is something else.
    pub fn open(json: &'a mut [u8]) -> Result<Self, Malformed> {
        let mut object = Self {
            json,
            at: 0,
            first: true,
        };
        object.expect(b'{')?;
        Ok(object)
    }

    /// Goes to the next member's value, which has to be read or passed over before the one after it. Returns
    /// the member's name as it stands between the quotes; `None` at the object's end.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn next_name(&mut self) -> Result<Option<&[u8]>, Malformed> {
        let first = std::mem::replace(&mut self.first, false);
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return if self.peek().is_none() {
                    Ok(None)
                } else {
                    Err(Malformed)
                };
            }
            Some(b',') if !first => self.at += 1,
            Some(b'"') if first => {}
            _ => return Err(Malformed),
        }
        self.expect(b'"')?;
        let start = self.at;
        self.skip_string()?;
        let name = start..self.at - 1;
        self.expect(b':')?;
        Ok(Some(&self.json[name]))
    }

    /// Passes over the value. Returns where it stands.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn skip(&mut self) -> Result<Range<usize>, Malformed> {
        let first = self.peek();
        let start = self.at;
        if !matches!(first, Some(b'"' | b'{' | b'[')) {
            self.at += self.json[start..]
                .iter()
                .take_while(|byte| is_in_word(**byte))
                .count();
            return if self.at > start {
                Ok(start..self.at)
            } else {
                Err(Malformed)
            };
        }
        let mut depth = 0_usize;
        loop {
            let byte = *self.json.get(self.at).ok_or(Malformed)?;
            self.at += 1;
            match byte {
                b'"' => self.skip_string()?,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                return Ok(start..self.at);
            }
        }
    }

    /// Reads a string: its text takes the place of its escapes. Returns where the text stands, or `None` if
    /// the value is something else, which is passed over.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the object can't be read on; otherwise the string has a [`BadEscape`].
    pub fn text(&mut self) -> Result<Option<Result<Range<usize>, BadEscape>>, Malformed> {
        if self.peek() != Some(b'"') {
            self.skip()?;
            return Ok(None);
        }
        self.at += 1;
        let start = self.at;
        // Everything is moved down by as much as the escapes before it were longer than their characters.
        let mut end = start;
        loop {
            let run = memchr::memchr2(b'"', b'\\', &self.json[self.at..]).ok_or(Malformed)?;
            if end < self.at {
                self.json.copy_within(self.at..self.at + run, end);
            }
            self.at += run;
            end += run;
            if self.json[self.at] == b'"' {
                self.at += 1;
                return Ok(Some(Ok(start..end)));
            }
            let Some((character, length)) = escape(&self.json[self.at + 1..]) else {
                self.skip_string()?;
                return Ok(Some(Err(BadEscape)));
            };
            self.at += 1 + length;
            end += character.encode_utf8(&mut self.json[end..]).len();
        }
    }

    /// The byte behind any blanks.
    fn peek(&mut self) -> Option<u8> {
        self.at += self.json[self.at..]
            .iter()
            .take_while(|byte| is_blank(**byte))
            .count();
        self.json.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        if found { Ok(()) } else { Err(Malformed) }
    }

    /// Goes behind the end of a string in which we are.
    fn skip_string(&mut self) -> Result<(), Malformed> {
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.json.get(self.at..).ok_or(Malformed)?)
                .ok_or(Malformed)?;
            let found = self.json[self.at];
            self.at += 1;
            if found == b'"' {
                return Ok(());
            }
            self.at += 1;
        }
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether a byte may be in a number or in `true`, `false` or `null`.
const fn is_in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The character that an escape stands for, and the escape's length without its backslash.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.first()? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{C}',
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'u' => return utf16(&text[1..]).map(|(character, length)| (character, 1 + length)),
        _ => return None,
    };
    Some((character, 1))
}

/// The character behind a `\u`, of one UTF-16 code unit or a pair, and the length of its digits.
fn utf16(text: &[u8]) -> Option<(char, usize)> {
    let unit = |text: &[u8]| {
        let digits = text
            .get(..4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let first = unit(text)?;
    let second = text[4..]
        .strip_prefix(b"\\u")
        .filter(|_| (0xD800..0xDC00).contains(&first));
    let (units, length) = match second {
        Some(second) => (&[first, unit(second)?][..], 10),
        None => (&[first][..], 4),
    };
    Some((
        char::decode_utf16(units.iter().copied()).next()?.ok()?,
        length,
    ))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::{BadEscape, Malformed, Object};

    /// The texts of the members named `t`, and the other members' values as they stand there.
    fn read(json: &str) -> Result<Vec<Option<Result<String, BadEscape>>>, Malformed> {
        let mut json = json.as_bytes().to_vec();
        let mut ranges = Vec::new();
        let mut object = Object::open(&mut json)?;
        while let Some(name) = object.next_name()? {
            ranges.push(if name == b"t" {
                object.text()?
            } else {
                Some(Ok(object.skip()?))
            });
        }
        let text = |range: Range<usize>| String::from_utf8(json[range].to_vec()).unwrap();
        Ok(ranges
            .into_iter()
            .map(|range| range.map(|range| range.map(text)))
            .collect())
    }

    #[track_caller]
    fn assert_reads(json: &str, values: &[&str]) {
        let values = values
            .iter()
            .map(|value| Some(Ok((*value).to_owned())))
            .collect();
        assert_eq!(read(json), Ok(values), "{json}");
    }

    #[test]
    fn finds_members() {
        assert_reads("{}", &[]);
        assert_reads(" {\r\n\t} ", &[]);
        assert_reads(r#"{"a":1}"#, &["1"]);
        assert_reads(
            r#" { "a" : null , "b" : [ 1 , {"}":"]\"\\"} ] , "c" : "x\"," , "d":-1.5e3 } "#,
            &["null", r#"[ 1 , {"}":"]\"\\"} ]"#, r#""x\",""#, "-1.5e3"],
        );
        assert_reads(
            &format!(
                r#"{{"a":{}{},"t":"x"}}"#,
                "[".repeat(9999),
                "]".repeat(9999)
            ),
            &[&("[".repeat(9999) + &"]".repeat(9999)), "x"],
        );
    }

    #[test]
    fn unescapes_texts() {
        assert_reads(r#"{"t":""}"#, &[""]);
        assert_reads(
            r#"{"t":"a\r\n\"\\\/\t\b\f\u00e9é\ud83d\ude00z","u":"\n"}"#,
            &["a\r\n\"\\/\t\u{8}\u{c}éé😀z", r#""\n""#],
        );
        assert_reads(
            r#"{"t":"\u0041","t":"\uFFFD\uD7FF\uE000"}"#,
            &["A", "\u{FFFD}\u{D7FF}\u{E000}"],
        );
    }

    #[test]
    fn tells_what_is_no_text() {
        for value in ["1", "null", "[\"a\"]"] {
            let values = vec![None, Some(Ok("2".to_owned()))];
            assert_eq!(
                read(&format!(r#"{{"t":{value},"u":2}}"#)),
                Ok(values),
                "{value}"
            );
        }
        for value in [
            r#""\x""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\ud83d\ud83d""#,
            r#""\ude00""#,
        ] {
            let values = vec![Some(Err(BadEscape)), Some(Ok("2".to_owned()))];
            assert_eq!(
                read(&format!(r#"{{"t":{value},"u":2}}"#)),
                Ok(values),
                "{value}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_object() {
        let whole = r#"{"a":[1,{"b":"c\""}],"t":"\u0041\n"}"#;
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Err(Malformed), "{}", &whole[..end]);
        }
        for json in [
            "",
            "null",
            "1",
            "[]",
            "{}x",
            "{}{}",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":,"b":1}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 2}"#,
            r#"{"a" 1}"#,
            "{a:1}",
            r#"{"a":1"b":2}"#,
            r#"{"a":]}"#,
            r#"{"t":"\"#,
            r#"{"a":"\"#,
        ] {
            assert_eq!(read(json), Err(Malformed), "{json}");
        }
    }
}
