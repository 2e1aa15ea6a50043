//! How a run ends: what is in flight is waited for, what was left out of service comes back.

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedWork;
use crate::run::action::Action;
use crate::run::action::StepOutcome;
use crate::run::exit::Ending;
use crate::run::exit::exit;
use crate::run::exit::undo_exit;
use crate::run::scheduler::Position;
use crate::run::scheduler::Scheduler;
use crate::run::standing::Standing;
use crate::run::standing::owed;

impl Scheduler<'_> {
    /// After a halt: waits for what is in flight, then ends everything.
    pub(super) fn wind_down(&mut self) -> bool {
        let in_flight = |standing: &Standing| {
            matches!(
                standing,
                Standing::Configuring | Standing::Looking(_) | Standing::Restarting(_)
            )
        };
        let waits = matches!(
            self.position,
            Position::StepRunning | Position::Gates(_) | Position::Hooks { .. } | Position::Ranking
        );
        if waits || self.hosts.values().any(in_flight) {
            return false;
        }
        if self.bring_back() || self.take_hooks_back() {
            return true;
        }
        if self.position != Position::Before {
            self.ready.push_back(Action::StageEnded { stage: self.stage });
        }
        self.finish();
        true
    }

    /// INVARIANT: a host that an earlier process may have taken out of service is not left there
    /// because this one ends early: it is in flight, and is seen through or brought back as its window,
    /// its peers and the user allow.
    fn bring_back(&mut self) -> bool {
        match self.ending {
            // Of another run's host its own lease tells, before anything is done there.
            Ending::Window
            | Ending::Paused
            | Ending::Stopped
            | Ending::Aborted
            | Ending::Locked => {}
            // Nobody may log on there.
            Ending::Completed | Ending::Auth => return false,
        }
        let left = self.inherited.underway.iter().find_map(|name| {
            let planned = self.plan.hosts.get(name)?;
            match self.hosts.get(name) {
                Some(Standing::Verified(values)) => Some((planned, *values)),
                Some(_) | None => None,
            }
        });
        let Some((host, values)) = left else { return false };
        self.lead_down(host, values);
        true
    }

    pub(super) fn finish(&mut self) {
        let names: Vec<HostName> = self.hosts.keys().cloned().collect();
        for name in names {
            let Some(planned) = self.plan.hosts.get(&name) else { continue };
            match self.hosts.get(&name) {
                Some(Standing::Waiting) => self.end_as_left(&name),
                Some(Standing::Equal) => {
                    let outcome = self.inherited.settled.get(&name).cloned();
                    self.end(&name, outcome.unwrap_or_else(|| owed(planned, 0)));
                }
                Some(Standing::Verified(values)) => {
                    let reason = "the run stopped before its restart".to_owned();
                    self.end(&name, Outcome::RestartOwed { values: *values, reason });
                }
                Some(
                    Standing::Configuring
                    | Standing::Looking(_)
                    | Standing::Restarting(_)
                    | Standing::Ended(_),
                )
                | None => {}
            }
        }
        for (stage, planned) in self.plan.stages.iter().enumerate() {
            if let PlannedWork::Step(step) = &planned.work
                && !self.steps.contains_key(&stage)
            {
                if step.satisfied {
                    self.steps.insert(stage, StepOutcome::Unchanged);
                } else {
                    self.hold(stage, "the run stopped before it".to_owned());
                }
            }
        }
        self.position = Position::Finished;
        let outcomes = self.outcomes();
        let ended = || outcomes.iter().map(|(host, own)| (own, self.was_to_restart(host)));
        let hooks = self.hooks.failure.clone().map(StepOutcome::Failed);
        let steps = self.steps.values().chain(&hooks);
        let exit = match &self.plan.undoes {
            Some(undoes) => undo_exit(self.ending, undoes.left, ended, steps),
            None => exit(self.ending, ended(), steps),
        };
        self.ready.push_back(Action::Finish(exit));
    }

    fn was_to_restart(&self, host: &HostName) -> bool {
        self.plan.hosts.get(host).is_some_and(|planned| planned.restart)
    }
}
