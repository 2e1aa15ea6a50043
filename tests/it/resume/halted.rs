//! A process dies, and the next one is stopped before it comes to what the first has left: it must not
//! say less of it, and nothing of it may be lost to an undo.

use std::collections::BTreeMap;

use rmsfleet::error::Exit;
use rmsfleet::event::Event;
use rmsfleet::event::Phase;
use rmsfleet::event::Record;
use rmsfleet::journal::chain;
use rmsfleet::journal::reader;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::registry::KeyPath;
use rmsfleet::model::registry::Value;
use rmsfleet::model::registry::ValueName;
use rmsfleet::run::action::Stop;
use rmsfleet::run::history::History;

use crate::imagined::fleet::Fleet;
use crate::imagined::noon;
use crate::resume::Death;
use crate::resume::NAMES;
use crate::resume::exactly;
use crate::resume::farm;
use crate::resume::go_on;
use crate::resume::go_on_under;
use crate::resume::machines;
use crate::resume::pass_time;
use crate::resume::start;
use crate::resume::start_as;
use crate::resume::undisturbed;
use crate::resume::undone::back;

type Values = BTreeMap<(KeyPath, ValueName), Value>;

/// What a machine holds, leases, marks and empty keys left out: a lost record tells of no key.
fn values(fleet: &Fleet, name: &str) -> Values {
    let ours = KeyPath::new(rmsfleet::model::lease::MARKS_KEY);
    let registry = fleet.with(|world| world.machines[name].registry.clone());
    let keys = registry.into_iter().filter(|(key, _)| *key != ours);
    keys.flat_map(|(key, values)| {
        values.into_iter().map(move |(name, value)| ((key.clone(), name), value))
    })
    .collect()
}

#[track_caller]
fn check(death: Death) {
    let plan = farm();
    let (_, lines) = undisturbed(&plan);
    let mut in_doubt = 0;
    for at in (0..lines).step_by(3) {
        let what = format!("{death:?} at line {at}");
        let fleet = machines();
        let untouched: Vec<Values> = NAMES.map(|name| values(&fleet, name)).to_vec();
        let (disk, _) = start(&fleet, &plan, Some((at, death)));
        pass_time(&fleet, 4000);
        let (disk, report) = go_on_under(Stop::Pause, "run-1", &fleet, &plan, &disk, None);
        let Ok(report) = report else { panic!("{what}: {report:?}") };
        chain::verify(&disk.bytes(), Some("0123")).unwrap();
        for (place, name) in NAMES.into_iter().enumerate() {
            let outcome = &report.outcomes[&HostName::new(name)];
            if values(&fleet, name) != untouched[place] {
                assert_ne!(*outcome, Outcome::NotStarted, "{what}: {name} holds our values");
            }
            in_doubt += usize::from(matches!(outcome, Outcome::InDoubt(_)));
        }
        let records = reader::parse(&disk.bytes()).unwrap().records;
        let written = History::of(&records).written();
        if exactly(&fleet, "EX1 Set-IRMConfiguration") > 0 {
            let told = written.steps.iter().any(|(_, stage)| stage == "organisation");
            let begun = written.begun.contains("organisation");
            assert!(told || begun, "{what}: the step is lost");
        }
        if at % 2 == 0 {
            // Whoever goes on ends as if nobody had stopped.
            let (_, report) = go_on(&fleet, &plan, &disk, None);
            assert_eq!(report.unwrap().exit, Exit::Ok, "{what}");
        } else {
            let undo = back(&fleet, &plan, &disk, "run-1");
            let (_, undone) = start_as("run-2", &fleet, &undo, None);
            assert_eq!(undone.unwrap().exit, Exit::Ok, "{what}");
            for (place, name) in NAMES.into_iter().enumerate() {
                assert_eq!(values(&fleet, name), untouched[place], "{what}: {name} after the undo");
            }
        }
    }
    assert!(in_doubt > 10, "{in_doubt}");
}

#[test]
fn stopped_after_a_death_a_run_forgets_nothing() {
    check(Death::After);
}

#[test]
fn stopped_after_a_death_before_a_record_a_run_forgets_nothing() {
    check(Death::Before);
}

#[test]
fn stopped_after_a_death_that_took_a_record_a_run_forgets_nothing() {
    check(Death::Lost);
}

fn history(events: Vec<Event>) -> History {
    let record = |event| Record { seq: 0, ts: noon(), run: "run-1".to_owned(), event };
    History::of(&events.into_iter().map(record).collect::<Vec<_>>())
}

fn resumed() -> Event {
    Event::RunResumed {
        segment: 2,
        tool: String::new(),
        operator: String::new(),
        workstation: String::new(),
        torn: None,
    }
}

fn entered(stage: &str) -> Event {
    Event::StageStarted { stage: stage.to_owned() }
}

fn failed(kind: FailureKind) -> Event {
    let failure = Failure::new(kind, "so");
    Event::StepFailed { organisation: "Contoso".to_owned(), step: "irm".to_owned(), failure }
}

#[test]
fn every_stage_in_which_a_process_died_may_have_done_its_step() {
    let begun = |events| history(events).begun().into_iter().collect::<Vec<_>>();
    assert_eq!(
        begun(vec![entered("irm"), resumed(), entered("servers"), resumed()]),
        ["irm", "servers"]
    );
    let unreached = vec![entered("irm"), resumed(), failed(FailureKind::Unreachable)];
    assert_eq!(begun(unreached), ["irm"], "nobody has looked");
    let read = vec![entered("irm"), resumed(), failed(FailureKind::Drifted)];
    assert_eq!(begun(read), [""; 0], "it was read, and is not there");
}

#[test]
fn what_a_later_process_told_of_a_host_stays_its_last_word() {
    let host = || HostName::new("FS1");
    let started = || Event::HostStarted { host: host(), phase: Phase::Registry };
    let told = Outcome::Failed(Failure::new(FailureKind::WriteRefused, "restored"));
    let ended = || Event::HostEnded { host: host(), outcome: told.clone() };
    let left = |events| history(events).left(&host());
    let is_doubt = |left: Option<Outcome>| matches!(left, Some(Outcome::InDoubt(_)));
    assert!(is_doubt(left(vec![started()])));
    assert!(is_doubt(left(vec![started(), resumed()])));
    assert!(is_doubt(left(vec![started(), ended(), resumed(), started(), resumed()])), "older");
    assert_eq!(left(vec![started(), resumed(), started(), ended(), resumed()]), Some(told.clone()));
    assert_eq!(left(vec![resumed()]), None);
}
