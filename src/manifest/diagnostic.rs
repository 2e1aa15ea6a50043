//! What is wrong with a text, where, and what to type instead.

use std::fmt;
use std::ops::Range;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Group;
use annotate_snippets::Level;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;

use crate::manifest::blot::blot;
use crate::manifest::source::FileId;
use crate::manifest::source::Source;
use crate::manifest::source::Span;

/// More complaints than this help nobody; the rest is counted.
const MOST: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// Another place that a diagnostic speaks of: the first of two duplicates, the other side of a tie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    pub source: String,
    pub span: Span,
    pub label: String,
}

/// One complaint, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// The name of the source.
    pub source: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub span: Span,
    pub message: String,
    /// A word beside the caret.
    pub label: Option<String>,
    /// What to type.
    pub help: Option<String>,
    pub related: Vec<Related>,
}

impl Diagnostic {
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span, message.into())
    }

    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span, message.into())
    }

    fn new(severity: Severity, span: Span, message: String) -> Self {
        Self {
            severity,
            source: String::new(),
            line: span.line,
            column: span.column,
            span,
            message,
            label: None,
            help: None,
            related: Vec::new(),
        }
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into().or(self.help);
        self
    }

    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push(Related { source: String::new(), span, label: label.into() });
        self
    }

    /// The complaint with the line it speaks of, a caret and the help, ready to print.
    pub fn render(&self, sources: &[Source], color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        if let Some(source) = sources.get(self.span.file.0) {
            let primary = AnnotationKind::Primary
                .span(within(self.span, source))
                .label(self.label.as_deref());
            let mut snippet = Snippet::source(source.text.as_str())
                .path(source.name.as_str())
                .annotation(primary);
            for other in self.related.iter().filter(|other| other.span.file == self.span.file) {
                let span = within(other.span, source);
                snippet = snippet
                    .annotation(AnnotationKind::Context.span(span).label(other.label.as_str()));
            }
            group = group.element(snippet);
        }
        for other in self.related.iter().filter(|other| other.span.file != self.span.file) {
            if let Some(source) = sources.get(other.span.file.0) {
                let span = within(other.span, source);
                let annotation = AnnotationKind::Context.span(span).label(other.label.as_str());
                group = group.element(
                    Snippet::source(source.text.as_str())
                        .path(source.name.as_str())
                        .annotation(annotation),
                );
            }
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// `inventory.yml:4:7: error: unknown key`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}:{}: {severity}: {}", self.source, self.line, self.column, self.message)
    }
}

/// All complaints about a set of texts, together with the texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    sources: Vec<Source>,
    items: Vec<Diagnostic>,
    dropped: usize,
}

impl Diagnostics {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a text in, so that its lines can be shown; values that look secret are blotted out.
    pub fn add_source(&mut self, source: &Source) -> FileId {
        let text = blot(&source.text);
        self.sources.push(Source { name: source.name.clone(), text });
        FileId(self.sources.len() - 1)
    }

    /// Records a complaint; one that says the same of the same place is recorded once.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.source = self.name(diagnostic.span.file);
        for other in &mut diagnostic.related {
            other.source =
                self.sources.get(other.span.file.0).map(|s| s.name.clone()).unwrap_or_default();
        }
        if self.items.contains(&diagnostic) {
            return;
        }
        if self.items.len() < MOST {
            self.items.push(diagnostic);
        } else if diagnostic.severity == Severity::Error && !self.has_errors() {
            // INVARIANT: an error is never lost to a flood of warnings.
            self.items.pop();
            self.items.push(diagnostic);
            self.dropped += 1;
        } else {
            self.dropped += 1;
        }
    }

    /// The same texts, with nothing said of them yet.
    #[must_use]
    pub fn texts(&self) -> Self {
        Self { sources: self.sources.clone(), ..Self::default() }
    }

    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Whether that very place has been complained of.
    pub(super) fn has_error_at(&self, span: Span) -> bool {
        self.errors().any(|item| item.span == span)
    }

    /// Every complaint, in the order of the texts.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter().filter(|item| item.severity == Severity::Error)
    }

    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter().filter(|item| item.severity == Severity::Warning)
    }

    /// All complaints, rendered one after the other with an empty line between them.
    pub fn render(&self, color: bool) -> String {
        let mut parts: Vec<String> =
            self.items.iter().map(|item| item.render(&self.sources, color)).collect();
        if self.dropped > 0 {
            parts.push(format!("... and {} more", self.dropped));
        }
        parts.join("\n\n")
    }

    /// The name of a source, as its caller gave it.
    pub fn name(&self, file: FileId) -> String {
        self.sources.get(file.0).map(|source| source.name.clone()).unwrap_or_default()
    }

    /// Sorts by place and gives the value if nothing is an error, else the complaints.
    pub(super) fn settle<T>(mut self, value: Option<T>) -> Result<(T, Self), Self> {
        self.items.sort_by_key(|item| (item.span.file, item.span.start, item.severity));
        match value {
            Some(value) if !self.has_errors() => Ok((value, self)),
            Some(_) | None => Err(self),
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The span cut to the text, on character boundaries; at least one character where there is one.
fn within(span: Span, source: &Source) -> Range<usize> {
    let text = &source.text;
    let floor = |at: usize| {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    let end = floor(span.end).max(start);
    start..end
}
