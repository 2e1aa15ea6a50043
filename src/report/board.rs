//! The live panel's text: a fold over events and a fixed number of rows. Pure; `panel` draws it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Phase;
use crate::event::Record;
use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::visible::visible;
use crate::report::human::Labels;
use crate::report::plural;
use crate::report::style::Sign;
use crate::report::style::Style;
use crate::report::style::fit;
use crate::report::words::phase;

/// Rows above the hosts: stage, bar, counts.
const HEAD: usize = 3;
/// Hosts shown at once, slowest first.
const SHOWN: usize = 8;
/// A host that has been busy for so many seconds is called slow.
const SLOW: u64 = 60;
const BAR: usize = 20;

/// What one host is busy with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Busy {
    phase: Phase,
    seen: String,
    since: Timestamp,
    /// Seconds that the phase has; `None` where it has no budget of its own.
    budget: Option<u32>,
}

/// Where the run stands.
#[derive(Debug, Clone)]
pub struct Board {
    style: Style,
    labels: Labels,
    total: usize,
    /// `survey` or `stage pilot, batch 1/2`.
    stage: String,
    began: Option<Timestamp>,
    /// Since when the gate of `stage` is looked at, and the seconds that it has.
    gate: Option<(Timestamp, u32)>,
    busy: BTreeMap<HostName, Busy>,
    done: BTreeSet<HostName>,
    failed: usize,
    unreachable: usize,
    written: usize,
    restarted: usize,
    /// Failure domains as last seen: `3/4 up`.
    capacity: BTreeMap<String, String>,
}

impl Board {
    /// `total` is the number of hosts that will end.
    pub fn new(style: Style, labels: Labels, total: usize) -> Self {
        Self {
            style,
            labels,
            total,
            stage: String::new(),
            began: None,
            gate: None,
            busy: BTreeMap::new(),
            done: BTreeSet::new(),
            failed: 0,
            unreachable: 0,
            written: 0,
            restarted: 0,
            capacity: BTreeMap::new(),
        }
    }

    pub fn absorb(&mut self, record: &Record) {
        self.began.get_or_insert(record.ts);
        match &record.event {
            Event::StageStarted { stage } => {
                (self.stage, self.gate) = (format!("stage {stage}"), None);
            }
            Event::BatchStarted { stage, batch, batches, .. } => {
                self.stage = format!("stage {stage}   batch {batch}/{batches}");
                self.gate = None;
            }
            Event::HostStarted { host, phase } => {
                if *phase == Phase::Survey {
                    "reading every host".clone_into(&mut self.stage);
                }
                let busy =
                    Busy { phase: *phase, seen: String::new(), since: record.ts, budget: None };
                self.busy.insert(host.clone(), busy);
            }
            Event::ChangeIntended { host, index, .. } => {
                self.see(host, format!("writing value {}", index + 1));
            }
            Event::ChangeVerified { host, index } => {
                self.written += 1;
                self.see(host, format!("value {} read back", index + 1));
            }
            Event::RestoreIntended { host, .. } | Event::RestoreVerified { host, .. } => {
                self.see(host, "taking values back".to_owned());
            }
            Event::MarkIntended { host, .. } => self.see(host, "setting marks".to_owned()),
            Event::RestartIntended { host, .. } => {
                let seen = "restart ordered".to_owned();
                match self.busy.get_mut(host) {
                    Some(busy) if busy.phase == Phase::Restart => busy.seen = seen,
                    Some(_) | None => {
                        let (phase, since) = (Phase::Restart, record.ts);
                        self.busy.insert(host.clone(), Busy { phase, seen, since, budget: None });
                    }
                }
            }
            Event::PhaseStarted { host, phase, budget } => {
                let seen = String::new();
                let budget = Some(*budget);
                let busy = Busy { phase: *phase, seen, since: record.ts, budget };
                self.busy.insert(host.clone(), busy);
            }
            Event::RestartWaiting { host, seen }
            | Event::MaintenanceWaiting { host, seen }
            | Event::PeersSeen { host, seen, clear: _ } => self.see(host, seen.clone()),
            Event::MaintenanceIntended { host, act } => self.see(host, act.to_string()),
            Event::MaintenanceFound { host, .. } => self.see(host, "going out of service".into()),
            Event::MaintenanceEntered { host } => self.see(host, "out of service".to_owned()),
            Event::MaintenanceLeft { host, .. } => self.see(host, "back as found".to_owned()),
            Event::CapacitySeen { domain, up, of, votes } => {
                let short = domain.split_once(':').map_or(domain.as_str(), |(_, name)| name);
                let seen = plural::capacity(*up, *of, *votes);
                self.capacity.insert(short.to_owned(), seen);
            }
            Event::RestartProved { host, .. } => {
                self.restarted += 1;
                self.busy.remove(host);
            }
            Event::HostVerified { host, .. } => {
                self.busy.remove(host);
            }
            Event::HostSurveyed { host, failure } => {
                self.busy.remove(host);
                self.done.insert(host.clone());
                self.unreachable += usize::from(failure.is_some());
            }
            Event::HostEnded { host, outcome } => {
                self.busy.remove(host);
                self.done.insert(host.clone());
                self.count(outcome);
            }
            Event::StepIntended { organisation, via, verb, .. } => {
                let seen = format!("{verb} for {organisation}");
                let busy = Busy { phase: Phase::Step, seen, since: record.ts, budget: None };
                self.busy.insert(via.clone(), busy);
            }
            Event::StepVerified { .. } | Event::StepUnchanged { .. } | Event::StepFailed { .. } => {
                self.busy.retain(|_, busy| busy.phase != Phase::Step);
            }
            Event::GateStarted { stage, gate, budget } => {
                self.see_gate(stage, format!("gate {gate}"), budget.map(|most| (record.ts, most)));
            }
            Event::GateSeen { stage, gate, green, seen, .. } => {
                let colour = if *green { "green" } else { "red" };
                self.see_gate(stage, format!("gate {gate}   {colour}: {seen}"), self.gate);
            }
            Event::GatePassed { stage, gate } => {
                self.see_gate(stage, format!("gate {gate} passed"), None);
            }
            Event::GateFailed { .. } => self.gate = None,
            Event::StageHookIntended { errand, again: _ } => {
                self.stage = format!("hook {} {}", errand.hook, errand.place());
            }
            Event::HookIntended { host, hook, .. } => self.see(host, format!("hook {hook}")),
            Event::Halted { .. } => self.stage.push_str("   stopping"),
            Event::RunStarted { .. }
            | Event::RunResumed { .. }
            | Event::PlanApproved { .. }
            | Event::HostsLeftOut { .. }
            | Event::LeaseIntended { .. }
            | Event::RestartReady { .. }
            | Event::KeyIntended { .. }
            | Event::RestartOwed { .. }
            | Event::RestartForeign { .. }
            | Event::RestartRepeated { .. }
            | Event::LeaseLeft { .. }
            | Event::ServicesMissing { .. }
            | Event::RestartOrdered { .. }
            | Event::StepHeld { .. }
            | Event::StepAwaited { .. }
            | Event::HookEnded { .. }
            | Event::StageHookEnded { .. }
            | Event::StageHookSkipped { .. }
            | Event::StageEnded { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    /// How many rows the panel takes in a terminal of this height: fixed for the whole run, and
    /// one less than the terminal has, so that the cursor never scrolls it.
    pub fn height(&self, terminal_rows: usize) -> usize {
        (HEAD + self.total.clamp(1, SHOWN)).min(terminal_rows.saturating_sub(1))
    }

    /// Exactly `height` rows, none wider than `columns`.
    pub fn rows(&self, now: Timestamp, columns: usize, height: usize) -> Vec<String> {
        let mut rows = self.head(now);
        rows.extend(self.domains());
        rows.extend(self.in_flight(now, columns));
        rows.resize(height, String::new());
        rows.into_iter().map(|row| fit(&visible(&row), columns, self.style)).collect()
    }

    fn head(&self, now: Timestamp) -> Vec<String> {
        let dot = self.style.sign(Sign::Dot);
        let elapsed = self.began.map_or(0, |began| seconds(began, now));
        let done = self.done.len().min(self.total);
        let filled = (BAR * done).checked_div(self.total).unwrap_or(BAR);
        let bar = format!(
            "{}{}",
            self.style.sign(Sign::Full).repeat(filled),
            self.style.sign(Sign::Empty).repeat(BAR - filled),
        );
        let waiting = self.total.saturating_sub(done + self.busy.len());
        vec![
            format!(
                " {:<40}{}  {} elapsed",
                self.stage,
                self.gate_clock(now),
                plural::clock(elapsed)
            ),
            format!(
                " hosts   {bar}  {done}/{}     written {} {dot} restarted {}",
                self.total, self.written, self.restarted
            ),
            format!(
                " in flight {} {dot} waiting {waiting} {dot} failed {} {dot} unreachable {}",
                self.busy.len(),
                self.failed,
                self.unreachable
            ),
        ]
    }

    /// What is up of the failure domains that the run has looked at.
    fn domains(&self) -> Option<String> {
        let each: Vec<String> =
            self.capacity.iter().map(|(name, seen)| format!("{name} {seen}")).collect();
        let dot = format!(" {} ", self.style.sign(Sign::Dot));
        (!each.is_empty()).then(|| format!(" {}", each.join(&dot)))
    }

    /// Slow hosts first: the one that has been busy longest leads.
    fn in_flight(&self, now: Timestamp, columns: usize) -> Vec<String> {
        let mut busy: Vec<_> = self.busy.iter().collect();
        busy.sort_by_key(|(_, busy)| busy.since);
        let width = self.labels.width().max(8);
        let clock = |busy: &Busy| {
            let elapsed = plural::clock(seconds(busy.since, now));
            match busy.budget {
                Some(budget) => format!("{elapsed} / {}", plural::clock(budget.into())),
                None => elapsed,
            }
        };
        // What was seen gets the room that mark, name, phase and clock leave.
        let clocks = busy.iter().map(|(_, busy)| clock(busy).len()).max().unwrap_or(0);
        let room = columns.saturating_sub(width + clocks + 21).clamp(24, 72);
        busy.into_iter()
            .map(|(host, busy)| {
                let clock = clock(busy);
                let slow = if seconds(busy.since, now) >= SLOW { "SLOW" } else { "" };
                format!(
                    "   {slow:<4} {:<width$}  {:<9} {:<room$} {clock}",
                    self.labels.label(host),
                    phase(busy.phase),
                    fit(&busy.seen, room, self.style),
                )
            })
            .collect()
    }

    /// A gate behind one host's restart belongs to its row, whose phase has the clock.
    fn see_gate(&mut self, at: &str, seen: String, clock: Option<(Timestamp, u32)>) {
        let host = HostName::new(at);
        if self.busy.contains_key(&host) {
            self.see(&host, seen);
        } else {
            self.stage = format!("stage {at}   {seen}");
            self.gate = clock;
        }
    }

    fn gate_clock(&self, now: Timestamp) -> String {
        let Some((since, most)) = self.gate else { return String::new() };
        format!("  {} / {}", plural::clock(seconds(since, now)), plural::clock(most.into()))
    }

    fn see(&mut self, host: &HostName, seen: String) {
        if let Some(busy) = self.busy.get_mut(host) {
            busy.seen = seen;
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(_) | Outcome::InDoubt(_) | Outcome::Refused(_) => self.failed += 1,
            Outcome::Unreachable(_) => self.unreachable += 1,
            Outcome::Unchanged
            | Outcome::Changed { .. }
            | Outcome::RestartOwed { .. }
            | Outcome::NotStarted
            | Outcome::Blocked => {}
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn host(number: usize) -> HostName {
        HostName::new(format!("FS{number:03}.corp.contoso.com"))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn board(hosts: usize, events: impl IntoIterator<Item = (i64, Event)>) -> Board {
        let names: Vec<_> = (0..hosts).map(host).collect();
        let mut board = Board::new(Style::PLAIN, Labels::new(&names), hosts);
        for (seconds, event) in events {
            board.absorb(&Record { seq: 0, ts: at(seconds), run: "r".into(), event });
        }
        board
    }

    fn starts(hosts: usize) -> impl Iterator<Item = (i64, Event)> {
        (0..hosts).map(|number| {
            let event = Event::HostStarted { host: host(number), phase: Phase::Registry };
            (i64::try_from(number).unwrap(), event)
        })
    }

    #[test]
    fn the_panel_never_outgrows_the_terminal() {
        for terminal in 0..30 {
            for hosts in [0, 1, 7, 500] {
                let board = board(hosts, starts(hosts));
                let height = board.height(terminal);
                assert!(height < terminal.max(1), "{height} rows in {terminal}");
                let rows = board.rows(at(1000), 72, height);
                assert_eq!(rows.len(), height);
                assert!(rows.iter().all(|row| row.chars().count() <= 72));
            }
        }
    }

    #[test]
    fn the_slowest_host_comes_first_and_is_called_slow() {
        let board = board(3, starts(3));
        let rows = board.rows(at(61), 80, 6);
        assert!(rows[3].contains("SLOW FS000"), "{rows:#?}");
        assert!(rows[5].contains("     FS002"), "{rows:#?}");
    }

    #[test]
    fn a_wide_terminal_shows_what_was_seen_in_full() {
        let seen = "no connection to `http://fs000.corp.contoso.com:5985/wsman`";
        let waiting = (1, Event::RestartWaiting { host: host(0), seen: seen.to_owned() });
        let board = board(1, starts(1).chain([waiting]));
        assert!(board.rows(at(9), 120, 4)[3].contains(seen));
        assert!(board.rows(at(9), 79, 4)[3].ends_with("00:09"));
    }

    #[test]
    fn a_gate_shows_the_time_it_has_in_the_stage_or_in_the_row_of_its_host() {
        let started = |at: &str| Event::GateStarted {
            stage: at.to_owned(),
            gate: "soak".to_owned(),
            budget: Some(600),
        };
        let of_stage = board(1, [(5, started("pilot"))]);
        assert!(of_stage.rows(at(65), 80, 4)[0].contains("gate soak"));
        assert!(of_stage.rows(at(65), 80, 4)[0].contains("01:00 / 10:00"));
        let phase = Event::PhaseStarted { host: host(0), phase: Phase::Gates, budget: 700 };
        let of_host = board(1, [(5, phase), (5, started(host(0).as_str()))]);
        let rows = of_host.rows(at(65), 80, 4);
        assert!(!rows[0].contains("gate"), "{rows:#?}");
        assert!(rows[3].contains("gate soak") && rows[3].ends_with("01:00 / 11:40"), "{rows:#?}");
    }

    #[test]
    fn counts_follow_the_events() {
        let ends = [
            (9, Event::HostEnded { host: host(0), outcome: Outcome::Unchanged }),
            (9, Event::ChangeVerified { host: host(1), index: 0 }),
        ];
        let board = board(4, starts(3).chain(ends));
        let rows = board.rows(at(10), 80, 7);
        assert!(rows[1].contains("1/4") && rows[1].contains("written 1"), "{rows:#?}");
        assert!(rows[2].contains("in flight 2 · waiting 1"), "{rows:#?}");
    }
}
