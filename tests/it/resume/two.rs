//! Two runs at once on one farm, their steps in any order: no value is written twice, no host restarts
//! twice, no two of a failure domain are down together, and the organisation is set once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use rmsfleet::error::Exit;
use rmsfleet::host::mark;
use rmsfleet::model::host::HostName;
use rmsfleet::model::lease;
use rmsfleet::model::lease::Lease;
use rmsfleet::model::outcome::Outcome;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::PlannedWork;
use rmsfleet::model::registry::ValueName;
use rmsfleet::run::driver::RunContext;
use rmsfleet::run::driver::RunError;
use rmsfleet::run::driver::RunReport;
use rmsfleet::run::driver::execute;

use crate::imagined::dice::Dice;
use crate::imagined::fleet::Fleet;
use crate::resume::DEATHS;
use crate::resume::Death;
use crate::resume::Memory;
use crate::resume::NAMES;
use crate::resume::check_domains;
use crate::resume::context;
use crate::resume::exactly;
use crate::resume::farm;
use crate::resume::go_on_as;
use crate::resume::machines;
use crate::resume::one_in;
use crate::resume::pass_time;
use crate::resume::sink;
use crate::resume::start;
use crate::resume::start_as;
use crate::resume::truth::held;
use crate::resume::wait;

/// One of two workstations, with what it was told to do.
struct Desk {
    run: &'static str,
    plan: Plan,
    left_out: Vec<HostName>,
    dies: Option<(usize, Death)>,
}

type Ended = (Memory, Result<RunReport, RunError>);

/// Lets two pieces of work go on in an order thrown by the dice, one of them more often than the other.
async fn shuffled<T>(
    dice: &mut Dice,
    percent: usize,
    one: impl Future<Output = T>,
    other: impl Future<Output = T>,
) -> (T, T) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    let mut turns = 0;
    poll_fn(move |context| {
        turns += 1;
        assert!(turns < 500_000, "no end");
        if second.is_some() || first.is_none() && dice.chance(percent) {
            if let Poll::Ready(ended) = one.as_mut().poll(context) {
                first = Some(ended);
            }
        } else if let Poll::Ready(ended) = other.as_mut().poll(context) {
            second = Some(ended);
        }
        if let (Some(_), Some(_)) = (&first, &second) {
            return Poll::Ready((first.take().unwrap(), second.take().unwrap()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

fn together(dice: &mut Dice, fleet: &Fleet, desks: &[Desk; 2]) -> [Ended; 2] {
    let [one, other] = desks;
    let (first, mut into_first) = sink(fleet, one.run, one.dies);
    let (second, mut into_second) = sink(fleet, other.run, other.dies);
    let mut one = RunContext { run: one.run, ..context(fleet, &one.plan, &mut into_first) };
    let mut other = RunContext { run: other.run, ..context(fleet, &other.plan, &mut into_second) };
    one.options.left_out = desks[0].left_out.iter().cloned().collect();
    other.options.left_out = desks[1].left_out.iter().cloned().collect();
    let percent = [50, 50, 80, 20, 97, 3][dice.up_to(6)];
    let (one, other) = wait(shuffled(dice, percent, execute(one), execute(other)));
    [(first, one), (second, other)]
}

/// The farm as it is after a rollout whose organisation step was held: only the step is left.
fn step_only() -> Plan {
    let mut plan = farm();
    for host in plan.hosts.values_mut() {
        host.equal.extend(host.changes.drain(..).map(|change| (change.path, change.after)));
        host.restart = false;
    }
    plan.stages.retain(|stage| matches!(stage.work, PlannedWork::Step(_)));
    plan
}

/// The values of [`farm`] on every machine.
fn configured() -> Fleet {
    let fleet = machines();
    for (name, host) in &farm().hosts {
        for change in &host.changes {
            fleet.put(name.as_str(), &change.path, &change.after.to_string());
        }
    }
    fleet
}

fn desks(dice: &mut Dice) -> (Fleet, [Desk; 2]) {
    let desk = |run, mut plan: Plan| {
        // What one run waits for passes for the other's writes too, which it does not in the world.
        plan.hosts.values_mut().for_each(|host| host.operation_timeout = 24 * 3600);
        Desk { run, plan, left_out: Vec::new(), dies: None }
    };
    let mut other_plan = farm();
    other_plan.id = "0b8d4d3e-0000-4000-8000-000000000002".to_owned();
    match dice.up_to(4) {
        // The very same plan, copied to two workstations.
        0 => (machines(), [desk("run-1", farm()), desk("run-2", farm())]),
        // Some hosts in common, and all of their failure domains.
        1 => {
            let mut desks = [desk("run-1", farm()), desk("run-2", other_plan)];
            for name in NAMES {
                let both = dice.chance(20);
                let place = dice.up_to(2);
                if !both {
                    desks[place].left_out.push(HostName::new(name));
                }
            }
            (machines(), desks)
        }
        // No host in common.
        2 => {
            let mut desks = [desk("run-1", farm()), desk("run-2", other_plan)];
            for name in NAMES {
                desks[dice.up_to(2)].left_out.push(HostName::new(name));
            }
            (machines(), desks)
        }
        _ => {
            let mut plan = step_only();
            plan.id = other_plan.id;
            (configured(), [desk("run-1", step_only()), desk("run-2", plan)])
        }
    }
}

/// Counted at the machines, whoever did it.
#[track_caller]
fn check_once(fleet: &Fleet, what: &str) {
    for name in NAMES {
        for act in ["set One", "set Two", "restart"] {
            let times = exactly(fleet, &format!("{name} {act}"));
            assert!(times <= 1, "{what}: {times} times {name} {act}");
        }
        let reboots = fleet.with(|world| world.machines[name].reboots);
        assert!(reboots <= 1, "{what}: {reboots} restarts of {name}");
    }
    let set = exactly(fleet, "EX1 Set-IRMConfiguration");
    assert!(set <= 1, "{what}: the organisation is set {set} times");
    check_domains(fleet, &farm(), what);
}

/// What a run tells as done is so; gives how many of its hosts are.
#[track_caller]
fn check_told(fleet: &Fleet, plan: &Plan, report: &RunReport, what: &str) -> usize {
    let mut done = 0;
    for (name, outcome) in &report.outcomes {
        let host = &plan.hosts[name];
        let fresh = fleet.with(|world| world.machines[name.as_str()].fresh);
        if let Outcome::Changed { restarted, .. } = outcome {
            assert_eq!(held(fleet, host).1, host.changes.len(), "{what}: {name}");
            assert!(fresh || !restarted, "{what}: {name} is told as restarted");
            done += 1;
        }
    }
    done
}

/// What is left of our marks, by machine.
fn marks(fleet: &Fleet) -> BTreeMap<String, Vec<ValueName>> {
    fleet.with(|world| {
        let held = world.machines.iter().filter_map(|(name, machine)| {
            let values = machine.registry.get(&lease::key())?;
            Some((name.clone(), values.keys().cloned().collect()))
        });
        held.collect()
    })
}

/// A mark is left where a restart is told to be owed, and nothing else of ours anywhere; but a run
/// that lost a host may leave its lease there.
#[track_caller]
fn check_marks(fleet: &Fleet, owed: &BTreeSet<HostName>, lost: &BTreeSet<Lost>, what: &str) {
    let mut found = marks(fleet);
    for (name, marks) in &mut found {
        marks.retain(|mark| !lost.contains(&(name.clone(), mark.as_str().to_owned())));
    }
    found.retain(|_, marks| !marks.is_empty());
    let names = owed.iter().map(|name| (name.to_string(), vec![mark::path().name]));
    assert_eq!(found, names.collect(), "{what}: marks");
}

/// A host that a run could not reach in the end, and the name of that run's lease.
type Lost = (String, String);

fn lost(run: &str, report: &RunReport) -> impl Iterator<Item = Lost> {
    let is_lost = |(_, outcome): &(_, &Outcome)| matches!(outcome, Outcome::Unreachable(_));
    let lease = Lease::path(run).name.as_str().to_owned();
    report.outcomes.iter().filter(is_lost).map(move |(name, _)| (name.to_string(), lease.clone()))
}

fn owed(report: &RunReport) -> impl Iterator<Item = HostName> {
    let owed = |(_, outcome): &(_, &Outcome)| matches!(outcome, Outcome::RestartOwed { .. });
    report.outcomes.iter().filter(owed).map(|(name, _)| name.clone())
}

/// Runs both of them; gives how many hosts were changed, and how often a run stood back.
fn meet(seed: u64) -> (usize, usize) {
    let what = format!("seed {seed}");
    let dice = &mut Dice::new(seed);
    let (fleet, mut desks) = desks(dice);
    if dice.chance(30) {
        desks[dice.up_to(2)].dies = Some((dice.up_to(120) + 1, DEATHS[dice.up_to(DEATHS.len())]));
    }
    let ended = together(dice, &fleet, &desks);
    check_once(&fleet, &what);
    let (mut done, mut stood_back, mut dead) = (0, 0, false);
    let (mut left, mut without_answer) = (BTreeSet::new(), BTreeSet::new());
    for (desk, (disk, report)) in desks.iter().zip(ended) {
        if let Ok(report) = report {
            done += check_told(&fleet, &desk.plan, &report, &what);
            left.extend(owed(&report));
            without_answer.extend(lost(desk.run, &report));
            stood_back += usize::from(report.exit == Exit::Locked);
        } else {
            dead = true;
            // The other one has ended; now this one is gone on with.
            pass_time(&fleet, [0, 20, 4000][dice.up_to(3)]);
            let (_, report) = go_on_as(desk.run, &fleet, &desk.plan, &disk, None);
            check_once(&fleet, &what);
            done += check_told(&fleet, &desk.plan, &report.unwrap(), &what);
        }
    }
    if !dead {
        check_marks(&fleet, &left, &without_answer, &what);
    }
    (done, stood_back)
}

/// 300 meetings by default; `RMSFLEET_EXHAUSTIVE` makes it twenty times as many.
#[test]
fn two_runs_at_once_write_nothing_twice_and_take_no_two_of_a_domain_down() {
    let (mut done, mut stood_back, mut broken) = (0, 0, Vec::new());
    let meetings = 300 * u64::try_from(20 / one_in(20)).unwrap();
    for seed in 0..meetings {
        match std::panic::catch_unwind(|| meet(seed)) {
            Ok((hosts, backs)) => {
                done += hosts;
                stood_back += backs;
            }
            Err(_) => broken.push(seed),
        }
    }
    assert!(broken.is_empty(), "{} of {meetings} meetings: seeds {broken:?}", broken.len());
    assert!(done > 1000, "only {done} hosts were changed");
    assert!(stood_back > 50, "only {stood_back} runs met the other's lease");
}

/// A run that died leaves its lease: another stands back until it has expired.
#[test]
fn the_lease_of_a_dead_run_keeps_another_away_until_it_expires() {
    let plan = farm();
    let mut later = farm();
    later.id = "0b8d4d3e-0000-4000-8000-000000000002".to_owned();
    for at in [10, 20, 30] {
        let fleet = machines();
        let (disk, died) = start(&fleet, &plan, Some((at, Death::After)));
        assert!(died.is_err());
        let wrote = |fleet: &Fleet| fleet.count(" set One");
        let before = wrote(&fleet);
        let (_, report) = start_as("run-2", &fleet, &later, None);
        let report = report.unwrap();
        if marks(&fleet).is_empty() {
            continue;
        }
        assert_eq!(report.exit, Exit::Locked, "killed at line {at}: {report:#?}");
        assert_eq!(wrote(&fleet), before, "killed at line {at}");
        // Eight hours later it counts no more. What the dead run wrote has moved since the plan.
        pass_time(&fleet, 9 * 3600);
        let (_, report) = start_as("run-3", &fleet, &later, None);
        assert_ne!(report.unwrap().exit, Exit::Locked, "killed at line {at}");
        check_once(&fleet, &format!("killed at line {at}"));
        // And whoever goes on with the dead run tramples on nothing.
        let (_, report) = go_on_as("run-1", &fleet, &plan, &disk, None);
        report.unwrap();
        check_once(&fleet, &format!("killed at line {at}, and gone on with"));
    }
}
