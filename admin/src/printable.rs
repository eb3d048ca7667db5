//! What is printed: IDs and keys come from elsewhere. A control character in one could forge a line or control the
//! terminal, and one that nobody sees could make it look like another.

use std::fmt::Write as _;

use put_image::domain::is_invisible;
use serde_json::Value;

/// Returns a text with its control characters and those that nobody sees escaped, except line ends.
pub fn printable(text: &str) -> String {
    escape(text, |c| c.escape_unicode().to_string())
}

/// Returns the same with its line ends escaped, too: it can't leave its line.
pub fn in_line(text: &str) -> String {
    printable(text).replace('\n', "\\u{a}")
}

/// Returns JSON with the characters escaped that nobody sees and JSON itself permits.
pub(crate) fn json(value: &Value) -> String {
    escape(&format!("{value:#}\n"), |c| {
        let mut units = [0; 2];
        let units = c.encode_utf16(&mut units).iter();
        let escaped: Vec<_> = units.map(|unit| format!("\\u{unit:04x}")).collect();
        escaped.concat()
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
        if is_invisible(character) && character != '\n' {
            printable += &escaped(character);
        } else {
            printable.push(character);
        }
    }
    printable
}
