//! Gates that an earlier process has seen passed.

use jiff::SignedDuration;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Record;
use rmsfleet::journal::reader;
use rmsfleet::model::gate::Gate;
use rmsfleet::model::host::HostName;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::program::RunOn;

use crate::apply::ready;
use crate::apply::two_values;
use crate::imagined::fleet::Fleet;
use crate::imagined::fleet::Luck;
use crate::imagined::hosts_stage;
use crate::imagined::noon;
use crate::resume::Death;
use crate::resume::exactly;
use crate::resume::go_on;
use crate::resume::start;

/// Two batches of one host; between them somebody says go, and then the canary is looked at for long.
fn watched() -> Plan {
    let mut plan = two_values(&["FS1", "FS2"], false);
    let names: Vec<HostName> = plan.hosts.keys().cloned().collect();
    let batches = names.iter().map(|name| vec![name.clone()]).collect();
    plan.stages = vec![hosts_stage("servers", batches, 0, Vec::new())];
    let argv = vec!["look".to_owned()];
    let gates = [
        ("fine", Gate::Command { argv, timeout: 60, run_on: RunOn::Controller }),
        ("soak", Gate::Soak { duration: 600, recheck_every: 60 }),
        ("go", Gate::Approval { prompt: "go on?".to_owned(), role: None, timeout: 3600 }),
    ];
    plan.stages[0].gates.between = gates.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, gate) in gates {
        plan.conditions.gates.insert(name.to_owned(), gate);
    }
    plan
}

/// A gate that can be seen is looked at again; nobody waits or is asked for what was passed.
#[test]
fn what_stands_behind_a_passed_soak_and_a_word_is_resumed_without_them() {
    let plan = watched();
    let word = |fleet: &Fleet| {
        let at = noon().checked_add(SignedDuration::from_secs(700)).unwrap();
        fleet.with(|world| world.promotions.push(at));
    };
    let fleet = ready(&["FS1", "FS2"]);
    word(&fleet);
    let (disk, report) = start(&fleet, &plan, None);
    assert_eq!(report.unwrap().exit, Exit::Ok);
    let (mut without, mut anew) = (0, 0);
    for at in 0..disk.lines() {
        let fleet = ready(&["FS1", "FS2"]);
        word(&fleet);
        let (disk, _) = start(&fleet, &plan, Some((at, Death::After)));
        let told = reader::parse(&disk.bytes()).unwrap().records;
        let passed = |record: &Record| matches!(record.event, Event::BatchStarted { batch: 2, .. });
        let is_passed = told.iter().any(passed);
        let looks = exactly(&fleet, "program look");
        let (_, report) = go_on(&fleet, &plan, &disk, None);
        let exit = report.unwrap().exit;
        let more = exactly(&fleet, "program look") - looks;
        if is_passed {
            assert_eq!((exit, more), (Exit::Ok, 1), "line {at}");
            without += 1;
        } else {
            anew += usize::from(more > 1);
        }
    }
    assert!(without > 3 && anew > 3, "{without} {anew}");
}

/// What one process has seen passed says nothing of what another did after it.
#[test]
fn gates_are_asked_anew_for_work_that_came_after_they_were_passed() {
    let mut plan = watched();
    let go = |plan: &mut Plan| {
        let stage = &mut plan.stages[0];
        stage.gates.after = std::mem::take(&mut stage.gates.between);
        let PlannedWork::Hosts { batches, budget, .. } = &mut stage.work else { panic!() };
        (*batches, *budget) = (vec![batches.concat()], 1);
    };
    go(&mut plan);
    let fleet = ready(&["FS1", "FS2"]);
    fleet.luck("FS2", Luck { unreachable: true, ..Luck::default() });
    fleet.with(|world| world.promotions.push(noon() + SignedDuration::from_secs(700)));
    let (mut disk, report) = start(&fleet, &plan, None);
    assert_eq!(report.unwrap().exit, Exit::Unreachable, "the gates were passed for FS1 alone");
    fleet.luck("FS2", Luck::default());
    for process in 2..5 {
        let (next, report) = go_on(&fleet, &plan, &disk, None);
        assert_eq!(report.unwrap().exit, Exit::Paused, "nobody said go for FS2: {process}");
        disk = next;
    }
}
