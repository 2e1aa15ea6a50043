//! What the command line asks for in form, and what it gets wrong.

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    /// One document at the end.
    Json,
    /// One object per line, as it happens.
    Jsonl,
    /// The change document of a plan, and nothing else.
    Markdown,
    Html,
}

/// A flag, argument or variable that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct UsageError {
    pub text: String,
    pub hint: Option<String>,
}

impl UsageError {
    pub fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: Some(hint.into()) }
    }
}
