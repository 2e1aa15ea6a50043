//! Hooks around stages and the run, and what becomes of hosts in flight when a run is aborted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tokio::sync::watch;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::model::hook::Around;
use rmsfleet::model::hook::Hook;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::program::RunOn;
use rmsfleet::model::rollout::OnAbort;
use rmsfleet::run::action::Stop;

use crate::apply::apply;
use crate::apply::apply_with;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::rehearse;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;

/// Two stages of one host each; hooks around the first stage and around the run.
pub(crate) fn hooked() -> Plan {
    let mut plan = two_values(&["FS1", "FS2"], false);
    let names: Vec<HostName> = plan.hosts.keys().cloned().collect();
    let stage =
        |name: &str, host: &HostName| hosts_stage(name, vec![vec![host.clone()]], 0, Vec::new());
    plan.stages = vec![stage("one", &names[0]), stage("two", &names[1])];
    let hook = |argv: &[&str], undo: Option<&str>| Hook {
        argv: argv.iter().map(|part| (*part).to_owned()).collect(),
        timeout: 60,
        undo: undo.map(str::to_owned),
        run_on: RunOn::Controller,
    };
    plan.conditions.hooks = BTreeMap::from([
        ("quiet".to_owned(), hook(&["mute", "{{ stage.name }}"], Some("loud"))),
        ("loud".to_owned(), hook(&["unmute", "{{ stage.name }}"], None)),
        ("open".to_owned(), hook(&["ticket", "{{ run.id }}"], Some("shut"))),
        ("shut".to_owned(), hook(&["close", "{{ run.id }}"], None)),
        ("mail".to_owned(), hook(&["mail", "{{ stage.name }}"], None)),
    ]);
    let list = |name: &str| vec![name.to_owned()];
    plan.stages[0].hooks = Around { before: list("quiet"), after: list("mail") };
    plan.conditions.around = Around { before: list("open"), after: list("mail") };
    plan
}

/// Programs that ran and values that were written, in their order.
fn acts(fleet: &Fleet) -> Vec<String> {
    let act = |line: &&String| line.starts_with("program") || line.ends_with(" set One");
    fleet.with(|world| world.log.iter().filter(act).cloned().collect())
}

/// Everything that a run with hooks and restarts has told.
pub(crate) fn events_of_a_run() -> Vec<Event> {
    let fleet = ready(&["FS1", "FS2"]);
    apply(&fleet, &hooked()).unwrap();
    apply(&fleet, &two_values(&["FS1", "FS2"], true)).unwrap();
    fleet.with(|world| world.events.clone())
}

#[track_caller]
fn check(prepare: impl Fn(&Fleet, &mut Plan), exit: Exit, expected: &[&str]) -> Fleet {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = hooked();
    prepare(&fleet, &mut plan);
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(
        (report.exit, acts(&fleet)),
        (exit, expected.iter().map(|&act| act.into()).collect())
    );
    fleet
}

fn fails(fleet: &Fleet, program: &str) {
    fleet.with(|world| world.programs.insert(program.to_owned(), 1));
}

#[test]
fn hooks_stand_around_their_stage_and_around_the_run() {
    let fleet = check(
        |_, _| {},
        Exit::Ok,
        &[
            "program ticket run-1",
            "program mute one",
            "FS1 set One",
            "program mail one",
            "program unmute one",
            "FS2 set One",
            "program mail ",
            "program close run-1",
        ],
    );
    let log = fleet.with(|world| world.log.clone());
    for (place, _) in log.iter().enumerate().filter(|(_, line)| line.starts_with("program")) {
        assert_eq!(log[place - 1], "[run stage-hook-intended]", "{}", log[place]);
    }
}

#[test]
fn a_hook_before_that_fails_stops_the_run_and_what_it_began_is_taken_back() {
    let fleet = check(
        |fleet, _| fails(fleet, "mute"),
        Exit::Aborted,
        &["program ticket run-1", "program mute one", "program unmute one", "program close run-1"],
    );
    let events = fleet.with(|world| world.events.clone());
    let halts = events.iter().filter_map(|event| match event {
        Event::Halted { reason } => Some(reason.as_str()),
        _ => None,
    });
    let [reason] = halts.collect::<Vec<_>>().try_into().unwrap();
    assert!(reason.starts_with("hook `quiet` before stage one: exit 1"), "{reason}");
}

#[test]
fn a_hook_of_the_run_that_fails_keeps_everything_untouched() {
    check(
        |fleet, _| fails(fleet, "ticket"),
        Exit::Aborted,
        &["program ticket run-1", "program close run-1"],
    );
}

#[test]
fn a_run_that_is_aborted_takes_back_what_its_hooks_began_and_runs_none_that_say_done() {
    let refuse = |fleet: &Fleet, _: &mut Plan| {
        fleet.luck("FS1", Luck { refuse_write: Some(0), ..Luck::default() });
    };
    check(
        refuse,
        Exit::Aborted,
        &["program ticket run-1", "program mute one", "program unmute one", "program close run-1"],
    );
}

#[test]
fn the_first_error_is_not_hidden_by_a_hook_that_fails_too() {
    let refuse = |fleet: &Fleet, _: &mut Plan| {
        fleet.luck("FS1", Luck { refuse_write: Some(0), ..Luck::default() });
        fails(fleet, "unmute");
    };
    let fleet = check(
        refuse,
        Exit::Aborted,
        &["program ticket run-1", "program mute one", "program unmute one", "program close run-1"],
    );
    let events = fleet.with(|world| world.events.clone());
    let first = events.iter().find_map(|event| match event {
        Event::Halted { reason } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(first.unwrap(), "1 of 1 hosts failed, the budget bears 0");
}

#[test]
fn a_hook_behind_the_last_stage_that_fails_is_not_ok() {
    let fleet = check(
        |fleet, _| fails(fleet, "close"),
        Exit::Partial,
        &[
            "program ticket run-1",
            "program mute one",
            "FS1 set One",
            "program mail one",
            "program unmute one",
            "FS2 set One",
            "program mail ",
            "program close run-1",
        ],
    );
    assert_eq!(fleet.count("stage-hook-ended"), 6);
}

#[test]
fn a_stage_and_a_run_without_work_run_no_hook() {
    check(|_, plan| plan.hosts.values_mut().for_each(|host| host.changes.clear()), Exit::Ok, &[]);
}

#[test]
fn a_run_that_is_stopped_takes_its_hooks_back() {
    let fleet = ready(&["FS1", "FS2"]);
    let (_sender, stop) = watch::channel(Stop::Finish);
    let report = apply_with(&fleet, &hooked(), stop).unwrap();
    assert_eq!(report.exit, Exit::Interrupted);
    let began = fleet.count("program ticket");
    assert_eq!(fleet.count("program close"), began, "{:?}", acts(&fleet));
}

#[test]
fn a_rehearsal_runs_no_hook_and_says_so() {
    let fleet = ready(&["FS1", "FS2"]);
    let plan = hooked();
    let report = rehearse(&fleet, &plan);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    assert_eq!(acts(&fleet), [""; 0]);
    let skipped: BTreeSet<String> = fleet.with(|world| {
        let skipped = world.events.iter().filter_map(|event| match event {
            Event::StageHookSkipped { errand, .. } => Some(errand.hook.clone()),
            _ => None,
        });
        skipped.collect()
    });
    assert_eq!(skipped, ["mail", "open", "quiet"].map(str::to_owned).into());
}

/// FS1 fails at once while FS2, of the same batch, is in flight and has not written yet. A stage may
/// say the same against its playbook.
#[track_caller]
fn check_abort(on_abort: OnAbort, expected: &Outcome) {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.luck("FS1", Luck { unreachable: true, ..Luck::default() });
    let mut plan = two_values(&["FS1", "FS2"], false);
    plan.count_unreachable_as_failed = true;
    plan.on_abort = on_abort;
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Aborted);
    assert_eq!(outcome(&report, "FS2"), *expected);
    let other = match on_abort {
        OnAbort::FinishInFlight => OnAbort::StopAtSafePoint,
        OnAbort::StopAtSafePoint => OnAbort::FinishInFlight,
    };
    plan.on_abort = other;
    plan.stages[0].own.on_abort = Some(on_abort);
    let fleet = ready(&["FS1", "FS2"]);
    fleet.luck("FS1", Luck { unreachable: true, ..Luck::default() });
    assert_eq!(outcome(&apply(&fleet, &plan).unwrap(), "FS2"), *expected, "the stage's own word");
}

#[test]
fn a_stage_says_for_itself_whether_a_host_out_of_reach_counts() {
    for (usual, own, exit) in [
        (true, None, Exit::Aborted),
        (true, Some(false), Exit::Unreachable),
        (false, Some(true), Exit::Aborted),
    ] {
        let fleet = ready(&["FS1", "FS2"]);
        fleet.luck("FS1", Luck { unreachable: true, ..Luck::default() });
        let mut plan = two_values(&["FS1", "FS2"], false);
        plan.count_unreachable_as_failed = usual;
        plan.stages[0].own.count_unreachable_as_failed = own;
        assert_eq!(apply(&fleet, &plan).unwrap().exit, exit, "{usual} {own:?}");
    }
}

#[test]
fn hosts_in_flight_finish_when_a_run_is_aborted_or_stop_at_a_safe_point_as_the_playbook_says() {
    check_abort(OnAbort::FinishInFlight, &Outcome::Changed { values: 2, restarted: false });
    check_abort(OnAbort::StopAtSafePoint, &Outcome::NotStarted);
}
