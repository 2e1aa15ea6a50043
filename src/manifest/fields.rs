//! A mapping with a fixed set of keys: what is not known is refused, with a suggestion.

use std::collections::BTreeSet;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::scalar::Mismatch;
use crate::manifest::source::Span;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::manifest::tree::shorten;

/// The entries of one mapping, taken out key by key.
pub(super) struct Fields<'n> {
    /// What the mapping is, for messages: "a stage".
    what: &'static str,
    span: Span,
    entries: &'n [Entry],
    known: BTreeSet<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a mapping; anything else is a complaint. `span` is shown if there is nothing at all.
    pub(super) fn open(
        node: &'n Node,
        what: &'static str,
        span: Span,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let span = if matches!(node.value, Value::Null) { span } else { node.span };
        match &node.value {
            Value::Mapping(entries) => Some(Self { what, span, entries, known: BTreeSet::new() }),
            Value::Null | Value::Scalar { .. } | Value::Sequence(_) | Value::Vault => {
                let message = format!("{what} needs a mapping of keys, found {}", node.kind());
                diagnostics.push(
                    Diagnostic::error(span, message)
                        .help("write `key: value`, one below the other".to_owned()),
                );
                None
            }
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.known.insert(key);
        self.entries.iter().find(|entry| entry.key.text == key)
    }

    /// Takes a key out and reads its value; a wrong value is a complaint and counts as not given.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        diagnostics: &mut Diagnostics,
        read: impl FnOnce(&'n Node) -> Result<T, Mismatch>,
    ) -> Option<T> {
        let entry = self.take(key)?;
        match read(&entry.value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                diagnostics.push(wrong.of(entry));
                None
            }
        }
    }

    /// As [`Self::read`], and a key that is not there is a complaint too.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        diagnostics: &mut Diagnostics,
        read: impl FnOnce(&'n Node) -> Result<T, Mismatch>,
    ) -> Option<T> {
        if self.take(key).is_none() {
            diagnostics.push(
                Diagnostic::error(self.span, format!("{} needs the key `{key}`", self.what))
                    .help(format!("add `{key}:`")),
            );
        }
        self.read(key, diagnostics, read)
    }

    /// Complains of every key that nobody asked for.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) {
        for entry in self.entries {
            let key = entry.key.text.as_str();
            if self.known.contains(key) || diagnostics.has_error_at(entry.key.span) {
                continue;
            }
            let words: Vec<String> = self.known.iter().map(|word| format!("`{word}`")).collect();
            let near = did_you_mean(key, self.known.iter().copied());
            let help = near.unwrap_or_else(|| format!("known keys: {}", words.join(", ")));
            diagnostics.push(
                Diagnostic::error(
                    entry.key.span,
                    format!("unknown key `{}` in {}", shorten(key), self.what),
                )
                .help(help),
            );
        }
    }
}
