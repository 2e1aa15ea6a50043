//! Text of a host made fit to be shown: it stays within its line.

use std::fmt;

/// Shows text that is not ours. A line break, a terminal's own signs or a turn of the reading
/// direction in it could otherwise pass for what the tool says.
#[derive(Debug, Clone, Copy)]
pub struct Visible<'a>(pub &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if is_sly(c) { write!(f, "{}", c.escape_unicode()) } else { write!(f, "{c}") }
        })
    }
}

/// The same as text of its own.
pub fn visible(text: &str) -> String {
    Visible(text).to_string()
}

/// Whether a character does more than take its place in the line.
fn is_sly(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || matches!(c, '\u{2028}' | '\u{2029}') || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_forge_a_line_is_spelt_out() {
        assert_eq!(visible("a\r\nb\u{1b}[2J"), r"a\u{d}\u{a}b\u{1b}[2J");
        assert_eq!(visible("\u{9b}2J\u{7f}\u{202e}\u{2028}"), r"\u{9b}2J\u{7f}\u{202e}\u{2028}");
        assert_eq!(visible("\u{200f}\u{61c}"), r"\u{200f}\u{61c}");
        assert_eq!(visible(r"\\server\share für 日本"), r"\\server\share für 日本");
    }
}
