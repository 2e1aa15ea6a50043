//! Restarts owed: paid by somebody else, and told by the journal whenever a run dies.

use rmsfleet::error::Exit;
use rmsfleet::host::mark;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;

use crate::apply::apply;
use crate::apply::check_intents;
use crate::apply::check_values;
use crate::apply::orders;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::two_values;

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
