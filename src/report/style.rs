//! Colour and signs. Colour never carries meaning alone, and every sign has an ASCII twin.

use anstyle::AnsiColor;
use anstyle::Effects;
use anstyle::Style as Ansi;

use crate::model::visible::visible;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
    pub unicode: bool,
}

/// What a piece of text is, not which colour it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tint {
    Good,
    Change,
    Bad,
    Unreachable,
    Faint,
    Strong,
    Plain,
}

/// Signs that have two spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Tick,
    Cross,
    Arrow,
    Dot,
    Full,
    Empty,
    Rule,
    Dots,
}

impl Style {
    pub const PLAIN: Self = Self { colour: false, unicode: true };

    pub fn paint(self, tint: Tint, text: &str) -> String {
        let ansi = tint.ansi();
        if !self.colour || ansi.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{ansi}{text}{ansi:#}")
    }

    /// One finished line with all of it visible: only what [`Self::paint`] writes passes as it is.
    pub fn line(self, line: &str) -> String {
        let marks: Vec<String> = Tint::ALL
            .into_iter()
            .map(Tint::ansi)
            .flat_map(|ansi| [format!("{ansi}"), format!("{ansi:#}")])
            .filter(|mark| self.colour && !mark.is_empty())
            .collect();
        let mut shown = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(at) = rest.find('\u{1b}') {
            let (before, from) = rest.split_at(at);
            shown.push_str(&visible(before));
            let mark = marks.iter().find(|mark| from.starts_with(mark.as_str()));
            let end = mark.map_or(1, String::len);
            let (escape, after) = from.split_at(end);
            shown.push_str(&mark.cloned().unwrap_or_else(|| visible(escape)));
            rest = after;
        }
        shown.push_str(&visible(rest));
        shown
    }

    pub fn sign(self, sign: Sign) -> &'static str {
        let (rich, plain) = match sign {
            Sign::Tick => ("✓", "ok"),
            Sign::Cross => ("✗", "x"),
            Sign::Arrow => ("→", "->"),
            Sign::Dot => ("·", "|"),
            Sign::Full => ("█", "#"),
            Sign::Empty => ("░", "-"),
            Sign::Rule => ("─", "-"),
            Sign::Dots => ("…", "..."),
        };
        if self.unicode { rich } else { plain }
    }
}

impl Tint {
    const ALL: [Self; 7] = [
        Self::Good,
        Self::Change,
        Self::Bad,
        Self::Unreachable,
        Self::Faint,
        Self::Strong,
        Self::Plain,
    ];

    fn ansi(self) -> Ansi {
        match self {
            Self::Good => AnsiColor::Green.on_default().effects(Effects::BOLD),
            Self::Change => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
            Self::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Self::Unreachable => AnsiColor::Magenta.on_default().effects(Effects::BOLD),
            Self::Faint => Ansi::new().effects(Effects::DIMMED),
            Self::Strong => Ansi::new().effects(Effects::BOLD),
            Self::Plain => Ansi::new(),
        }
    }
}

/// Cuts to a number of characters, with dots where something is missing.
pub fn fit(text: &str, columns: usize, style: Style) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let dots = style.sign(Sign::Dots);
    let room = columns.saturating_sub(dots.chars().count());
    let mut cut: String = text.chars().take(room).collect();
    cut.extend(dots.chars().take(columns - room));
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_our_paint_and_nothing_else_that_steers_a_terminal() {
        let coloured = Style { colour: true, unicode: true };
        for tint in Tint::ALL {
            let painted = format!("a {} b", coloured.paint(tint, "text"));
            assert_eq!(coloured.line(&painted), painted);
        }
        assert_eq!(coloured.line("a\nb\u{1b}[2J\u{1b}"), r"a\u{a}b\u{1b}[2J\u{1b}");
        assert_eq!(Style::PLAIN.line("\u{1b}[0m"), r"\u{1b}[0m");
    }

    #[test]
    fn colour_goes_only_where_it_is_wanted() {
        let coloured = Style { colour: true, unicode: true };
        assert_eq!(Style::PLAIN.paint(Tint::Bad, "Failed"), "Failed");
        assert!(coloured.paint(Tint::Bad, "Failed").starts_with("\u{1b}["));
        assert_eq!(coloured.paint(Tint::Plain, "text"), "text");
    }

    #[test]
    fn cut_text_is_never_wider_than_asked() {
        for unicode in [true, false] {
            for columns in 0..12 {
                let cut = fit("0123456789", columns, Style { colour: false, unicode });
                assert!(cut.chars().count() <= columns, "{columns}: {cut}");
            }
        }
    }
}
