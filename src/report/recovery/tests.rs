use jiff::Timestamp;

use super::*;
use crate::event::Phase;
use crate::model::hook::Errand;
use crate::model::hook::Hook;
use crate::model::hook::Turn;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::program::RunOn;
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

#[test]
fn a_hook_that_nothing_took_back_is_named_with_what_takes_it_back() {
    let errand = |turn, hook: &str, undoes: Option<&str>| Errand {
        stage: Some("mail".to_owned()),
        turn,
        hook: hook.to_owned(),
        undoes: undoes.map(str::to_owned),
    };
    let begun =
        Event::StageHookIntended { errand: errand(Turn::Before, "quiet", None), again: false };
    let back = Event::StageHookEnded {
        errand: errand(Turn::Undo, "loud", Some("quiet")),
        ok: true,
        said: String::new(),
    };
    let render_with = |events: &[Event]| {
        let mut plan = sample::plan();
        let hook = |argv: &[&str], undo: Option<&str>| Hook {
            argv: argv.iter().map(|part| (*part).to_owned()).collect(),
            timeout: 60,
            undo: undo.map(str::to_owned),
            run_on: RunOn::Controller,
        };
        plan.conditions.hooks.insert("quiet".to_owned(), hook(&["mute"], Some("loud")));
        plan.conditions
            .hooks
            .insert("loud".to_owned(), hook(&["unmute", "{{ stage.name }}", "{{ run.id }}"], None));
        let record = |event: &Event| Record {
            seq: 1,
            ts: Timestamp::UNIX_EPOCH,
            run: "r1".to_owned(),
            event: event.clone(),
        };
        render(&plan, "r1", &events.iter().map(record).collect::<Vec<_>>())
    };
    let text = render_with(std::slice::from_ref(&begun)).unwrap();
    assert!(text.contains("## stage mail") && text.contains("    unmute mail r1\n"), "{text}");
    assert_eq!(render_with(&[begun, back]), None);
}
