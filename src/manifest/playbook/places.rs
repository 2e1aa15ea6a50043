//! Where something stands in a playbook's text, for findings that are made after it was read.

use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::source::Source;
use crate::manifest::source::Span;
use crate::manifest::tree;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;

/// The tree of a playbook whose text is known to be good.
#[derive(Debug)]
pub struct Places {
    root: Option<Node>,
}

impl Places {
    /// Takes the text into `diagnostics`, so that its lines can be shown.
    pub fn new(source: &Source, diagnostics: &mut Diagnostics) -> Self {
        Self { root: tree::parse(source, diagnostics) }
    }

    /// The place of keys and positions from the root, or of the nearest thing above it.
    pub fn find(&self, path: &[String]) -> Span {
        let Some(mut node) = self.root.as_ref() else { return Span::default() };
        let mut span = Span { start: node.span.start, end: node.span.start, ..node.span };
        for step in path {
            let next = match &node.value {
                Value::Mapping(entries) => entries
                    .iter()
                    .find(|entry| entry.key.text == *step)
                    .map(|entry| (entry.key.span, &entry.value)),
                Value::Sequence(items) => step
                    .parse()
                    .ok()
                    .and_then(|place: usize| items.get(place))
                    .map(|item| (item.span, item)),
                Value::Null | Value::Scalar { .. } | Value::Vault => None,
            };
            let Some((found, inner)) = next else { break };
            (span, node) = (found, inner);
        }
        // The value says more than its key, where it is one.
        match &node.value {
            Value::Scalar { .. } => node.span,
            Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Vault => span,
        }
    }
}
