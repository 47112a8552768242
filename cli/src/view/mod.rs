//! What people read on stdout: tables with plain columns, `--json` apart.

mod classes;
mod estimators;
mod front;
mod lists;
mod number;
mod unseen;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

pub(crate) use estimators::estimators;
pub(crate) use front::{front, front_summary};
pub(crate) use lists::{
    datasets, devices, model, models, search, searches, tokens, trial, trials, workers,
};
pub(crate) use number::{grouped, of_device, percent, quality, share, short, with_share};
pub(crate) use unseen::unseen;

/// A table of left- and right-aligned columns without lines: `headings` starting with `>` are right-aligned.
fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(
        headings
            .iter()
            .map(|heading| heading.trim_start_matches('>')),
    );
    for (index, heading) in headings.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// The table as text without trailing blanks.
fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Prints JSON, indented.
pub(crate) fn json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(&text),
        Err(error) => eprintln!("error: failed to write JSON: {error}"),
    }
}

/// Prints text on stdout; a reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Prints a line on stdout.
pub(crate) fn line(text: &str) {
    print(&format!("{text}\n"));
}
