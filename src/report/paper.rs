//! The change document: one file for the change board, and for the night after it.
//!
//! What it says is put together once, as blocks; HTML and Markdown only write them down. After a run
//! it also says what actually happened.

mod build;
mod change;
mod happened;
mod html;
mod junit;
mod markdown;

use crate::event::Record;
use crate::model::plan::Plan;

pub use crate::report::paper::junit::junit;

/// A document, before it is written down. All texts are as they came: hosts wrote some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Paper {
    title: String,
    /// The sealed plan's digest, the same in every format.
    digest: String,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    Heading(String),
    Text(String),
    /// What nobody may overlook.
    Alert(String),
    List(Vec<String>),
    Table(Table),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    text: String,
    mood: Mood,
}

/// How a cell is to be looked at; its words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Plain,
    /// A value, a name: set in a fixed width.
    Exact,
    Good,
    Bad,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), mood: Mood::Plain }
    }

    fn exact(text: impl Into<String>) -> Self {
        Self { text: text.into(), mood: Mood::Exact }
    }
}

/// One file that needs no network, no script and no second file.
pub fn html(plan: &Plan, digest: &str, records: &[Record]) -> String {
    html::write(&build::build(plan, digest, records))
}

/// The same content for a ticket.
pub fn markdown(plan: &Plan, digest: &str, records: &[Record]) -> String {
    markdown::write(&build::build(plan, digest, records))
}

#[cfg(test)]
mod tests;
