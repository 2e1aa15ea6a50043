//! Every message of a rollout struck in every way: the run ends in a state that it tells truly, with
//! nothing written that is not in the journal, and a resume brings it to its end.

use std::panic::catch_unwind;

use rmsfleet::error::Exit;
use rmsfleet::model::plan::Plan;
use rmsfleet::model::plan::Scope;

use crate::imagined::fleet::Fleet;
use crate::imagined::strike::Blow;
use crate::imagined::strike::Strike;
use crate::resume::claims;
use crate::resume::exactly;
use crate::resume::farm;
use crate::resume::go_on;
use crate::resume::machines;
use crate::resume::maintenance;
use crate::resume::one_in;
use crate::resume::pass_time;
use crate::resume::rollout;
use crate::resume::start;
use crate::resume::truth;

const STRIKES: [Strike; 14] = [
    Strike::Refused,
    Strike::ResetBefore,
    Strike::ResetAfter,
    Strike::Silence,
    Strike::Half,
    Strike::WrongSequence,
    Strike::Fault500,
    Strike::Busy503,
    Strike::Denied401,
    Strike::AccessDenied,
    Strike::NeverReturns,
    Strike::NeverReturnsAfter,
    Strike::SecondBoot,
    Strike::SecondBootAfter,
];

/// Messages in a row that are struck: a second one meets what was to mend the first.
const TIMES: [usize; 3] = [1, 2, 5];

/// A rollout, and the machines that it goes to.
struct Scene {
    plan: Plan,
    machines: fn() -> Fleet,
    /// As an undisturbed run leaves them.
    end: Fleet,
    messages: usize,
}

impl Scene {
    fn new(plan: Plan, machines: fn() -> Fleet) -> Self {
        let end = machines();
        let (_, report) = start(&end, &plan, None);
        assert_eq!(report.unwrap().exit, Exit::Ok);
        let messages = end.with(|world| world.messages);
        Self { plan, machines, end, messages }
    }

    /// Strikes every message in every way, or one in so many of them.
    #[track_caller]
    fn check(&self, share: usize) {
        let blows = STRIKES.into_iter().flat_map(|strike| TIMES.map(|times| (strike, times)));
        let mut broken = Vec::new();
        let mut count = 0;
        for (place, (strike, times)) in blows.enumerate() {
            // Each way begins at another message.
            for at in (place * 11 % share..self.messages).step_by(share) {
                count += 1;
                let blow = Blow::new(at, strike, times);
                if catch_unwind(std::panic::AssertUnwindSafe(|| self.strike(&blow))).is_err() {
                    broken.push(format!("{strike:?} {times} times from message {at} on"));
                }
            }
        }
        let few = &broken[..broken.len().min(40)];
        assert!(broken.is_empty(), "{} of {count} runs: {few:#?}", broken.len());
    }

    fn strike(&self, blow: &Blow) {
        let what = format!("{blow:?}");
        let plan = &self.plan;
        let fleet = (self.machines)();
        fleet.with(|world| world.strike = Some(blow.clone()));
        let (disk, report) = start(&fleet, plan, None);
        truth::check_announced(&fleet, &what);
        truth::check_told(&fleet, plan, &report.unwrap(), &what);
        claims::check(&fleet, plan, &disk.bytes(), &what);
        // Whatever it was is over, and somebody goes on.
        fleet.with(|world| {
            world.strike = None;
            world.machines.values_mut().for_each(|machine| machine.luck.unreachable = false);
        });
        pass_time(&fleet, 4000);
        let (_, report) = go_on(&fleet, plan, &disk, None);
        let report = report.unwrap();
        truth::check_announced(&fleet, &what);
        assert_eq!(report.exit, Exit::Ok, "{what}: resumed: {report:#?}");
        truth::check_told(&fleet, plan, &report, &what);
        self.check_end(&fleet, &what);
    }

    /// Everything as after an undisturbed run; counted at the machines.
    fn check_end(&self, fleet: &Fleet, what: &str) {
        for (name, host) in &self.plan.hosts {
            let of = |fleet: &Fleet| {
                fleet.with(|world| {
                    let machine = &world.machines[name.as_str()];
                    (machine.registry.clone(), machine.fresh)
                })
            };
            let ((registry, fresh), (wanted, restarts)) = (of(fleet), of(&self.end));
            assert_eq!(registry, wanted, "{what}: {name}");
            assert!(fresh || !restarts, "{what}: {name} was not restarted");
            let wanted = usize::from(host.restart && host.scope == Scope::InScope);
            let reboots = fleet.with(|world| world.machines[name.as_str()].reboots);
            assert!(reboots <= wanted, "{what}: {reboots} restarts of {name}");
            let orders = exactly(fleet, &format!("{name} restart"));
            assert!(orders <= wanted, "{what}: {orders} orders for {name}");
        }
        let ends =
            |fleet: &Fleet| (fleet.with(|world| world.enabled), maintenance::standing(fleet));
        assert_eq!(ends(fleet), ends(&self.end), "{what}");
    }
}

#[test]
fn a_message_of_a_rollout_struck_in_any_way_leaves_a_state_that_is_told_truly() {
    Scene::new(farm(), machines).check(one_in(299));
}

#[test]
fn a_message_struck_while_hosts_are_out_of_service_leaves_a_state_that_is_told_truly() {
    Scene::new(maintenance::estate(), maintenance::machines).check(one_in(299));
}

#[test]
fn a_message_to_one_of_forty_hosts_struck_in_any_way_leaves_a_state_that_is_told_truly() {
    Scene::new(rollout::rollout(), rollout::machines).check(one_in(4001));
}

/// Between a lease's writing and its reading back, and while a key is looked for, lie few messages.
#[test]
fn a_reading_refused_at_any_message_creates_nothing_unannounced_and_is_tried_again() {
    let scene = Scene::new(farm(), machines);
    for at in (0..scene.messages).step_by(one_in(3)) {
        scene.strike(&Blow::new(at, Strike::AccessDenied, 1));
    }
}
