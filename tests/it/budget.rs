//! The failure budget and the exit codes, as tables (`features.md` 3.3, 4.4): several hosts ending in
//! different ways at once.

use std::collections::BTreeMap;

use rmsfleet::error::Exit;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::rollout::Budget;
use rmsfleet::plan::stage::budget;
use rmsfleet::run::action::Action;
use rmsfleet::run::action::Configured;
use rmsfleet::run::action::Happened;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::StepOutcome;
use rmsfleet::run::exit::Ending;
use rmsfleet::run::exit::exit;
use rmsfleet::run::scheduler::Scheduler;

use crate::imagined::change;
use crate::imagined::hosts_stage;
use crate::imagined::noon;
use crate::imagined::plan;
use crate::imagined::planned;

/// How the hosts of a stage end, one letter each: `v` verified, `f` failed, `u` unreachable, `m`
/// moved since the plan, `d` in doubt.
struct Case {
    ends: &'static str,
    /// Hosts in a batch.
    batch: usize,
    percent: u32,
    counts_unreachable: bool,
    exit: Exit,
    /// Hosts that were begun, of all.
    begun: usize,
}

fn result(letter: char) -> Configured {
    let kind = match letter {
        'f' => FailureKind::WriteRefused,
        'u' => FailureKind::Unreachable,
        'm' => FailureKind::Drifted,
        'd' => FailureKind::InDoubt,
        _ => return Configured::Verified(1),
    };
    Configured::Failed(Failure::new(kind, "because"))
}

#[track_caller]
fn check(case: &Case) {
    let letters: Vec<char> = case.ends.chars().collect();
    let hosts: Vec<_> = (0..letters.len())
        .map(|place| {
            let mut host = planned(&format!("H{place:02}"));
            host.changes = vec![change("Name", None, Some("data"))];
            host
        })
        .collect();
    let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
    let by_name: BTreeMap<HostName, char> = names.iter().cloned().zip(letters).collect();
    let batches = names.chunks(case.batch).map(<[HostName]>::to_vec).collect();
    let borne = budget(Budget::Percent(case.percent), names.len());
    let mut plan = plan(hosts, vec![hosts_stage("s", batches, borne, Vec::new())]);
    plan.limits.forks = 1;
    plan.count_unreachable_as_failed = case.counts_unreachable;
    let mut scheduler = Scheduler::new(&plan, Options::default());
    // Its account is known good, so that a lost host is only that.
    scheduler.handle(Happened::LoggedOn(names[0].clone()));
    let (mut begun, mut ended) = (0, None);
    while ended.is_none() {
        match scheduler.poll(noon()).expect("the run waits for nothing") {
            Action::Configure(host) => {
                begun += 1;
                let result = result(by_name[&host]);
                scheduler.handle(Happened::Configured { host, result });
            }
            Action::Finish(exit) => ended = Some(exit),
            _ => {}
        }
    }
    let said = format!("{} by {} at {} %", case.ends, case.batch, case.percent);
    assert_eq!((ended, begun), (Some(case.exit), case.begun), "{said}");
}

#[test]
fn a_budget_is_of_the_stage_and_must_be_exceeded_to_abort() {
    let case = |ends, batch, percent, counts_unreachable, exit, begun| Case {
        ends,
        batch,
        percent,
        counts_unreachable,
        exit,
        begun,
    };
    for case in [
        // 0 %: the first failure aborts, wherever it is in its batch.
        case("fvvv", 4, 0, true, Exit::Aborted, 1),
        case("vvfv", 2, 0, true, Exit::Aborted, 3),
        case("vvvf", 1, 0, true, Exit::Aborted, 4),
        // floor(percent x hosts): 10 % of 9 bears none, of 10 one.
        case("fvvvvvvvv", 9, 10, true, Exit::Aborted, 1),
        case("fvvvvvvvvv", 10, 10, true, Exit::Partial, 10),
        case("ffvvvvvvvv", 10, 10, true, Exit::Aborted, 2),
        // Counted over batches: what one batch bore, the next has no more.
        case("fvvvvfvvvv", 5, 10, true, Exit::Aborted, 6),
        case("fvvvvvvvvf", 1, 20, true, Exit::Partial, 10),
        // A whole batch that fails is no reason of its own.
        case("ffvvvvvv", 2, 25, true, Exit::Partial, 8),
        case("ffffvvvv", 4, 50, true, Exit::Partial, 8),
        // 100 % bears everything.
        case("ffff", 2, 100, true, Exit::Partial, 4),
        case("uuuu", 2, 100, true, Exit::Unreachable, 4),
        // Unreachable hosts count, unless the playbook says otherwise; then nothing aborts.
        case("uvvv", 4, 0, true, Exit::Aborted, 1),
        case("uuvv", 4, 25, true, Exit::Aborted, 2),
        case("uvvv", 4, 0, false, Exit::Unreachable, 4),
        case("uuuu", 1, 0, false, Exit::Unreachable, 4),
        case("ufvv", 4, 0, false, Exit::Aborted, 2),
        case("ufvv", 4, 25, false, Exit::Partial, 4),
        // A host that moved is refused alone, outside the budget.
        case("mvvv", 4, 0, true, Exit::Refused, 4),
        case("mmmm", 1, 0, true, Exit::Refused, 4),
        case("mfvv", 4, 25, true, Exit::Refused, 4),
        case("mffv", 4, 25, true, Exit::Aborted, 3),
        // One in doubt counts as failed.
        case("dvvv", 4, 0, true, Exit::Aborted, 1),
        case("dvvv", 4, 25, true, Exit::Partial, 4),
        case("duvv", 4, 50, true, Exit::Partial, 4),
    ] {
        check(&case);
    }
}

/// Outcomes by letter: those of a stage, and `c` changed, `o` a restart owed, `b` blocked, `n` not
/// started, `=` unchanged.
fn outcome(letter: char) -> Outcome {
    let failure = || Failure::new(FailureKind::Fault, "because");
    match letter {
        'f' => Outcome::Failed(failure()),
        'u' => Outcome::Unreachable(failure()),
        'm' => Outcome::Refused(failure()),
        'd' => Outcome::InDoubt(failure()),
        'o' => Outcome::RestartOwed { values: 1, reason: "because".to_owned() },
        'b' => Outcome::Blocked,
        'n' => Outcome::NotStarted,
        'c' => Outcome::Changed { values: 1, restarted: false },
        _ => Outcome::Unchanged,
    }
}

#[test]
fn of_several_exit_codes_the_one_with_the_highest_risk_is_told() {
    let held = || vec![StepOutcome::Held("not confirmed".to_owned())];
    let failed = || vec![StepOutcome::Failed(Failure::new(FailureKind::Fault, "because"))];
    let moved = || vec![StepOutcome::Refused(Failure::new(FailureKind::Drifted, "because"))];
    let none = Vec::new;
    for (ending, ends, steps, expected) in [
        (Ending::Completed, "c=", none(), Exit::Ok),
        // 5 above all that hosts did.
        (Ending::Aborted, "mfudobn", moved(), Exit::Aborted),
        (Ending::Locked, "mfudobn", none(), Exit::Locked),
        // 3 above 77, 6, 4, 8, 9.
        (Ending::Completed, "mfudob", none(), Exit::Refused),
        (Ending::Auth, "mfun", none(), Exit::Refused),
        (Ending::Window, "mn", none(), Exit::Refused),
        (Ending::Paused, "mn", held(), Exit::Refused),
        (Ending::Completed, "c", moved(), Exit::Refused),
        // 77 above 6, 4, 8, 9.
        (Ending::Auth, "fudobn", held(), Exit::Auth),
        // The user's word above what was borne.
        (Ending::Stopped, "fuobn", held(), Exit::Interrupted),
        // 6 means only unreachable hosts: one that failed too makes it 4.
        (Ending::Completed, "cu", none(), Exit::Unreachable),
        (Ending::Completed, "cuf", none(), Exit::Partial),
        (Ending::Completed, "cud", none(), Exit::Partial),
        (Ending::Completed, "cub", none(), Exit::Unreachable),
        (Ending::Window, "un", none(), Exit::Unreachable),
        (Ending::Paused, "un", held(), Exit::Unreachable),
        (Ending::Completed, "u", failed(), Exit::Partial),
        // 4 above 8 and 9.
        (Ending::Completed, "cf", none(), Exit::Partial),
        (Ending::Paused, "fn", held(), Exit::Partial),
        (Ending::Window, "fn", none(), Exit::Partial),
        (Ending::Completed, "co", none(), Exit::Partial),
        // Blocked hosts keep a run from being ok, and hide neither of the ways to wait.
        (Ending::Completed, "cb", none(), Exit::Blocked),
        // 8 and 9.
        (Ending::Paused, "cn", held(), Exit::Paused),
        (Ending::Completed, "c", held(), Exit::Paused),
        (Ending::Window, "cn", none(), Exit::Window),
        (Ending::Window, "con", held(), Exit::Window),
    ] {
        let outcomes: Vec<Outcome> = ends.chars().map(outcome).collect();
        let outcomes = outcomes.iter().map(|outcome| (outcome, true));
        assert_eq!(exit(ending, outcomes, &steps), expected, "{ending:?} {ends}");
    }
}

#[test]
fn a_stop_at_a_window_and_at_a_person_is_told_as_waiting_for_the_person() {
    assert!(Ending::Window < Ending::Paused && Ending::Paused < Ending::Stopped);
    assert!(Ending::Stopped < Ending::Auth && Ending::Auth < Ending::Aborted);
}
