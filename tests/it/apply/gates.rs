//! Gates, hooks, windows and people around the work.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tokio::sync::watch;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::model::care::Drain;
use rmsfleet::model::care::Warning;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::hook::Hook;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::program::RunOn;
use rmsfleet::model::window::Day;
use rmsfleet::model::window::Window;
use rmsfleet::run::action::Stop;
use rmsfleet::run::driver::RunReport;

use crate::apply::apply;
use crate::apply::apply_with;
use crate::apply::check_values;
use crate::apply::orders;
use crate::apply::outcome;
use crate::apply::ready;
use crate::apply::stop::stop_at;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::noon;

fn program(name: &str) -> Gate {
    Gate::Command { argv: vec![name.to_owned()], timeout: 60, run_on: RunOn::Controller }
}

fn approval() -> Gate {
    Gate::Approval { prompt: "go on?".to_owned(), role: None, timeout: 3600 }
}

/// Two restarting hosts of one failure domain, with these gates at hand.
fn gated(gates: &[(&str, Gate)]) -> Plan {
    let mut plan = two_values(&["FS1", "FS2"], true);
    for (name, gate) in gates {
        plan.conditions.gates.insert((*name).to_owned(), gate.clone());
    }
    plan
}

fn with_hooks(mut plan: Plan) -> Plan {
    let hook = |argv: &[&str], undo: Option<&str>| Hook {
        argv: argv.iter().map(|part| (*part).to_owned()).collect(),
        timeout: 60,
        undo: undo.map(str::to_owned),
        run_on: RunOn::Controller,
    };
    plan.conditions.hooks = BTreeMap::from([
        ("out".to_owned(), hook(&["drain", "{{ host.name }}"], Some("in"))),
        ("in".to_owned(), hook(&["back", "{{ host.name }}"], None)),
    ]);
    for host in plan.hosts.values_mut() {
        host.care.drain = Drain::Hook("out".to_owned());
    }
    plan
}

/// Acts on hosts and programs of the controller, in their order.
fn acts(fleet: &Fleet) -> Vec<String> {
    let act = |line: &&String| line.starts_with("program") || line.ends_with(" restart");
    fleet.with(|world| world.log.iter().filter(act).cloned().collect())
}

fn reds(fleet: &Fleet) -> Vec<String> {
    let red = |event: &Event| match event {
        Event::GateFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    fleet.with(|world| world.events.iter().filter_map(red).collect())
}

#[track_caller]
fn check_untouched(fleet: &Fleet, report: &RunReport, exit: Exit) {
    assert_eq!(report.exit, exit);
    for host in ["FS1", "FS2"] {
        assert_eq!(outcome(report, host), Outcome::NotStarted);
        check_values(fleet, host, Some("old"), None);
    }
}

#[test]
fn a_gate_before_the_stage_that_stays_red_stops_the_run_before_the_first_logon() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.with(|world| world.programs.insert("ready".to_owned(), 1));
    let mut plan = gated(&[("farm-ready", program("ready"))]);
    plan.stages[0].gates.before = vec!["farm-ready".to_owned()];
    let report = apply(&fleet, &plan).unwrap();
    check_untouched(&fleet, &report, Exit::Aborted);
    assert_eq!(fleet.count("logon"), 0);
    let expected = "gate `farm-ready` stays red: the program ended with exit 1: ";
    assert_eq!(reds(&fleet), [expected]);
}

#[test]
fn a_red_gate_between_batches_keeps_the_next_batch_untouched() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.with(|world| world.programs.insert("canary".to_owned(), 1));
    let mut plan = gated(&[("canary-fine", program("canary"))]);
    let rmsfleet::model::plan::PlannedWork::Hosts { batches, .. } = &mut plan.stages[0].work else {
        panic!()
    };
    let names = batches.remove(0);
    *batches = names.into_iter().map(|name| vec![name]).collect();
    plan.stages[0].gates.between = vec!["canary-fine".to_owned()];
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Aborted);
    check_values(&fleet, "FS1", Some("1"), Some("2"));
    check_values(&fleet, "FS2", Some("old"), None);
    assert_eq!(outcome(&report, "FS2"), Outcome::NotStarted);
}

#[test]
fn a_soak_looks_at_the_gates_before_it_again_and_again() {
    let fleet = ready(&["FS1", "FS2"]);
    let soak = Gate::Soak { duration: 600, recheck_every: 60 };
    let mut plan = gated(&[("fine", program("look")), ("soak", soak)]);
    plan.stages[0].gates.before = vec!["fine".to_owned(), "soak".to_owned()];
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(fleet.count("program look"), 11, "once, then every minute for ten minutes");
}

#[test]
fn nobody_who_approves_leaves_the_run_paused_and_somebody_lets_it_go_on() {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = gated(&[("human-go", approval())]);
    plan.stages[0].gates.before = vec!["human-go".to_owned()];
    let report = apply(&fleet, &plan).unwrap();
    check_untouched(&fleet, &report, Exit::Paused);
    assert_eq!(fleet.with(|world| world.now.duration_since(noon()).as_secs()), 3600);

    let fleet = ready(&["FS1", "FS2"]);
    says_go(&fleet, 60);
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Ok);
    let by = |event: &Event| matches!(event, Event::GateSeen { green: true, seen, .. } if seen == "anna said go");
    assert!(fleet.with(|world| world.events.iter().any(by)), "who said it stands in the journal");
}

/// Somebody says go so many seconds after the run's start.
fn says_go(fleet: &Fleet, seconds: i64) {
    let at = noon().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    fleet.with(|world| world.promotions.push(at));
}

#[test]
fn a_word_that_is_said_too_late_opens_nothing() {
    let check = |said, expected| {
        let fleet = ready(&["FS1", "FS2"]);
        let gate = Gate::Approval { prompt: "go?".to_owned(), role: None, timeout: 6 };
        let mut plan = gated(&[("human-go", gate)]);
        plan.stages[0].gates.before = vec!["human-go".to_owned()];
        says_go(&fleet, said);
        assert_eq!(apply(&fleet, &plan).unwrap().exit, expected, "said after {said} s");
    };
    check(6, Exit::Ok);
    check(7, Exit::Paused);
}

#[test]
fn a_word_that_was_said_before_its_gate_opened_opens_nothing() {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = gated(&[("first", approval()), ("second", approval())]);
    plan.stages[0].gates.before = vec!["first".to_owned(), "second".to_owned()];
    // Twice for the first gate: the second word is one too many.
    says_go(&fleet, 0);
    says_go(&fleet, 60);
    says_go(&fleet, 60);
    let report = apply(&fleet, &plan).unwrap();
    check_untouched(&fleet, &report, Exit::Paused);
}

/// One word is for one question: the second is asked once the first is answered.
#[test]
fn two_restarted_hosts_ask_a_person_one_after_the_other() {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = gated(&[("human-go", approval())]);
    for host in plan.hosts.values_mut() {
        host.domains.clear();
        host.care.gates_after = vec!["human-go".to_owned()];
    }
    says_go(&fleet, 1500);
    says_go(&fleet, 3000);
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{report:?}");
    let told = fleet.with(|world| {
        let told = |event: &Event| match event {
            Event::GateSeen { gate, green: false, .. } => Some(format!("{gate} asked")),
            Event::GatePassed { gate, .. } => Some(format!("{gate} passed")),
            _ => None,
        };
        world.events.iter().filter_map(told).collect::<Vec<_>>()
    });
    let one = ["human-go asked", "human-go passed"];
    assert_eq!(told, [one, one].concat());
}

/// Both hosts are drained by hooks, and a soak stands behind each restart.
fn soaked() -> Plan {
    let soak = Gate::Soak { duration: 600, recheck_every: 60 };
    let mut plan = with_hooks(gated(&[("serves", program("serves")), ("soak", soak)]));
    for host in plan.hosts.values_mut() {
        host.care.gates_after = vec!["serves".to_owned(), "soak".to_owned()];
    }
    plan
}

#[test]
fn one_press_lets_the_gates_of_a_restarted_host_end_and_two_bring_it_back_at_once() {
    for (level, looks) in [(Stop::Finish, 11), (Stop::SafePoint, 1)] {
        let fleet = ready(&["FS1", "FS2"]);
        let report = stop_at(&fleet, &soaked(), "gate-passed", level);
        assert_eq!(fleet.count("program serves"), looks, "{level:?}");
        assert_eq!(exactly(&acts(&fleet), "program back FS1"), 1, "{level:?}");
        assert_eq!((orders(&fleet, "FS1"), orders(&fleet, "FS2")), (1, 0), "{level:?}");
        assert_eq!(report.exit, Exit::Interrupted, "{level:?}");
        let told = outcome(&report, "FS1");
        if level == Stop::Finish {
            assert_eq!(told, Outcome::Changed { values: 2, restarted: true });
        } else {
            let Outcome::RestartOwed { reason, .. } = told else { panic!("{told:?}") };
            assert!(reason.starts_with("restarted and proved, and its gates"), "{reason}");
        }
    }
}

fn exactly(acts: &[String], act: &str) -> usize {
    acts.iter().filter(|own| *own == act).count()
}

#[test]
fn a_host_is_drained_restarted_and_back_before_the_next_one_of_its_domain() {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = with_hooks(gated(&[("serves", program("serves"))]));
    for host in plan.hosts.values_mut() {
        host.care.gates_after = vec!["serves".to_owned()];
    }
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    let expected = [
        "program drain FS1",
        "FS1 restart",
        "program serves",
        "program back FS1",
        "program drain FS2",
        "FS2 restart",
        "program serves",
        "program back FS2",
    ];
    assert_eq!(acts(&fleet), expected);
}

#[test]
fn a_drain_that_fails_is_taken_back_and_nothing_restarts() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.with(|world| world.programs.insert("drain".to_owned(), 7));
    let report = apply(&fleet, &with_hooks(gated(&[]))).unwrap();
    assert_eq!(acts(&fleet), ["program drain FS1", "program back FS1"]);
    let Outcome::Failed(failure) = outcome(&report, "FS1") else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::Hook);
    assert!(failure.text().contains("hook `out`: exit 7"), "{}", failure.text());
    assert_eq!(report.exit, Exit::Aborted);
}

#[test]
fn a_host_that_does_not_serve_after_its_restart_keeps_the_others_up() {
    let fleet = ready(&["FS1", "FS2"]);
    fleet.with(|world| world.programs.insert("serves".to_owned(), 1));
    let mut plan = with_hooks(gated(&[("serves", program("serves"))]));
    // Only the failure domain holds the second one back.
    if let rmsfleet::model::plan::PlannedWork::Hosts { budget, .. } = &mut plan.stages[0].work {
        *budget = 2;
    }
    for host in plan.hosts.values_mut() {
        host.care.gates_after = vec!["serves".to_owned()];
    }
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!((orders(&fleet, "FS1"), orders(&fleet, "FS2")), (1, 0));
    assert_eq!(fleet.count("program back"), 0, "what does not serve is not put back into service");
    assert!(matches!(outcome(&report, "FS1"), Outcome::Failed(_)), "{report:?}");
    assert!(matches!(outcome(&report, "FS2"), Outcome::RestartOwed { .. }), "{report:?}");
    assert_eq!(report.exit, Exit::Partial);
}

#[test]
fn users_are_warned_so_long_before_the_restart_and_the_wait_counts_it() {
    let fleet = ready(&["FS1", "FS2"]);
    // It goes down so late that without the warning's lead the restart would count as not begun.
    fleet.luck("FS1", Luck { lingers: 890, ..Luck::default() });
    let mut plan = gated(&[]);
    for host in plan.hosts.values_mut() {
        host.care.warn = Some(Warning { message: "save your work".to_owned(), lead: 900 });
    }
    let report = apply(&fleet, &plan).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!((orders(&fleet, "FS1"), orders(&fleet, "FS2")), (1, 1));
}

#[test]
fn outside_its_window_a_host_is_left_alone() {
    let fleet = ready(&["FS1", "FS2"]);
    let mut plan = gated(&[]);
    let window = Window {
        tz: "UTC".to_owned(),
        days: vec![Day::Sat],
        start: 0,
        duration: 4 * 3600,
        cutoff: 0,
    };
    plan.conditions.windows.insert("night".to_owned(), window);
    for host in plan.hosts.values_mut() {
        host.window = Some("night".to_owned());
    }
    let report = apply(&fleet, &plan).unwrap();
    check_untouched(&fleet, &report, Exit::Window);
    assert_eq!(fleet.count("logon"), 0);
    // Friday noon has become Saturday, five past midnight.
    fleet.with(|world| world.now = "2026-01-10T00:05:00Z".parse().unwrap());
    assert_eq!(apply(&fleet, &plan).unwrap().exit, Exit::Ok);
}

#[test]
fn a_pause_from_another_terminal_ends_the_run_resumable() {
    let fleet = ready(&["FS1", "FS2"]);
    let (_sender, stop) = watch::channel(Stop::Pause);
    let report = apply_with(&fleet, &gated(&[]), stop).unwrap();
    check_untouched(&fleet, &report, Exit::Paused);
}
