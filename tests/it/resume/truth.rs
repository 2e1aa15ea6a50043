//! What a run says of itself, held against what the machines hold: each act announced before it,
//! each outcome borne out.

use std::collections::BTreeMap;

use rmsfleet::error::Exit;
use rmsfleet::model::lease::MARKS_KEY;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::model::registry::State;
use rmsfleet::run::action::StepOutcome;
use rmsfleet::run::driver::RunReport;

use crate::imagined::fleet::Fleet;
use crate::resume::check_domains;
use crate::resume::exactly;

/// INVARIANT: no act on a host that was not announced before it. Counted along the log, in which
/// acts and events stand in the order in which they happened.
#[track_caller]
pub(super) fn check_announced(fleet: &Fleet, what: &str) {
    fleet.with(|world| check_log(&world.log, what));
}

#[track_caller]
pub(super) fn check_log(log: &[String], what: &str) {
    let mut announced = Announced::default();
    for line in log {
        let fits = match line.strip_prefix('[') {
            Some(event) => {
                announced.tell(event.trim_end_matches(']'));
                true
            }
            None => announced.bears(line),
        };
        assert!(fits, "{what}: `{line}` was not announced: {log:#?}");
    }
}

/// What may still be done, by host and act.
#[derive(Default)]
struct Announced {
    acts: BTreeMap<(String, String), usize>,
    /// The names of a host's changes, by their places.
    names: BTreeMap<(String, String), String>,
}

impl Announced {
    fn tell(&mut self, event: &str) {
        let mut words = event.splitn(3, ' ');
        let (host, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let rest = words.next().unwrap_or_default();
        let place = |index: &str| (host.to_owned(), index.to_owned());
        match kind {
            "change-intended" => {
                let (index, name) = rest.split_once(' ').unwrap_or((rest, ""));
                self.names.insert(place(index), name.to_owned());
                self.grant(host, &format!("value {name}"), 1);
            }
            "restore-intended" => {
                let name = self.names.get(&place(rest)).cloned().unwrap_or_default();
                self.grant(host, &format!("value {name}"), 1);
            }
            "mark-intended" => self.grant(host, "value RestartOwed", 1),
            // Wanted, then held; and taken away once more if another run was there.
            "lease-intended" => self.grant(host, "value Lease", 3),
            "key-intended" => self.grant(host, rest, 1),
            "restart-intended" => self.grant(host, "restart", 1),
            "hook-intended" => self.grant(host, "program", 1),
            "step-intended" => self.grant("", "step", 1),
            // An act is a cmdlet, or a service that is stopped and started.
            "maintenance-intended" => {
                for act in ["cmdlet", "start", "stop"] {
                    self.grant(host, act, 1);
                }
            }
            _ => {}
        }
    }

    fn grant(&mut self, host: &str, act: &str, times: usize) {
        *self.acts.entry((host.to_owned(), act.to_owned())).or_default() += times;
    }

    /// Whether a line of the log tells of no act, or of one that was announced.
    fn bears(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let (host, word) = (words[0], words.get(1).copied().unwrap_or_default());
        let object = words.get(2).copied().unwrap_or_default();
        let (host, act) = match word {
            "set" | "delete" => (host, format!("value {object}")),
            "create" | "drop" => (host, words[1..].join(" ")),
            "restart" | "start" | "stop" => (host, word.to_owned()),
            // `program drain SP1`.
            "drain" | "enable" if host == "program" => (object, "program".to_owned()),
            "Set-IRMConfiguration" | "make" | "unmake" => ("", "step".to_owned()),
            cmdlet => match cmdlet.split_once('-') {
                Some(("Set" | "Suspend" | "Resume" | "Move" | "Redirect", _)) => {
                    (host, "cmdlet".to_owned())
                }
                Some(_) | None => return true,
            },
        };
        let left = self.acts.entry((host.to_owned(), act)).or_default();
        *left = left.wrapping_sub(1);
        *left != usize::MAX
    }
}

/// How many of a host's changes hold what was there, and how many what was planned.
pub(super) fn held(fleet: &Fleet, host: &PlannedHost) -> (usize, usize) {
    let mut held = (0, 0);
    for change in &host.changes {
        let text = fleet.value(host.name.as_str(), &change.path);
        let is = |state: &State| match &text {
            None => *state == State::Absent,
            Some(text) => state.to_string() == *text,
        };
        held.0 += usize::from(is(&change.before));
        held.1 += usize::from(is(&change.after));
    }
    held
}

/// What the report says of each host is what the host bears out.
#[track_caller]
pub(super) fn check_told(fleet: &Fleet, plan: &Plan, report: &RunReport, what: &str) {
    let mut well = true;
    for (name, outcome) in &report.outcomes {
        let host = &plan.hosts[name];
        let (before, after) = held(fleet, host);
        let all = host.changes.len();
        let (fresh, reboots) = fleet.with(|world| {
            let machine = &world.machines[name.as_str()];
            (machine.fresh, machine.reboots)
        });
        let fits = match outcome {
            Outcome::Changed { restarted, .. } => after == all && (fresh || !restarted),
            Outcome::RestartOwed { .. } | Outcome::Unchanged => after == all,
            Outcome::NotStarted | Outcome::Refused(_) | Outcome::Blocked => {
                before == all && reboots == 0
            }
            // All values of a host or none; and what is told as taken back is.
            Outcome::Failed(failure) | Outcome::Unreachable(failure) => {
                let back = failure.chain.iter().any(|text| text.starts_with("taken back"));
                before == all || (after == all && !back)
            }
            Outcome::InDoubt(_) => true,
        };
        assert!(
            fits,
            "{what}: {name} is told as {outcome:?}, and holds {before} old, {after} new of {all}, \
             {reboots} restarts, fresh: {fresh}"
        );
        well &= matches!(outcome, Outcome::Changed { .. } | Outcome::Unchanged);
        let orders = exactly(fleet, &format!("{name} restart"));
        assert!(orders <= 1, "{what}: {name} was ordered to restart {orders} times");
    }
    let set = fleet.with(|world| world.enabled);
    for (_, outcome) in &report.steps {
        match outcome {
            StepOutcome::Verified(_) | StepOutcome::Unchanged => assert!(set, "{what}"),
            StepOutcome::Held(_) | StepOutcome::Refused(_) => {
                assert!(!set, "{what}");
                well = false;
            }
            StepOutcome::Failed(_) => well = false,
        }
    }
    assert_eq!(report.exit == Exit::Ok, well, "{what}: exit {}, {report:#?}", report.exit);
    assert!(exactly(fleet, "EX1 Set-IRMConfiguration") <= 1, "{what}");
    for name in plan.hosts.keys().filter(|_| well) {
        let ours = format!(r"HKLM\{MARKS_KEY}");
        let told = exactly(fleet, &format!("[{name} lease-left]")) > 0;
        assert!(told || !fleet.keys(name.as_str()).contains(&ours), "{what}: our key on {name}");
    }
    check_domains(fleet, plan, what);
}
