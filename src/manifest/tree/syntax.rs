//! Syntax errors in our words where they are a common slip, in the parser's otherwise.
//!
//! The parser says where it could not go on. That is often the line after the one to correct.

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::source::Span;
use crate::manifest::tree::MAX_DEPTH;
use crate::manifest::tree::shorten;

/// The complaint about a text that the parser gave up on at `at`, saying `info`.
pub(super) fn syntax(info: &str, at: Span, text: &str) -> Diagnostic {
    let mut span = at;
    let rest = text.get(span.start..).unwrap_or_default();
    span.end = span.start + rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    let info = info.replace('\n', ", ");
    if info.contains("recursion limit") {
        // The parser's own limit lies above ours, and is met first where no value is complete.
        let message = format!("nesting is deeper than {MAX_DEPTH} levels");
        return Diagnostic::error(span, message).help("flatten the structure".to_owned());
    }
    let lines = Lines::of(text, span);
    let slip = lines
        .ini()
        .or_else(|| lines.tab())
        .or_else(|| lines.colon(&info))
        .or_else(|| lines.space(&info))
        .or_else(|| lines.deeper(&info))
        .or_else(|| lines.between(&info));
    if let Some(Slip { span, message, help }) = slip {
        return Diagnostic::error(span, format!("not valid YAML: {message}")).help(help);
    }
    let line = lines.at(span.line).map_or("", |line| line.text);
    let help = general_help(&info, line, rest);
    Diagnostic::error(span, format!("not valid YAML: {info}")).help(help.to_owned())
}

/// What the writer most likely did.
struct Slip {
    span: Span,
    message: String,
    help: String,
}

#[derive(Clone, Copy)]
struct Line<'t> {
    /// From 1.
    number: usize,
    /// Byte offset of its first byte.
    start: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }

    fn content(&self) -> &'t str {
        self.text.trim()
    }

    fn says_something(&self) -> bool {
        !self.content().is_empty() && !self.content().starts_with('#')
    }
}

/// A text by lines, and the place where the parser stopped.
struct Lines<'t> {
    lines: Vec<Line<'t>>,
    at: Span,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str, at: Span) -> Self {
        let mut start = 0;
        let mut lines = Vec::new();
        for (place, whole) in text.split_inclusive('\n').enumerate() {
            lines.push(Line { number: place + 1, start, text: whole.trim_end() });
            start += whole.len();
        }
        Self { lines, at }
    }

    fn at(&self, number: usize) -> Option<Line<'t>> {
        self.lines.get(number.checked_sub(1)?).copied()
    }

    /// The last line above with something in it.
    fn above(&self, number: usize) -> Option<Line<'t>> {
        let above = self.lines.iter().take_while(|line| line.number < number);
        above.filter(|line| line.says_something()).last().copied()
    }

    fn slip(&self, line: Line<'_>, message: String, help: String) -> Slip {
        let span = Span {
            file: self.at.file,
            line: line.number,
            column: line.text.chars().take_while(|c| c.is_whitespace()).count() + 1,
            start: line.start + line.indent(),
            end: line.start + line.text.len(),
        };
        Slip { span, message, help }
    }

    /// `[fci]` above host names: Ansible's older format.
    fn ini(&self) -> Option<Slip> {
        let says = |line: &&Line<'_>| line.says_something() && !line.content().starts_with(';');
        let first = self.lines.iter().find(says)?;
        let name = first.content().strip_prefix('[')?.strip_suffix(']')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let help = "turn it into YAML: ansible-inventory -i FILE --list --yaml --output FILE.yml";
        let message = "this is an INI inventory, and only YAML is read".to_owned();
        Some(self.slip(*first, message, help.to_owned()))
    }

    /// A tab in the indentation of the line, or of the next: the parser may notice one line early.
    fn tab(&self) -> Option<Slip> {
        let line = [self.at.line, self.at.line + 1].into_iter().find_map(|number| {
            self.at(number).filter(|line| {
                line.text.get(..line.indent()).is_some_and(|indent| indent.contains('\t'))
            })
        })?;
        let before = line.text.chars().take_while(|c| *c != '\t').count();
        let start = line.start + before;
        let span = Span { line: line.number, column: before + 1, start, end: start + 1, ..self.at };
        Some(Slip {
            span,
            message: "a tab stands in the indentation".to_owned(),
            help: "indent with spaces; YAML allows no tabs there".to_owned(),
        })
    }

    /// `fci` where `fci:` was meant.
    fn colon(&self, info: &str) -> Option<Slip> {
        let here = self.at(self.at.line)?;
        let line = if info.contains("simple key expected") {
            here
        } else if info.contains("mapping values") {
            // The first of its kind is taken for a text that goes on in the next line.
            self.above(here.number).filter(|above| above.indent() <= here.indent())?
        } else {
            return None;
        };
        let content = line.content();
        // A range has a colon of its own: `FS[01:12]`.
        let outside = match (content.find('['), content.find(']')) {
            (Some(open), Some(close)) if open < close => {
                format!("{}{}", content.get(..open)?, content.get(close..)?)
            }
            (_, _) => content.to_owned(),
        };
        let is_word = !outside.contains([' ', ':', '"', '\'', '{', '}', '#', '&', '*']);
        let key = self.above(line.number).map(|above| above.content().to_ascii_lowercase());
        // It may be a value on a line of its own; one that may be secret is not repeated.
        let may_be_secret = key.is_some_and(|key| {
            key.ends_with(':') && ["pass", "secret", "token"].iter().any(|word| key.contains(word))
        });
        if content.is_empty() || !is_word || may_be_secret {
            return None;
        }
        let name = shorten(content);
        let message = format!("a colon is missing after `{name}`");
        Some(self.slip(line, message, format!("write `{name}:`")))
    }

    /// `key:value` above a line that makes sense only below `key: value`.
    fn space(&self, info: &str) -> Option<Slip> {
        let line = self.above(self.at.line).filter(|_| info.contains("mapping values"))?;
        let (key, value) = line.content().split_once(':')?;
        let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if value.is_empty() || value.starts_with(' ') || key.is_empty() || !key.chars().all(is_key)
        {
            return None;
        }
        let message = format!("a space is missing after `{}:`", shorten(key));
        // The value is not repeated: the key may be one of a secret.
        Some(self.slip(line, message, "put a space after the colon".to_owned()))
    }

    /// A line that is deeper than a `key: value` above it.
    fn deeper(&self, info: &str) -> Option<Slip> {
        let line = self.at(self.at.line).filter(|_| info.contains("mapping values"))?;
        let above = self.above(line.number)?;
        let (_, value) = above.content().split_once(": ")?;
        if above.indent() >= line.indent() || value.trim().starts_with(['|', '>']) {
            return None;
        }
        let message = "the line is deeper than the one above, which has its value already";
        let help = format!("correct the indentation: {} spaces, as above", above.indent());
        Some(self.slip(line, message.to_owned(), help))
    }

    /// A line whose indentation no line above has.
    fn between(&self, info: &str) -> Option<Slip> {
        let line = self.at(self.at.line).filter(|_| info.contains("expected key"))?;
        let mut open: Vec<usize> = Vec::new();
        for above in self.lines.iter().take_while(|above| above.number < line.number) {
            if above.says_something() {
                open.retain(|indent| *indent < above.indent());
                open.push(above.indent());
            }
        }
        if open.contains(&line.indent()) {
            return None;
        }
        let fitting = open.iter().rev().take(2).rev().map(usize::to_string);
        let fitting: Vec<String> = fitting.collect();
        let message = format!("no line above is indented by {} spaces", line.indent());
        let help = format!("correct the indentation: {} spaces", fitting.join(" or "));
        Some(self.slip(line, message, help))
    }
}

fn general_help(info: &str, line: &str, rest: &str) -> &'static str {
    if rest.starts_with('\t') {
        "indent with spaces; YAML allows no tabs there"
    } else if info.contains("escape") {
        "a backslash needs single quotes around the text, or none: 'CORP\\name'"
    } else if line.contains("{{") {
        "put a value that begins with `{` into quotes"
    } else if info.contains("anchor") {
        "define the anchor before its alias, as `&name`"
    } else if info.contains("quote") {
        "close the quote"
    } else if info.contains("unexpected character") {
        "put a value that begins with this character into quotes"
    } else if info.contains("mapping values") || line.matches(": ").count() > 1 {
        "put a value that contains `: ` into quotes, and check the indentation"
    } else if info.contains("flow") {
        "close every `{` and `[` that is opened"
    } else {
        "check the indentation, and that every key ends with `: `"
    }
}
