//! Plans of any shape.

use jiff::SignedDuration;

use rmsfleet::model::care::RestartOrder;
use rmsfleet::model::conditions::Conditions;
use rmsfleet::model::gate::StageGates;
use rmsfleet::model::hook::Around;
use rmsfleet::model::host::HostName;
use rmsfleet::model::plan::Blocker;
use rmsfleet::model::plan::FailureDomain;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::Scope;
use rmsfleet::model::plan::Undoes;
use rmsfleet::model::window::Day;
use rmsfleet::model::window::Freeze;
use rmsfleet::model::window::Window;

use crate::imagined::change;
use crate::imagined::dice::Dice;
use crate::imagined::hosts_stage;
use crate::imagined::noon;
use crate::imagined::plan;
use crate::imagined::planned;
use crate::imagined::step;
use crate::imagined::step_stage;

fn random_gates(dice: &mut Dice) -> StageGates {
    let mut some = || if dice.chance(15) { vec!["gate".to_owned()] } else { Vec::new() };
    StageGates { before: some(), between: some(), after: some() }
}

/// Windows of a few hours around noon and midnight, and now and then a freeze.
fn random_conditions(dice: &mut Dice) -> Conditions {
    let mut conditions = Conditions::default();
    for (name, start) in [("noon", 11 * 60 + 30), ("late", 23 * 60)] {
        let window = Window {
            tz: "UTC".to_owned(),
            days: vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun],
            start,
            duration: 3600 * u32::try_from(dice.up_to(4) + 1).unwrap(),
            cutoff: 600 * u32::try_from(dice.up_to(3)).unwrap(),
        };
        conditions.windows.insert(name.to_owned(), window);
    }
    if dice.chance(10) {
        let from = noon() + SignedDuration::from_mins(i64::try_from(dice.up_to(300)).unwrap());
        let to = from + SignedDuration::from_mins(30);
        conditions.freezes.push(Freeze { from, to, reason: "closing".to_owned() });
    }
    conditions
}

fn random_hooks(dice: &mut Dice) -> Around {
    let some = |yes: bool| if yes { vec!["hook".to_owned()] } else { Vec::new() };
    Around { before: some(dice.chance(20)), after: some(dice.chance(20)) }
}

pub(super) fn random_plan(dice: &mut Dice) -> Plan {
    let count = dice.up_to(12) + 1;
    let mut hosts = Vec::new();
    for number in 0..count {
        let mut host = planned(&format!("H{number:02}"));
        host.credential = ["red", "blue"][dice.up_to(2)].to_owned();
        if dice.chance(75) {
            host.changes = vec![change("Name", None, Some("data"))];
        }
        host.restart = dice.chance(60);
        if dice.chance(40) {
            host.care.order = vec![RestartOrder::FewestActiveDatabases, RestartOrder::PamLast];
        }
        if dice.chance(25) {
            host.window = Some(["noon", "noon", "noon", "late"][dice.up_to(4)].to_owned());
        }
        if dice.chance(10) {
            let id = ["unreachable", "unreadable"][dice.up_to(2)].to_owned();
            host.blockers.push(Blocker { id, text: "blocked".to_owned(), hint: None });
        }
        for kind in ["dag", "site"] {
            if dice.chance(60) {
                let number = dice.up_to(2);
                let max_unavailable = if number == 0 { 1 } else { 2 };
                host.domains
                    .push(FailureDomain { id: format!("{kind}:{number}"), max_unavailable });
            }
        }
        if dice.chance(5) {
            host.scope =
                [Scope::Connector, Scope::OutOfScope("no role".to_owned())][dice.up_to(2)].clone();
            host.changes.clear();
            host.restart = false;
        }
        hosts.push(host);
    }
    let mut stages = Vec::new();
    let cut = dice.up_to(count + 1);
    for (place, part) in [&hosts[..cut], &hosts[cut..]].into_iter().enumerate() {
        let working: Vec<_> = part.iter().filter(|host| host.has_work()).collect();
        let size = dice.up_to(4) + 1;
        let batches =
            working.chunks(size).map(|batch| batch.iter().map(|host| host.name.clone()).collect());
        let restarts =
            working.iter().filter(|host| host.restart).map(|host| host.name.clone()).collect();
        let budget = u32::try_from(dice.up_to(4)).unwrap();
        stages.push(hosts_stage(&format!("hosts {place}"), batches.collect(), budget, restarts));
        let mut step = step("Contoso");
        step.via = HostName::new(format!("H{:02}", dice.up_to(count)));
        step.satisfied = dice.chance(15);
        step.needs =
            part.iter().filter(|_| dice.chance(50)).map(|host| host.name.clone()).collect();
        if dice.chance(20) {
            step.missing = vec!["EX99".to_owned()];
        }
        if dice.chance(50) {
            step.waived.clone_from(&step.missing);
        }
        stages.push(step_stage(&format!("step {place}"), step));
    }
    let mut plan = plan(hosts, stages);
    for stage in &mut plan.stages {
        stage.gates = random_gates(dice);
        stage.hooks = random_hooks(dice);
    }
    plan.conditions = random_conditions(dice);
    plan.conditions.around = random_hooks(dice);
    // An undo takes the organisation back first, and holds some hosts until then.
    if dice.chance(20) {
        let (run, digest) = ("run-0".to_owned(), "4567".to_owned());
        plan.undoes = Some(Undoes { run, digest, depth: 1, left: 0 });
        plan.stages.rotate_left(1);
        let first = plan.stages[0].name.clone();
        for host in plan.hosts.values_mut().filter(|_| dice.chance(30)) {
            host.after_step = Some(first.clone());
        }
    }
    plan.limits.forks = u32::try_from(dice.up_to(4) + 1).unwrap();
    plan.limits.restart = u32::try_from(dice.up_to(3) + 1).unwrap();
    plan.count_unreachable_as_failed = dice.chance(50);
    plan
}
