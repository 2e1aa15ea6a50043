//! What one, two and three presses of Ctrl-C leave behind.

use tokio::sync::watch;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Sink;
use rmsfleet::event::SinkError;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::run::action::StepOutcome;
use rmsfleet::run::action::Stop;
use rmsfleet::run::driver::RunReport;

use crate::apply::apply_to;
use crate::apply::apply_with;
use crate::apply::check_intents;
use crate::apply::check_values;
use crate::apply::orders;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::ImaginedSink;
use crate::imagined::fleet::Luck;
use crate::imagined::step;
use crate::imagined::step_stage;

/// Raises the stop level when the run records an event of this kind.
struct StopAt {
    sink: ImaginedSink,
    kind: &'static str,
    level: Stop,
    sender: watch::Sender<Stop>,
}

impl Sink for StopAt {
    fn emit(&mut self, event: Event) -> Result<(), SinkError> {
        let json = serde_json::to_value(&event).unwrap();
        self.sink.emit(event)?;
        if json.get("type").and_then(|kind| kind.as_str()) == Some(self.kind) {
            self.sender.send(self.level).unwrap();
        }
        Ok(())
    }
}

pub(super) fn stop_at(fleet: &Fleet, plan: &Plan, kind: &'static str, level: Stop) -> RunReport {
    let (sender, stop) = watch::channel(Stop::Go);
    let mut sink = StopAt { sink: ImaginedSink(fleet.clone()), kind, level, sender };
    apply_to(fleet, plan, &mut sink, stop).unwrap()
}

#[test]
fn after_one_press_what_is_in_flight_finishes_and_nothing_starts() {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = two_values(&["FS1", "FS2"], true);
    plan.limits.forks = 1;
    let report = stop_at(&fleet, &plan, "change-intended", Stop::Finish);
    assert_eq!(report.exit, Exit::Interrupted);
    check_values(&fleet, "FS1", Some("1"), Some("2"));
    assert!(matches!(outcome(&report, "FS1"), Outcome::RestartOwed { values: 2, .. }));
    assert_eq!(outcome(&report, "FS2"), Outcome::NotStarted);
    assert_eq!(fleet.count("FS2 logon"), 0);
    assert_eq!(orders(&fleet, "FS1"), 0);
}

#[test]
fn after_two_presses_a_host_stops_before_its_first_write() {
    let fleet = ready(&["FS1"]);
    let report = stop_at(&fleet, &two_values(&["FS1"], true), "host-started", Stop::SafePoint);
    assert_eq!(outcome(&report, "FS1"), Outcome::NotStarted);
    assert_eq!(fleet.count("FS1 set"), 0);
}

#[test]
fn after_two_presses_nobody_waits_for_a_restart_that_stays_owed() {
    let fleet = ready(&["FS1"]);
    fleet.luck("FS1", Luck { hangs: true, ..Luck::default() });
    let report = stop_at(&fleet, &two_values(&["FS1"], true), "restart-ordered", Stop::SafePoint);
    assert!(matches!(outcome(&report, "FS1"), Outcome::RestartOwed { values: 2, .. }));
    assert_eq!(report.exit, Exit::Interrupted);
    assert_eq!(orders(&fleet, "FS1"), 1);
}

#[test]
fn after_three_presses_a_host_in_the_middle_is_in_doubt() {
    let fleet = ready(&["FS1", "FS2"]);
    let plan = two_values(&["FS1", "FS2"], false);
    let report = stop_at(&fleet, &plan, "change-intended", Stop::Now);
    let doubts = report.outcomes.values().filter(|outcome| matches!(outcome, Outcome::InDoubt(_)));
    // The other one's lease may be on its way too.
    let doubts = doubts.count();
    assert!(doubts >= 1, "{report:?}");
    let untouched = report.outcomes.values().filter(|outcome| **outcome == Outcome::NotStarted);
    assert_eq!(untouched.count() + doubts, 2, "{report:?}");
    assert_eq!(report.exit, Exit::Interrupted);
    check_intents(&fleet);
}

#[test]
fn after_three_presses_a_step_that_only_reads_is_not_in_doubt() {
    let fleet = ready(&["EX1"]);
    let mut plan = two_values(&["EX1"], true);
    let mut step = step("Contoso");
    step.needs = plan.hosts.keys().cloned().collect();
    plan.stages.push(step_stage("irm", step));
    let report = stop_at(&fleet, &plan, "stage-ended", Stop::Now);
    assert_eq!(outcome(&report, "EX1"), Outcome::Changed { values: 2, restarted: true });
    assert!(matches!(report.steps[0].1, StepOutcome::Held(_)), "{report:?}");
    assert_eq!(fleet.count("step-intended"), 0);
    assert_eq!(report.exit, Exit::Interrupted);
}

#[test]
fn a_stop_before_the_start_leaves_everything_as_it_was() {
    let (sender, stop) = watch::channel(Stop::Go);
    sender.send(Stop::Finish).unwrap();
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = two_values(&["FS1", "FS2"], true);
    plan.limits.forks = 1;
    let report = apply_with(&fleet, &plan, stop).unwrap();
    assert_eq!(report.exit, Exit::Interrupted);
    assert_eq!(fleet.count("logon"), 0);
}
