//! Hooks around stages and the run: begun before the work, taken back however it ends.

use crate::model::hook::Turn;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedWork;
use crate::run::action::Action;
use crate::run::action::Hooked;
use crate::run::around;
use crate::run::exit::Ending;
use crate::run::scheduler::Position;
use crate::run::scheduler::Scheduler;
use crate::run::standing::Standing;

/// What the scheduler knows of hooks.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    /// Places whose hooks before were begun and not taken back, the innermost last.
    open: Vec<Option<usize>>,
    /// Places that earlier processes left so.
    inherited: Vec<Option<usize>>,
    /// Places whose work earlier processes have done, and whose hooks after it have not all run.
    pub(super) owed: Vec<Option<usize>>,
    /// The run's own hooks have had their turn.
    is_entered: bool,
    /// The run had something to do when it began, so that its hooks after it have their turn.
    is_due: bool,
    /// The same of the stage.
    is_stage_due: bool,
    is_after_begun: bool,
    /// The user ended the run at once: nothing more is taken back.
    pub(super) is_given_up: bool,
    /// Where the run stood when a halt began to take hooks back.
    stood: Option<Position>,
    /// What went wrong behind the last stage.
    pub(super) failure: Option<Failure>,
}

impl Hooks {
    /// Takes over what earlier processes have left.
    pub(super) fn inherit(&mut self, place: Option<usize>) {
        if !self.inherited.contains(&place) {
            self.inherited.push(place);
        }
    }
}

impl Scheduler<'_> {
    /// The run's own hooks, before its first stage.
    pub(super) fn open_run(&mut self) -> bool {
        if std::mem::replace(&mut self.hooks.is_entered, true) {
            return false;
        }
        let first = (0..self.plan.stages.len()).find(|stage| self.is_due(*stage));
        if first.is_some_and(|stage| self.shut_out(stage)) {
            return true;
        }
        self.hooks.is_due = first.is_some();
        self.enter(None, self.hooks.is_due)
    }

    /// The stage's hooks, behind its gates; `false` if there is none to run.
    pub(super) fn open_stage(&mut self) -> bool {
        self.hooks.is_stage_due = self.is_due(self.stage);
        self.hooks.is_after_begun = false;
        self.enter(Some(self.stage), self.hooks.is_stage_due)
    }

    fn enter(&mut self, place: Option<usize>, is_due: bool) -> bool {
        if is_due && !around::of(self.plan, place).before.is_empty() {
            self.hooks.open.push(place);
            self.begin(place, Turn::Before);
            return true;
        }
        if self.hooks.inherited.contains(&place) {
            self.hooks.open.push(place);
        }
        false
    }

    /// The stage's hooks once its work is done; `false` if nothing is left of them.
    pub(super) fn leave_stage(&mut self) -> bool {
        self.leave(Some(self.stage), self.hooks.is_stage_due)
    }

    /// The run's own, behind its last stage.
    pub(super) fn leave_run(&mut self) -> bool {
        self.leave(None, self.hooks.is_due)
    }

    fn leave(&mut self, place: Option<usize>, is_due: bool) -> bool {
        if (is_due || self.hooks.owed.contains(&place))
            && !around::of(self.plan, place).after.is_empty()
            && !std::mem::replace(&mut self.hooks.is_after_begun, true)
        {
            self.begin(place, Turn::After);
            return true;
        }
        if self.hooks.open.last() == Some(&place) {
            self.begin(place, Turn::Undo);
            return true;
        }
        self.hooks.is_after_begun = false;
        false
    }

    /// INVARIANT: a run that ends early takes back what its hooks have begun, in this process or an
    /// earlier one, unless the user ends it at once.
    pub(super) fn take_hooks_back(&mut self) -> bool {
        // The latest stage's first, the run's own last.
        let begun = self.hooks.open.iter().chain(&self.hooks.inherited).max();
        let Some(place) = begun.copied() else { return false };
        if self.hooks.is_given_up {
            return false;
        }
        self.hooks.stood.get_or_insert(self.position);
        self.begin(place, Turn::Undo);
        true
    }

    fn begin(&mut self, place: Option<usize>, turn: Turn) {
        self.position = Position::Hooks { place, turn };
        self.ready.push_back(Action::Hooks { stage: place, turn });
    }

    pub(super) fn hooks_ended(&mut self, place: Option<usize>, turn: Turn, result: Hooked) {
        if self.position != (Position::Hooks { place, turn }) {
            return;
        }
        if turn == Turn::Undo {
            self.hooks.open.retain(|open| *open != place);
            self.hooks.inherited.retain(|open| *open != place);
        }
        self.position = match (place, turn) {
            (None, _) => Position::Before,
            (Some(_), Turn::Before) if result == Hooked::Done => self.behind_gates(),
            (Some(_), Turn::Before | Turn::After | Turn::Undo) => Position::Leaving,
        };
        if self.ending != Ending::Completed
            && turn == Turn::Undo
            && let Some(stood) = self.hooks.stood
        {
            self.position = stood;
        }
        match (result, place, turn) {
            (Hooked::Done | Hooked::Stopped, _, _) => {}
            // Behind the last stage there is nothing left to stop.
            (Hooked::Failed(reason), None, Turn::After | Turn::Undo) => {
                self.hooks.failure.get_or_insert(Failure::new(FailureKind::Hook, reason));
            }
            (Hooked::Failed(reason), _, _) => {
                self.hooks.failure.get_or_insert(Failure::new(FailureKind::Hook, &reason));
                self.halt(Ending::Aborted, reason);
            }
        }
    }

    /// Where a stage goes on behind the gates and hooks before it.
    pub(super) fn behind_gates(&self) -> Position {
        match self.work() {
            Some(PlannedWork::Step(_)) => Position::StepDue,
            Some(PlannedWork::Hosts { .. }) | None => {
                Position::Batch { batch: 0, announced: false }
            }
        }
    }

    pub(super) fn pass_before(&mut self) {
        if !self.open_stage() {
            self.position = self.behind_gates();
        }
    }

    /// Whether a stage has anything to do that is more than reading.
    fn is_due(&self, stage: usize) -> bool {
        let Some(planned) = self.plan.stages.get(stage) else { return false };
        match &planned.work {
            PlannedWork::Hosts { batches, restarts, .. } => {
                batches.iter().flatten().chain(restarts).any(|host| {
                    matches!(self.hosts.get(host), Some(Standing::Waiting | Standing::Verified(_)))
                })
            }
            PlannedWork::Step(step) => !step.satisfied && !self.steps.contains_key(&stage),
        }
    }
}
