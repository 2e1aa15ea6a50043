//! Blocks as Markdown for a ticket.

use crate::model::visible::visible;
use crate::report::paper::Block;
use crate::report::paper::Cell;
use crate::report::paper::Mood;
use crate::report::paper::Paper;
use crate::report::paper::Table;

pub(super) fn write(paper: &Paper) -> String {
    let mut text = format!("# {}\n\nplan `{}`\n", escape(&paper.title), paper.digest);
    for block in &paper.blocks {
        text.push('\n');
        match block {
            Block::Heading(words) => text.push_str(&format!("## {}\n", escape(words))),
            Block::Text(words) => text.push_str(&format!("{}\n", escape(words))),
            Block::Alert(words) => text.push_str(&format!("> **{}**\n", escape(words))),
            Block::List(items) => {
                for item in items {
                    text.push_str(&format!("- {}\n", escape(item)));
                }
            }
            Block::Table(table) => push_table(&mut text, table),
        }
    }
    text
}

fn push_table(text: &mut String, table: &Table) {
    text.push_str(&format!("| {} |\n", table.columns.join(" | ")));
    text.push_str(&format!("|{}\n", " --- |".repeat(table.columns.len())));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn cell(cell: &Cell) -> String {
    let text = escape(&cell.text);
    match cell.mood {
        Mood::Bad if !text.is_empty() => format!("**{text}**"),
        Mood::Plain | Mood::Exact | Mood::Good | Mood::Bad => text,
    }
}

/// INVARIANT: no text of a host is read as markup, or leaves its cell.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in visible(text).chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                safe.push('\\');
                safe.push(letter);
            }
            other => safe.push(other),
        }
    }
    safe
}
