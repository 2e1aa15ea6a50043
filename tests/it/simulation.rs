//! Thousands of imagined runs: whatever happens in whatever order, the scheduler's promises hold.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use rmsfleet::error::Exit;
use rmsfleet::model::hook::Turn;
use rmsfleet::model::host::HostName;
use rmsfleet::model::outcome::Failure;
use rmsfleet::model::outcome::FailureKind;
use rmsfleet::run::action::Configured;
use rmsfleet::run::action::Gated;
use rmsfleet::run::action::Happened;
use rmsfleet::run::action::Hooked;
use rmsfleet::run::action::Looked;
use rmsfleet::run::action::Options;
use rmsfleet::run::action::Restarted;
use rmsfleet::run::action::StepDone;
use rmsfleet::run::action::Stop;
use rmsfleet::run::order::Rank;
use rmsfleet::run::scheduler::Scheduler;

use crate::imagined::dice::Dice;
use crate::imagined::irm;
use crate::simulation::plans::random_plan;
use crate::simulation::watch::Watch;
use crate::simulation::watch::key;
use crate::simulation::weakened::Weakness;

mod died;
mod plans;
mod watch;
mod weakened;

fn random_failure(dice: &mut Dice) -> Failure {
    let kinds = [
        FailureKind::Unreachable,
        FailureKind::Fault,
        FailureKind::WriteRefused,
        FailureKind::Drifted,
        FailureKind::WrongHost,
        FailureKind::InDoubt,
        FailureKind::Denied,
        FailureKind::Leased,
    ];
    Failure::new(kinds[dice.up_to(kinds.len())], "the dice said so")
}

/// One run of a random plan under random luck; returns its exit and whether it was halted.
///
/// With a weakness the scheduler is told of another plan and of other news than the watch.
fn simulate(seed: u64, weakness: Option<Weakness>) -> (Exit, bool) {
    let dice = &mut Dice::new(seed);
    let plan = random_plan(dice);
    let mut options = Options::default();
    if dice.chance(80) {
        options.confirmed.insert("contoso".to_owned());
    }
    if dice.chance(10) {
        let names = plan.hosts.keys().filter(|_| dice.chance(30));
        options.left_out = names.cloned().collect();
    }
    let luck = [100, 90, 60][dice.up_to(3)];
    let stop_at = if dice.chance(10) { dice.up_to(30) } else { usize::MAX };
    let denied_at = if dice.chance(10) { dice.up_to(10) } else { usize::MAX };
    let believed = weakness.map_or_else(|| plan.clone(), |weakness| weakness.plan(&plan));
    let agreed = weakness.map_or_else(|| options.clone(), |weakness| weakness.options(&options));
    let mut scheduler = Scheduler::new(&believed, agreed.clone());
    let tell = |scheduler: &mut Scheduler<'_>, happened: Happened| {
        // Told first, as the driver does: whether an account is known decides what follows.
        if let Happened::Configured { host, result: Configured::Verified(_) } = &happened {
            scheduler.handle(Happened::LoggedOn(host.clone()));
        }
        let heard = match weakness {
            None => Some(happened),
            Some(weakness) => weakness.hears(happened),
        };
        if let Some(heard) = heard {
            scheduler.handle(heard);
        }
    };
    let twice = weakness == Some(Weakness::Echo);
    if weakness == Some(Weakness::Proven) {
        for host in plan.hosts.keys() {
            scheduler.handle(Happened::LoggedOn(host.clone()));
        }
    }
    let mut watch = Watch::new(&plan, options);
    let stop = [Stop::Finish, Stop::Pause, Stop::SafePoint, Stop::Now][dice.up_to(4)];
    let may_die = weakness.is_none_or(Weakness::is_of_a_resume);
    let mut dies_at = Vec::new();
    if may_die && dice.chance(40) {
        dies_at = vec![dice.up_to(40), dice.up_to(80)];
    }
    while let Some(action) = scheduler.poll(watch.now) {
        watch.see(&action);
        if twice {
            watch.see(&action);
        }
    }
    for round in 0.. {
        assert!(round < 1000, "the run never ends");
        if let Some(exit) = watch.exit {
            assert_eq!(scheduler.poll(watch.now), None, "nothing follows the end");
            let outcomes = scheduler.outcomes();
            assert_eq!(outcomes, watch.ended);
            return (exit, watch.halted);
        }
        assert!(!watch.idle(), "the run waits for nothing");
        if round == stop_at {
            tell(&mut scheduler, Happened::StopRequested(stop));
            watch.given_up |= stop == Stop::Now;
            watch.must_halt = true;
            if stop == Stop::Now {
                for happened in abandon(&mut watch) {
                    tell(&mut scheduler, happened);
                }
                while let Some(action) = scheduler.poll(watch.now) {
                    watch.see(&action);
                }
                continue;
            }
        }
        if dies_at.contains(&round) {
            let history = watch.dies(dice);
            let history = match weakness {
                None => history,
                Some(weakness) => weakness.reads(history),
            };
            scheduler = Scheduler::resume(&believed, agreed.clone(), &history);
            while let Some(action) = scheduler.poll(watch.now) {
                watch.see(&action);
            }
            continue;
        }
        let happened = answer(&mut watch, dice, luck, round >= denied_at);
        tell(&mut scheduler, happened);
        watch.now += SignedDuration::from_secs(i64::try_from(dice.up_to(900)).unwrap());
        while let Some(action) = scheduler.poll(watch.now) {
            watch.see(&action);
            watch.must_halt |= watch.over_budget();
        }
    }
    unreachable!("rounds are bounded")
}

/// What is in flight when the user ends the run at once, dropped as the driver does it.
fn abandon(watch: &mut Watch<'_>) -> Vec<Happened> {
    let mut news = Vec::new();
    for host in std::mem::take(&mut watch.configuring) {
        watch.settled.insert(host.clone(), false);
        news.push(Happened::Configured { host, result: Configured::Stopped });
    }
    for host in std::mem::take(&mut watch.looking) {
        news.push(Happened::Looked { host, result: Looked::Stopped });
    }
    if let Some(stage) = watch.ranking.take() {
        news.push(Happened::Ranked { stage, ranks: BTreeMap::new() });
    }
    for host in std::mem::take(&mut watch.restarting) {
        watch.unproved.insert(host.clone());
        let result = Restarted::GivenUp("the user ended the run".to_owned());
        news.push(Happened::Restarted { host, result });
    }
    if let Some((stage, place)) = watch.gating.take() {
        news.push(Happened::GatesEnded { stage, place, result: Gated::Stopped });
    }
    if let Some((stage, turn)) = watch.hooking.take() {
        news.push(Happened::HooksEnded { stage, turn, result: Hooked::Stopped });
    }
    if let Some(stage) = watch.step_running.take() {
        watch.awaited.insert(stage);
        news.push(Happened::StepEnded { stage, result: Ok(StepDone::Stopped) });
    }
    news
}

/// Ends one piece of work in flight, any of them.
fn answer(watch: &mut Watch<'_>, dice: &mut Dice, luck: usize, denied: bool) -> Happened {
    if let Some((stage, place)) = watch.gating.take() {
        let result = match dice.up_to(20) {
            0 => Gated::Failed("red".to_owned()),
            1 => Gated::Awaiting("nobody came".to_owned()),
            _ if watch.must_halt => Gated::Stopped,
            _ => Gated::Passed,
        };
        if result == Gated::Passed {
            watch.passed.insert(key(stage, place));
        } else {
            watch.must_halt = true;
        }
        return Happened::GatesEnded { stage, place, result };
    }
    if let Some((stage, turn)) = watch.hooking.take() {
        let result = if dice.chance(90) {
            Hooked::Done
        } else {
            // Behind the last stage there is nothing to halt.
            watch.must_halt |= stage.is_some() || turn == Turn::Before;
            Hooked::Failed("it ended with 1".to_owned())
        };
        watch.tell(stage, turn, Some(result == Hooked::Done));
        return Happened::HooksEnded { stage, turn, result };
    }
    if let Some(stage) = watch.ranking.take() {
        let mut ranks = BTreeMap::new();
        for host in watch.restarts() {
            if dice.chance(80) {
                let rank = Rank { load: Some(dice.up_to(5)), primary: dice.chance(20) };
                ranks.insert(host.clone(), rank);
            }
        }
        return Happened::Ranked { stage, ranks };
    }
    let number = watch.configuring.len() + watch.looking.len() + watch.restarting.len();
    if number == 0 {
        let stage = watch.step_running.take().expect("something is in flight");
        let result = if dice.chance(luck) {
            Ok(step_done(watch, dice, stage))
        } else {
            let failure = random_failure(dice);
            // A step that was refused or not reached stops nobody else.
            watch.must_halt |= !matches!(
                failure.kind,
                FailureKind::Drifted | FailureKind::WrongHost | FailureKind::Unreachable
            );
            Err(failure)
        };
        return Happened::StepEnded { stage, result };
    }
    let pick = dice.up_to(number);
    let busy = watch.configuring.iter().chain(&watch.looking).chain(&watch.restarting);
    let host = busy.clone().nth(pick).cloned().unwrap();
    if watch.looking.remove(&host) {
        let result = match dice.up_to(10) {
            0 => Looked::Held("a peer is down".to_owned()),
            1 if dice.chance(5) => {
                watch.must_halt = true;
                Looked::Leased("another run's".to_owned())
            }
            _ if watch.must_halt => Looked::Stopped,
            _ => Looked::Clear,
        };
        if result == Looked::Clear {
            watch.seen.insert(host.clone());
        }
        return Happened::Looked { host, result };
    }
    if watch.configuring.remove(&host) {
        let result = if denied {
            watch.must_halt = true;
            Configured::Failed(Failure::new(FailureKind::AccountGuarded, "guarded"))
        } else if dice.chance(luck) {
            watch.proven.insert(watch.account(&host));
            Configured::Verified(watch.plan.hosts[&host].changes.len())
        } else if watch.must_halt && dice.chance(20) {
            Configured::Stopped
        } else {
            let failure = random_failure(dice);
            failed(watch, &host, failure.kind);
            Configured::Failed(failure)
        };
        watch.settled.insert(host.clone(), matches!(result, Configured::Verified(_)));
        return Happened::Configured { host, result };
    }
    watch.restarting.remove(&host);
    let result = if dice.chance(luck) {
        Restarted::Proved
    } else if dice.chance(20) {
        Restarted::Held("a peer went down meanwhile".to_owned())
    } else if watch.must_halt && dice.chance(30) {
        watch.unproved.insert(host.clone());
        Restarted::GivenUp("the user stopped the run".to_owned())
    } else if dice.chance(50) {
        let failure = random_failure(dice);
        failed(watch, &host, failure.kind);
        Restarted::Failed(failure)
    } else {
        watch.unproved.insert(host.clone());
        Restarted::NotProved(Failure::new(FailureKind::NotBack, "not back"))
    };
    if !matches!(result, Restarted::Proved) {
        watch.owed.insert(host.clone());
    }
    Happened::Restarted { host, result }
}

/// What a failure of a host is to the others.
fn failed(watch: &mut Watch<'_>, host: &HostName, kind: FailureKind) {
    if matches!(kind, FailureKind::Unreachable | FailureKind::InDoubt) {
        watch.lost.insert(host.clone());
    }
    watch.must_halt |= kind == FailureKind::Leased;
    watch.must_halt |= kind == FailureKind::Denied && !watch.proven.contains(&watch.account(host));
}

/// A step that ended without a failure.
fn step_done(watch: &mut Watch<'_>, dice: &mut Dice, stage: usize) -> StepDone {
    let done = match dice.up_to(10) {
        0 => StepDone::Unchanged,
        1 => StepDone::Awaited("nobody came".to_owned()),
        2 if watch.must_halt => StepDone::Stopped,
        _ => StepDone::Verified(irm(true).into()),
    };
    match done {
        StepDone::Awaited(_) | StepDone::Stopped => {
            watch.must_halt = true;
            watch.awaited.insert(stage);
        }
        StepDone::Verified(_) => {
            watch.set.insert(watch.plan.stages[stage].name.clone());
            watch.done.insert(watch.plan.stages[stage].name.clone());
        }
        StepDone::Unchanged | StepDone::Rehearsed => {
            watch.done.insert(watch.plan.stages[stage].name.clone());
        }
    }
    done
}

/// 6000 of them, or as many as `RMSFLEET_SIMULATIONS` says.
fn simulations() -> u64 {
    let asked = std::env::var_os("RMSFLEET_SIMULATIONS");
    asked.map_or(6000, |text| text.to_str().and_then(|text| text.parse().ok()).unwrap())
}

#[test]
fn every_promise_holds_in_thousands_of_runs() {
    let mut seen: BTreeMap<u8, usize> = BTreeMap::new();
    let mut halted = 0;
    for seed in 0..simulations() {
        let run = std::panic::catch_unwind(|| simulate(seed, None));
        let Ok((exit, halt)) = run else { panic!("seed {seed} breaks a promise") };
        *seen.entry(exit.code()).or_default() += 1;
        halted += usize::from(halt);
    }
    // The dice reach every ending; a simulation that never gets there proves nothing.
    for exit in [
        Exit::Ok,
        Exit::Refused,
        Exit::Partial,
        Exit::Aborted,
        Exit::Unreachable,
        Exit::Blocked,
        Exit::Paused,
        Exit::Window,
        Exit::Auth,
        Exit::Interrupted,
        Exit::Locked,
        Exit::UndoIncomplete,
    ] {
        assert!(seen.contains_key(&exit.code()), "no run ended with {exit}: {seen:?}");
    }
    assert!(halted > 100, "only {halted} runs were halted");
}
