//! Line mode: a time, a right-aligned verb, a host, what there is to say, and how long it took.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Record;
use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::visible::Visible;
use crate::model::visible::visible;
use crate::report::commands::in_folder;
use crate::report::plural;
use crate::report::style::Style;
use crate::report::style::Tint;
use crate::report::words::About;
use crate::report::words::Weight;
use crate::report::words::Words;
use crate::report::words::left_out;
use crate::report::words::words;

/// Verbs end in this column, counted from the first after the time.
const VERB: usize = 12;
/// Host names beyond this width push the text to the right.
const NAME: usize = 20;

/// Short names where they are unique, full names where they are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    short: BTreeMap<HostName, String>,
    width: usize,
}

impl Labels {
    pub fn new(hosts: impl IntoIterator<Item = impl Borrow<HostName>>) -> Self {
        let hosts: BTreeSet<HostName> =
            hosts.into_iter().map(|host| host.borrow().clone()).collect();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for host in &hosts {
            *seen.entry(host.short().to_lowercase()).or_default() += 1;
        }
        let short: BTreeMap<HostName, String> = hosts
            .into_iter()
            .map(|host| {
                let unique = seen.get(&host.short().to_lowercase()) == Some(&1);
                let label = if unique { host.short() } else { host.as_str() };
                let label = label.to_owned();
                (host, label)
            })
            .collect();
        let width = short.values().map(|label| label.chars().count()).max().unwrap_or(0);
        Self { short, width: width.min(NAME) }
    }

    pub fn label<'a>(&'a self, host: &'a HostName) -> &'a str {
        self.short.get(host).map_or(host.as_str(), String::as_str)
    }

    /// Columns for the longest label.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// Turns records into lines, remembering when each host's work began.
#[derive(Debug, Clone)]
pub struct Lines {
    style: Style,
    labels: Labels,
    /// Events that weigh less are left out.
    least: Weight,
    /// What commands about runs are told with.
    run_dir: Option<String>,
    began: BTreeMap<HostName, Timestamp>,
    /// By `--limit`.
    left_out: BTreeSet<HostName>,
}

impl Lines {
    pub fn new(style: Style, labels: Labels, least: Weight) -> Self {
        Self {
            style,
            labels,
            least,
            run_dir: None,
            began: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// With the flag that names the folder of runs.
    #[must_use]
    pub fn run_dir(self, flag: Option<String>) -> Self {
        Self { run_dir: flag, ..self }
    }

    /// The line for a record, if it weighs enough.
    pub fn line(&mut self, record: &Record) -> Option<String> {
        let took = self.took(record);
        let words = self.words(&record.event);
        if words.weight < self.least {
            return None;
        }
        let about = match &words.about {
            About::Host(host) => self.labels.label(host),
            About::Name(name) => name,
            About::Run => "run",
        };
        let about = visible(about);
        let width = self.labels.width.max(8);
        let mut line = format!(
            "{} {}  {about:<width$}  {}",
            self.style.paint(Tint::Faint, &record.ts.strftime("%H:%M:%SZ").to_string()),
            self.style.paint(words.tint, &format!("{:>VERB$}", words.verb)),
            Visible(&in_folder(&words.text, self.run_dir.as_deref())),
        );
        if let Some(took) = took {
            line.push_str("  ");
            line.push_str(&self.style.paint(Tint::Faint, &plural::duration(took)));
        }
        Some(line.trim_end().to_owned())
    }

    /// What the event is told in, where what came before it matters.
    fn words(&mut self, event: &Event) -> Words {
        if let Event::HostsLeftOut { hosts, .. } = event {
            self.left_out.extend(hosts.iter().cloned());
        }
        let told = words(event);
        match event {
            Event::HostEnded { host, outcome: Outcome::NotStarted }
                if self.left_out.contains(host) =>
            {
                let (verb, tint, text) = left_out();
                Words { verb, tint, text, ..told }
            }
            _ => told,
        }
    }

    /// Seconds since the host's work began, for the events that end it.
    fn took(&mut self, record: &Record) -> Option<f64> {
        match &record.event {
            Event::HostStarted { host, .. } | Event::RestartIntended { host, .. } => {
                self.began.insert(host.clone(), record.ts);
                None
            }
            Event::HostSurveyed { host, .. }
            | Event::HostVerified { host, .. }
            | Event::RestartProved { host, .. } => {
                let began = self.began.get(host)?;
                Some(record.ts.duration_since(*began).as_secs_f64())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;
    use crate::model::outcome::Failure;
    use crate::model::outcome::FailureKind;

    fn fs(number: u32) -> HostName {
        HostName::new(format!("FS{number:02}.corp.contoso.com"))
    }

    fn record(millis: i64, event: Event) -> Record {
        let ts = Timestamp::from_millisecond(1_793_657_648_000 + millis).unwrap();
        Record { seq: 1, ts, run: "01JD2Z".into(), event }
    }

    #[track_caller]
    fn check(least: Weight, events: Vec<(i64, Event)>, expected: &[&str]) {
        let hosts = [fs(3), fs(12)];
        let mut lines = Lines::new(Style::PLAIN, Labels::new(&hosts), least);
        let got: Vec<String> = events
            .into_iter()
            .filter_map(|(millis, event)| lines.line(&record(millis, event)))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_verb_ends_in_its_column_and_the_time_it_took_follows() {
        check(
            Weight::Normal,
            vec![
                (0, Event::HostStarted { host: fs(12), phase: Phase::Registry }),
                (210, Event::HostVerified { host: fs(12), values: 2 }),
            ],
            &["22:14:08Z     Verified  FS12      2 values  0.21s"],
        );
    }

    #[test]
    fn what_is_left_out_on_purpose_is_told_from_what_did_not_get_its_turn() {
        let ended = |number| Event::HostEnded { host: fs(number), outcome: Outcome::NotStarted };
        let left_out = Event::HostsLeftOut { limit: "!FS03".to_owned(), hosts: vec![fs(3)] };
        check(
            Weight::Normal,
            vec![(0, left_out), (0, ended(3)), (0, ended(12))],
            &[
                "22:14:08Z     Left out  run       by --limit !FS03: FS03",
                "22:14:08Z     Left out  FS03      by --limit: the run does not touch it",
                "22:14:08Z  Not started  FS12      the run ended before its turn",
            ],
        );
    }

    #[test]
    fn a_command_names_the_folder_of_its_run() {
        let hosts = [fs(3)];
        let flag = Some(" --run-dir /srv/r".to_owned());
        let mut lines = Lines::new(Style::PLAIN, Labels::new(&hosts), Weight::Normal).run_dir(flag);
        let seen = "Go on? (somebody says go with: rmsfleet promote r1)".to_owned();
        let event = Event::GateSeen {
            stage: "pilot".to_owned(),
            gate: "ask".to_owned(),
            host: None,
            green: false,
            seen,
        };
        let line = lines.line(&record(0, event)).unwrap();
        assert!(line.ends_with("with: rmsfleet promote --run-dir /srv/r r1)"), "{line}");
    }

    #[test]
    fn what_a_host_says_stays_within_its_line() {
        let text = "no\n22:14:08Z     Verified  FS12\u{1b}[2J";
        let failure = Failure::new(FailureKind::Fault, text);
        check(
            Weight::Problem,
            vec![(0, Event::HostEnded { host: fs(3), outcome: Outcome::Failed(failure) })],
            &[r"22:14:08Z       Failed  FS03      no\u{a}22:14:08Z     Verified  FS12\u{1b}[2J"],
        );
    }

    #[test]
    fn quiet_leaves_only_problems() {
        let failure = Failure::new(FailureKind::Unreachable, "no connection");
        check(
            Weight::Problem,
            vec![
                (0, Event::HostVerified { host: fs(12), values: 2 }),
                (0, Event::HostEnded { host: fs(3), outcome: Outcome::Unreachable(failure) }),
            ],
            &["22:14:08Z  Unreachable  FS03      no connection"],
        );
    }

    #[test]
    fn two_hosts_with_one_short_name_keep_their_full_names() {
        let hosts = [HostName::new("FS01.a.example"), HostName::new("fs01.b.example"), fs(2)];
        let labels = Labels::new(&hosts);
        assert_eq!(labels.label(&hosts[0]), "FS01.a.example");
        assert_eq!(labels.label(&hosts[2]), "FS02");
    }
}
