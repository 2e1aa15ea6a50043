//! Events of the YAML parser to nodes, within limits.

use std::collections::BTreeMap;

use serde_yaml::granit_parser::Event;
use serde_yaml::granit_parser::Marker;
use serde_yaml::granit_parser::Parser;
use serde_yaml::granit_parser::ScalarStyle;
use serde_yaml::granit_parser::Span as Marks;
use serde_yaml::granit_parser::StrInput;
use serde_yaml::granit_parser::Tag;

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::diagnostic::Diagnostics;
use crate::manifest::source::FileId;
use crate::manifest::source::Span;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Key;
use crate::manifest::tree::MAX_DEPTH;
use crate::manifest::tree::MAX_NODES;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;
use crate::manifest::tree::shorten;
use crate::manifest::tree::syntax::syntax;

/// Reads the one document of a text.
pub(super) fn document(text: &str, file: FileId, diagnostics: &mut Diagnostics) -> Option<Node> {
    let parser = Parser::new_from_str(text);
    let anchors = BTreeMap::new();
    Builder { parser, text, file, anchors, nodes: 0, diagnostics }.document().ok()
}

/// Reading has stopped; the diagnostics say why.
struct Stopped;

/// An anchored node with what it weighs.
struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

struct Builder<'t, 'd> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    file: FileId,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    diagnostics: &'d mut Diagnostics,
}

/// A node with its weight and height, for the limits.
struct Built {
    node: Node,
    weight: usize,
    height: usize,
}

impl<'t> Builder<'t, '_> {
    fn document(&mut self) -> Result<Node, Stopped> {
        let mut root = None;
        loop {
            let (event, marks) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event if root.is_none() => root = Some(self.node(event, marks, 0)?.node),
                _ => {
                    let span = self.span(marks);
                    self.diagnostics.push(
                        Diagnostic::error(span, "a second YAML document begins here")
                            .help("keep one document per file, without a second `---`".to_owned()),
                    );
                    return Err(Stopped);
                }
            }
        }
        let empty = Span { file: self.file, line: 1, column: 1, start: 0, end: 0 };
        Ok(root.unwrap_or(Node { value: Value::Null, span: empty }))
    }

    /// The next event that is not a comment.
    fn next(&mut self) -> Result<(Event<'t>, Marks), Stopped> {
        loop {
            match self.parser.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(item)) => return Ok(item),
                Some(Err(error)) => {
                    let span = place(*error.marker(), self.text, self.file);
                    let diagnostic = syntax(&error.info(), span, self.text);
                    self.diagnostics.push(diagnostic);
                    return Err(Stopped);
                }
                None => return Ok((Event::StreamEnd, Marks::empty(Marker::default()))),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, marks: Marks, depth: usize) -> Result<Built, Stopped> {
        let span = self.span(marks);
        let tagged = marks.tag_span().map_or(span, |marks| self.span(marks));
        if depth >= MAX_DEPTH {
            return self.too_deep(span);
        }
        let (built, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let weight = 1 + text.len() / 64;
                self.charge(weight, span)?;
                let value = self.scalar(text.into_owned(), style, tag.as_deref(), tagged);
                (Built { node: Node { value, span }, weight, height: 1 }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let vault = self.collection_tag(tag.as_deref(), tagged);
                (self.sequence(span, vault, depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let vault = self.collection_tag(tag.as_deref(), tagged);
                (self.mapping(span, vault, depth)?, anchor)
            }
            Event::Alias(id) => return self.alias(id, span, depth),
            // The parser is told to refuse unknown aliases itself, and emits no anchor events.
            _ => {
                let message = "YAML structure is not understood here".to_owned();
                return self.stop(span, message, "check the indentation");
            }
        };
        if anchor != 0 {
            self.charge(built.weight, span)?;
            let Built { node, weight, height } = &built;
            let anchored = Anchored { node: node.clone(), weight: *weight, height: *height };
            self.anchors.insert(anchor, anchored);
        }
        Ok(built)
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Built, Stopped> {
        let Some(found) = self.anchors.get(&id) else {
            let message = "alias stands inside the value it names".to_owned();
            return self.stop(span, message, "write the value out");
        };
        let (weight, height) = (found.weight, found.height);
        if depth.saturating_add(height) > MAX_DEPTH {
            return self.too_deep(span);
        }
        self.charge(weight, span)?;
        match self.anchors.get(&id) {
            Some(found) => Ok(Built { node: found.node.clone(), weight, height }),
            None => Err(Stopped),
        }
    }

    fn sequence(&mut self, span: Span, vault: bool, depth: usize) -> Result<Built, Stopped> {
        self.charge(1, span)?;
        let (mut weight, mut height) = (1, 0);
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => break,
                (event, marks) => {
                    let built = self.node(event, marks, depth + 1)?;
                    weight += built.weight;
                    height = height.max(built.height);
                    items.push(built.node);
                }
            }
        }
        let value = if vault { Value::Vault } else { Value::Sequence(items) };
        Ok(Built { node: Node { value, span }, weight, height: height + 1 })
    }

    fn mapping(&mut self, span: Span, vault: bool, depth: usize) -> Result<Built, Stopped> {
        self.charge(1, span)?;
        let (mut weight, mut height) = (1, 0);
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, marks) = match self.next()? {
                (Event::MappingEnd, _) => break,
                next => next,
            };
            let key = self.node(event, marks, depth + 1)?;
            let (event, marks) = self.next()?;
            let value = self.node(event, marks, depth + 1)?;
            weight += key.weight + value.weight;
            height = height.max(key.height).max(value.height);
            let key_span = key.node.span;
            let text = match key.node.value {
                Value::Scalar { text, plain: true } if text == "<<" => {
                    merged.push(value.node);
                    continue;
                }
                Value::Scalar { text, .. } => text,
                Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Vault => {
                    let diagnostic = self.no_text(key_span);
                    self.diagnostics.push(diagnostic);
                    continue;
                }
            };
            if let Some(first) = seen.get(&text) {
                let line = first.line;
                self.diagnostics.push(
                    Diagnostic::error(
                        key_span,
                        format!("key `{}` is given twice, first in line {line}", shorten(&text)),
                    )
                    .label("again here")
                    .related(*first, "first here")
                    .help("keep one of the two".to_owned()),
                );
                continue;
            }
            seen.insert(text.clone(), key_span);
            entries.push(Entry { key: Key { text, span: key_span }, value: value.node });
        }
        for node in merged {
            self.merge(node, &mut entries, &mut seen);
        }
        let value = if vault { Value::Vault } else { Value::Mapping(entries) };
        Ok(Built { node: Node { value, span }, weight, height: height + 1 })
    }

    /// `<<`: entries that the mapping does not have itself; of several, the first wins.
    fn merge(&mut self, node: Node, entries: &mut Vec<Entry>, seen: &mut BTreeMap<String, Span>) {
        let span = node.span;
        let parts = match node.value {
            Value::Mapping(_) => vec![node],
            Value::Sequence(items) => items,
            Value::Null | Value::Scalar { .. } | Value::Vault => Vec::new(),
        };
        if parts.is_empty() {
            self.diagnostics.push(
                Diagnostic::error(span, "`<<` needs a mapping or a list of mappings")
                    .help("write `<<: *name` with the anchor of a mapping".to_owned()),
            );
        }
        for part in parts {
            let Value::Mapping(more) = part.value else {
                self.diagnostics.push(
                    Diagnostic::error(part.span, "`<<` needs mappings only")
                        .help("write `<<: [*one, *two]` with anchors of mappings".to_owned()),
                );
                continue;
            };
            for entry in more {
                if !seen.contains_key(&entry.key.text) {
                    seen.insert(entry.key.text.clone(), entry.key.span);
                    entries.push(entry);
                }
            }
        }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Value {
        let plain = style == ScalarStyle::Plain;
        match tag.map(Tag::original).as_deref() {
            None if plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") => {
                Value::Null
            }
            None => Value::Scalar { text, plain },
            Some("!vault" | "!vault-encrypted") => {
                self.vault(span);
                Value::Vault
            }
            Some("!unsafe" | "!!str" | "!") => Value::Scalar { text, plain: false },
            Some("!!int" | "!!bool" | "!!float" | "!!null") => Value::Scalar { text, plain: true },
            Some(tag) => {
                self.unknown_tag(tag, span);
                Value::Scalar { text, plain: false }
            }
        }
    }

    /// Whether the tag of a list or mapping hides its content.
    fn collection_tag(&mut self, tag: Option<&Tag>, span: Span) -> bool {
        match tag.map(Tag::original).as_deref() {
            None | Some("!!map" | "!!seq" | "!!set" | "!!omap" | "!unsafe" | "!") => false,
            Some("!vault") => {
                self.vault(span);
                true
            }
            Some(tag) => {
                self.unknown_tag(tag, span);
                false
            }
        }
    }

    fn vault(&mut self, span: Span) {
        self.diagnostics.push(
            Diagnostic::warning(span, "`!vault` value is not read")
                .help("put logon names and providers into `credentials.yml`".to_owned()),
        );
    }

    fn unknown_tag(&mut self, tag: &str, span: Span) {
        self.diagnostics.push(
            Diagnostic::error(span, format!("unknown tag `{}`", shorten(tag)))
                .help("only Ansible's `!vault` and `!unsafe` may stand here".to_owned()),
        );
    }

    fn charge(&mut self, weight: usize, span: Span) -> Result<(), Stopped> {
        self.nodes = self.nodes.saturating_add(weight);
        if self.nodes > MAX_NODES {
            let message = format!("text unfolds to more than {MAX_NODES} values");
            return self.stop(span, message, "use fewer aliases, or split the file");
        }
        Ok(())
    }

    /// A key that is a list or a mapping: mostly a template or a range without quotes.
    fn no_text(&self, span: Span) -> Diagnostic {
        let rest = self.text.get(span.start..).unwrap_or_default();
        let before = self.text.get(..span.start).unwrap_or_default();
        if rest.starts_with('{') && before.ends_with('{') {
            return Diagnostic::error(span, "a template stands here without quotes")
                .help("write the value itself, or put it into quotes: \"{{ … }}\"".to_owned());
        }
        Diagnostic::error(span, "key is not a text")
            .help("put a key that begins with `[` or `{` into quotes".to_owned())
    }

    fn too_deep<T>(&mut self, span: Span) -> Result<T, Stopped> {
        let message = format!("nesting is deeper than {MAX_DEPTH} levels");
        self.stop(span, message, "flatten the structure")
    }

    fn stop<T>(&mut self, span: Span, message: String, help: &str) -> Result<T, Stopped> {
        self.diagnostics.push(Diagnostic::error(span, message).help(help.to_owned()));
        Err(Stopped)
    }

    /// The event's place, cut to its first line: a caret under a whole mapping helps nobody.
    fn span(&self, marks: Marks) -> Span {
        let mut span = place(marks.start, self.text, self.file);
        let end = marks.end.byte_offset().unwrap_or(span.start).min(self.text.len());
        span.end = end.max(span.start);
        if let Some(covered) = self.text.get(span.start..span.end) {
            let line = covered.lines().next().unwrap_or_default();
            span.end = span.start + line.trim_end().len();
        }
        span
    }
}

fn place(marker: Marker, text: &str, file: FileId) -> Span {
    let start = marker.byte_offset().unwrap_or(text.len()).min(text.len());
    Span { file, line: marker.line().max(1), column: marker.col() + 1, start, end: start }
}
