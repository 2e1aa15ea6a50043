//! Differences as people read them: a sign, where, and `before → after`.

use crate::model::change::Change;
use crate::model::registry::State;
use crate::plan::fold::ChangeSet;
use crate::plan::fold::compress;
use crate::report::plural::count;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;

/// One folded set: its heading, and `shown` of its values.
pub fn change_set(set: &ChangeSet, shown: usize, width: usize, style: Style) -> Vec<String> {
    let hosts = format!("{:>2}  {}", set.id, count(set.hosts.len(), "host"));
    let mut lines = vec![format!(
        "{}  {}  {}",
        style.paint(Tint::Strong, &hosts),
        compress(&set.hosts),
        style.paint(Tint::Faint, &set.digest),
    )];
    if let Some(main) = &set.outlier_of {
        let text = format!("    ! not as the others of its role in {main}");
        lines.push(style.paint(Tint::Change, &text));
    }
    let visible: Vec<&Change> = set.changes.iter().take(shown).collect();
    lines.extend(changes(&visible, width, style));
    let hidden = set.changes.len() - visible.len();
    if hidden > 0 {
        let more = if visible.is_empty() { "" } else { " more" };
        let text = format!("    + {hidden}{more} {}  (--full)", noun(hidden));
        lines.push(style.paint(Tint::Faint, &text));
    }
    lines
}

/// Changes under the key that they share.
pub fn changes(changes: &[&Change], width: usize, style: Style) -> Vec<String> {
    let base = shared_key(changes);
    let mut lines = Vec::new();
    if let (Some(base), true) = (&base, changes.len() > 1) {
        lines.push(format!("    HKLM\\{base}"));
    }
    let base = if changes.len() > 1 { base } else { None };
    for change in changes {
        lines.extend(one(change, base.as_deref(), width, style));
    }
    lines
}

fn one(change: &Change, base: Option<&str>, width: usize, style: Style) -> Vec<String> {
    let key = change.path.key.as_str();
    let place = match base.and_then(|base| rest_below(key, base)) {
        Some("") => change.path.name.to_string(),
        Some(rest) => format!("{rest}\\{}", change.path.name),
        None => format!("HKLM\\{key}\\{}", change.path.name),
    };
    let (sign, tint) = match (&change.before, &change.after) {
        (State::Absent, State::Present(_)) => ("+", Tint::Good),
        (State::Present(_), State::Absent) => ("-", Tint::Bad),
        (State::Present(_), State::Present(_)) | (State::Absent, State::Absent) => {
            ("~", Tint::Change)
        }
    };
    let arrow = style.sign(Sign::Arrow);
    let kinds = kinds(change, arrow);
    let sign = style.paint(tint, sign);
    let mut lines = match place.strip_suffix(change.path.name.to_string().as_str()) {
        // A name that is a URL is as long as a line. It stays whole, on a line of its own.
        Some(key) if !key.is_empty() && 8 + place.chars().count() + kinds.len() > width => {
            vec![format!("    {sign} {key}"), format!("        {}  {kinds}", change.path.name)]
        }
        Some(_) | None => vec![format!("    {sign} {place}  {kinds}")],
    };
    let whole = format!("        {} {arrow} {}", change.before, change.after);
    let is_short = matches!(change.before, State::Absent) || whole.chars().count() <= width;
    if is_short {
        lines.push(whole);
    } else {
        // The two data stand under one another, so that the eye finds what differs.
        let pad = " ".repeat(arrow.chars().count());
        lines.push(format!("        {pad} {}", change.before));
        lines.push(format!("        {arrow} {}", change.after));
    }
    lines
}

fn kinds(change: &Change, arrow: &str) -> String {
    match (&change.before, &change.after) {
        (State::Present(before), State::Present(after)) if before.kind() != after.kind() => {
            format!("{} {arrow} {}", before.kind(), after.kind())
        }
        (_, State::Present(value)) | (State::Present(value), State::Absent) => {
            value.kind().to_string()
        }
        (State::Absent, State::Absent) => String::new(),
    }
}

fn noun(values: usize) -> &'static str {
    if values == 1 { "value" } else { "values" }
}

/// The longest key that all the keys stand in or are.
fn shared_key(changes: &[&Change]) -> Option<String> {
    let mut shared: Option<Vec<&str>> = None;
    for change in changes {
        let parts: Vec<&str> = change.path.key.as_str().split('\\').collect();
        shared = Some(match shared {
            None => parts,
            Some(shared) => shared
                .into_iter()
                .zip(parts)
                .take_while(|(a, b)| a.eq_ignore_ascii_case(b))
                .map(|(a, _)| a)
                .collect(),
        });
    }
    shared.filter(|parts| !parts.is_empty()).map(|parts| parts.join("\\"))
}

fn rest_below<'a>(key: &'a str, base: &str) -> Option<&'a str> {
    let (start, rest) = key.split_at_checked(base.len())?;
    if !start.eq_ignore_ascii_case(base) {
        return None;
    }
    if rest.is_empty() { Some("") } else { rest.strip_prefix('\\') }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::Value;
    use crate::model::registry::ValuePath;

    fn change(key: &str, name: &str, before: Option<Value>, after: Option<Value>) -> Change {
        let state = |value: Option<Value>| value.map_or(State::Absent, State::Present);
        Change {
            path: ValuePath::new(key, name),
            before: state(before),
            after: state(after),
            rule: "r".into(),
        }
    }

    fn sz(text: &str) -> Value {
        Value::Sz(text.into())
    }

    #[track_caller]
    fn check(given: &[Change], expected: &[&str]) {
        let given: Vec<&Change> = given.iter().collect();
        let got = changes(&given, 60, Style::PLAIN);
        let got: Vec<&str> = got.iter().filter_map(|line| line.strip_prefix("    ")).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn values_of_one_key_stand_below_it() {
        check(
            &[
                change(
                    r"SOFTWARE\M\Activation",
                    "",
                    None,
                    Some(sz("https://c/_wmcs/certification")),
                ),
                change(r"SOFTWARE\m\Publishing", "x", Some(sz("old")), Some(sz("new"))),
            ],
            &[
                r"HKLM\SOFTWARE\M",
                r"+ Activation\(Default)  REG_SZ",
                "    absent → https://c/_wmcs/certification",
                r"~ Publishing\x  REG_SZ",
                "    old → new",
            ],
        );
    }

    #[test]
    fn long_data_stand_under_one_another_and_types_are_told() {
        let long = "https://a-rather-long-name.contoso.com/_wmcs/licensing";
        check(
            &[change(r"SOFTWARE\M", "", Some(Value::ExpandSz(long.into())), Some(sz(long)))],
            &[
                r"~ HKLM\SOFTWARE\M\(Default)  REG_EXPAND_SZ → REG_SZ",
                &format!("      {long}"),
                &format!("    → {long}"),
            ],
        );
    }

    #[test]
    fn a_long_name_stands_below_its_key() {
        let url = "https://5c6bb73b-1038-4eec.rms.eu.aadrm.com";
        check(
            &[change(r"SOFTWARE\M\LicenseServerRedirection", url, None, Some(sz("x")))],
            &[
                r"+ HKLM\SOFTWARE\M\LicenseServerRedirection\",
                &format!("    {url}  REG_SZ"),
                "    absent → x",
            ],
        );
    }

    #[test]
    fn taking_back_is_shown_as_such() {
        check(
            &[change(r"SOFTWARE\M", "n", Some(sz("x")), None)],
            &[r"- HKLM\SOFTWARE\M\n  REG_SZ", "    x → absent"],
        );
    }
}
