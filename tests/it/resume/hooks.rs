//! A run with hooks around stages and around itself, killed at each of its records, and taken back.

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Phase;
use rmsfleet::journal::reader;
use rmsfleet::model::care::Drain;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::hook::Hook;
use rmsfleet::model::host::HostName;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::program::RunOn;
use rmsfleet::model::window::Day;
use rmsfleet::model::window::Window;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::history::History;
use rmsfleet::run::scheduler::is_finished;

use crate::apply::around::hooked;
use crate::apply::ready;
use crate::resume::Death;
use crate::resume::exactly;
use crate::resume::go_on;
use crate::resume::pass_time;
use crate::resume::start;
use crate::resume::start_as;
use crate::resume::undone::back;

const BEFORE: [&str; 2] = ["program ticket run-1", "program mute one"];

/// INVARIANT: no hook runs a second time without the journal saying so first, each that was begun
/// is taken back, and the taking back comes last.
#[test]
fn killed_at_any_record_no_hook_is_doubled_in_silence_and_each_is_taken_back() {
    let plan = hooked();
    let fleet = ready(&["FS1", "FS2"]);
    let (disk, report) = start(&fleet, &plan, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    let lines = disk.lines();
    let (mut kept, mut again_somewhere) = (0, 0);
    for death in [Death::After, Death::Before, Death::Torn] {
        for at in 0..lines {
            let what = format!("{death:?} at line {at}");
            let fleet = ready(&["FS1", "FS2"]);
            let (disk, died) = start(&fleet, &plan, Some((at, death)));
            assert!(matches!(died, Err(RunError::Journal(_))), "{what}");
            let (disk, report) = go_on(&fleet, &plan, &disk, None);
            assert_eq!(report.unwrap().exit, Exit::Ok, "{what}");
            let records = reader::parse(&disk.bytes()).unwrap().records;
            let agains = |name: &str| {
                let again = |event: &Event| {
                    matches!(
                        event,
                        Event::StageHookIntended { errand, again: true } if errand.hook == name
                    )
                };
                records.iter().filter(|record| again(&record.event)).count()
            };
            let programs = [
                ("open", "program ticket run-1"),
                ("quiet", "program mute one"),
                ("loud", "program unmute one"),
                ("shut", "program close run-1"),
            ];
            for (hook, program) in programs {
                let ran = exactly(&fleet, program);
                let fresh = ran.saturating_sub(agains(hook));
                assert!(ran >= 1 && fresh <= 1, "{what}: {program} ran {ran} times");
                again_somewhere += agains(hook);
            }
            for name in ["program mail one", "program mail "] {
                let ran = exactly(&fleet, name);
                assert!(ran >= 1 && ran <= 1 + agains("mail"), "{what}: {name} ran {ran} times");
            }
            let skipped = |event: &Event| matches!(event, Event::StageHookSkipped { .. });
            kept += records.iter().filter(|record| skipped(&record.event)).count();
            let log = fleet.with(|world| world.log.clone());
            let last = |name: &str| log.iter().rposition(|line| line == name).unwrap();
            assert!(last(BEFORE[0]) < last("program close run-1"), "{what}");
            assert!(last(BEFORE[1]) < last("program unmute one"), "{what}");
            assert!(is_finished(&plan, &History::of(&records)), "{what}");
        }
    }
    assert!(kept > 0, "no hook that stood was left alone");
    assert!(again_somewhere > 0, "no hook in doubt ran again");
}

/// Alerts are muted and a host is drained on the way back as on the way there; who is told that all
/// is done, is not told so twice.
#[test]
fn a_way_back_runs_the_hooks_around_its_work_and_none_that_followed_the_rollout() {
    let plan = drained();
    let fleet = ready(&["FS1", "FS2"]);
    let (disk, _) = start(&fleet, &plan, None);
    pass_time(&fleet, 4000);
    let undo = back(&fleet, &plan, &disk, "run-1");
    let notes: Vec<&str> = undo.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(notes.iter().any(|text| text.starts_with("hook `mail` follows")), "{notes:?}");
    fleet.with(|world| world.log.clear());
    let (_, report) = start_as("run-2", &fleet, &undo, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    let ran = fleet.with(|world| {
        let programs = world.log.iter().filter(|line| line.starts_with("program"));
        programs.cloned().collect::<Vec<_>>()
    });
    let expected = [
        "program ticket run-2",
        "program mute one",
        "program unmute one",
        "program drain FS2",
        "program enable FS2",
        "program close run-2",
    ];
    assert_eq!(ran, expected);
}

/// What an earlier process opened for a later stage is taken back by the one that does not come so far.
#[test]
fn a_resume_that_ends_before_a_stage_takes_back_what_was_begun_for_it() {
    let mut plan = hooked();
    plan.stages[1].hooks = std::mem::take(&mut plan.stages[0].hooks);
    let ready_now =
        Gate::Command { argv: vec!["ready".to_owned()], timeout: 60, run_on: RunOn::Controller };
    plan.conditions.gates.insert("ready".to_owned(), ready_now);
    plan.stages[0].gates.before = vec!["ready".to_owned()];
    let lines = start(&ready(&["FS1", "FS2"]), &plan, None).0.lines();
    let mut taken_back = 0;
    for at in 0..lines - 1 {
        let fleet = ready(&["FS1", "FS2"]);
        let (disk, died) = start(&fleet, &plan, Some((at, Death::After)));
        assert!(matches!(died, Err(RunError::Journal(_))), "{at}");
        fleet.with(|world| world.programs.insert("ready".to_owned(), 1));
        let began = exactly(&fleet, "program mute two") > 0;
        let (disk, report) = go_on(&fleet, &plan, &disk, None);
        let exit = report.unwrap().exit;
        if began {
            assert_eq!(exit, Exit::Aborted, "{at}");
            assert!(exactly(&fleet, "program unmute two") > 0, "{at}");
            assert!(exactly(&fleet, "program close run-1") > 0, "{at}");
            taken_back += 1;
        }
        let open = History::of(&reader::parse(&disk.bytes()).unwrap().records).hooks;
        assert!(!open.open().any(|(_, hook)| hook == "quiet" || hook == "open"), "{at}");
    }
    assert!(taken_back > 0);
}

/// FS2 is drained by a program and restarted; the run dies while the program runs.
fn drained() -> Plan {
    let mut plan = hooked();
    let hook = |program: &str, undo: Option<&str>| Hook {
        argv: vec![program.to_owned(), "{{ host.name }}".to_owned()],
        timeout: 60,
        undo: undo.map(str::to_owned),
        run_on: RunOn::Controller,
    };
    plan.conditions.hooks.insert("out".to_owned(), hook("drain", Some("in")));
    plan.conditions.hooks.insert("in".to_owned(), hook("enable", None));
    let host = plan.hosts.get_mut(&HostName::new("FS2")).unwrap();
    host.restart = true;
    host.care.drain = Drain::Hook("out".to_owned());
    let PlannedWork::Hosts { restarts, .. } = &mut plan.stages[1].work else { unreachable!() };
    restarts.push(HostName::new("FS2"));
    plan
}

#[test]
fn every_phase_around_a_restart_tells_the_one_time_it_has() {
    let mut plan = drained();
    plan.conditions.gates.insert("port".to_owned(), Gate::Tcp { port: 443, within: 120 });
    let host = plan.hosts.get_mut(&HostName::new("FS2")).unwrap();
    host.care.gates_after = vec!["port".to_owned()];
    let timeout = host.restart_timeout;
    let (disk, report) = start(&ready(&["FS1", "FS2"]), &plan, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    let records = reader::parse(&disk.bytes()).unwrap().records;
    let phases: Vec<(Phase, u32)> = records
        .iter()
        .filter_map(|record| match &record.event {
            Event::PhaseStarted { host, phase, budget } if host.as_str() == "FS2" => {
                Some((*phase, *budget))
            }
            _ => None,
        })
        .collect();
    let settle = timeout.min(900);
    let expected = [
        (Phase::Drain, 60),
        (Phase::Restart, timeout),
        (Phase::Settle, settle),
        (Phase::Gates, 120),
        (Phase::Back, 60),
    ];
    assert_eq!(phases, expected);
    let gate = |event: &Event| matches!(event, Event::GateStarted { budget: Some(120), .. });
    assert!(records.iter().any(|record| gate(&record.event)));
}

/// A host that a program may have taken out of service is no host that was not started.
#[test]
fn killed_at_any_record_a_host_drained_by_a_program_is_back_in_or_outside_its_window() {
    let (mut again_somewhere, mut back_alone) = (0, 0);
    let lines = start(&ready(&["FS1", "FS2"]), &drained(), None).0.lines();
    for closed in [false, true] {
        let mut plan = drained();
        let (days, tz) = (vec![Day::Fri], "UTC".to_owned());
        let window = Window { tz, days, start: 11 * 60, duration: 12 * 3600, cutoff: 0 };
        plan.conditions.windows.insert("night".to_owned(), window);
        plan.hosts.get_mut(&HostName::new("FS2")).unwrap().window = Some("night".to_owned());
        for at in 0..lines {
            let what = format!("closed {closed}, at line {at}");
            let fleet = ready(&["FS1", "FS2"]);
            let (disk, died) = start(&fleet, &plan, Some((at, Death::After)));
            assert!(matches!(died, Err(RunError::Journal(_))), "{what}");
            let before = exactly(&fleet, "FS2 restart");
            pass_time(&fleet, if closed { 24 * 3600 } else { 60 });
            let (disk, report) = go_on(&fleet, &plan, &disk, None);
            let report = report.unwrap();
            let ran = |program: &str| exactly(&fleet, &format!("program {program} FS2"));
            let restarts = exactly(&fleet, "FS2 restart");
            if closed {
                assert_eq!(restarts, before, "{what}: {report:?}");
                back_alone += usize::from(restarts == 0 && ran("enable") > 0);
            } else {
                assert_eq!((restarts, report.exit), (1, Exit::Ok), "{what}");
            }
            assert!(ran("drain") == 0 || ran("enable") > 0, "{what}: left out of service");
            let records = reader::parse(&disk.bytes()).unwrap().records;
            let again = |event: &Event| matches!(event, Event::HookIntended { again: true, .. });
            let agains = records.iter().filter(|record| again(&record.event)).count();
            assert!(ran("drain") + ran("enable") <= 2 + agains, "{what}: in silence");
            again_somewhere += agains;
        }
    }
    assert!(again_somewhere > 0 && back_alone > 0, "{again_somewhere} {back_alone}");
}
