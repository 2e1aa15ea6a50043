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

fn hook(argv: &[&str], undo: Option<&str>) -> Hook {
    Hook {
        argv: argv.iter().map(|part| (*part).to_owned()).collect(),
        timeout: 60,
        undo: undo.map(str::to_owned),
        run_on: RunOn::Controller,
    }
}

fn told(events: Vec<Event>) -> Option<String> {
    let record = |event| Record { seq: 1, ts: Timestamp::UNIX_EPOCH, run: "r1".to_owned(), event };
    let records: Vec<Record> = events.into_iter().map(record).collect();
    Recovery::of(&records).text(&sample::plan(), "r1")
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
        Recovery::of(&events.iter().map(record).collect::<Vec<_>>()).text(&plan, "r1")
    };
    let text = render_with(std::slice::from_ref(&begun)).unwrap();
    assert!(text.contains("## stage mail") && text.contains("    unmute mail r1\n"), "{text}");
    assert_eq!(render_with(&[begun, back]), None);
}

/// Whatever the last program was, the one that brings the host back is named until it has ended well.
#[test]
fn a_host_that_a_program_drained_is_named_until_another_has_brought_it_back() {
    let host = HostName::new("FS1");
    let mut plan = sample::plan();
    plan.conditions.hooks.insert("out".to_owned(), hook(&["drain"], Some("in")));
    let argv = ["enable", "{{ host.name }}", "{{ run.id }}"];
    plan.conditions.hooks.insert("in".to_owned(), hook(&argv, None));
    let mut sample = plan.hosts.values().next().unwrap().clone();
    sample.name = host.clone();
    sample.care.drain = Drain::Hook("out".to_owned());
    plan.hosts.insert(host.clone(), sample);
    let intended = |hook: &str| Event::HookIntended {
        host: host.clone(),
        hook: hook.to_owned(),
        again: false,
    };
    let ended = |hook: &str, ok| Event::HookEnded {
        host: host.clone(),
        hook: hook.to_owned(),
        ok,
        said: String::new(),
    };
    let changed = Outcome::Changed { values: 1, restarted: true };
    let end = Event::HostEnded { host: host.clone(), outcome: changed };
    let told = |events: &[Event]| {
        let mut recovery = Recovery::default();
        for event in events {
            recovery.take(event);
        }
        recovery.text(&plan, "r1").unwrap_or_default()
    };
    let line = "    enable FS1 r1\n";
    let out = [intended("out"), ended("out", true)];
    let back = [intended("in"), ended("in", true), end.clone()];
    assert!(told(&out[..1]).contains(line));
    assert!(told(&out).contains(line));
    let failed = [intended("in"), ended("in", false), end];
    assert!(told(&[&out[..], &failed[..]].concat()).contains(line), "it may still be out");
    assert!(told(&[&out[..], &back[..1]].concat()).contains(line), "nobody saw its end");
    assert_eq!(told(&[&out[..], &back[..]].concat()), "");
}
