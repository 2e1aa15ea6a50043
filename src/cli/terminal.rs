//! Colours, panel, format: what the output may look like (the order of `README.md`, Output).

use clap::ValueEnum;

use crate::cli::args::ColorArg;
use crate::cli::args::FormatArg;
use crate::cli::args::ProgressArg;
use crate::cli::args::Shared;
use crate::cli::surroundings::Surroundings;
use crate::cli::usage::Format;
use crate::cli::usage::UsageError;
use crate::report::screen::Look;
use crate::report::screen::Progress;
use crate::report::screen::Verbosity;
use crate::report::style::Style;

/// A panel in fewer columns would not be readable.
const PANEL_COLUMNS: u16 = 60;
/// Nor in fewer rows.
const PANEL_ROWS: u16 = 6;

pub fn format(typed: Option<FormatArg>, around: &Surroundings) -> Result<Format, UsageError> {
    Ok(match choice("format", typed, around)?.unwrap_or(FormatArg::Human) {
        FormatArg::Human => Format::Human,
        FormatArg::Json => Format::Json,
        FormatArg::Jsonl => Format::Jsonl,
        FormatArg::Md => Format::Markdown,
        FormatArg::Html => Format::Html,
    })
}

pub fn look(shared: &Shared, format: Format, around: &Surroundings) -> Result<Look, UsageError> {
    let colour = colour(shared.color, around)?;
    let progress = match choice("progress", shared.progress, around)?.unwrap_or(ProgressArg::Auto) {
        _ if format != Format::Human => Progress::None,
        ProgressArg::Auto if around.variable("CI").is_some() || shared.quiet => Progress::Lines,
        ProgressArg::Auto | ProgressArg::Panel => panel(around).unwrap_or(Progress::Lines),
        ProgressArg::Lines => Progress::Lines,
        ProgressArg::None => Progress::None,
    };
    let verbosity = match (shared.quiet, shared.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    };
    let columns = around.terminal.map_or_else(
        || around.variable("COLUMNS").and_then(|text| text.parse().ok()).unwrap_or(100),
        |(columns, _)| columns,
    );
    let style = Style { colour, unicode: around.speaks_unicode() };
    Ok(Look { style, progress, verbosity, columns: usize::from(columns.max(40)) })
}

/// `--color`, `RMSFLEET_COLOR`, `NO_COLOR`, `CLICOLOR_FORCE` or `FORCE_COLOR`, then the terminal.
fn colour(typed: Option<ColorArg>, around: &Surroundings) -> Result<bool, UsageError> {
    let forced = |name| around.variable(name).is_some_and(|text| text != "0");
    Ok(match choice("color", typed, around)?.unwrap_or(ColorArg::Auto) {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto if around.variable("NO_COLOR").is_some() => false,
        ColorArg::Auto if forced("CLICOLOR_FORCE") || forced("FORCE_COLOR") => true,
        ColorArg::Auto => around.stdout_is_terminal && around.variable("TERM") != Some("dumb"),
    })
}

/// As `colour`, before any flag could be parsed; a variable with a wrong word means none.
pub fn colour_by_environment(around: &Surroundings) -> bool {
    colour(None, around).unwrap_or(false)
}

/// The panel, if this terminal can show one.
fn panel(around: &Surroundings) -> Option<Progress> {
    let (columns, rows) = around.terminal?;
    let able = around.stdout_is_terminal
        && around.variable("TERM") != Some("dumb")
        && columns >= PANEL_COLUMNS
        && rows >= PANEL_ROWS;
    able.then_some(Progress::Panel { columns: usize::from(columns), rows: usize::from(rows) })
}

fn choice<V: ValueEnum>(
    flag: &str,
    typed: Option<V>,
    around: &Surroundings,
) -> Result<Option<V>, UsageError> {
    let Some(text) = around.flag(flag) else { return Ok(typed) };
    if typed.is_some() {
        return Ok(typed);
    }
    V::from_str(text, true).map(Some).map_err(|_| {
        let names: Vec<_> = V::value_variants()
            .iter()
            .filter_map(|variant| Some(variant.to_possible_value()?.get_name().to_owned()))
            .collect();
        UsageError {
            text: format!("RMSFLEET_{} is `{text}`", flag.to_uppercase()),
            hint: Some(format!("write one of {}", names.join(", "))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)], terminal: bool) -> Surroundings {
        Surroundings {
            variables: variables
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            stdout_is_terminal: terminal,
            terminal: terminal.then_some((80, 24)),
            ..Surroundings::default()
        }
    }

    #[track_caller]
    fn check(flag: Option<ColorArg>, variables: &[(&str, &str)], terminal: bool, coloured: bool) {
        assert_eq!(colour(flag, &around(variables, terminal)), Ok(coloured));
    }

    #[test]
    fn the_flag_beats_every_variable() {
        check(
            Some(ColorArg::Always),
            &[("RMSFLEET_COLOR", "never"), ("NO_COLOR", "1")],
            false,
            true,
        );
        check(Some(ColorArg::Never), &[("RMSFLEET_COLOR", "always")], true, false);
    }

    #[test]
    fn our_variable_beats_the_common_ones() {
        check(None, &[("RMSFLEET_COLOR", "always"), ("NO_COLOR", "1")], false, true);
        check(None, &[("RMSFLEET_COLOR", "never"), ("FORCE_COLOR", "1")], true, false);
    }

    #[test]
    fn no_color_beats_force_unless_it_is_empty() {
        check(None, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, false);
        check(None, &[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")], false, true);
        check(None, &[("FORCE_COLOR", "1")], false, true);
        check(None, &[("FORCE_COLOR", "0")], false, false);
    }

    #[test]
    fn otherwise_the_terminal_decides() {
        check(None, &[], true, true);
        check(None, &[], false, false);
        check(None, &[("TERM", "dumb")], true, false);
    }

    #[test]
    fn a_variable_with_a_wrong_word_is_refused() {
        assert!(colour(None, &around(&[("RMSFLEET_COLOR", "pink")], true)).is_err());
    }

    #[track_caller]
    fn check_progress(typed: Option<ProgressArg>, around: &Surroundings, expected: Progress) {
        let shared = Shared { progress: typed, ..Shared::default() };
        assert_eq!(look(&shared, Format::Human, around).unwrap().progress, expected);
    }

    #[test]
    fn the_panel_needs_a_terminal_that_can_show_it() {
        let able = Progress::Panel { columns: 80, rows: 24 };
        check_progress(None, &around(&[], true), able);
        check_progress(None, &around(&[], false), Progress::Lines);
        check_progress(None, &around(&[("CI", "true")], true), Progress::Lines);
        check_progress(None, &around(&[("TERM", "dumb")], true), Progress::Lines);
        check_progress(Some(ProgressArg::Panel), &around(&[("CI", "true")], true), able);
        check_progress(Some(ProgressArg::Panel), &around(&[], false), Progress::Lines);
        let narrow = Surroundings { terminal: Some((59, 24)), ..around(&[], true) };
        check_progress(None, &narrow, Progress::Lines);
    }

    #[test]
    fn a_machine_format_shows_no_progress() {
        let shared = Shared::default();
        let look = look(&shared, Format::Jsonl, &around(&[], true)).unwrap();
        assert_eq!(look.progress, Progress::None);
    }
}
