//! A scheduler that begins where the records of an earlier process end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::run::action::Action;
use crate::run::action::GatePlace;
use crate::run::action::Options;
use crate::run::action::StepOutcome;
use crate::run::around;
use crate::run::history::History;
use crate::run::history::HostHistory;
use crate::run::history::Reached;
use crate::run::history::StepHistory;
use crate::run::scheduler::Scheduler;
use crate::run::standing::Standing;

/// What earlier processes leave to this one; empty for a run that starts.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) resumed: bool,
    /// Settled hosts: read again before a step that needs them, and never written.
    pub(super) settled: BTreeMap<HostName, Outcome>,
    /// Restarts that may be under way; their hosts count as down from the start.
    pub(super) underway: BTreeSet<HostName>,
    /// Settled hosts that were asked to be read again.
    reread: BTreeSet<HostName>,
    /// Hosts with work left, and whether all their values were seen as planned.
    due: BTreeMap<HostName, bool>,
    /// How far each stage came.
    reached: BTreeMap<usize, Reached>,
    /// Stages whose step was done, or was so before.
    steps: BTreeSet<usize>,
    /// Stages whose step was announced, and its end not seen.
    pub(super) doubtful: BTreeSet<usize>,
    /// How earlier processes left the hosts that have their turn again.
    pub(super) left: BTreeMap<HostName, Outcome>,
    /// Hosts that ended so, without a look of this process.
    pub(super) untouched: BTreeSet<HostName>,
}

/// What a resume does with a host.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// As the plan says, in its batch; what stands already is not written again.
    AsPlanned,
    /// Its restart comes first of all: an order may be on its way.
    Underway,
    Settled(Outcome),
    /// Ended in a way that no resume mends.
    Over(Outcome),
}

impl<'p> Scheduler<'p> {
    /// Goes on with a run. Verified hosts keep their outcome, and are read again before a step
    /// that needs them; what failed, was not reached or was not begun has its turn again.
    pub fn resume(plan: &'p Plan, options: Options, history: &History) -> Self {
        let mut scheduler = Self::new(plan, options);
        scheduler.inherited.resumed = true;
        for (name, past) in &history.hosts {
            let Some(planned) = plan.hosts.get(name).filter(|host| !host.is_blocked()) else {
                continue;
            };
            let Some(standing) = scheduler.hosts.get_mut(name) else { continue };
            match turn(plan, planned, past) {
                Turn::AsPlanned => scheduler
                    .inherited
                    .left
                    .extend(history.left(name).map(|left| (name.clone(), left))),
                Turn::Underway => {
                    *standing = Standing::Verified(planned.changes.len());
                    scheduler.inherited.underway.insert(name.clone());
                    // INVARIANT: a restart whose end nobody has seen counts as a host that is down.
                    scheduler.domains.restarting(planned);
                }
                Turn::Settled(outcome) => {
                    *standing = Standing::Ended(outcome.clone());
                    scheduler.inherited.settled.insert(name.clone(), outcome);
                }
                Turn::Over(outcome) => *standing = Standing::Ended(outcome),
            }
        }
        for (name, standing) in &scheduler.hosts {
            if matches!(standing, Standing::Waiting | Standing::Verified(_)) {
                let is_written = history.hosts.get(name).is_some_and(|past| past.all_verified);
                scheduler.inherited.due.insert(name.clone(), is_written);
            }
        }
        for (place, stage) in plan.stages.iter().enumerate() {
            if let Some(reached) = history.reached.get(&stage.name) {
                scheduler.inherited.reached.insert(place, *reached);
            }
        }
        for (stage, _) in history.hooks.open() {
            let place = stage.map(|name| plan.stages.iter().position(|own| own.name == name));
            match place {
                None => scheduler.hooks.inherit(None),
                Some(Some(place)) => scheduler.hooks.inherit(Some(place)),
                Some(None) => {}
            }
        }
        scheduler.hooks.owed = around::owed(plan, history);
        // What has ended is in the journal already.
        scheduler.ready.retain(|action| match action {
            Action::HostEnded { host, .. } => {
                history.hosts.get(host).is_none_or(|past| past.outcome.is_none())
            }
            _ => true,
        });
        for (stage, planned) in plan.stages.iter().enumerate() {
            let PlannedWork::Step(step) = &planned.work else { continue };
            let outcome = match history.step(&step.organisation, &planned.name) {
                Some(StepHistory::Verified(after)) => StepOutcome::Verified(after.clone()),
                Some(StepHistory::Unchanged) => StepOutcome::Unchanged,
                Some(StepHistory::InDoubt) => {
                    scheduler.inherited.doubtful.insert(stage);
                    continue;
                }
                Some(StepHistory::Open) | None => continue,
            };
            scheduler.steps.insert(stage, outcome);
            scheduler.inherited.steps.insert(stage);
        }
        scheduler
    }

    /// Whether a batch was told of by an earlier process, and nothing in it is left to do.
    pub(super) fn is_told(&self, hosts: &[HostName]) -> bool {
        let waits = |host| matches!(self.hosts.get(host), Some(Standing::Waiting));
        self.inherited.resumed && !hosts.iter().any(waits)
    }

    /// Whether an earlier process has seen the gates of a place passed, and what they judge is as it
    /// was.
    pub(super) fn was_passed(&self, place: GatePlace) -> bool {
        let reached = self.inherited.reached.get(&self.stage).copied().unwrap_or_default();
        if let Some(PlannedWork::Step(_)) = self.work() {
            let is_done = self.inherited.steps.contains(&self.stage);
            return is_done && (place == GatePlace::Before || reached.ended);
        }
        let mut members = self.members(place).into_iter();
        let is_written = |host| self.inherited.due.get(host) != Some(&false);
        let is_over = |host| !self.inherited.due.contains_key(host);
        match place {
            GatePlace::Before => (reached.batches > 0 || reached.ended) && members.all(is_written),
            GatePlace::Between(batch) => {
                (reached.batches > batch + 1 || reached.ended) && members.all(is_written)
            }
            GatePlace::After => reached.ended && members.all(is_over),
        }
    }

    /// INVARIANT: a host that an earlier process verified is read again before a step relies on it.
    pub(super) fn reread(&mut self, needs: &[HostName]) {
        for host in needs {
            if let Some(outcome) = self.inherited.settled.get(host)
                && self.hosts.get(host) == Some(&Standing::Ended(outcome.clone()))
                && self.inherited.reread.insert(host.clone())
            {
                self.hosts.insert(host.clone(), Standing::Equal);
            }
        }
    }
}

/// Whether a resume would find anything to do.
pub fn is_finished(plan: &Plan, history: &History) -> bool {
    let settled = |host: &PlannedHost| {
        let past = history.hosts.get(&host.name);
        history.left_out.contains(&host.name)
            || past.is_some_and(|past| match turn(plan, host, past) {
                Turn::Settled(_) | Turn::Over(_) => true,
                Turn::AsPlanned | Turn::Underway => false,
            })
    };
    let done = |stage: &PlannedStage| match &stage.work {
        PlannedWork::Hosts { .. } => true,
        PlannedWork::Step(step) => {
            step.satisfied
                || matches!(
                    history.step(&step.organisation, &stage.name),
                    Some(StepHistory::Verified(_) | StepHistory::Unchanged)
                )
        }
    };
    let taken_back = |(_, hook): (Option<&str>, &str)| {
        plan.conditions.hooks.get(hook).is_none_or(|hook| hook.undo.is_none())
    };
    history.ended
        && history.leases_left.is_empty()
        && history.hooks.open().all(taken_back)
        && around::owed(plan, history).is_empty()
        && plan.hosts.values().filter(|host| host.has_work()).all(settled)
        && plan.stages.iter().all(done)
}

fn is_restarted(plan: &Plan, host: &PlannedHost) -> bool {
    plan.stages.iter().any(|stage| match &stage.work {
        PlannedWork::Hosts { restarts, .. } => restarts.contains(&host.name),
        PlannedWork::Step(_) => false,
    })
}

fn turn(plan: &Plan, planned: &PlannedHost, past: &HostHistory) -> Turn {
    let restarts = is_restarted(plan, planned);
    let out = past.maintenance.is_some() || past.is_drained(&planned.care, &plan.conditions);
    // INVARIANT: a host that may still be out of service counts as down and is seen to first,
    // however its work ended.
    if restarts && out {
        return Turn::Underway;
    }
    match &past.outcome {
        Some(outcome @ (Outcome::Refused(_) | Outcome::Blocked)) => {
            return Turn::Over(outcome.clone());
        }
        // Its last word, whatever was read of it later.
        Some(outcome @ Outcome::Changed { restarted: true, .. }) if past.is_proved() => {
            return Turn::Settled(outcome.clone());
        }
        Some(outcome @ (Outcome::Changed { .. } | Outcome::RestartOwed { .. }))
            if past.all_verified && !restarts =>
        {
            return Turn::Settled(outcome.clone());
        }
        Some(Outcome::Unchanged) if !restarts && (past.all_verified || !past.begun) => {
            if planned.has_work() || past.begun {
                return Turn::Settled(Outcome::Unchanged);
            }
        }
        Some(
            Outcome::Unchanged
            | Outcome::Changed { .. }
            | Outcome::RestartOwed { .. }
            | Outcome::InDoubt(_)
            | Outcome::Failed(_)
            | Outcome::Unreachable(_)
            | Outcome::NotStarted,
        )
        | None => {}
    }
    let unproved = past.is_proved() || past.open_order().is_some();
    let written = past.all_verified || planned.changes.is_empty();
    if restarts && unproved && written { Turn::Underway } else { Turn::AsPlanned }
}
