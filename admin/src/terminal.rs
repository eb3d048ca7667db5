//! What a person or a script reads. What a script reads goes to standard output (a key, a record, what is left over), and
//! messages for people to standard error.
//!
//! IDs and keys come from elsewhere. A control character in one could forge a line or control the terminal, and one that
//! nobody sees could make it look like another.

use std::io::{Write as _, stderr, stdin, stdout};
use std::process::ExitCode;

use put_image::domain::is_invisible;
use put_image::records::Item;
use serde_json::Value;
use tabwriter::TabWriter;

use crate::Error;
use crate::table::{cell, plain_item};

/// Reports the error that a program ends with. A closed pipe needs no report: its reader, `head` for example, has read
/// enough.
pub fn fail(program: &str, error: &Error) -> ExitCode {
    let is_closed_pipe = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
    if !is_closed_pipe {
        let _ = writeln!(stderr(), "{program}: {}", printable(&error.to_string()));
    }
    ExitCode::FAILURE
}

/// Prints for a script or a reader, without anything that a terminal would interpret.
pub(crate) fn print(text: &str) -> Result<ExitCode, Error> {
    stdout().write_all(printable(text).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn tell(line: &str) {
    let _ = writeln!(stderr(), "{}", in_line(line));
}

/// Asks for confirmation by typing an ID, unless `yes` is set. Returns an error if anything else is typed.
pub(crate) fn confirm(yes: bool, question: &str, id: &str) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    tell!("{question} Type its ID, {id}, to go on:");
    let mut typed = String::new();
    stdin().read_line(&mut typed)?;
    if typed.lines().next() != Some(id) {
        bail!("that wasn't its ID (--yes skips the question): nothing was changed");
    }
    Ok(())
}

/// Prints a line for each record, or all of them as JSON.
pub(crate) fn print_list<const COLUMNS: usize>(
    records: &[Item],
    is_json: bool,
    row: impl Fn(&Item) -> [String; COLUMNS],
) -> Result<ExitCode, Error> {
    print(&if is_json {
        json(&records.iter().map(plain_item).collect())
    } else {
        table(records.iter().map(row))
    })
}

/// Returns a line for each attribute of a record.
pub(crate) fn attributes(record: &Item) -> String {
    let mut rows: Vec<_> = record
        .keys()
        .map(|name| [name.clone(), cell(record, name)])
        .collect();
    rows.sort();
    table(rows)
}

/// Returns a text with its control characters and those that nobody sees escaped, except line ends.
pub fn printable(text: &str) -> String {
    escape(text, |c| c.escape_unicode().to_string())
}

/// Returns the same with its line ends escaped, too: it can't leave its line.
pub(crate) fn in_line(text: &str) -> String {
    printable(text).replace('\n', "\\u{a}")
}

/// Returns JSON with the characters escaped that nobody sees and JSON itself permits.
pub(crate) fn json(value: &Value) -> String {
    escape(&format!("{value:#}\n"), |c| {
        let units = c.encode_utf16(&mut [0; 2]).to_vec();
        let escaped = units.iter().map(|it| format!("\\u{it:04x}"));
        escaped.collect::<Vec<_>>().concat()
    })
}

fn escape(text: &str, escaped: impl Fn(char) -> String) -> String {
    let escaped = text.chars().map(|c| match c {
        '\n' => c.to_string(),
        c if is_invisible(c) => escaped(c),
        c => c.to_string(),
    });
    escaped.collect()
}

/// Returns a line for each row, its cells aligned. A cell can't leave its line.
pub(crate) fn table<const COLUMNS: usize>(
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = TabWriter::new(Vec::new());
    for row in rows {
        let row = row.map(|cell| in_line(&cell)).join("\t");
        // A Vec can be written to without an error.
        let _ = writeln!(table, "{row}");
    }
    let aligned = table.into_inner().unwrap_or_default();
    let text = String::from_utf8_lossy(&aligned);
    let lines = text.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}
