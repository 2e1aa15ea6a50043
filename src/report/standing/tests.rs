use super::*;
use crate::model::gate::Gate;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::plan::sample;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_793_657_648 + seconds).unwrap()
}

/// A plan with an approval to wait for, and the hosts that it has work for.
fn plan() -> (Plan, Vec<HostName>) {
    let mut plan = sample::plan();
    let approval = Gate::Approval { prompt: "go on?".to_owned(), role: None, timeout: 60 };
    plan.conditions.gates.insert("human-go".to_owned(), approval);
    let busy = plan.hosts.values().filter(|host| host.has_work());
    let names = busy.map(|host| host.name.clone()).collect();
    (plan, names)
}

fn stand(events: Vec<Event>) -> (Plan, Standing) {
    let (plan, _) = plan();
    let records: Vec<Record> = (0..)
        .zip(events)
        .map(|(seq, event)| {
            let seconds = i64::try_from(seq).unwrap();
            Record { seq, ts: at(seconds), run: "r1".to_owned(), event }
        })
        .collect();
    let standing = Standing::of(&plan, &records, BTreeMap::new());
    (plan, standing)
}

fn gate() -> Event {
    Event::GateStarted { stage: "servers".to_owned(), gate: "human-go".to_owned(), budget: None }
}

fn ended(exit: u8) -> Event {
    Event::RunEnded { exit, name: "x".to_owned() }
}

fn alive() -> Pulse {
    Pulse::Alive { process: 1, workstation: "desk".to_owned(), heartbeat: at(0) }
}

#[track_caller]
fn check_exit(events: Vec<Event>, pulse: &Pulse, expected: u8) {
    let (plan, standing) = stand(events);
    assert_eq!(exit(&standing, &plan, pulse), expected);
}

#[test]
fn an_exit_code_says_whether_the_run_needs_somebody() {
    check_exit(Vec::new(), &alive(), 0);
    check_exit(Vec::new(), &Pulse::Untold, 0);
    check_exit(Vec::new(), &Pulse::Gone, 8);
    check_exit(vec![gate()], &alive(), 8);
    check_exit(vec![gate(), ended(5)], &Pulse::Gone, 5);
    check_exit(vec![ended(0)], &Pulse::Gone, 0);
    let resumed = Event::RunResumed {
        segment: 2,
        tool: String::new(),
        operator: String::new(),
        workstation: String::new(),
        torn: None,
    };
    check_exit(vec![ended(5), resumed], &alive(), 0);
}

#[test]
fn every_host_stands_where_its_last_word_puts_it() {
    let (_, names) = plan();
    let host = names[0].clone();
    let waiting = vec![
        Event::PhaseStarted { host: host.clone(), phase: Phase::Restart, budget: 900 },
        Event::RestartWaiting { host: host.clone(), seen: "no answer".to_owned() },
    ];
    let (_, standing) = stand(waiting.clone());
    let busy = Busy {
        phase: Phase::Restart,
        since: at(0),
        budget: Some(900),
        seen: "no answer".to_owned(),
    };
    assert_eq!(standing.hosts[&host], HostStanding::Busy(busy));
    assert_eq!(standing.hosts.len(), names.len());
    let others = standing.hosts.iter().filter(|(name, _)| **name != host);
    assert!(
        others.clone().count() > 0 && others.clone().all(|(_, own)| *own == HostStanding::Waiting)
    );
    let outcome = Outcome::Failed(Failure::new(FailureKind::NotBack, "gone"));
    let ends = Event::HostEnded { host: host.clone(), outcome: outcome.clone() };
    let (_, standing) = stand(waiting.into_iter().chain([ends]).collect());
    assert_eq!(standing.hosts[&host], HostStanding::Ended(outcome));
}
