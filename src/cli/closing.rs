//! What a run's last lines say beyond its hosts: steps, hooks and why it stopped.

use crate::event::Event;
use crate::event::Record;
use crate::event::ledger::Ledger;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::run::action::StepOutcome;

/// Verb and words of each, the reason of a stop last, right above what to type next.
pub fn trouble(
    plan: &Plan,
    records: &[Record],
    steps: &[(OrganisationStep, StepOutcome)],
    rehearsal: bool,
) -> Vec<(&'static str, String)> {
    let halted = halted(records);
    let mut told: Vec<(&'static str, String)> = Vec::new();
    if rehearsal {
        told.extend(red(records).into_iter().map(|text| ("Red", text)));
    }
    for (step, outcome) in steps {
        let about = |text: &str| format!("{}: {text}", step.organisation);
        match outcome {
            StepOutcome::Refused(failure) => told.push(("Refused", about(&failure.text()))),
            StepOutcome::Failed(failure) => told.push(("Failed", about(&failure.text()))),
            // Of a run that stopped earlier the reason of the stop says more.
            StepOutcome::Held(_) if halted.is_some() => {}
            StepOutcome::Held(reason) => told.push(("Held", about(reason))),
            StepOutcome::Verified(_) | StepOutcome::Unchanged => {}
        }
    }
    told.extend(untaken(plan, records).into_iter().map(|text| ("Left", text)));
    told.extend(halted.map(|reason| ("Stopped", reason)));
    told
}

/// Why the last process of the run stopped before the run's end.
fn halted(records: &[Record]) -> Option<String> {
    records.iter().fold(None, |halted, record| match &record.event {
        Event::Halted { reason } => Some(reason.clone()),
        Event::RunResumed { .. } => None,
        _ => halted,
    })
}

/// Gates that a rehearsal saw red and went past, each once.
fn red(records: &[Record]) -> Vec<String> {
    let mut red: Vec<String> = Vec::new();
    for record in records {
        if let Event::GateFailed { stage, reason, .. } = &record.event {
            let text = format!("{stage}: {reason}");
            if !red.contains(&text) {
                red.push(text);
            }
        }
    }
    red
}

/// Hooks before stages or the run that their undo should have taken back, and did not.
fn untaken(plan: &Plan, records: &[Record]) -> Vec<String> {
    let mut ledger = Ledger::default();
    for record in records {
        ledger.take(&record.event);
    }
    let left = ledger.open().filter_map(|(stage, name)| {
        let undo = plan.conditions.hooks.get(name)?.undo.as_ref()?;
        let place = stage.map_or_else(|| "the run".to_owned(), |stage| format!("stage {stage}"));
        Some(format!("hook {name} before {place} is not taken back: {undo} did not end well"))
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::hook::Errand;
    use crate::model::hook::Hook;
    use crate::model::hook::Turn;
    use crate::model::program::RunOn;
    use crate::plan::sample;

    fn records(events: &[Event]) -> Vec<Record> {
        let record = |event: &Event| Record {
            seq: 0,
            ts: Timestamp::UNIX_EPOCH,
            run: "r1".to_owned(),
            event: event.clone(),
        };
        events.iter().map(record).collect()
    }

    fn hook(turn: Turn, hook: &str, ok: bool) -> [Event; 2] {
        let errand = Errand {
            stage: Some("pilot".to_owned()),
            turn,
            hook: hook.to_owned(),
            undoes: (turn == Turn::Undo).then(|| "drain".to_owned()),
        };
        [
            Event::StageHookIntended { errand: errand.clone(), again: false },
            Event::StageHookEnded { errand, ok, said: String::new() },
        ]
    }

    #[track_caller]
    fn check(events: &[&[Event]], expected: &[(&str, &str)]) {
        let mut plan = sample::plan();
        let with_undo = |undo: Option<&str>| Hook {
            argv: vec!["/bin/true".to_owned()],
            timeout: 5,
            undo: undo.map(str::to_owned),
            run_on: RunOn::Controller,
        };
        plan.conditions.hooks.insert("drain".to_owned(), with_undo(Some("fill")));
        plan.conditions.hooks.insert("note".to_owned(), with_undo(None));
        let got = trouble(&plan, &records(&events.concat()), &[], false);
        let got: Vec<(&str, &str)> =
            got.iter().map(|(verb, text)| (*verb, text.as_str())).collect();
        assert_eq!(got, expected);
    }

    fn halt(reason: &str) -> [Event; 1] {
        [Event::Halted { reason: reason.to_owned() }]
    }

    #[test]
    fn the_reason_of_a_stop_is_said_last_until_a_resume() {
        let untaken = "hook drain before stage pilot is not taken back: fill did not end well";
        let failed = [
            &halt("mail is red")[..],
            &hook(Turn::Before, "drain", true),
            &hook(Turn::Undo, "fill", false),
        ];
        check(&failed, &[("Left", untaken), ("Stopped", "mail is red")]);
        let resumed = Event::RunResumed {
            segment: 2,
            tool: String::new(),
            operator: String::new(),
            workstation: String::new(),
            torn: None,
        };
        check(&[&halt("mail is red"), &[resumed]], &[]);
    }

    #[test]
    fn a_hook_that_was_taken_back_or_has_no_undo_is_not_told() {
        check(&[&hook(Turn::Before, "drain", true), &hook(Turn::Undo, "fill", true)], &[]);
        check(&[&hook(Turn::Before, "note", true)], &[]);
    }
}
