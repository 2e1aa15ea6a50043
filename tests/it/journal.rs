//! Journals on a real disk: written, cut short, read again, and read as yesterday wrote them.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use rmsfleet::event::Event;
use rmsfleet::event::JOURNAL_FORMAT;
use rmsfleet::event::Record;
use rmsfleet::event::Sink;
use rmsfleet::journal::reader;
use rmsfleet::journal::reader::ReadError;
use rmsfleet::journal::store::Store;
use rmsfleet::journal::store::StoreError;
use rmsfleet::journal::summary::HostSummary;
use rmsfleet::journal::summary::RunSummary;
use rmsfleet::journal::summary::StepSummary;
use rmsfleet::journal::summary::summarise;
use rmsfleet::journal::writer;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::step::StepState;
use rmsfleet::run::history::History;
use rmsfleet::run::history::StepHistory;

use crate::imagined::change;
use crate::imagined::irm;
use crate::imagined::noon;

const FIXTURE: &[u8] = include_bytes!("../fixtures/journal-1.jsonl");

fn started(plan: &str) -> Event {
    Event::RunStarted {
        format: JOURNAL_FORMAT,
        tool: "rmsfleet test".to_owned(),
        plan: plan.to_owned(),
        digest: "0123".to_owned(),
        operator: "admin".to_owned(),
        workstation: "desk".to_owned(),
        lab: true,
        undoes: None,
        rehearsal: false,
    }
}

fn write(path: &Path, events: &[Event]) -> Vec<Record> {
    let mut seen = Vec::new();
    let mut journal =
        writer::create(path, "run-1", noon, |record: &Record| seen.push(record.clone())).unwrap();
    for event in events {
        journal.emit(event.clone()).unwrap();
    }
    drop(journal);
    seen
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn fs1() -> HostName {
    HostName::new("FS1")
}

fn intended(index: usize) -> Event {
    Event::ChangeIntended { host: fs1(), index, change: change("One", None, Some("1")) }
}

/// Folds events as if they had been read back.
fn fold(events: &[Event]) -> RunSummary {
    let records: Vec<Record> = [started("plan-1")]
        .iter()
        .chain(events)
        .enumerate()
        .map(|(seq, event)| Record {
            seq: seq as u64,
            ts: noon(),
            run: "run-1".to_owned(),
            event: event.clone(),
        })
        .collect();
    summarise(&records)
}

#[track_caller]
fn check_host(events: &[Event], look: impl FnOnce(&HostSummary) -> bool) {
    let summary = fold(events);
    let host = &summary.hosts[&fs1()];
    assert!(look(host), "{host:?}");
}

#[test]
fn what_was_written_is_read_again_line_by_line() {
    let folder = folder();
    let path = folder.path().join("journal.jsonl");
    let events = [
        started("plan-1"),
        intended(0),
        Event::ChangeVerified { host: fs1(), index: 0 },
        step_verified("Contoso"),
        Event::HostEnded {
            host: fs1(),
            outcome: Outcome::Failed(Failure::new(FailureKind::Fault, "because")),
        },
        Event::HostEnded { host: fs1(), outcome: Outcome::Changed { values: 1, restarted: true } },
        Event::RunEnded { exit: 0, name: "ok".to_owned() },
    ];
    let seen = write(&path, &events);
    let journal = reader::read(&path).unwrap();
    assert_eq!(journal.records, seen);
    assert_eq!(journal.records.iter().map(|record| &record.event).collect::<Vec<_>>(), {
        events.iter().collect::<Vec<_>>()
    });
    assert_eq!((journal.unknown, journal.torn), (0, None));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), events.len());
}

#[test]
fn an_observer_sees_a_record_only_when_it_is_in_the_file() {
    let folder = folder();
    let path = folder.path().join("journal.jsonl");
    let mut lines = Vec::new();
    let mut journal = writer::create(&path, "run-1", noon, |_: &Record| {
        lines.push(fs::read_to_string(&path).unwrap().lines().count());
    })
    .unwrap();
    journal.emit(started("plan-1")).unwrap();
    journal.emit(intended(0)).unwrap();
    drop(journal);
    assert_eq!(lines, [1, 2]);
}

#[test]
fn a_journal_is_never_written_over() {
    let folder = folder();
    let path = folder.path().join("journal.jsonl");
    write(&path, &[started("plan-1")]);
    let again = writer::create(&path, "run-2", noon, |_: &Record| {});
    assert!(again.is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists));
}

#[test]
fn a_line_that_breaks_off_is_named_and_the_rest_is_read() {
    let folder = folder();
    let path = folder.path().join("journal.jsonl");
    write(&path, &[started("plan-1"), intended(0)]);
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in 0..whole.len() {
        match reader::parse(&whole[..length]) {
            Ok(journal) if length >= first => {
                assert_eq!(journal.records.len(), 1);
                assert_eq!(journal.torn.is_some(), length > first, "cut at {length}");
            }
            Err(ReadError::Empty) if length < first => {}
            other => panic!("cut at {length}: {other:?}"),
        }
    }
    assert_eq!(reader::parse(&whole).unwrap().torn, None);
}

#[test]
fn damage_before_the_end_is_an_error_with_its_line() {
    let folder = folder();
    let path = folder.path().join("journal.jsonl");
    write(&path, &[started("plan-1"), intended(0), intended(1)]);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let damaged = format!("{}\n{}\n{}\n", lines[0], lines[1].split_at(20).0, lines[2]);
    let error = reader::parse(damaged.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "line 2 of the journal is damaged");
    let gap = format!("{}\n{}\n", lines[0], lines[2]);
    let error = reader::parse(gap.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "line 2 of the journal has number 2, expected 1");
    let wrong = text.replace("\"index\":1", "\"index\":\"one\"");
    let error = reader::parse(wrong.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "line 3 of the journal is damaged");
}

#[test]
fn a_newer_format_is_refused_in_words() {
    let text = "{\"seq\":0,\"type\":\"run-started\",\"format\":7}\n";
    let error = reader::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "the journal has format 7, this rmsfleet reads up to 2; use a newer one");
}

#[test]
fn a_journal_of_format_1_is_still_read() {
    let journal = reader::parse(FIXTURE).unwrap();
    assert_eq!(journal.records.len(), 16);
    assert_eq!(journal.unknown, 1, "an event of a newer version is passed over");
    assert_eq!(journal.torn.as_ref().map(|(line, _)| *line), Some(18));
    let summary = summarise(&journal.records);
    assert_eq!(summary.plan, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
    assert_eq!(summary.operator, r"CONTOSO\rmsadmin");
    assert_eq!(summary.ended, None);
    let host = |name: &str| &summary.hosts[&HostName::new(name)];
    assert_eq!(host("FS01").outcome, Some(Outcome::Changed { values: 1, restarted: true }));
    assert_eq!(host("FS01").restart_owed, None);
    assert!(matches!(host("FS02").outcome, Some(Outcome::Refused(_))));
    assert_eq!(host("FS03").outcome, None);
    assert!(host("FS03").is_in_doubt());
    assert_eq!(summary.in_doubt(), 1);
}

#[test]
fn an_intent_without_an_end_is_in_doubt() {
    check_host(&[intended(0)], HostSummary::is_in_doubt);
    let verified = Event::ChangeVerified { host: fs1(), index: 0 };
    check_host(&[intended(0), verified.clone()], |host| !host.is_in_doubt() && host.verified == 1);
    let back = Event::RestoreIntended { host: fs1(), index: 0 };
    check_host(&[intended(0), verified.clone(), back.clone()], |host| {
        host.is_in_doubt() && host.verified == 0
    });
    let restored = Event::RestoreVerified { host: fs1(), index: 0 };
    check_host(&[intended(0), verified, back, restored], |host| !host.is_in_doubt());
}

#[test]
fn an_outcome_settles_what_was_announced_unless_it_is_in_doubt_itself() {
    let ended = |outcome| Event::HostEnded { host: fs1(), outcome };
    let failure = |kind| Failure::new(kind, "because");
    let failed = ended(Outcome::Failed(failure(FailureKind::WriteRefused)));
    check_host(&[intended(0), failed], |host| !host.is_in_doubt());
    let doubt = ended(Outcome::InDoubt(failure(FailureKind::InDoubt)));
    check_host(&[intended(0), doubt], HostSummary::is_in_doubt);
}

#[test]
fn a_restart_stays_owed_until_it_is_proved() {
    let owed = Event::RestartOwed {
        host: fs1(),
        reason: "rule `fci.always`".to_owned(),
        inherited: false,
    };
    let ordered = Event::RestartIntended { host: fs1(), boot_before: noon() };
    let proved = Event::RestartProved { host: fs1(), boot_after: noon(), up_seconds: 9 };
    check_host(&[owed.clone(), ordered.clone()], |host| {
        host.restart_owed.is_some() && host.restart_ordered
    });
    check_host(&[owed, ordered, proved], |host| host.restart_owed.is_none());
}

fn step_verified(organisation: &str) -> Event {
    Event::StepVerified {
        organisation: organisation.to_owned(),
        step: "exchange-irm".to_owned(),
        after: irm(true).into(),
    }
}

#[test]
fn a_step_of_the_first_version_is_read_and_found() {
    let text = r#"{"seq":1,"ts":"2026-11-02T20:00:00Z","run":"r","type":"step-verified",
        "organisation":"Contoso","after":{"internal_licensing_enabled":true,
        "external_licensing_enabled":null,"client_access_server_enabled":true,
        "service_location":null,"publishing_location":null,"licensing_location":null}}"#;
    let record: Record = serde_json::from_str(text).unwrap();
    let history = History::of(&[record]);
    let found = history.step("Contoso", "exchange-irm");
    assert!(matches!(found, Some(StepHistory::Verified(StepState::Irm(_)))), "{found:?}");
}

#[test]
fn a_step_without_an_end_is_in_doubt() {
    let name = "Contoso".to_owned();
    let shown = "Contoso: exchange-irm";
    let intended = Event::StepIntended {
        organisation: name.clone(),
        step: "exchange-irm".to_owned(),
        identity: "CN=Contoso".to_owned(),
        verb: "Set-IRMConfiguration".to_owned(),
        via: HostName::new("EX1"),
    };
    assert_eq!(fold(std::slice::from_ref(&intended)).steps[shown], StepSummary::InDoubt);
    let verified = step_verified(&name);
    assert_eq!(fold(&[intended.clone(), verified]).steps[shown], StepSummary::Verified);
    let failure = Failure::new(FailureKind::InDoubt, "could not be read back");
    let failed =
        Event::StepFailed { organisation: name.clone(), step: "exchange-irm".to_owned(), failure };
    assert_eq!(fold(&[intended, failed]).steps[shown], StepSummary::InDoubt);
}

/// A store in which these runs have started these plans.
fn store(folder: &TempDir, runs: &[(&str, &str)]) -> Store {
    let store = Store::new(folder.path());
    for (run, plan) in runs {
        let run = store.create(run, b"sealed").unwrap();
        write(&run.journal(), &[started(plan)]);
    }
    store
}

#[test]
fn a_run_is_found_by_as_much_of_its_id_as_is_needed() {
    let folder = folder();
    let store = store(&folder, &[("a1b2", "p"), ("a1c3", "q"), ("a1", "r")]);
    let names: Vec<String> = store.list().unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(names, ["a1", "a1b2", "a1c3"]);
    assert_eq!(store.find("a1b").unwrap().id, "a1b2");
    assert_eq!(store.find("a1").unwrap().id, "a1", "a whole id is never ambiguous");
    assert_eq!(store.find("x").unwrap_err().to_string(), "no run begins with `x`");
    let error = store.find("a").unwrap_err().to_string();
    assert!(error.starts_with("`a` is not enough"), "{error}");
    assert_eq!(fs::read(store.find("a1b2").unwrap().plan()).unwrap(), b"sealed");
}

#[test]
fn a_plan_that_some_run_has_started_is_used() {
    let folder = folder();
    let store = store(&folder, &[("a1", "plan-1")]);
    let used = store.used("plan-1").unwrap().unwrap();
    assert_eq!((used.run.as_str(), used.at), ("a1", Some(noon())));
    assert_eq!(store.used("plan-2").unwrap(), None);
}

#[test]
fn a_run_that_never_began_uses_no_plan_and_a_damaged_one_may() {
    let folder = folder();
    let store = store(&folder, &[]);
    assert_eq!(store.used("plan-1").unwrap(), None, "no folder yet");
    store.create("a1", b"sealed").unwrap();
    let torn = store.create("a2", b"sealed").unwrap();
    fs::write(torn.journal(), "{\"seq\":0,\"ty").unwrap();
    assert_eq!(store.used("plan-1").unwrap(), None);
    let damaged = store.create("a3", b"sealed").unwrap();
    fs::write(damaged.journal(), "nonsense\n").unwrap();
    assert!(matches!(store.used("plan-1"), Err(StoreError::Unreadable { run, .. }) if run == "a3"));
}

#[test]
fn a_run_begins_once_and_has_a_name_that_is_no_path() {
    let folder = folder();
    let store = store(&folder, &[("a1", "p")]);
    assert!(matches!(store.create("a1", b""), Err(StoreError::Taken { .. })));
    for id in ["", "../x", "a/b", "a.b"] {
        assert!(matches!(store.create(id, b""), Err(StoreError::Name { .. })), "`{id}`");
    }
}
