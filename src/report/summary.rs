//! The end of a run: totals, then every host that needs attention, worst first, then what to type.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::error::Exit;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::Outcome;
use crate::model::visible::Visible;
use crate::model::visible::visible;
use crate::report::human::Labels;
use crate::report::plural;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::Tint;
use crate::report::words::ending;
use crate::report::words::left_out;

/// What the recap is made of.
pub struct Recap<'a> {
    pub outcomes: &'a BTreeMap<HostName, Outcome>,
    /// Hosts that the run was told to leave out.
    pub left_out: &'a BTreeSet<HostName>,
    /// Values written and read back, on hosts that failed later too.
    pub written: usize,
    /// Restarts proved.
    pub restarted: usize,
    pub seconds: f64,
    pub exit: Exit,
    /// Nothing was written: what would be is told as such.
    pub rehearsal: bool,
    /// What is no host's: verb and words, in order.
    pub trouble: &'a [(&'static str, String)],
    /// Commands to type next, best first.
    pub next: &'a [String],
}

impl Recap<'_> {
    /// Trouble stands last, right above the prompt, worst first within it.
    pub fn render(&self, style: Style, labels: &Labels) -> String {
        let mut ordered: Vec<_> = self.outcomes.iter().collect();
        ordered.sort_by_key(|(host, outcome)| (Reverse(self.severity(host, outcome)), *host));
        let width = labels.width().max(8);
        let mut text = String::from("\n");
        let (calm, trouble): (Vec<_>, Vec<_>) =
            ordered.into_iter().partition(|(host, own)| self.severity(host, own) <= CALM);
        for (host, outcome) in calm.iter().filter(|_| self.outcomes.len() <= LISTED) {
            push_host(&mut text, style, labels.label(host), width, &self.told(host, outcome));
        }
        let rule = style.sign(Sign::Rule).repeat(12);
        text.push_str(&style.paint(Tint::Faint, &rule));
        text.push('\n');
        text.push_str(&self.totals(style));
        for (host, outcome) in &trouble {
            push_host(&mut text, style, labels.label(host), width, &self.told(host, outcome));
        }
        for (verb, words) in self.trouble {
            let verb = style.paint(Tint::Bad, &format!("{verb:>12}"));
            text.push_str(&format!("{verb}  {}\n", Visible(words)));
        }
        for command in self.next {
            let command = Visible(command);
            text.push_str(&format!("{}  {command}\n", style.paint(Tint::Strong, "Next")));
        }
        text
    }

    fn is_left_out(&self, host: &HostName, outcome: &Outcome) -> bool {
        *outcome == Outcome::NotStarted && self.left_out.contains(host)
    }

    /// How bad an end is; the recap is sorted by it.
    fn severity(&self, host: &HostName, outcome: &Outcome) -> u8 {
        if self.is_left_out(host, outcome) { LEFT_OUT } else { severity(outcome) }
    }

    /// Verb, tint, words and hint of an outcome.
    fn told(&self, host: &HostName, outcome: &Outcome) -> Told {
        let hint = failure(outcome).and_then(|failure| failure.hint.clone());
        let (verb, tint, text) = match outcome {
            Outcome::Changed { values, restarted } if self.rehearsal => {
                let values = plural::count(*values, "value");
                let restart = if *restarted { ", and a restart" } else { "" };
                ("Would change", Tint::Change, format!("{values}{restart}"))
            }
            Outcome::RestartOwed { values, reason } if self.rehearsal => {
                let values = plural::count(*values, "value");
                ("Would change", Tint::Change, format!("{values}, restart owed: {reason}"))
            }
            own if self.is_left_out(host, own) => left_out(),
            other => ending(other),
        };
        Told { verb, tint, text, hint }
    }

    fn totals(&self, style: Style) -> String {
        let mut counts: BTreeMap<u8, (&str, usize)> = BTreeMap::new();
        for (host, outcome) in self.outcomes {
            let verb = self.told(host, outcome).verb;
            counts.entry(self.severity(host, outcome)).or_insert((verb, 0)).1 += 1;
        }
        let parts: Vec<String> = counts
            .values()
            .map(|(verb, number)| format!("{number} {}", verb.to_lowercase()))
            .collect();
        let dot = style.sign(Sign::Dot);
        let finished = style.paint(
            if self.exit == Exit::Ok { Tint::Good } else { Tint::Change },
            &format!("{:>12}", "Finished"),
        );
        format!(
            "{finished}  {}: {} {dot} {} {dot} {} {dot} {}\n",
            plural::count(self.outcomes.len(), "host"),
            if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") },
            plural::count(self.written, "value") + " written",
            plural::count(self.restarted, "restart"),
            plural::duration(self.seconds),
        )
    }
}

/// A larger fleet has no line for hosts that ended well: they have been named as they ended.
const LISTED: usize = 16;
/// Up to here nothing is wrong.
const CALM: u8 = LEFT_OUT;
/// What was asked for.
const LEFT_OUT: u8 = 2;

fn severity(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Unchanged => 0,
        Outcome::Changed { .. } => 1,
        Outcome::RestartOwed { .. } => 3,
        Outcome::NotStarted => 4,
        Outcome::Blocked => 5,
        Outcome::Refused(_) => 6,
        Outcome::Unreachable(_) => 7,
        Outcome::Failed(_) => 8,
        Outcome::InDoubt(_) => 9,
    }
}

fn failure(outcome: &Outcome) -> Option<&Failure> {
    match outcome {
        Outcome::Refused(failure)
        | Outcome::InDoubt(failure)
        | Outcome::Failed(failure)
        | Outcome::Unreachable(failure) => Some(failure),
        Outcome::Unchanged
        | Outcome::Changed { .. }
        | Outcome::RestartOwed { .. }
        | Outcome::NotStarted
        | Outcome::Blocked => None,
    }
}

struct Told {
    verb: &'static str,
    tint: Tint,
    text: String,
    hint: Option<String>,
}

fn push_host(text: &mut String, style: Style, label: &str, width: usize, told: &Told) {
    let verb = style.paint(told.tint, &format!("{:>12}", told.verb));
    let reason = Visible(&told.text);
    text.push_str(&format!("{verb}  {label:<width$}  {reason}\n"));
    if let Some(hint) = &told.hint {
        text.push_str(&format!(
            "{:>12}  {:<width$}  {}\n",
            "",
            "",
            style.paint(Tint::Strong, &visible(hint))
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::FailureKind;

    #[test]
    fn trouble_stands_last_worst_first_with_reason_and_hint() {
        let failure = |kind, text: &str| Failure::new(kind, text);
        let outcomes: BTreeMap<HostName, Outcome> = [
            ("A", Outcome::InDoubt(failure(FailureKind::InDoubt, "lost"))),
            ("B", Outcome::Changed { values: 2, restarted: true }),
            (
                "C",
                Outcome::Failed(failure(FailureKind::NotBack, "not\u{85}back").hint("look\nat C")),
            ),
            ("D", Outcome::Unchanged),
            ("E", Outcome::NotStarted),
            ("F", Outcome::NotStarted),
        ]
        .into_iter()
        .map(|(name, outcome)| (HostName::new(name), outcome))
        .collect();
        let next = ["rmsfleet runs show r1".to_owned()];
        let left_out = [HostName::new("E")].into();
        let recap = Recap {
            outcomes: &outcomes,
            left_out: &left_out,
            written: 2,
            restarted: 1,
            seconds: 7.25,
            exit: Exit::Aborted,
            rehearsal: false,
            trouble: &[("Stopped", "gate `mail` stayed red".to_owned())],
            next: &next,
        };
        let text = recap.render(Style::PLAIN, &Labels::new(outcomes.keys()));
        let expected = "
    Left out  E         by --limit: the run does not touch it
     Changed  B         2 values, restarted
   Unchanged  D         every value was as planned
────────────
    Finished  6 hosts: 1 unchanged, 1 changed, 1 left out, 1 not started, 1 failed, 1 in doubt · 2 values written · \
             1 restart · 7.25s
    In doubt  A         lost
      Failed  C         not\\u{85}back
                        look\\u{a}at C
 Not started  F         the run ended before its turn
     Stopped  gate `mail` stayed red
Next  rmsfleet runs show r1
";
        assert_eq!(text, expected);
    }
}
