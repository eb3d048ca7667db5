//! What is printed: IDs and keys come from elsewhere, and a control character in one could forge a line or steer the
//! terminal.

/// Returns a text with its control characters escaped, but for line ends.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            printable.extend(character.escape_unicode());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Returns a text with all its control characters escaped, line ends too: it can't leave its line.
#[must_use]
pub fn in_line(text: &str) -> String {
    printable(text).replace('\n', "\\u{a}")
}

#[cfg(test)]
mod tests {
    use super::{in_line, printable};

    #[test]
    fn escapes_what_a_terminal_would_follow() {
        assert_eq!(
            printable("a\u{1b}[2J\u{9b}b\r\nc\td"),
            "a\\u{1b}[2J\\u{9b}b\\u{d}\nc\\u{9}d"
        );
        assert_eq!(in_line("a\nb"), "a\\u{a}b");
        assert_eq!(printable("Zoë \u{1F600}"), "Zoë \u{1F600}");
    }
}
