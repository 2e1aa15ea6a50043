//! How a run's outcomes become one exit code.

use crate::error::Exit;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::run::action::StepOutcome;

/// What made the scheduler stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Every stage had its turn.
    Completed,
    /// A window or freeze leaves no time for what is next.
    Window,
    /// A step waits for its confirmation, or the run for a person.
    Paused,
    Stopped,
    /// Another run works on the hosts.
    Locked,
    /// An account was refused at its first logon.
    Auth,
    /// The failure budget was used up, or an organisation step failed.
    Aborted,
}

/// The exit code: of all that apply the one with the highest risk (`features.md` 3.3).
///
/// `outcomes` come with whether the plan restarts the host. The order there has no place for 7 and 130: a stop by the user stands above the failures
/// that were borne, hosts blocked by the plan below them.
pub fn exit<'a>(
    ending: Ending,
    outcomes: impl IntoIterator<Item = (&'a Outcome, bool)>,
    steps: impl IntoIterator<Item = &'a StepOutcome>,
) -> Exit {
    let mut seen = Seen::default();
    for (outcome, was_to_restart) in outcomes {
        match outcome {
            Outcome::Unchanged | Outcome::Changed { .. } | Outcome::NotStarted => {}
            Outcome::RestartOwed { .. } => seen.owed |= was_to_restart,
            Outcome::Refused(_) => seen.refused = true,
            Outcome::InDoubt(_) | Outcome::Failed(_) => seen.failed = true,
            Outcome::Unreachable(_) => seen.unreachable = true,
            Outcome::Blocked => seen.blocked = true,
        }
    }
    for step in steps {
        match step {
            StepOutcome::Unchanged | StepOutcome::Verified(_) => {}
            StepOutcome::Held(_) => seen.held = true,
            StepOutcome::Refused(_) => seen.refused = true,
            StepOutcome::Failed(failure) if failure.kind == FailureKind::Unreachable => {
                seen.unreachable = true;
            }
            StepOutcome::Failed(_) => seen.failed = true,
        }
    }
    if ending == Ending::Aborted {
        Exit::Aborted
    } else if ending == Ending::Locked {
        Exit::Locked
    } else if seen.refused {
        Exit::Refused
    } else if ending == Ending::Auth {
        Exit::Auth
    } else if ending == Ending::Stopped {
        Exit::Interrupted
    } else if seen.failed {
        Exit::Partial
    } else if seen.unreachable {
        Exit::Unreachable
    } else if seen.blocked {
        Exit::Blocked
    } else if ending == Ending::Window {
        Exit::Window
    } else if ending == Ending::Paused {
        Exit::Paused
    } else if seen.owed {
        // The run had its time, and a server that it was to restart still runs on the old values.
        Exit::Partial
    } else if seen.held {
        Exit::Paused
    } else {
        Exit::Ok
    }
}

/// The exit code of a run that takes another back. What could not be taken back, or was left alone
/// because somebody has changed it, is [`Exit::UndoIncomplete`] (`features.md` 3.3: only a fault of
/// the tool itself weighs more); a run that ended before its turn and may go on says so instead.
/// `waived` is how many values stay because a person decided so: they are not back either.
pub fn undo_exit<'a, O>(
    ending: Ending,
    waived: usize,
    outcomes: impl Fn() -> O,
    steps: impl IntoIterator<Item = &'a StepOutcome> + Clone,
) -> Exit
where
    O: Iterator<Item = (&'a Outcome, bool)>,
{
    let at_its_end = matches!(ending, Ending::Completed | Ending::Aborted);
    let left = outcomes().any(|(outcome, _)| match outcome {
        Outcome::Refused(_)
        | Outcome::InDoubt(_)
        | Outcome::Failed(_)
        | Outcome::Unreachable(_)
        | Outcome::Blocked => true,
        Outcome::NotStarted => at_its_end,
        Outcome::Unchanged | Outcome::Changed { .. } | Outcome::RestartOwed { .. } => false,
    });
    let undone = |step: &StepOutcome| match step {
        StepOutcome::Unchanged | StepOutcome::Verified(_) => true,
        StepOutcome::Held(_) => !at_its_end,
        StepOutcome::Refused(_) | StepOutcome::Failed(_) => false,
    };
    if left || !steps.clone().into_iter().all(undone) {
        return Exit::UndoIncomplete;
    }
    match exit(ending, outcomes(), steps) {
        Exit::Ok if waived > 0 => Exit::UndoIncomplete,
        other => other,
    }
}

#[derive(Default)]
struct Seen {
    refused: bool,
    failed: bool,
    unreachable: bool,
    blocked: bool,
    held: bool,
    owed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Failure;

    #[track_caller]
    fn check(ending: Ending, outcomes: &[Outcome], steps: &[StepOutcome], expected: Exit) {
        let outcomes = outcomes.iter().map(|outcome| (outcome, true));
        assert_eq!(exit(ending, outcomes, steps), expected);
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "because")
    }

    fn changed() -> Outcome {
        Outcome::Changed { values: 4, restarted: true }
    }

    fn failed() -> Outcome {
        Outcome::Failed(failure(FailureKind::WriteRefused))
    }

    fn lost() -> Outcome {
        Outcome::Unreachable(failure(FailureKind::Unreachable))
    }

    fn refused() -> Outcome {
        Outcome::Refused(failure(FailureKind::Drifted))
    }

    #[test]
    fn nothing_wrong_is_ok() {
        check(Ending::Completed, &[changed(), Outcome::Unchanged], &[], Exit::Ok);
    }

    #[test]
    fn a_drifted_host_refuses_and_outranks_borne_failures() {
        check(Ending::Completed, &[changed(), failed(), refused()], &[], Exit::Refused);
        check(Ending::Auth, &[refused()], &[], Exit::Refused);
    }

    #[test]
    fn a_used_up_budget_outranks_everything() {
        check(Ending::Aborted, &[refused(), failed(), lost()], &[], Exit::Aborted);
    }

    #[test]
    fn only_unreachable_hosts_are_told_from_failures() {
        check(Ending::Completed, &[changed(), lost()], &[], Exit::Unreachable);
        check(Ending::Completed, &[failed(), lost()], &[], Exit::Partial);
        let in_doubt = Outcome::InDoubt(failure(FailureKind::InDoubt));
        check(Ending::Completed, &[in_doubt], &[], Exit::Partial);
    }

    #[test]
    fn a_restart_that_the_plan_had_and_that_is_owed_is_not_ok() {
        let owed = Outcome::RestartOwed { values: 4, reason: "because".into() };
        check(Ending::Completed, &[changed(), owed.clone()], &[], Exit::Partial);
        check(Ending::Window, std::slice::from_ref(&owed), &[], Exit::Window);
        let left_to_people = [(&owed, false)];
        assert_eq!(exit(Ending::Completed, left_to_people, &[]), Exit::Ok);
    }

    #[test]
    fn a_stop_outranks_what_was_borne() {
        check(Ending::Stopped, &[failed(), Outcome::NotStarted], &[], Exit::Interrupted);
    }

    #[test]
    fn blocked_hosts_keep_a_run_from_being_ok() {
        check(Ending::Completed, &[changed(), Outcome::Blocked], &[], Exit::Blocked);
        check(Ending::Paused, &[Outcome::Blocked, failed()], &[], Exit::Partial);
    }

    #[test]
    fn a_step_that_waits_pauses_the_run() {
        let held = StepOutcome::Held("not confirmed".into());
        let held = std::slice::from_ref(&held);
        check(Ending::Paused, &[changed()], held, Exit::Paused);
        check(Ending::Completed, &[failed()], held, Exit::Partial);
    }

    #[test]
    fn values_that_stay_on_a_waiver_are_not_taken_back() {
        let outcome = changed();
        let ended = |waived| {
            let outcomes = || std::iter::once((&outcome, true));
            undo_exit(Ending::Completed, waived, outcomes, &[])
        };
        assert_eq!((ended(0), ended(1)), (Exit::Ok, Exit::UndoIncomplete));
    }

    #[test]
    fn a_step_fails_as_a_host_does() {
        let step = |kind| StepOutcome::Failed(failure(kind));
        check(Ending::Completed, &[], &[step(FailureKind::Unreachable)], Exit::Unreachable);
        check(Ending::Aborted, &[], &[step(FailureKind::Fault)], Exit::Aborted);
        let moved = StepOutcome::Refused(failure(FailureKind::Drifted));
        check(Ending::Completed, &[changed()], &[moved], Exit::Refused);
    }
}
