//! Every message of a rollout struck on the wire: the real client against the lab's sockets, counted
//! and judged at the hosts.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::PoisonError;

use rmsfleet::error::Exit;
use rmsfleet::lab::strike::Blow;
use rmsfleet::lab::strike::Strike;
use rmsfleet::model::host::HostName;
use rmsfleet::model::plan::Plan;

use crate::resume::Memory;
use crate::resume::one_in;
use crate::resume::wire::ground::Ground;
use crate::resume::wire::ground::INVENTORY;
use crate::resume::wire::ground::Log;
use crate::resume::wire::ground::alone;
use crate::resume::wire::ground::planned;

mod ground;
mod steps;

const PLAYBOOK: &str = "version: 1
name: struck
stages:
  - { name: servers, hosts: all }
  - { name: organisation, org_step: exchange.set-irm-configuration }
";

/// Runs side by side: most of their time is waiting.
const SIDE_BY_SIDE: usize = 8;

fn strike(plan: &Plan, case: &(HostName, Blow), log: Log) {
    alone(async {
        let ground = Ground::new(Some(case), log).await;
        let disk = Memory::default();
        let report = ground.process(plan, &disk, None).await.unwrap();
        let blow = Some(case.1);
        ground.check_told(plan, &report, blow);
        ground.mend().await;
        if report.exit != Exit::Ok || ground.has_left("[") {
            let report = ground.resumed(plan, &disk).await;
            assert_eq!(report.exit, Exit::Ok, "resumed: {report:#?}");
            ground.check_told(plan, &report, blow);
        }
        ground.check_end(plan);
    });
}

fn told((host, blow): &(HostName, Blow)) -> String {
    format!("{}:{blow}", host.short())
}

/// Every message of each host struck in every way, once and twice; one in so many of these runs.
#[test]
fn a_message_struck_on_the_wire_leaves_a_state_that_is_told_truly() {
    let plan = planned(INVENTORY, PLAYBOOK);
    let restarts = plan.hosts.values().filter(|host| host.restart).count();
    assert_eq!((plan.hosts.len(), restarts), (3, 2));
    let messages = alone(async {
        let ground = Ground::new(None, Log::default()).await;
        let report = ground.process(&plan, &Memory::default(), None).await.unwrap();
        ground.check_told(&plan, &report, None);
        ground.check_end(&plan);
        ground.messages()
    });
    let mut cases = VecDeque::new();
    for strike in Strike::ALL {
        for times in [1, 2] {
            for (host, count) in &messages {
                let blow = |at| (host.clone(), Blow { strike, at, times });
                cases.extend((0..*count).map(blow));
            }
        }
    }
    let share = one_in(701);
    let all = cases.len();
    let wanted = std::env::var_os("RMSFLEET_STRIKE").and_then(|name| name.into_string().ok());
    let cases: VecDeque<_> = match wanted {
        // Some runs again, by the beginning of the name that a failure has told.
        Some(name) => cases.into_iter().filter(|case| told(case).starts_with(&name)).collect(),
        None => cases.into_iter().step_by(share).collect(),
    };
    let chosen = cases.len();
    let (cases, broken) = (Mutex::new(cases), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..SIDE_BY_SIDE {
            threads.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().pop_front() } {
                    let log = Log::default();
                    let run = || strike(&plan, &case, log.clone());
                    if catch_unwind(AssertUnwindSafe(run)).is_err() {
                        let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
                        broken.lock().unwrap().push((told(&case), log));
                    }
                }
            });
        }
    });
    let broken: Vec<(String, Vec<String>)> = broken.into_inner().unwrap();
    let names: Vec<&String> = broken.iter().map(|(name, _)| name).collect();
    let first = broken.first().map(|(_, log)| log);
    assert!(broken.is_empty(), "{names:?} of {chosen} runs, {all} in all; the first: {first:#?}");
}
