use jiff::Timestamp;

use super::*;
use crate::event::Phase;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::registry::ValuePath;
use crate::plan::sample;

fn change(before: State) -> Change {
    let path = ValuePath::new(r"SOFTWARE\Microsoft\MSIPC\O'Brien", "");
    let after = State::Present(Value::Sz("https://new".to_owned()));
    Change { path, before, after, rule: "r".to_owned() }
}

fn told(events: Vec<Event>) -> Option<String> {
    let record = |event| Record { seq: 1, ts: Timestamp::UNIX_EPOCH, run: "r1".to_owned(), event };
    let records: Vec<Record> = events.into_iter().map(record).collect();
    render(&sample::plan(), "r1", &records)
}

fn written(outcome: Option<Outcome>) -> Vec<Event> {
    let host = HostName::new("FS1");
    let before = State::Present(Value::Dword(u32::MAX));
    let mut events = vec![
        Event::HostStarted { host: host.clone(), phase: Phase::Registry },
        Event::ChangeIntended { host: host.clone(), index: 0, change: change(before) },
        Event::ChangeVerified { host: host.clone(), index: 0 },
        Event::ChangeIntended { host: host.clone(), index: 1, change: change(State::Absent) },
    ];
    events.extend(outcome.map(|outcome| Event::HostEnded { host, outcome }));
    events
}

#[test]
fn a_run_that_left_nothing_needs_no_recovery() {
    let changed = Outcome::Changed { values: 2, restarted: false };
    assert_eq!(told(written(Some(changed))), None);
    assert_eq!(told(Vec::new()), None);
}

#[test]
fn what_was_written_and_what_is_in_doubt_are_told_apart_with_commands_for_both() {
    let doubt = Outcome::InDoubt(Failure::new(FailureKind::InDoubt, "broke"));
    for outcome in [None, Some(doubt)] {
        let text = told(written(outcome)).unwrap();
        for wanted in [
            "## FS1",
            "rmsfleet resume r1",
            r"GetValue('HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\MSIPC\O''Brien', '', $null)",
            r"OpenSubKey('SOFTWARE\Microsoft\MSIPC\O''Brien', $true).DeleteValue('')",
            r"O''Brien', '', -1, 'DWord')",
        ] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
    }
}

#[test]
fn a_restart_is_looked_for_before_another_is_ordered() {
    let host = HostName::new("FS1");
    let owed = Event::RestartOwed { host: host.clone(), reason: "rule".into(), inherited: false };
    let ordered = Event::RestartIntended { host: host.clone(), boot_before: Timestamp::UNIX_EPOCH };
    let end = Event::HostEnded {
        host,
        outcome: Outcome::RestartOwed { values: 1, reason: "stopped".into() },
    };
    let text = told(vec![owed.clone(), ordered, end.clone()]).unwrap();
    assert!(text.contains("LastBootUpTime") && !text.contains("Restart-Computer"), "{text}");
    let text = told(vec![owed, end]).unwrap();
    assert!(text.contains("Restart-Computer -ComputerName FS1"), "{text}");
}

#[test]
fn a_step_whose_end_nobody_saw_is_named() {
    let (organisation, step) = ("Contoso".to_owned(), "irm".to_owned());
    let intended = Event::StepIntended {
        organisation: organisation.clone(),
        step: step.clone(),
        identity: "CN=x".into(),
        verb: "Set-IRMConfiguration".into(),
        via: HostName::new("EX1"),
    };
    let text = told(vec![intended.clone()]).unwrap();
    assert!(text.contains("## Contoso") && text.contains("Get-IRMConfiguration"), "{text}");
    assert_eq!(told(vec![intended, Event::StepUnchanged { organisation, step }]), None);
}
