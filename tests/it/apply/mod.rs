//! Sealed plans applied to an imagined fleet: what is written, in which order, and what is not.

use std::collections::BTreeSet;

use tokio::sync::watch;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Sink;
use rmsfleet::host::mark;
use rmsfleet::host::restart::Pace;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::registry::ValuePath;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Stop;
use rmsfleet::run::driver::RunContext;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::driver::execute;

use crate::imagined::KEY;
use crate::imagined::change;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::ImaginedSink;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::imagined::state;

pub(crate) mod around;
mod debt;
mod gates;
mod lease;
mod maintenance;
mod programs;
mod slow;
mod step;
mod stop;

fn apply(fleet: &Fleet, plan: &Plan) -> Result<RunReport, RunError> {
    let (_sender, stop) = watch::channel(Stop::Go);
    apply_with(fleet, plan, stop)
}

fn apply_with(
    fleet: &Fleet,
    plan: &Plan,
    stop: watch::Receiver<Stop>,
) -> Result<RunReport, RunError> {
    apply_to(fleet, plan, &mut ImaginedSink(fleet.clone()), stop)
}

fn apply_to(
    fleet: &Fleet,
    plan: &Plan,
    sink: &mut dyn Sink,
    stop: watch::Receiver<Stop>,
) -> Result<RunReport, RunError> {
    let options =
        Options { confirmed: BTreeSet::from(["Contoso".to_owned()]), ..Options::default() };
    run(fleet, plan, sink, options, stop)
}

/// Goes through all of it and does nothing.
fn rehearse(fleet: &Fleet, plan: &Plan) -> Result<RunReport, RunError> {
    let (_sender, stop) = watch::channel(Stop::Go);
    let options = Options { rehearsal: true, ..Options::default() };
    run(fleet, plan, &mut ImaginedSink(fleet.clone()), options, stop)
}

fn run(
    fleet: &Fleet,
    plan: &Plan,
    sink: &mut dyn Sink,
    options: Options,
    stop: watch::Receiver<Stop>,
) -> Result<RunReport, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(execute(RunContext {
        plan,
        digest: "0123",
        run: "run-1",
        tool: "rmsfleet test",
        operator: "admin",
        workstation: "desk",
        connect: fleet,
        clock: fleet,
        sink,
        options,
        pace: Pace::default(),
        controller: fleet,
        stop,
    }))
}

/// Two values on each host, one of them new; all in one batch.
pub(crate) fn two_values(names: &[&str], restart: bool) -> Plan {
    let mut hosts = Vec::new();
    for name in names {
        let mut host = planned(name);
        host.changes = vec![change("One", Some("old"), Some("1")), change("Two", None, Some("2"))];
        host.equal = vec![(ValuePath::new(KEY, "Kept"), state(Some("kept")))];
        host.restart = restart;
        host.domains.push(FailureDomain { id: "site:ams".to_owned(), max_unavailable: 1 });
        hosts.push(host);
    }
    let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
    let restarts = if restart { names.clone() } else { Vec::new() };
    plan(hosts, vec![hosts_stage("servers", vec![names], 0, restarts)])
}

/// Machines as [`two_values`] has seen them.
pub(crate) fn ready(names: &[&str]) -> Fleet {
    let fleet = Fleet::new(names);
    for name in names {
        fleet.put(name, &path("One"), "old").put(name, &path("Kept"), "kept");
    }
    fleet
}

fn path(name: &str) -> ValuePath {
    ValuePath::new(KEY, name)
}

/// Restart orders that a machine was given.
fn orders(fleet: &Fleet, name: &str) -> usize {
    let order = format!("{name} restart");
    fleet.with(|world| world.log.iter().filter(|line| **line == order).count())
}

fn outcome(report: &RunReport, name: &str) -> Outcome {
    report.outcomes[&HostName::new(name)].clone()
}

#[track_caller]
fn check_values(fleet: &Fleet, name: &str, one: Option<&str>, two: Option<&str>) {
    let found = (fleet.value(name, &path("One")), fleet.value(name, &path("Two")));
    assert_eq!(found, (one.map(str::to_owned), two.map(str::to_owned)), "values of {name}");
}

/// INVARIANT under test: no act on a host without its intent right before it in the log.
#[track_caller]
fn check_intents(fleet: &Fleet) {
    let log = fleet.with(|world| world.log.clone());
    for (place, line) in log.iter().enumerate() {
        let (host, act) = line.split_once(' ').unwrap();
        let intents: &[&str] = match act.split(' ').next().unwrap() {
            "set" | "delete" => {
                &["change-intended", "restore-intended", "mark-intended", "lease-intended"]
            }
            "create" | "drop" => &["key-intended"],
            "restart" => &["restart-intended"],
            "Set-IRMConfiguration" => &["step-intended"],
            _ => continue,
        };
        let before = log[..place].iter().rev().find(|earlier| {
            // Where a phase begins is told between the intent and the act.
            (earlier.starts_with(&format!("[{host} ")) && !earlier.contains("phase-started"))
                || (act.starts_with("Set-") && earlier.starts_with("[run "))
        });
        let told = before.is_some_and(|event| intents.iter().any(|kind| event.contains(kind)));
        assert!(told, "`{line}` without its intent; before it {before:?}");
    }
}

#[test]
fn an_applied_plan_leaves_the_values_and_nothing_of_ours() {
    let fleet = ready(&["FS1", "FS2"]);
    let report = apply(&fleet, &two_values(&["FS1", "FS2"], true)).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    for name in ["FS1", "FS2"] {
        assert_eq!(outcome(&report, name), Outcome::Changed { values: 2, restarted: true });
        check_values(&fleet, name, Some("1"), Some("2"));
        assert_eq!(fleet.value(name, &mark::path()), None);
        assert!(!fleet.keys(name).contains(&r"HKLM\SOFTWARE\rmsfleet".to_owned()));
        assert_eq!(orders(&fleet, name), 1);
    }
    check_intents(&fleet);
}

#[test]
fn the_restart_is_marked_before_the_first_value_is_written() {
    let fleet = ready(&["FS1"]);
    apply(&fleet, &two_values(&["FS1"], true)).unwrap();
    let sets = fleet.with(|world| {
        let set = |line: &&String| line.starts_with("FS1 set ");
        world.log.iter().filter(set).cloned().collect::<Vec<_>>()
    });
    let lease = "FS1 set Lease run-1";
    assert_eq!(sets, [lease, lease, "FS1 set RestartOwed", "FS1 set One", "FS1 set Two"]);
}

#[test]
fn one_logon_carries_the_registry_work_of_a_host() {
    let fleet = ready(&["FS1"]);
    apply(&fleet, &two_values(&["FS1"], false)).unwrap();
    assert_eq!(fleet.count("FS1 logon"), 1);
}

#[test]
fn a_plan_without_changes_reads_nothing_and_writes_nothing() {
    let fleet = ready(&["FS1"]);
    let report = apply(&fleet, &plan(vec![planned("FS1")], Vec::new())).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(outcome(&report, "FS1"), Outcome::Unchanged);
    let log = fleet.with(|world| world.log.clone());
    assert_eq!(log, ["[run run-started]", "[FS1 host-ended]", "[run run-ended]"]);
}

#[test]
fn access_denied_in_the_middle_takes_everything_back() {
    let fleet = ready(&["FS1"]);
    let before = fleet.keys("FS1");
    // The lease is write 0 and 1, the mark 2, `One` is 3, `Two` is 4.
    fleet.luck("FS1", Luck { refuse_write: Some(4), ..Luck::default() });
    let report = apply(&fleet, &two_values(&["FS1"], true)).unwrap();
    let Outcome::Failed(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::WriteRefused);
    check_values(&fleet, "FS1", Some("old"), None);
    assert_eq!(fleet.keys("FS1"), before, "keys that were created are gone again");
    assert_eq!(orders(&fleet, "FS1"), 0);
    assert_eq!(report.exit, Exit::Aborted);
    check_intents(&fleet);
}

#[test]
fn keys_created_for_a_value_go_when_it_is_taken_back() {
    let fleet = Fleet::new(&["FS1"]);
    let mut host = planned("FS1");
    host.changes = vec![change("One", None, Some("1")), change("Two", None, Some("2"))];
    let names = vec![host.name.clone()];
    let plan = plan(vec![host], vec![hosts_stage("s", vec![names], 0, Vec::new())]);
    fleet.luck("FS1", Luck { refuse_write: Some(3), ..Luck::default() });
    let report = apply(&fleet, &plan).unwrap();
    assert!(matches!(outcome(&report, "FS1"), Outcome::Failed(_)));
    assert_eq!(fleet.keys("FS1"), [r"HKLM\SOFTWARE"]);
    check_intents(&fleet);
}

#[test]
fn a_lost_connection_is_settled_by_reading_on_a_new_one() {
    let fleet = ready(&["FS1"]);
    fleet.luck("FS1", Luck { break_after_write: Some(3), ..Luck::default() });
    let report = apply(&fleet, &two_values(&["FS1"], false)).unwrap();
    assert!(matches!(outcome(&report, "FS1"), Outcome::Failed(_)), "{report:?}");
    check_values(&fleet, "FS1", Some("old"), None);
    assert_eq!(fleet.count("FS1 logon"), 2);
    check_intents(&fleet);
}

#[test]
fn a_connection_lost_for_good_leaves_the_host_in_doubt() {
    let fleet = ready(&["FS1"]);
    let luck = Luck { break_after_write: Some(2), gone_after_break: true, ..Luck::default() };
    fleet.luck("FS1", luck);
    let report = apply(&fleet, &two_values(&["FS1"], false)).unwrap();
    let Outcome::InDoubt(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::InDoubt);
    check_values(&fleet, "FS1", Some("1"), None);
    assert_eq!(fleet.count("restore-verified"), 0, "nothing unread is called restored");
}

#[test]
fn a_host_that_moved_refuses_alone_and_is_not_written() {
    for moved in ["One", "Kept"] {
        let fleet = ready(&["FS1", "FS2"]);
        fleet.put("FS1", &path(moved), "somebody was here");
        let report = apply(&fleet, &two_values(&["FS1", "FS2"], false)).unwrap();
        assert!(matches!(outcome(&report, "FS1"), Outcome::Refused(_)), "{report:?}");
        assert_eq!(outcome(&report, "FS2"), Outcome::Changed { values: 2, restarted: false });
        assert_eq!(fleet.count("FS1 set") + fleet.count("FS1 create"), 0);
        assert_eq!(report.exit, Exit::Refused);
    }
}

#[test]
fn another_computer_behind_the_name_is_not_written() {
    let fleet = ready(&["FS1"]);
    fleet.with(|world| world.machines.get_mut("FS1").unwrap().computer = "FS9".to_owned());
    let report = apply(&fleet, &two_values(&["FS1"], true)).unwrap();
    let Outcome::Refused(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::WrongHost);
    assert_eq!(fleet.count("FS1 set"), 0);
}

#[test]
fn no_write_follows_an_event_that_could_not_be_recorded() {
    let whole = ready(&["FS1"]);
    apply(&whole, &two_values(&["FS1"], true)).unwrap();
    let events = whole.with(|world| world.events.len());
    for fails_at in 0..events {
        let fleet = ready(&["FS1"]);
        fleet.with(|world| world.sink_fails_at = fails_at);
        let result = apply(&fleet, &two_values(&["FS1"], true));
        assert!(matches!(result, Err(RunError::Journal(_))), "at {fails_at}: {result:?}");
        check_intents(&fleet);
    }
}

#[test]
fn a_failing_canary_keeps_the_rest_untouched() {
    let fleet = ready(&["FS1", "FS2", "FS3"]);
    fleet.luck("FS1", Luck { refuse_write: Some(0), ..Luck::default() });
    let mut plan = two_values(&["FS1", "FS2", "FS3"], false);
    let names: Vec<HostName> = plan.hosts.keys().cloned().collect();
    let batches = vec![names[..1].to_vec(), names[1..].to_vec()];
    plan.stages = vec![hosts_stage("servers", batches, 0, Vec::new())];
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Aborted);
    for name in ["FS2", "FS3"] {
        assert_eq!(outcome(&report, name), Outcome::NotStarted);
        assert_eq!(fleet.count(&format!("{name} logon")), 0);
    }
}

#[test]
fn a_refused_account_stops_the_run_with_its_own_exit_code() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.luck("FS1", Luck { denied: true, ..Luck::default() });
    let mut plan = two_values(&["FS1", "FS2"], false);
    plan.limits.forks = 1;
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Auth);
    assert_eq!(outcome(&report, "FS2"), Outcome::NotStarted);
    assert_eq!(fleet.count("FS2 logon"), 0);
}

#[test]
fn a_lost_order_is_not_repeated_and_the_restart_is_proved_all_the_same() {
    let fleet = ready(&["FS1"]);
    fleet.luck("FS1", Luck { lose_order: true, ..Luck::default() });
    let report = apply(&fleet, &two_values(&["FS1"], true)).unwrap();
    assert_eq!(outcome(&report, "FS1"), Outcome::Changed { values: 2, restarted: true });
    assert_eq!(orders(&fleet, "FS1"), 1);
}

#[test]
fn a_restart_that_does_not_begin_fails_and_holds_its_domain() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.luck("FS1", Luck { hangs: true, ..Luck::default() });
    let mut plan = two_values(&["FS1", "FS2"], true);
    let names: Vec<HostName> = plan.hosts.keys().cloned().collect();
    plan.stages = vec![hosts_stage("servers", vec![names.clone()], 1, names)];
    let report = apply(&fleet, &plan).unwrap();
    let Outcome::Failed(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::RestartNotBegun);
    assert!(matches!(outcome(&report, "FS2"), Outcome::RestartOwed { values: 2, .. }));
    assert_eq!(fleet.count("FS2 restart-intended"), 0);
    assert!(fleet.value("FS2", &mark::path()).unwrap().starts_with("run-1 "));
    assert_eq!(report.exit, Exit::Partial);
}

#[test]
fn a_fault_of_a_host_that_is_going_down_is_waited_out() {
    for code in [995, 1115, 2_150_859_230] {
        let fleet = ready(&["FS1"]);
        fleet.luck("FS1", Luck { fault_order: Some(code), ..Luck::default() });
        let report = apply(&fleet, &two_values(&["FS1"], true)).unwrap();
        assert_eq!(outcome(&report, "FS1"), Outcome::Changed { values: 2, restarted: true });
        assert_eq!(orders(&fleet, "FS1"), 1, "{code}");
    }
}

#[test]
fn a_fault_in_answer_to_the_order_holds_the_domain() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.luck("FS1", Luck { fault_order: Some(5), ..Luck::default() });
    let mut plan = two_values(&["FS1", "FS2"], true);
    let names: Vec<HostName> = plan.hosts.keys().cloned().collect();
    plan.stages = vec![hosts_stage("servers", vec![names.clone()], 1, names)];
    let report = apply(&fleet, &plan).unwrap();
    assert!(matches!(outcome(&report, "FS1"), Outcome::Failed(_)), "{report:?}");
    assert!(matches!(outcome(&report, "FS2"), Outcome::RestartOwed { .. }), "{report:?}");
    assert_eq!((orders(&fleet, "FS1"), orders(&fleet, "FS2")), (1, 0));
}

#[test]
fn the_journal_of_a_run_begins_and_ends_with_the_run() {
    let fleet = ready(&["FS1"]);
    apply(&fleet, &two_values(&["FS1"], false)).unwrap();
    let events = fleet.with(|world| world.events.clone());
    assert!(matches!(&events[0], Event::RunStarted { format: 2, digest, .. } if digest == "0123"));
    assert_eq!(events.last(), Some(&Event::RunEnded { exit: 0, name: "ok".to_owned() }));
}

#[test]
fn a_restart_that_an_earlier_run_left_owed_is_paid_without_a_write() {
    let fleet = ready(&["FS1"]);
    fleet.put("FS1", &mark::path(), "run-0 2026-01-08T00:00:00Z");
    let mut plan = two_values(&["FS1"], true);
    let host = plan.hosts.get_mut(&HostName::new("FS1")).unwrap();
    host.changes.clear();
    host.restart_owed = Some("run-0 2026-01-08T00:00:00Z".to_owned());
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(outcome(&report, "FS1"), Outcome::Changed { values: 0, restarted: true });
    assert_eq!((orders(&fleet, "FS1"), fleet.value("FS1", &mark::path())), (1, None));
    check_values(&fleet, "FS1", Some("old"), None);
}
