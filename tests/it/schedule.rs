//! Runs by a script: what the scheduler asks for, line by line.

use std::collections::BTreeMap;

use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::step::Act;
use rmsfleet::model::window::Day;
use rmsfleet::model::window::Window;
use rmsfleet::run::action::Action;
use rmsfleet::run::action::Configured;
use rmsfleet::run::action::Happened;
use rmsfleet::run::action::Looked;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Restarted;
use rmsfleet::run::action::StepDone;
use rmsfleet::run::action::StepOutcome;
use rmsfleet::run::scheduler::Scheduler;

use crate::imagined::change;
use crate::imagined::hosts_stage;
use crate::imagined::irm;
use crate::imagined::noon;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::imagined::step;
use crate::imagined::step_stage;

/// Drives a run by a script: what each host answers, in the order asked.
#[track_caller]
fn check(
    plan: &Plan,
    confirmed: &[&str],
    answers: impl Fn(&Action) -> Option<Happened>,
    expected: &[&str],
) -> Scheduler<'static> {
    let confirmed = confirmed.iter().map(|name| (*name).to_owned()).collect();
    check_with(plan, Options { confirmed, ..Options::default() }, answers, expected)
}

#[track_caller]
fn check_with(
    plan: &Plan,
    options: Options,
    answers: impl Fn(&Action) -> Option<Happened>,
    expected: &[&str],
) -> Scheduler<'static> {
    let plan: &'static Plan = Box::leak(Box::new(plan.clone()));
    let mut scheduler = Scheduler::new(plan, options);
    let mut log = Vec::new();
    let mut waiting = Vec::new();
    loop {
        while let Some(action) = scheduler.poll(noon()) {
            waiting.extend(answers(&action));
            log.extend(line(&action));
        }
        if waiting.is_empty() {
            break;
        }
        scheduler.handle(waiting.remove(0));
    }
    assert_eq!(log, expected);
    scheduler
}

fn line(action: &Action) -> Option<String> {
    Some(match action {
        Action::StageStarted { .. }
        | Action::StageEnded { .. }
        | Action::Look { .. }
        | Action::Rank { .. } => return None,
        Action::BatchStarted { batch, .. } => format!("batch {batch}"),
        Action::Configure(host) => format!("configure {host}"),
        Action::Restart(host) => format!("restart {host}"),
        Action::Gates { place, .. } => format!("gates {place:?}"),
        Action::Hooks { stage, turn } => format!("hooks {stage:?} {turn:?}"),
        Action::Step { stage } => format!("step {stage}"),
        Action::StepUnchanged { stage } => format!("step {stage} unchanged"),
        Action::StepHeld { stage, reason } => format!("step {stage} held: {reason}"),
        Action::HostEnded { host, outcome } => match outcome {
            Outcome::Unchanged => format!("{host} unchanged"),
            Outcome::Changed { values, restarted: false } => format!("{host} changed {values}"),
            Outcome::Changed { values, restarted: true } => format!("{host} restarted {values}"),
            Outcome::RestartOwed { reason, .. } => format!("{host} owes a restart: {reason}"),
            Outcome::Refused(_) => format!("{host} refused"),
            Outcome::InDoubt(_) => format!("{host} in doubt"),
            Outcome::Failed(_) => format!("{host} failed"),
            Outcome::Unreachable(_) => format!("{host} unreachable"),
            Outcome::NotStarted => format!("{host} not started"),
            Outcome::Blocked => format!("{host} blocked"),
        },
        Action::Halt { reason } => format!("halt: {reason}"),
        Action::Finish(exit) => exit.to_string(),
    })
}

fn well(action: &Action) -> Option<Happened> {
    Some(match action {
        Action::Configure(host) => {
            Happened::Configured { host: host.clone(), result: Configured::Verified(1) }
        }
        Action::Look { host, .. } => Happened::Looked { host: host.clone(), result: Looked::Clear },
        Action::Rank { stage, .. } => {
            Happened::Ranked { stage: *stage, ranks: BTreeMap::default() }
        }
        Action::Restart(host) => {
            Happened::Restarted { host: host.clone(), result: Restarted::Proved }
        }
        Action::Step { stage } => {
            Happened::StepEnded { stage: *stage, result: Ok(StepDone::Verified(irm(true).into())) }
        }
        _ => return None,
    })
}

fn failing(name: &str, kind: FailureKind) -> impl Fn(&Action) -> Option<Happened> {
    move |action| match action {
        Action::Configure(host) if host.as_str() == name => Some(Happened::Configured {
            host: host.clone(),
            result: Configured::Failed(Failure::new(kind, "broken")),
        }),
        other => well(other),
    }
}

/// Two hosts that change, in two batches, and one that was equal; then the step.
fn small(budget: u32) -> Plan {
    let mut hosts = vec![planned("EX1"), planned("EX2"), planned("EX3")];
    for host in &mut hosts[..2] {
        host.changes = vec![change("Name", None, Some("data"))];
    }
    let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
    let batches = vec![vec![names[0].clone()], vec![names[1].clone()]];
    let mut step = step("Contoso");
    step.needs = names;
    plan(hosts, vec![hosts_stage("exchange", batches, budget, Vec::new()), step_stage("irm", step)])
}

#[test]
fn a_host_that_was_equal_is_read_again_before_the_step_that_needs_it() {
    let scheduler = check(
        &small(0),
        &["CONTOSO"],
        |action| match action {
            Action::Configure(host) if host.as_str() == "EX3" => {
                Some(Happened::Configured { host: host.clone(), result: Configured::Verified(0) })
            }
            other => well(other),
        },
        &[
            "batch 0",
            "configure EX1",
            "EX1 changed 1",
            "batch 1",
            "configure EX2",
            "EX2 changed 1",
            "configure EX3",
            "EX3 unchanged",
            "step 1",
            "exit 0 (ok)",
        ],
    );
    assert_eq!(scheduler.steps()[&1], StepOutcome::Verified(irm(true).into()));
}

#[test]
fn a_batch_that_is_left_out_altogether_is_not_announced() {
    check_with(
        &small(0),
        Options { left_out: [HostName::new("EX1")].into(), ..Options::default() },
        well,
        &[
            "EX1 not started",
            "batch 1",
            "configure EX2",
            "EX2 changed 1",
            "step 1 held: not verified: EX1",
            "EX3 unchanged",
            "exit 8 (paused)",
        ],
    );
}

#[test]
fn without_a_confirmation_the_run_pauses_before_the_step() {
    check(
        &small(0),
        &["Fabrikam"],
        well,
        &[
            "batch 0",
            "configure EX1",
            "EX1 changed 1",
            "batch 1",
            "configure EX2",
            "EX2 changed 1",
            "step 1 held: organisation `Contoso` is not confirmed by name",
            "halt: organisation `Contoso` is not confirmed by name",
            "EX3 unchanged",
            "exit 8 (paused)",
        ],
    );
}

#[test]
fn a_failing_canary_stops_the_rest_by_the_budget() {
    check(
        &small(0),
        &["Contoso"],
        failing("EX1", FailureKind::WriteRefused),
        &[
            "batch 0",
            "configure EX1",
            "EX1 failed",
            "halt: 1 of 2 hosts failed, the budget bears 0",
            "EX2 not started",
            "EX3 unchanged",
            "step 1 held: the run stopped before it",
            "exit 5 (aborted)",
        ],
    );
}

#[test]
fn a_borne_failure_holds_the_step_and_nothing_else() {
    check(
        &small(1),
        &["Contoso"],
        failing("EX1", FailureKind::WriteRefused),
        &[
            "batch 0",
            "configure EX1",
            "EX1 failed",
            "batch 1",
            "configure EX2",
            "EX2 changed 1",
            "step 1 held: not verified: EX1",
            "EX3 unchanged",
            "exit 4 (partial)",
        ],
    );
}

#[test]
fn a_host_that_moved_is_no_failure_for_the_budget() {
    check(
        &small(0),
        &["Contoso"],
        failing("EX1", FailureKind::Drifted),
        &[
            "batch 0",
            "configure EX1",
            "EX1 refused",
            "batch 1",
            "configure EX2",
            "EX2 changed 1",
            "step 1 held: not verified: EX1",
            "EX3 unchanged",
            "exit 3 (refused)",
        ],
    );
}

#[test]
fn an_account_refused_at_its_first_logon_stops_the_run_at_once() {
    check(
        &small(9),
        &["Contoso"],
        failing("EX1", FailureKind::Denied),
        &[
            "batch 0",
            "configure EX1",
            "EX1 failed",
            "halt: an account was refused at its first logon: broken",
            "EX2 not started",
            "EX3 unchanged",
            "step 1 held: the run stopped before it",
            "exit 77 (auth)",
        ],
    );
}

#[test]
fn an_account_that_works_elsewhere_fails_one_host_only() {
    let plan = small(1);
    let mut scheduler = Scheduler::new(&plan, Options::default());
    while scheduler.poll(noon()).is_some() {}
    scheduler.handle(Happened::LoggedOn(HostName::new("EX3")));
    let result = Configured::Failed(Failure::new(FailureKind::Denied, "no"));
    scheduler.handle(Happened::Configured { host: HostName::new("EX1"), result });
    let next: Vec<Action> = std::iter::from_fn(|| scheduler.poll(noon())).collect();
    assert!(next.contains(&Action::Configure(HostName::new("EX2"))), "{next:?}");
}

#[test]
fn a_run_that_finds_another_one_at_a_host_before_its_restart_starts_nothing_more() {
    let mut plan = small(9);
    for host in plan.hosts.values_mut() {
        host.domains = vec![FailureDomain { id: "dag:DAG1".to_owned(), max_unavailable: 1 }];
    }
    let PlannedWork::Hosts { restarts, .. } = &mut plan.stages[0].work else { panic!() };
    *restarts = vec![HostName::new("EX1"), HostName::new("EX2")];
    check(
        &plan,
        &["Contoso"],
        |action| match action {
            Action::Look { host, .. } => {
                let result = Looked::Leased("another run's".to_owned());
                Some(Happened::Looked { host: host.clone(), result })
            }
            other => well(other),
        },
        &[
            "batch 0",
            "configure EX1",
            "batch 1",
            "configure EX2",
            "EX1 owes a restart: another run's",
            "halt: EX1: another run's",
            "EX2 owes a restart: the run stopped before its restart",
            "EX3 unchanged",
            "step 1 held: the run stopped before it",
            "exit 10 (locked)",
        ],
    );
}

#[test]
fn servers_that_the_inventory_lacks_hold_the_step_until_waived() {
    let mut plan = small(0);
    let hold = |plan: &mut Plan, waived: &[&str]| {
        let PlannedWork::Step(step) = &mut plan.stages[1].work else { panic!() };
        step.missing = vec!["EX98".to_owned(), "EX99".to_owned()];
        step.waived = waived.iter().map(|name| (*name).to_owned()).collect();
    };
    hold(&mut plan, &["ex98"]);
    let lines = |end: &[&'static str]| {
        let mut all = vec!["batch 0", "configure EX1", "EX1 changed 1", "batch 1"];
        all.extend(["configure EX2", "EX2 changed 1"]);
        all.extend(end);
        all
    };
    check(
        &plan,
        &["Contoso"],
        well,
        &lines(&["step 1 held: not in the inventory: EX99", "EX3 unchanged", "exit 8 (paused)"]),
    );
    hold(&mut plan, &["ex98", "EX99"]);
    check(
        &plan,
        &["Contoso"],
        well,
        &lines(&["configure EX3", "EX3 changed 1", "step 1", "exit 0 (ok)"]),
    );
}

/// Three file servers of one cluster that restart.
fn cluster(budget: u32) -> Plan {
    let mut hosts = vec![planned("FS1"), planned("FS2"), planned("FS3")];
    for host in &mut hosts {
        host.changes = vec![change("Name", None, Some("data"))];
        host.restart = true;
        host.domains.push(FailureDomain { id: "cluster:C".to_owned(), max_unavailable: 1 });
    }
    let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
    plan(hosts, vec![hosts_stage("fci", vec![names.clone()], budget, names)])
}

#[test]
fn an_unproved_restart_closes_its_failure_domain() {
    check(
        &cluster(1),
        &[],
        |action| match action {
            Action::Restart(host) => Some(Happened::Restarted {
                host: host.clone(),
                result: Restarted::NotProved(Failure::new(FailureKind::NotBack, "silent")),
            }),
            other => well(other),
        },
        &[
            "batch 0",
            "configure FS1",
            "configure FS2",
            "configure FS3",
            "restart FS1",
            "FS1 failed",
            "FS2 owes a restart: the restart of FS1 in `cluster:C` is not proved",
            "FS3 owes a restart: the restart of FS1 in `cluster:C` is not proved",
            "exit 4 (partial)",
        ],
    );
}

#[test]
fn a_node_that_does_not_answer_counts_as_down() {
    check(
        &cluster(1),
        &[],
        failing("FS2", FailureKind::Unreachable),
        &[
            "batch 0",
            "configure FS1",
            "configure FS2",
            "configure FS3",
            "FS2 unreachable",
            "FS1 owes a restart: 1 of at most 1 hosts of `cluster:C` are down",
            "FS3 owes a restart: 1 of at most 1 hosts of `cluster:C` are down",
            "exit 6 (unreachable)",
        ],
    );
}

#[test]
fn a_node_that_went_away_in_the_middle_counts_as_down() {
    check(
        &cluster(1),
        &[],
        failing("FS2", FailureKind::InDoubt),
        &[
            "batch 0",
            "configure FS1",
            "configure FS2",
            "configure FS3",
            "FS2 in doubt",
            "FS1 owes a restart: 1 of at most 1 hosts of `cluster:C` are down",
            "FS3 owes a restart: 1 of at most 1 hosts of `cluster:C` are down",
            "exit 4 (partial)",
        ],
    );
}

#[test]
fn a_step_that_holds_already_sends_nothing() {
    let mut step = step("Contoso");
    step.satisfied = true;
    let plan = plan(vec![planned("EX1")], vec![step_stage("irm", step)]);
    check(&plan, &[], well, &["step 0 unchanged", "EX1 unchanged", "exit 0 (ok)"]);
}

/// What is done once for all goes through one server, and keeps to that server's window too.
#[test]
fn a_step_waits_for_the_window_of_the_server_that_it_is_sent_through() {
    let (days, tz) = (vec![Day::Sat], "UTC".to_owned());
    let window = Window { tz, days, start: 0, duration: 4 * 3600, cutoff: 0 };
    let mut host = planned("EX1");
    host.window = Some("night".to_owned());
    let mut local = step("Contoso");
    local.act = Act::CycleServices { services: vec!["W3SVC".to_owned()] };
    let mut elsewhere = step("Contoso");
    elsewhere.via = HostName::new("EX2");
    for (step, waits) in [(step("Contoso"), true), (local, true), (elsewhere, false)] {
        let mut plan = plan(vec![host.clone()], vec![step_stage("step", step)]);
        plan.conditions.windows.insert("night".to_owned(), window.clone());
        let confirmed = ["Contoso".to_owned()].into();
        let mut scheduler = Scheduler::new(&plan, Options { confirmed, ..Options::default() });
        let told: Vec<Action> = std::iter::from_fn(|| scheduler.poll(noon())).collect();
        let held = told.iter().any(|action| matches!(action, Action::StepHeld { .. }));
        let begun = told.iter().any(|action| matches!(action, Action::Step { .. }));
        assert_eq!((held, begun), (waits, !waits), "{told:?}");
    }
}
