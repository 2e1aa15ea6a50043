//! Scalars to types, with the complaint and the help if they do not fit.

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::source::Span;
use crate::manifest::suggest::did_you_mean;
use crate::manifest::tree::Entry;
use crate::manifest::tree::Key;
use crate::manifest::tree::Node;
use crate::manifest::tree::Value;

/// Why a value does not fit: "a number from 1 to 9, not `x`", and what to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Where, if it is a part of the value (an item of a list).
    pub(super) span: Option<Span>,
    pub(super) expected: String,
    pub(super) help: Option<String>,
}

impl Mismatch {
    pub(super) fn new(expected: impl Into<String>) -> Self {
        Self { span: None, expected: expected.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into().or(self.help);
        self
    }

    /// Points at a part of the value, unless it points at a smaller one already.
    pub(super) fn within(self, node: &Node) -> Self {
        if matches!(node.value, Value::Null) { self } else { self.at(node.span) }
    }

    fn at(mut self, span: Span) -> Self {
        self.span = self.span.or(Some(span));
        self
    }

    /// The diagnostic for the value of a key. An empty value is shown at its key.
    pub(super) fn of(self, entry: &Entry) -> Diagnostic {
        self.of_value(&entry.key, &entry.value)
    }

    pub(super) fn of_value(self, key: &Key, value: &Node) -> Diagnostic {
        let span = match (self.span, &value.value) {
            (Some(span), _) => span,
            (None, Value::Null) => key.span,
            (None, _) => value.span,
        };
        Diagnostic::error(span, format!("`{}` {}", key.text, self.expected))
            .help(self.help.unwrap_or_else(|| "correct the value, or remove the key".to_owned()))
    }
}

const FILL: &str = "write a text, or remove the key";

/// A text. Bare words that other YAML readers turn into booleans or numbers are refused, because
/// the file would mean something else to Ansible.
pub(super) fn text(node: &Node) -> Result<&str, Mismatch> {
    match &node.value {
        Value::Scalar { text, plain: true } if is_bool_word(text) => {
            Err(Mismatch::new(format!("needs a text, and a bare `{text}` is a boolean"))
                .help(format!("put it into quotes: \"{text}\"")))
        }
        Value::Scalar { text, plain: true } if is_odd_number(text) => {
            Err(Mismatch::new(format!("needs a text, and a bare `{text}` is a number"))
                .help(format!("put it into quotes: \"{text}\"")))
        }
        Value::Scalar { text, .. } if text.trim().is_empty() => {
            Err(Mismatch::new("needs a text, found an empty one").help(FILL.to_owned()))
        }
        Value::Scalar { text, plain } if text.chars().any(char::is_control) => {
            // Between double quotes, the `\r` of `CORP\rms` is a line break.
            let help = if *plain || text.contains(' ') {
                "write it on one line"
            } else {
                "write it on one line; a backslash needs single quotes around the text, or none"
            };
            Err(Mismatch::new("needs a text of one line without control characters")
                .help(help.to_owned()))
        }
        Value::Scalar { text, .. } => Ok(text.trim()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Vault => {
            Err(Mismatch::new(format!("needs a text, found {}", node.kind())).help(FILL.to_owned()))
        }
    }
}

/// A text that may have several lines: descriptions and notes.
pub(super) fn prose(node: &Node) -> Result<&str, Mismatch> {
    match &node.value {
        Value::Scalar { text, .. } if !text.trim().is_empty() => Ok(text.trim()),
        Value::Scalar { .. }
        | Value::Null
        | Value::Sequence(_)
        | Value::Mapping(_)
        | Value::Vault => {
            Err(Mismatch::new(format!("needs a text, found {}", node.kind())).help(FILL.to_owned()))
        }
    }
}

/// A text that may be empty, such as the name of a default value.
pub(super) fn text_or_empty(node: &Node) -> Result<&str, Mismatch> {
    match &node.value {
        Value::Scalar { text, plain: false } if text.is_empty() => Ok(""),
        Value::Scalar { .. }
        | Value::Null
        | Value::Sequence(_)
        | Value::Mapping(_)
        | Value::Vault => text(node),
    }
}

/// A whole number within bounds; `"5985"` in quotes counts too, as in Ansible.
pub(super) fn integer(node: &Node, least: u32, most: u32) -> Result<u32, Mismatch> {
    let expected = || {
        Mismatch::new(format!("needs a whole number from {least} to {most}, found {}", node.kind()))
            .help(if least == most {
                format!("write {least}")
            } else {
                format!("write a number from {least} to {most}, without a unit")
            })
    };
    match &node.value {
        Value::Scalar { text, .. } => match text.trim().parse::<u32>() {
            Ok(number) if number >= least && number <= most => Ok(number),
            Ok(_) | Err(_) => Err(expected()),
        },
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Vault => Err(expected()),
    }
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node) -> Result<bool, Mismatch> {
    choice(node, &[("true", true), ("false", false)])
}

/// One of a few words.
pub(super) fn choice<T: Copy>(node: &Node, words: &[(&str, T)]) -> Result<T, Mismatch> {
    let allowed = || {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        words.join(", ")
    };
    let Value::Scalar { text, .. } = &node.value else {
        return Err(Mismatch::new(format!("needs one of {}, found {}", allowed(), node.kind()))
            .help(format!("write one of {}", allowed())));
    };
    if let Some((_, value)) = words.iter().find(|(word, _)| word == &text.trim()) {
        return Ok(*value);
    }
    let known = || words.iter().map(|(word, _)| *word);
    let help = did_you_mean(text, known())
        .or_else(|| {
            // Other YAML readers take these words for booleans, and people write them as such.
            let meant = match text.trim().to_ascii_lowercase().as_str() {
                "yes" | "on" => "true",
                "no" | "off" => "false",
                _ => return None,
            };
            known().find(|word| *word == meant).map(|word| format!("write `{word}`"))
        })
        .or_else(|| {
            let text = text.trim().to_ascii_lowercase();
            let (first, last) = (text.split('-').next()?, text.split('-').next_back()?);
            let alike =
                |word: &&str| first != last && word.starts_with(first) && word.ends_with(last);
            known().find(alike).map(|word| format!("did you mean `{word}`?"))
        });
    Err(Mismatch::new(format!("needs one of {}, found {}", allowed(), node.kind()))
        .help(help.unwrap_or_else(|| "write one of these words".to_owned())))
}

/// A list of values; each item is checked, and the first that does not fit is shown.
pub(super) fn list<'n, T>(
    node: &'n Node,
    item: impl Fn(&'n Node) -> Result<T, Mismatch>,
) -> Result<Vec<T>, Mismatch> {
    match &node.value {
        Value::Sequence(items) => {
            items.iter().map(|node| item(node).map_err(|wrong| wrong.at(node.span))).collect()
        }
        Value::Scalar { text, .. } => {
            Err(Mismatch::new(format!("needs a list, found {}", node.kind()))
                .help(format!("write it in brackets: [{}]", in_brackets(text))))
        }
        Value::Null | Value::Mapping(_) | Value::Vault => {
            Err(Mismatch::new(format!("needs a list, found {}", node.kind()))
                .help("write it in brackets: [one, two]".to_owned()))
        }
    }
}

/// A text as the items that its writer may have meant: `pass show x` as `pass, show, x`.
fn in_brackets(text: &str) -> String {
    let parts = text.split([' ', ',']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(", ")
}

/// The entries of a mapping that must have some; `known` names what it may hold.
pub(super) fn settings<'n>(node: &'n Node, known: &str) -> Result<&'n [Entry], Mismatch> {
    match &node.value {
        Value::Mapping(entries) if !entries.is_empty() => Ok(entries),
        Value::Mapping(_)
        | Value::Null
        | Value::Scalar { .. }
        | Value::Sequence(_)
        | Value::Vault => Err(Mismatch::new(format!("needs settings, found {}", node.kind()))
            .help(format!("name {known}"))),
    }
}

/// `90s`, `5m`, `2h`, `3d`, in seconds.
pub(super) fn seconds(node: &Node) -> Result<u32, Mismatch> {
    let wrong = || {
        Mismatch::new(format!("needs a duration, found {}", node.kind()))
            .help("write a whole number with its unit: `90s`, `5m`, `2h` or `3d`".to_owned())
    };
    let Value::Scalar { text, .. } = &node.value else { return Err(wrong()) };
    let text = text.trim();
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let found = units.iter().find_map(|(unit, factor)| {
        let number: u32 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*factor)
    });
    found.filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

/// The words that YAML 1.1 readers, Ansible's among them, take for booleans.
fn is_bool_word(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    matches!(word.as_str(), "yes" | "no" | "on" | "off" | "true" | "false" | "y" | "n")
}

/// Numbers that a YAML reader does not give back as they were written: `1.10`, `007`, `0x1f`.
fn is_odd_number(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !starts {
        return false;
    }
    let plain = text.parse::<u64>().is_ok_and(|number| number.to_string() == text);
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let radix = hex.is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok());
    !plain && (text.parse::<f64>().is_ok() || radix)
}
