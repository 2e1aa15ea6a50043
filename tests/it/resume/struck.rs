//! Every message of a rollout struck in every way: the run ends in a state that it tells truly, with
//! nothing written that is not in the journal, and a resume brings it to its end.

use std::collections::BTreeMap;

use rmsfleet::error::Exit;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedHost;
use rmsfleet::run::action::StepOutcome;
use rmsfleet::run::driver::RunReport;

use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Strike;
use crate::resume::Memory;
use crate::resume::check_domains;
use crate::resume::exactly;
use crate::resume::farm;
use crate::resume::go_on;
use crate::resume::machines;
use crate::resume::one_in;
use crate::resume::pass_time;
use crate::resume::start;
use crate::shared::skip;

const STRIKES: [Strike; 9] = [
    Strike::Refused,
    Strike::ResetBefore,
    Strike::ResetAfter,
    Strike::Silence,
    Strike::Half,
    Strike::WrongSequence,
    Strike::Fault500,
    Strike::Busy503,
    Strike::Denied401,
];

/// After these a host may rightly stay refused, unreachable or restarted by itself.
const LASTING: [Strike; 3] = [Strike::AccessDenied, Strike::NeverReturns, Strike::SecondBoot];

/// INVARIANT: no act on a host that was not announced before it. Counted along the log, in which
/// acts and events stand in the order in which they happened.
#[track_caller]
fn check_announced(fleet: &Fleet, what: &str) {
    let log = fleet.with(|world| world.log.clone());
    let mut announced: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for line in &log {
        let words: Vec<&str> = line.trim_matches(['[', ']']).split(' ').collect();
        let (host, word) = (words[0].to_owned(), words.get(1).copied().unwrap_or_default());
        if line.starts_with('[') {
            let kind = match word {
                "change-intended" | "restore-intended" | "mark-intended" | "lease-intended" => {
                    "value"
                }
                "key-intended" => "key",
                "restart-intended" => "restart",
                _ => continue,
            };
            *announced.entry((host, kind)).or_default() += 1;
            continue;
        }
        let kind = match word {
            "set" | "delete" => "value",
            "create" | "drop" => "key",
            "restart" => "restart",
            _ => continue,
        };
        let left = announced.entry((host, kind)).or_default();
        assert!(*left > 0, "{what}: `{line}` was not announced: {log:#?}");
        *left -= 1;
    }
}

/// How many of a host's changes hold what was there, and how many what was planned.
fn held(fleet: &Fleet, host: &PlannedHost) -> (usize, usize) {
    let mut held = (0, 0);
    for change in &host.changes {
        let text = fleet.value(host.name.as_str(), &change.path);
        let is = |state: &rmsfleet::model::registry::State| match &text {
            None => *state == rmsfleet::model::registry::State::Absent,
            Some(text) => state.to_string() == *text,
        };
        held.0 += usize::from(is(&change.before));
        held.1 += usize::from(is(&change.after));
    }
    held
}

/// What the report says of each host is what the host bears out.
#[track_caller]
fn check_true(fleet: &Fleet, plan: &Plan, report: &RunReport, what: &str) {
    let mut well = true;
    for (name, host) in &plan.hosts {
        let outcome = &report.outcomes[name];
        let (before, after) = held(fleet, host);
        let all = host.changes.len();
        let reboots = fleet.with(|world| world.machines[name.as_str()].reboots);
        let fits = match outcome {
            Outcome::Changed { restarted, .. } => {
                after == all && reboots == usize::from(*restarted)
            }
            Outcome::RestartOwed { .. } | Outcome::Unchanged => after == all,
            Outcome::NotStarted | Outcome::Refused(_) | Outcome::Blocked => {
                before == all && reboots == 0
            }
            // All values of a host or none.
            Outcome::Failed(_) | Outcome::Unreachable(_) => before == all || after == all,
            Outcome::InDoubt(_) => true,
        };
        assert!(
            fits,
            "{what}: {name} is told as {outcome:?}, and holds {before} old, {after} new of {all}, {reboots} restarts"
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
    check_domains(fleet, plan, what);
}

/// A run with one message struck: it tells the truth and does nothing unannounced.
fn run(plan: &Plan, number: usize, strike: Strike, what: &str) -> (Fleet, Memory) {
    let fleet = machines();
    fleet.with(|world| world.strike = Some((number, strike)));
    let (disk, report) = start(&fleet, plan, None);
    let report = report.unwrap();
    check_announced(&fleet, what);
    check_true(&fleet, plan, &report, what);
    (fleet, disk)
}

fn strike(plan: &Plan, number: usize, strike: Strike) {
    let what = format!("{strike:?} at message {number}");
    let (fleet, disk) = run(plan, number, strike, &what);
    // Whatever it was is over, and somebody goes on.
    fleet.with(|world| {
        world.strike = None;
        world.machines.values_mut().for_each(|machine| machine.luck.unreachable = false);
    });
    pass_time(&fleet, 4000);
    let (_, report) = go_on(&fleet, plan, &disk, None);
    let report = report.unwrap();
    check_announced(&fleet, &what);
    assert_eq!(report.exit, Exit::Ok, "{what}: resumed: {report:#?}");
    for (name, host) in &plan.hosts {
        assert_eq!(held(&fleet, host).1, host.changes.len(), "{what}: {name}");
        let reboots = fleet.with(|world| world.machines[name.as_str()].reboots);
        assert_eq!(reboots, usize::from(host.restart), "{what}: {name}");
    }
    assert!(fleet.with(|world| world.enabled), "{what}");
}

/// Only with `RMSFLEET_EXHAUSTIVE`.
#[test]
fn a_message_struck_in_any_way_leaves_a_state_that_is_told_truly() {
    if one_in(2) == 2 {
        skip("RMSFLEET_EXHAUSTIVE is not set");
        return;
    }
    let plan = farm();
    let fleet = machines();
    start(&fleet, &plan, None).1.unwrap();
    let messages = fleet.with(|world| world.messages);
    assert!(messages > 300, "{messages} messages");
    for kind in STRIKES {
        for number in 0..messages {
            strike(&plan, number, kind);
        }
    }
}

/// Only with `RMSFLEET_EXHAUSTIVE`.
#[test]
fn a_host_struck_for_good_is_told_truly() {
    if one_in(2) == 2 {
        skip("RMSFLEET_EXHAUSTIVE is not set");
        return;
    }
    let plan = farm();
    let fleet = machines();
    start(&fleet, &plan, None).1.unwrap();
    for kind in LASTING {
        for number in 0..fleet.with(|world| world.messages) {
            run(&plan, number, kind, &format!("{kind:?} at message {number}"));
        }
    }
}
