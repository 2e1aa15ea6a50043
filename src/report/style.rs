//! Colour and signs. Colour never carries meaning alone, and every sign has an ASCII twin.

use anstyle::AnsiColor;
use anstyle::Effects;
use anstyle::Style as Ansi;

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
        let ansi = match tint {
            Tint::Good => AnsiColor::Green.on_default().effects(Effects::BOLD),
            Tint::Change => AnsiColor::Yellow.on_default().effects(Effects::BOLD),
            Tint::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Tint::Unreachable => AnsiColor::Magenta.on_default().effects(Effects::BOLD),
            Tint::Faint => Ansi::new().effects(Effects::DIMMED),
            Tint::Strong => Ansi::new().effects(Effects::BOLD),
            Tint::Plain => Ansi::new(),
        };
        if !self.colour || ansi.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{ansi}{text}{ansi:#}")
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
