//! What is printed: IDs and keys come from elsewhere, and a control character in one could forge a line or control the
//! terminal.

use std::fmt::Write as _;

use serde_json::Value;

/// Returns a text with its control characters escaped, except line ends.
#[must_use]
pub fn printable(text: &str) -> String {
    escape(text, |c| c.escape_unicode().to_string())
}

/// Returns a text with all its control characters escaped, line ends included: it can't leave its line.
#[must_use]
pub fn in_line(text: &str) -> String {
    printable(text).replace('\n', "\\u{a}")
}

/// Returns JSON with the control characters escaped that JSON itself permits.
pub(crate) fn json(value: &Value) -> String {
    escape(&format!("{value:#}\n"), |c| {
        format!("\\u{:04x}", u32::from(c))
    })
}

/// Returns a line for each row, its cells aligned. A cell can't leave its line.
pub(crate) fn table<const COLUMNS: usize>(
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| row.map(|cell| in_line(&cell)))
        .collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            // A String can be written to without an error.
            let _ = write!(line, "{cell:width$}  ");
        }
        table += line.trim_end();
        table.push('\n');
    }
    table
}

fn escape(text: &str, escaped: impl Fn(char) -> String) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            printable += &escaped(character);
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{in_line, json, printable, table};

    #[test]
    fn what_a_terminal_would_follow_is_escaped() {
        assert_eq!(
            printable("a\u{1b}[2J\u{9b}b\r\nc\td"),
            "a\\u{1b}[2J\\u{9b}b\\u{d}\nc\\u{9}d"
        );
        assert_eq!(in_line("a\nb"), "a\\u{a}b");
        assert_eq!(printable("Zoë \u{1F600}"), "Zoë \u{1F600}");
    }

    #[test]
    fn json_stays_json() {
        let odd = json!({ "note": "\u{1b}]0;x\u{7}\u{9b}31m\u{7f}\n" });
        let printed = json(&odd);
        assert!(!printed.replace('\n', "").contains(char::is_control));
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), odd);
    }

    #[test]
    fn cells_are_aligned_and_stay_in_their_line() {
        let rows = [["Zoë", "1"], ["a\nb", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(rows), "Zoë      1\na\\u{a}b\n");
    }
}
