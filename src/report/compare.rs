//! What hosts hold against what they should, host by host.

use crate::model::visible::Visible;
use crate::model::visible::visible;
use crate::plan::compare::Finding;
use crate::plan::compare::HostFindings;
use crate::plan::compare::Standing;
use crate::plan::compare::StepFinding;
use crate::plan::compare::Verdict;
use crate::report::plural::count;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;

/// A line for each host and for each value that differs; all values with `full`.
pub fn lines(
    hosts: &[HostFindings],
    steps: &[StepFinding],
    full: bool,
    style: Style,
) -> Vec<String> {
    let mut lines = Vec::new();
    for host in hosts {
        lines.push(head(host, style));
        let shown = host.findings.iter().filter(|one| full || one.standing != Standing::Holds);
        lines.extend(shown.flat_map(|one| value(one, style)));
        if let Some(mark) = &host.restart_owed {
            let text = format!("      owes a restart: {}", Visible(mark));
            lines.push(style.paint(Tint::Change, &text));
        }
    }
    lines.extend(steps.iter().map(|own| step(own, style)));
    lines.push(String::new());
    lines.push(style.paint(Tint::Strong, &total(hosts, steps, style)));
    lines
}

fn head(host: &HostFindings, style: Style) -> String {
    let (sign, tint) = match host.verdict() {
        Verdict::Ok => (Sign::Tick, Tint::Good),
        Verdict::Differs => (Sign::Cross, Tint::Change),
        Verdict::Unread => (Sign::Cross, Tint::Bad),
    };
    let holds = host.findings.iter().filter(|one| one.standing == Standing::Holds).count();
    let text = match (&host.failure, host.findings.len()) {
        (Some(failure), _) => format!("not read: {}", visible(&failure.text())),
        (None, all) if holds == all => format!("holds {}", count(all, "value")),
        (None, all) => format!("holds {holds} of {}", count(all, "value")),
    };
    format!("{} {}  {text}", style.paint(tint, style.sign(sign)), host.host)
}

fn value(finding: &Finding, style: Style) -> Vec<String> {
    let word = word(&finding.standing);
    let mut lines = vec![format!("    {word:<14} {}", finding.path)];
    if finding.standing == Standing::Holds {
        return lines;
    }
    let found = match (&finding.found, &finding.standing) {
        (Some(found), _) => found.to_string(),
        (None, Standing::Unread(why)) => format!("not told: {}", Visible(why)),
        (None, _) => "not told".to_owned(),
    };
    lines.push(format!("      wanted {}", finding.wanted));
    lines.push(style.paint(Tint::Change, &format!("      found  {found}")));
    if let Standing::ForeignVariant(id) = &finding.standing {
        lines.push(format!("      known as {id}: rmsfleet rules explain tells of it"));
    }
    if let Some(written) = &finding.written {
        let at = written.at.strftime("%Y-%m-%d %H:%MZ");
        lines.push(format!("      written by run {} at {at}", Visible(&written.run)));
    }
    lines
}

fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Holds => "as wanted",
        Standing::Reverted => "reverted",
        Standing::NeverApplied => "not applied",
        Standing::Changed => "changed",
        Standing::ForeignVariant(_) => "other form",
        Standing::Unread(_) => "unread",
    }
}

fn step(step: &StepFinding, style: Style) -> String {
    let (sign, tint) = match step.holds {
        Some(true) => (Sign::Tick, Tint::Good),
        Some(false) => (Sign::Cross, Tint::Change),
        None => (Sign::Cross, Tint::Bad),
    };
    let word = match step.standing {
        Standing::Holds | Standing::Unread(_) => String::new(),
        Standing::Reverted
        | Standing::NeverApplied
        | Standing::Changed
        | Standing::ForeignVariant(_) => format!(" ({})", word(&step.standing)),
    };
    let text = format!("{}  {}{word}", step.organisation, step.told);
    format!("{} {}", style.paint(tint, style.sign(sign)), visible(&text))
}

fn total(hosts: &[HostFindings], steps: &[StepFinding], style: Style) -> String {
    let dot = format!(" {} ", style.sign(Sign::Dot));
    let number = |verdict| hosts.iter().filter(|host| host.verdict() == verdict).count();
    let owed = hosts.iter().filter(|host| host.restart_owed.is_some()).count();
    let mut parts = vec![format!("{} ok", count(number(Verdict::Ok), "host"))];
    for (number, word) in
        [(number(Verdict::Differs), "differ"), (number(Verdict::Unread), "unread")]
    {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    if owed > 0 {
        parts.push(format!("{} owed", count(owed, "restart")));
    }
    let off = steps.iter().filter(|step| step.holds != Some(true)).count();
    if off > 0 {
        parts.push(format!("{} not as wanted", count(off, "organisation step")));
    }
    parts.join(&dot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::HostName;
    use crate::model::registry::State;
    use crate::model::registry::Value;
    use crate::model::registry::ValuePath;
    use crate::plan::compare::WrittenBy;

    #[test]
    fn what_differs_is_shown_with_both_values_and_when_we_wrote_it() {
        let state = |text: &str| State::Present(Value::Sz(text.to_owned()));
        let finding = |standing, found: &str| Finding {
            path: ValuePath::new("SOFTWARE\\A", "x"),
            wanted: state("new"),
            found: Some(state(found)),
            standing,
            written: Some(WrittenBy { run: "r1".to_owned(), at: jiff::Timestamp::UNIX_EPOCH }),
        };
        let host = HostFindings {
            host: HostName::new("FS1"),
            failure: None,
            findings: vec![
                finding(Standing::Holds, "new"),
                finding(Standing::Reverted, "old\u{1b}[2J"),
            ],
            restart_owed: Some("r1 1970-01-01T00:00:00Z".to_owned()),
        };
        let text = lines(&[host], &[], false, Style::PLAIN).join("\n");
        assert!(text.contains("FS1  holds 1 of 2 values"), "{text}");
        assert!(text.contains("wanted new\n      found  old\\u{1b}[2J\n"), "{text}");
        assert!(text.contains("written by run r1 at 1970-01-01 00:00Z"), "{text}");
        assert!(text.contains("1 differ") && text.ends_with("1 restart owed"), "{text}");
    }
}
