//! The turn of an organisation step: gated by what it needs, held, or sent.

use crate::model::host::HostName;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::plan::window;
use crate::run::action::Action;
use crate::run::action::StepOutcome;
use crate::run::exit::Ending;
use crate::run::gate::Gate;
use crate::run::gate::gate;
use crate::run::scheduler::Position;
use crate::run::scheduler::Scheduler;
use crate::run::standing::Standing;

/// What an organisation step may take, in seconds: three cmdlets of a slow directory.
const STEP_SECONDS: u32 = 900;

impl Scheduler<'_> {
    pub(super) fn run_step(&mut self) -> bool {
        let Some(step) = self.step(self.stage) else { return false };
        let stage = self.stage;
        if self.steps.contains_key(&stage) {
            // An earlier process has read it back.
            self.position = Position::After;
            return true;
        }
        self.reread(&step.needs);
        let gate = gate(step, self.plan, &self.hosts, &self.options);
        if let Gate::ReadFirst(hosts) = &gate {
            return self.start_one(hosts);
        }
        // A host that was read again may have failed while others are still being read.
        if self.hosts.values().any(|standing| *standing == Standing::Configuring) {
            return false;
        }
        match gate {
            Gate::Satisfied => {
                self.steps.insert(stage, StepOutcome::Unchanged);
                self.ready.push_back(Action::StepUnchanged { stage });
                self.position = Position::After;
            }
            Gate::Held(reason) => {
                self.hold(stage, reason);
                self.position = Position::After;
            }
            Gate::Unconfirmed(reason) => {
                self.hold(stage, reason.clone());
                self.halt(Ending::Paused, reason);
            }
            Gate::ReadFirst(_) => return false,
            Gate::Open => {
                // INVARIANT: a step keeps to the window of the server that it is sent through.
                let via = self.plan.hosts.get(&step.via);
                let window = via.and_then(|host| host.window.as_deref());
                let opening =
                    window::opening(window, &self.plan.conditions, self.now, STEP_SECONDS);
                if let Some(reason) = opening.closed().filter(|_| !self.options.rehearsal) {
                    self.hold(stage, reason.clone());
                    self.position = Position::After;
                    self.halt(Ending::Window, reason);
                    return true;
                }
                self.position = Position::StepRunning;
                self.ready.push_back(Action::Step { stage });
            }
        }
        true
    }

    /// INVARIANT: a host that waits for a step is not touched before that step is done.
    pub(super) fn keep_back(&mut self, hosts: &[HostName]) {
        for host in hosts {
            let waits = self.hosts.get(host) == Some(&Standing::Waiting);
            if waits && self.is_kept_back(host) {
                self.end_as_left(host);
            }
        }
    }

    /// Whether a host waits for a step that is not done.
    pub(super) fn is_kept_back(&self, host: &HostName) -> bool {
        let after = self.plan.hosts.get(host).and_then(|planned| planned.after_step.as_ref());
        after.is_some_and(|step| !self.is_done(step) || !self.is_taken_back(step))
    }

    /// On a way back a host names the last of the steps that it waits for; those before it on the same
    /// organisation or farm count as much.
    fn is_taken_back(&self, last: &str) -> bool {
        if self.plan.undoes.is_none() {
            return true;
        }
        let own = |stage: &PlannedStage| match &stage.work {
            // One that the plan holds is decided about by name.
            PlannedWork::Step(step) if step.held.is_none() => Some(step.identity.clone()),
            PlannedWork::Step(_) | PlannedWork::Hosts { .. } => None,
        };
        let Some(place) = self.plan.stages.iter().position(|stage| stage.name == last) else {
            return true;
        };
        let (before, at) = self.plan.stages.split_at(place);
        let Some(identity) = at.first().and_then(own) else { return true };
        let same = before.iter().filter(|stage| own(stage).as_ref() == Some(&identity));
        same.map(|stage| &stage.name).all(|name| self.is_done(name))
    }

    pub(super) fn is_done(&self, step: &str) -> bool {
        let stage = self.plan.stages.iter().position(|stage| stage.name == step);
        let outcome = stage.and_then(|stage| self.steps.get(&stage));
        matches!(outcome, Some(StepOutcome::Verified(_) | StepOutcome::Unchanged))
    }

    pub(super) fn hold(&mut self, stage: usize, reason: String) {
        let reason = if self.inherited.doubtful.contains(&stage) {
            format!("begun in an earlier part of this run, and its end was not seen; now {reason}")
        } else {
            reason
        };
        self.steps.insert(stage, StepOutcome::Held(reason.clone()));
        self.ready.push_back(Action::StepHeld { stage, reason });
    }
}
