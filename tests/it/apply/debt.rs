//! Restarts owed: paid by somebody else, and told by the journal whenever a run dies.

use jiff::SignedDuration;

use rmsfleet::error::Exit;
use rmsfleet::event::Record;
use rmsfleet::host::mark;
use rmsfleet::journal::summary::summarise;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::registry::ValuePath;

use crate::apply::apply;
use crate::apply::check_intents;
use crate::apply::check_values;
use crate::apply::orders;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::two_values;
use crate::imagined::KEY;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::noon;

const MARK: &str = "run-0 2026-01-08T00:00:00Z";

/// FS1 has nothing to change, and a mark whose restart has happened.
fn paid() -> Plan {
    let mut plan = two_values(&["FS1"], false);
    let host = plan.hosts.get_mut(&HostName::new("FS1")).unwrap();
    host.changes.clear();
    host.restart_owed = Some(MARK.to_owned());
    host.mark_paid = true;
    plan
}

#[test]
fn a_paid_mark_is_removed_without_a_restart() {
    let fleet = ready(&["FS1"]);
    fleet.put("FS1", &mark::path(), MARK);
    let report = apply(&fleet, &paid()).unwrap();
    assert_eq!((report.exit, outcome(&report, "FS1")), (Exit::Ok, Outcome::Unchanged));
    assert_eq!((orders(&fleet, "FS1"), fleet.value("FS1", &mark::path())), (0, None));
    check_values(&fleet, "FS1", Some("old"), None);
    check_intents(&fleet);
}

#[test]
fn a_mark_that_came_after_the_plan_stays() {
    let fleet = ready(&["FS1"]);
    fleet.put("FS1", &mark::path(), "run-9 2026-01-09T00:00:00Z");
    let report = apply(&fleet, &paid()).unwrap();
    assert!(matches!(outcome(&report, "FS1"), Outcome::Refused(_)), "{report:?}");
    assert!(fleet.value("FS1", &mark::path()).unwrap().starts_with("run-9 "));
}

/// FS1 has nothing to change, and owes a restart.
fn owing() -> Plan {
    let mut plan = two_values(&["FS1"], true);
    let host = plan.hosts.get_mut(&HostName::new("FS1")).unwrap();
    host.changes.clear();
    host.restart_owed = Some(MARK.to_owned());
    plan
}

#[test]
fn a_plan_of_a_restart_alone_is_good_for_one_restart() {
    let fleet = ready(&["FS1"]);
    fleet.put("FS1", &mark::path(), MARK);
    assert_eq!(apply(&fleet, &owing()).unwrap().exit, Exit::Ok);
    let report = apply(&fleet, &owing()).unwrap();
    let Outcome::Refused(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert!(failure.text().contains("is not owed any more"), "{}", failure.text());
    assert_eq!((report.exit, orders(&fleet, "FS1")), (Exit::Refused, 1));
}

#[test]
fn a_debt_that_somebody_has_paid_by_hand_is_struck_out_and_not_paid_again() {
    let fleet = ready(&["FS1"]);
    fleet.put("FS1", &mark::path(), MARK);
    fleet.with(|world| {
        let now = world.now;
        let machine = world.machines.get_mut("FS1").unwrap();
        machine.goes_down(now - SignedDuration::from_mins(10));
    });
    let report = apply(&fleet, &owing()).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    assert_eq!((orders(&fleet, "FS1"), fleet.value("FS1", &mark::path())), (0, None));
}

/// What the journal tells of FS1's debt once the run has died at one of its events.
fn told(fleet: &Fleet) -> Option<String> {
    let records: Vec<Record> = fleet
        .with(|world| world.events.clone())
        .into_iter()
        .zip(0..)
        .map(|(event, seq)| Record { seq, ts: noon(), run: "run-1".to_owned(), event })
        .collect();
    summarise(&records).hosts.get(&HostName::new("FS1"))?.restart_owed.clone()
}

/// Kills a run at each of its events in turn: a host that holds something new and has not
/// restarted is told as owing, and one that nobody wrote to is not.
#[track_caller]
fn check_kills(plan: &Plan, luck: Luck) {
    let (mut owing, mut free) = (0, 0);
    for fails_at in 0.. {
        let fleet = ready(&["FS1"]);
        fleet.luck("FS1", luck);
        fleet.with(|world| world.sink_fails_at = fails_at);
        let ended = apply(&fleet, plan).is_ok();
        let value = |name: &str| fleet.value("FS1", &ValuePath::new(KEY, name));
        let holds = value("One").as_deref() != Some("old") || value("Two").is_some();
        let marked = fleet.value("FS1", &mark::path()).is_some();
        let proved = fleet.count("[FS1 restart-proved]") > 0;
        let touched = fleet.count("FS1 set") > 0;
        let intended = fleet.count("-intended]") > 0;
        if (holds || marked) && !proved {
            assert!(told(&fleet).is_some(), "killed at event {fails_at}");
            owing += 1;
        }
        if proved || !(touched || intended) || (ended && !holds) {
            assert_eq!(told(&fleet), None, "killed at event {fails_at}");
            free += 1;
        }
        if ended {
            break;
        }
    }
    assert!(owing > 2 && free > 2, "{owing} owing, {free} free");
}

#[test]
fn whenever_a_run_dies_its_journal_tells_the_debt() {
    for marks in [true, false] {
        let mut plan = two_values(&["FS1"], true);
        plan.marks = marks;
        check_kills(&plan, Luck::default());
        // The mark is a write too, and the lease is two.
        let refuse_write = Some(1 + 3 * usize::from(marks));
        let refused = Luck { refuse_write, ..Luck::default() };
        check_kills(&plan, refused);
    }
}
