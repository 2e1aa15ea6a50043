//! The organisation step against an imagined organisation.

use rmsfleet::error::Exit;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::plan::Plan;
use rmsfleet::run::action::StepOutcome;

use crate::apply::apply;
use crate::apply::check_intents;
use crate::apply::path;
use crate::apply::ready;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::step;
use crate::imagined::step_stage;

fn exchange(names: &[&str]) -> Plan {
    let mut plan = two_values(names, false);
    let mut step = step("Contoso");
    step.needs = plan.hosts.keys().cloned().collect();
    plan.stages.push(step_stage("irm", step));
    plan
}

#[test]
fn the_step_runs_once_and_only_after_every_server_is_verified() {
    let fleet = ready(&["EX1", "EX2"]);
    let report = apply(&fleet, &exchange(&["EX1", "EX2"])).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert!(matches!(report.steps[0].1, StepOutcome::Verified(_)));
    let log = fleet.with(|world| world.log.clone());
    let set = log.iter().position(|line| line.contains("Set-IRMConfiguration")).unwrap();
    let verified = log.iter().rposition(|line| line.contains("host-verified")).unwrap();
    assert!(verified < set);
    assert_eq!(fleet.count("Set-IRMConfiguration"), 1);
    assert_eq!(fleet.count("shell"), fleet.count("close"), "every shell is closed");
    check_intents(&fleet);
}

#[test]
fn a_failed_server_holds_the_step() {
    let fleet = ready(&["EX1", "EX2"]);
    fleet.put("EX2", &path("One"), "somebody was here");
    let report = apply(&fleet, &exchange(&["EX1", "EX2"])).unwrap();
    assert!(matches!(report.steps[0].1, StepOutcome::Held(_)), "{report:?}");
    assert_eq!(fleet.count("shell"), 0);
    assert_eq!(report.exit, Exit::Refused);
}

#[test]
fn an_organisation_that_was_set_meanwhile_is_left_alone() {
    let fleet = ready(&["EX1"]);
    fleet.with(|world| world.enabled = true);
    let report = apply(&fleet, &exchange(&["EX1"])).unwrap();
    assert_eq!(report.steps[0].1, StepOutcome::Unchanged);
    assert_eq!(fleet.count("Set-IRMConfiguration"), 0);
    assert_eq!(report.exit, Exit::Ok);
}

#[test]
fn a_step_refuses_another_organisation_and_a_server_nobody_planned_for() {
    let edits: [fn(&Fleet); 2] = [
        |fleet| fleet.with(|world| world.dn = "CN=X,CN=Fabrikam,DC=fabrikam".to_owned()),
        |fleet| fleet.with(|world| world.servers.push("EX77".to_owned())),
    ];
    for edit in edits {
        let fleet = ready(&["EX1"]);
        edit(&fleet);
        let report = apply(&fleet, &exchange(&["EX1"])).unwrap();
        assert!(matches!(report.steps[0].1, StepOutcome::Refused(_)), "{report:?}");
        assert_eq!(fleet.count("Set-IRMConfiguration"), 0);
        assert_eq!(report.exit, Exit::Refused);
    }
}

#[test]
fn a_lost_answer_to_the_step_is_settled_by_reading() {
    let fleet = ready(&["EX1"]);
    fleet.with(|world| world.lose_cmdlet = true);
    let report = apply(&fleet, &exchange(&["EX1"])).unwrap();
    assert!(matches!(report.steps[0].1, StepOutcome::Verified(_)), "{report:?}");
    assert_eq!(fleet.count("Set-IRMConfiguration"), 1);
}

#[test]
fn a_step_that_may_still_be_under_way_is_in_doubt() {
    let fleet = ready(&["EX1"]);
    fleet.with(|world| world.cut_cmdlet = true);
    let report = apply(&fleet, &exchange(&["EX1"])).unwrap();
    let StepOutcome::Failed(failure) = &report.steps[0].1 else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::InDoubt, "{failure:?}");
    assert_eq!(fleet.count("Set-IRMConfiguration"), 1);
    assert_eq!(report.exit, Exit::Aborted);
}
