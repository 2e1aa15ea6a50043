//! Where the run waits for gates and windows.

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedWork;
use crate::plan::window;
use crate::plan::worst;
use crate::run::action::Action;
use crate::run::action::GatePlace;
use crate::run::action::Gated;
use crate::run::action::StepOutcome;
use crate::run::exit::Ending;
use crate::run::scheduler::Position;
use crate::run::scheduler::Scheduler;
use crate::run::standing::Standing;

impl Scheduler<'_> {
    /// Looks at the gates of a place, if it has some; else goes on behind it.
    pub(super) fn look(&mut self, place: GatePlace) {
        let names = self.plan.stages.get(self.stage).map(|stage| match place {
            GatePlace::Before => stage.gates.before.as_slice(),
            GatePlace::Between(_) => stage.gates.between.as_slice(),
            GatePlace::After => stage.gates.after.as_slice(),
        });
        if names.is_none_or(<[String]>::is_empty) || self.is_untouched(place) {
            self.pass(place);
        } else {
            self.position = Position::Gates(place);
            let hosts = self.concerned(place);
            let again = self.was_passed(place);
            self.ready.push_back(Action::Gates { stage: self.stage, place, hosts, again });
        }
    }

    /// INVARIANT: behind a gate nothing starts before the gate was seen green.
    pub(super) fn gated(&mut self, stage: usize, place: GatePlace, result: Gated) {
        if self.position != Position::Gates(place) || stage != self.stage {
            return;
        }
        match result {
            Gated::Passed => self.pass(place),
            Gated::Failed(reason) => {
                self.position = Position::Leaving;
                self.halt(Ending::Aborted, reason);
            }
            Gated::Awaiting(reason) => {
                self.position = Position::Leaving;
                self.halt(Ending::Paused, reason);
            }
            // Who asked for the stop tells the scheduler too.
            Gated::Stopped => self.position = Position::Leaving,
        }
    }

    /// The hosts that a place's gates are about: of the stage, of those in question so far, those
    /// that have not ended badly.
    fn concerned(&self, place: GatePlace) -> Vec<HostName> {
        let well = |host: &&HostName| match self.hosts.get(*host) {
            Some(Standing::Ended(outcome)) => outcome.is_well(),
            Some(
                Standing::Waiting
                | Standing::Equal
                | Standing::Configuring
                | Standing::Verified(_)
                | Standing::Looking(_)
                | Standing::Restarting(_),
            ) => true,
            None => false,
        };
        self.members(place).into_iter().filter(well).cloned().collect()
    }

    /// The hosts of the stage that are in question at a place.
    pub(super) fn members(&self, place: GatePlace) -> Vec<&HostName> {
        match (self.work(), place) {
            (Some(PlannedWork::Hosts { batches, .. }), GatePlace::Between(batch)) => {
                batches.iter().take(batch + 1).flatten().collect()
            }
            (Some(PlannedWork::Hosts { batches, .. }), GatePlace::Before | GatePlace::After) => {
                batches.iter().flatten().collect()
            }
            (Some(PlannedWork::Step(step)), _) => step.needs.iter().collect(),
            (None, _) => Vec::new(),
        }
    }

    /// Whether all hosts in question were left alone: there is nothing that gates could tell of them,
    /// and nothing of theirs behind the gates.
    fn is_untouched(&self, place: GatePlace) -> bool {
        let left = |host: &HostName| {
            self.inherited.untouched.contains(host)
                || matches!(
                    self.hosts.get(host),
                    Some(Standing::Ended(
                        Outcome::NotStarted | Outcome::Refused(_) | Outcome::Blocked
                    ))
                )
        };
        let members = self.members(place);
        matches!(self.work(), Some(PlannedWork::Hosts { .. }))
            && !members.is_empty()
            && members.into_iter().all(left)
    }

    fn pass(&mut self, place: GatePlace) {
        match place {
            GatePlace::Before => self.pass_before(),
            GatePlace::Between(batch) => {
                self.position = Position::Batch { batch: batch + 1, announced: false };
            }
            GatePlace::After => self.position = Position::Leaving,
        }
    }

    /// Whether the stage has done anything that its last gates could judge.
    pub(super) fn did_something(&self) -> bool {
        match self.work() {
            Some(PlannedWork::Hosts { .. }) => true,
            Some(PlannedWork::Step(_)) => {
                matches!(self.steps.get(&self.stage), Some(StepOutcome::Verified(_)))
            }
            None => false,
        }
    }

    /// Why a host may not start now; `None` if all that is still to be done on it fits.
    ///
    /// INVARIANT: nothing starts that cannot end inside its window, or that a freeze would meet.
    pub(super) fn closed(&self, host: &HostName, restarts_too: bool) -> Option<String> {
        let restarts = !restarts_too || self.restarts().contains(host);
        self.why_closed(host, restarts)
    }

    fn why_closed(&self, host: &HostName, restarts: bool) -> Option<String> {
        // A rehearsal touches nobody, and says beforehand who would not fit.
        if self.options.rehearsal {
            return None;
        }
        let planned = self.plan.hosts.get(host)?;
        let worst = worst::of_host(planned, &self.plan.conditions, restarts);
        let name = planned.window.as_deref();
        window::opening(name, &self.plan.conditions, self.now, worst).closed()
    }

    /// Ends the run before a stage's gates and hooks if nobody in it may start: no person is asked and
    /// no program runs for nothing.
    pub(super) fn shut_out(&mut self, stage: usize) -> bool {
        let Some(planned) = self.plan.stages.get(stage) else { return false };
        let PlannedWork::Hosts { batches, restarts, .. } = &planned.work else { return false };
        let waits = |host: &&HostName| {
            self.hosts.get(*host) == Some(&Standing::Waiting) && !self.is_kept_back(host)
        };
        let waiting: Vec<HostName> = batches.iter().flatten().filter(waits).cloned().collect();
        let why = |host: &HostName| self.why_closed(host, restarts.contains(host));
        let Some(whys) = waiting.iter().map(why).collect::<Option<Vec<String>>>() else {
            return false;
        };
        let Some(first) = whys.into_iter().next() else { return false };
        self.leave_closed(&waiting, &first);
        true
    }

    /// Ends the run, because what is left of a batch may not start.
    pub(super) fn close(&mut self, batch: &[HostName]) {
        let waits = |host: &&HostName| self.hosts.get(*host) == Some(&Standing::Waiting);
        let left: Vec<HostName> = batch.iter().filter(waits).cloned().collect();
        let why = left.first().and_then(|host| self.closed(host, true)).unwrap_or_default();
        self.leave_closed(&left, &why);
    }

    fn leave_closed(&mut self, left: &[HostName], why: &str) {
        let names: Vec<&str> = left.iter().map(HostName::as_str).collect();
        let reason = format!("left for their window: {} ({why})", names.join(", "));
        self.halt(Ending::Window, reason);
    }
}
