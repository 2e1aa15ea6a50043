//! One part of a pattern: a name, a glob or an expression, and which of its hosts are meant.

use regex_lite::Regex;
use regex_lite::RegexBuilder;

use crate::manifest::pattern::PatternError;
use crate::manifest::pattern::computed;
use crate::manifest::pattern::glob;

/// The largest compiled expression, in bytes.
const MAX_EXPRESSION: usize = 1 << 16;

/// What a part names.
#[derive(Debug, Clone)]
pub(super) enum Name {
    Plain(String),
    /// With `*`, `?` or `[…]`.
    Glob(String),
    /// After a `~`.
    Expression(Regex),
}

/// Which of the hosts that were found, in inventory order. A number below 0 counts from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subscript {
    One(i32),
    /// Both ends included, as Ansible does it.
    Span(usize, i32),
}

impl Name {
    /// Reads a part without its sign.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<Subscript>), PatternError> {
        let refuse = |why| PatternError::Unsupported { part: text.to_owned(), why };
        if let Some(expression) = text.strip_prefix('~') {
            let built = RegexBuilder::new(&format!("^(?:{expression})"))
                .case_insensitive(true)
                .size_limit(MAX_EXPRESSION)
                .build();
            let regex = built.map_err(|_| refuse("it is no regular expression"))?;
            return Ok((Self::Expression(regex), None));
        }
        let (name, subscript) = subscript(text).ok_or_else(|| {
            refuse(
                "at its end, a subscript is `[0]`, `[-1]`, `[0:2]` or `[1:]`; for one of several \
                 letters there write `[1-3]*` or `~regex`",
            )
        })?;
        if name.is_empty() {
            return Err(refuse("a name must follow"));
        }
        let name = name.to_owned();
        let glob = name.contains(['*', '?', '[']);
        Ok((if glob { Self::Glob(name) } else { Self::Plain(name) }, subscript))
    }

    /// Whether the name of a host or group is meant. Hosts and globs ignore case, groups do not.
    pub(super) fn fits(&self, text: &str, is_group: bool) -> bool {
        match self {
            Self::Plain(name) if is_group => name == text,
            Self::Plain(name) => name.eq_ignore_ascii_case(text),
            Self::Glob(glob) if is_group => glob::fits(glob, text),
            Self::Glob(glob) => glob::fits(&glob.to_lowercase(), &text.to_lowercase()),
            Self::Expression(regex) => regex.is_match(text),
        }
    }

    /// Whether a computed group, folded, is meant.
    pub(super) fn fits_computed(&self, folded: &str) -> bool {
        match self {
            Self::Plain(name) => computed::fold(name) == folded,
            Self::Glob(glob) => glob != "*" && glob::fits(&glob.to_lowercase(), folded),
            Self::Expression(regex) => regex.is_match(folded),
        }
    }
}

impl Subscript {
    pub(super) fn of(self, found: &[usize]) -> Vec<usize> {
        let at = |place: i32| {
            let from_end = found.len().checked_sub(place.unsigned_abs() as usize);
            if place < 0 { from_end } else { usize::try_from(place).ok() }
        };
        match self {
            Self::One(place) => {
                at(place).and_then(|at| found.get(at)).copied().into_iter().collect()
            }
            Self::Span(start, end) => {
                let end = at(end).map_or(0, |end| end.saturating_add(1)).min(found.len());
                found.get(start.min(end)..end).unwrap_or_default().to_vec()
            }
        }
    }
}

/// Splits `name[0:2]`; `None` if brackets at the end hold something else, or are open. Those before
/// are a glob's.
fn subscript(text: &str) -> Option<(&str, Option<Subscript>)> {
    if text.matches('[').count() != text.matches(']').count() {
        return None;
    }
    let Some((name, inner)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) else {
        return Some((text, None));
    };
    let subscript = match inner.split_once(':') {
        None => Subscript::One(inner.parse().ok()?),
        Some((start, end)) => {
            let start = if start.is_empty() { 0 } else { start.parse().ok()? };
            Subscript::Span(start, if end.is_empty() { -1 } else { end.parse().ok()? })
        }
    };
    Some((name, Some(subscript)))
}
