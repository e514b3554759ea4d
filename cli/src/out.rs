//! What goes to stdout: a text or one JSON document. A reader that goes away ends the command quietly.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Writes a text to stdout.
pub fn text(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("writing to stdout")
}

/// Writes one JSON document to stdout: indented for people, in one line for `pretty == false`.
pub fn json(value: &impl Serialize, pretty: bool) -> Result<()> {
    let document = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text(&(document.context("making JSON")? + "\n"))
}

/// Writes the JSON or the text, as `--json` says.
pub fn either(as_json: bool, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<()> {
    if as_json { json(value, true) } else { text(&words()) }
}

/// Writes to stderr; never panics, unlike `eprintln!`.
pub fn to_stderr(text: &str) -> io::Result<()> {
    io::stderr().lock().write_all(text.as_bytes())
}

/// Whether the reader of our output has gone.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Columns of equal width, two blanks between them, none at the end of a line. What strangers wrote is made harmless.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let clean: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()).collect();
    let width = |column: usize| {
        clean.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &clean {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Metadata is anybody's: it must not steer the terminal.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_hold_no_controls() {
        let rows = [vec!["LABEL".into(), "ZONE".into()], vec!["frankfurt-1".into(), "\u{1b}[2J".into()]];
        assert_eq!(table(&rows), "LABEL        ZONE\nfrankfurt-1  \u{fffd}[2J\n");
    }
}
