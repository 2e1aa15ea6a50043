//! YAML text to a tree with a place on every key and value.
//!
//! Built from the events of serde-saphyr's parser rather than through serde: serde's data model
//! has no room for tags (`!vault`), stops at the first duplicate key and cannot name both lines of
//! it. Every limit is ours and counted before memory is taken: text size, nodes (aliases count as
//! what they stand for, so an alias bomb runs into the same limit) and depth.

mod build;
mod syntax;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::source::Source;
use crate::manifest::source::Span;

/// The largest text that is read, in bytes.
pub const MAX_TEXT: usize = 1 << 20;
/// The most nodes a text may have, aliases unfolded; 64 bytes of text count as one more node.
pub const MAX_NODES: usize = 200_000;
/// The deepest nesting, aliases unfolded.
pub const MAX_DEPTH: usize = 64;

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    pub value: Value,
    /// The first line of the value.
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing, `~` or a bare `null`.
    Null,
    Scalar {
        text: String,
        /// Whether it stands without quotes, so that its type is read from its look.
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// A `!vault` value: known to be there, not readable.
    Vault,
}

/// A key of a mapping, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub text: String,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub key: Key,
    pub value: Node,
}

impl Node {
    /// Whether two nodes say the same, wherever they stand.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Scalar { text: left, .. }, Value::Scalar { text: right, .. }) => left == right,
            (Value::Sequence(left), Value::Sequence(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(l, r)| l.same(r))
            }
            (Value::Mapping(left), Value::Mapping(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(l, r)| l.key.text == r.key.text && l.value.same(&r.value))
            }
            (
                Value::Null
                | Value::Scalar { .. }
                | Value::Sequence(_)
                | Value::Mapping(_)
                | Value::Vault,
                _,
            ) => false,
        }
    }

    /// What the value is, in words for a message: "a list", "the text `x`".
    pub fn kind(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar { text, .. } => format!("`{}`", shorten(text)),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Vault => "an encrypted value".to_owned(),
        }
    }

    /// The value on one line, as `inventory show` prints it.
    pub fn inline(&self) -> String {
        match &self.value {
            Value::Null => "null".to_owned(),
            Value::Scalar { text, .. } => text.clone(),
            Value::Sequence(items) => {
                let items: Vec<String> = items.iter().map(Self::inline).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Mapping(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|entry| format!("{}: {}", entry.key.text, entry.value.inline()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            Value::Vault => "(vault)".to_owned(),
        }
    }
}

/// A text cut to a length that fits into a message.
pub(super) fn shorten(text: &str) -> String {
    const WIDTH: usize = 60;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    let head: String = text.chars().take(WIDTH).collect();
    format!("{head}…")
}

/// Reads one YAML document. `None` if the text cannot be read at all; the diagnostics say why.
///
/// Duplicate keys, unknown tags and keys that are not text are errors, and reading goes on.
pub fn parse(source: &Source, diagnostics: &mut Diagnostics) -> Option<Node> {
    let file = diagnostics.add_source(source);
    let top = Span { file, line: 1, column: 1, start: 0, end: 0 };
    if source.text.len() > MAX_TEXT {
        let message =
            format!("text of {} bytes is larger than the limit of {MAX_TEXT}", source.text.len());
        diagnostics.push(Diagnostic::error(top, message).help("split the file".to_owned()));
        return None;
    }
    if source.text.starts_with("$ANSIBLE_VAULT;") {
        diagnostics.push(
            Diagnostic::warning(top, "file is encrypted with ansible-vault and is skipped")
                .help("put logon names and providers into `credentials.yml`".to_owned()),
        );
        return Some(Node { value: Value::Vault, span: top });
    }
    build::document(&source.text, file, diagnostics)
}
