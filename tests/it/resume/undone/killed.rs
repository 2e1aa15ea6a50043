//! Runs that died and are taken back, and undos that die: every server ends as it was before.

use rmsfleet::error::Exit;
use rmsfleet::model::plan::Plan;

use crate::imagined::fleet::Fleet;
use crate::resume;
use crate::resume::DEATHS;
use crate::resume::Death;
use crate::resume::go_on_as;
use crate::resume::one_in;
use crate::resume::pass_time;
use crate::resume::rollout;
use crate::resume::start;
use crate::resume::start_as;
use crate::resume::undone::back;
use crate::resume::undone::mend;
use crate::resume::undone::registries;

/// A rollout, and the machines that it goes to.
struct Scene {
    plan: Plan,
    machines: fn() -> Fleet,
}

fn farm() -> Scene {
    Scene { plan: resume::farm(), machines: resume::machines }
}

/// Canaries, DAGs, a farm, clusters, gates, hooks, the organisation.
fn forty_hosts() -> Scene {
    Scene { plan: rollout::rollout(), machines: rollout::machines }
}

impl Scene {
    /// The rollout at its end, some time ago, and the plan that takes it back.
    fn applied(&self) -> (Fleet, Plan) {
        let fleet = (self.machines)();
        let (disk, report) = start(&fleet, &self.plan, None);
        assert_eq!(report.unwrap().exit, Exit::Ok);
        pass_time(&fleet, 4000);
        let undo = back(&fleet, &self.plan, &disk, "run-1");
        assert_eq!(undo.blockers, []);
        (fleet, undo)
    }

    /// Kills the undo at its lines, one in so many of them, and goes on with it.
    #[track_caller]
    fn check_deaths_of_undo(&self, death: Death, first: usize, every: usize) {
        let (fleet, undo) = self.applied();
        let (disk, report) = start_as("run-2", &fleet, &undo, None);
        assert_eq!(report.unwrap().exit, Exit::Ok);
        self.check_back(&fleet, "undisturbed");
        for at in (first..disk.lines()).step_by(every) {
            self.kill_undo(at, death);
        }
    }

    fn kill_undo(&self, at: usize, death: Death) {
        let what = format!("{death:?} at line {at} of the undo");
        let (fleet, undo) = self.applied();
        let restarts = |fleet: &Fleet| -> Vec<usize> {
            fleet.with(|world| world.machines.values().map(|own| own.reboots).collect())
        };
        let (before, lines) = (restarts(&fleet), fleet.with(|world| world.log.len()));
        let (disk, died) = start_as("run-2", &fleet, &undo, Some((at, death)));
        assert!(died.is_err(), "{what}");
        pass_time(&fleet, [0, 20, 50, 4000][at % 4]);
        let (_, report) = go_on_as("run-2", &fleet, &undo, &disk, None);
        let report = report.unwrap();
        assert_eq!(report.exit, Exit::Ok, "{what}: {report:?}");
        self.check_back(&fleet, &what);
        let sets = fleet.count("EX1 Set-IRMConfiguration");
        assert_eq!(sets, 2, "{what}: once there, once back");
        for (before, after) in before.iter().zip(restarts(&fleet)) {
            assert!(after - before <= 1, "{what}: a host restarts twice");
        }
        for host in self.plan.hosts.values().filter(|host| !host.changes.is_empty()) {
            let line = format!("{} set One", host.name);
            let writes = |own: &&String| **own == line;
            let sets = fleet.with(|world| world.log.iter().skip(lines).filter(writes).count());
            assert_eq!(sets, 1, "{what}: {} is written once", host.name);
        }
    }

    /// Kills the run at its lines, one in so many of them, and takes it back from what the hosts say.
    #[track_caller]
    fn check_undo_of_deaths(&self, death: Death, first: usize, every: usize) {
        let (disk, _) = start(&(self.machines)(), &self.plan, None);
        let untouched = registries(&(self.machines)());
        for at in (first..disk.lines()).step_by(every) {
            let what = format!("{death:?} at line {at}");
            let fleet = (self.machines)();
            let (disk, _) = start(&fleet, &self.plan, Some((at, death)));
            mend(&fleet);
            let undo = back(&fleet, &self.plan, &disk, "run-1");
            let (_, report) = start_as("run-2", &fleet, &undo, None);
            assert_eq!(report.unwrap().exit, Exit::Ok, "{what}");
            let lost = matches!(death, Death::Lost | Death::LostTorn);
            let mut found = registries(&fleet);
            for (name, before) in &untouched {
                let after = found.get_mut(name).unwrap();
                if lost {
                    // A key whose record is lost stays, with nothing in it.
                    after.retain(|key, values| before.contains_key(key) || !values.is_empty());
                }
                assert_eq!(after, before, "{what}: {name}");
            }
            assert!(!fleet.with(|world| world.enabled), "{what}");
        }
    }

    /// Every server is as before the run; the organisation too.
    #[track_caller]
    fn check_back(&self, fleet: &Fleet, what: &str) {
        let untouched = (self.machines)();
        assert_eq!(registries(fleet), registries(&untouched), "{what}");
        let enabled = |fleet: &Fleet| fleet.with(|world| world.enabled);
        assert_eq!(enabled(fleet), enabled(&untouched), "{what}");
    }
}

#[test]
fn killed_after_any_record_an_undo_ends_like_one_that_was_not() {
    farm().check_deaths_of_undo(Death::After, 0, 1);
}

#[test]
fn killed_before_any_record_an_undo_ends_like_one_that_was_not() {
    farm().check_deaths_of_undo(Death::Before, 0, one_in(5));
}

#[test]
fn a_run_killed_at_any_record_is_taken_back_from_what_the_hosts_say() {
    for death in DEATHS {
        farm().check_undo_of_deaths(death, 2, one_in(5));
    }
}

#[test]
fn a_rollout_of_forty_hosts_is_taken_back_at_whatever_record_it_died() {
    for (place, death) in DEATHS.into_iter().enumerate() {
        forty_hosts().check_undo_of_deaths(death, place + 2, one_in(401));
    }
}

#[test]
fn the_undo_of_forty_hosts_survives_death_at_its_records() {
    for (place, death) in DEATHS.into_iter().enumerate() {
        forty_hosts().check_deaths_of_undo(death, place, one_in(401));
    }
}
