//! What starts next: a pure machine over a sealed plan. It never waits and never acts.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use jiff::Timestamp;

use crate::model::hook::Turn;
use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::model::rollout::OnAbort;
use crate::run::action::Action;
use crate::run::action::GatePlace;
use crate::run::action::Happened;
use crate::run::action::Looked;
use crate::run::action::Options;
use crate::run::action::StepOutcome;
use crate::run::action::Stop;
use crate::run::domains::Domains;
use crate::run::exit::Ending;
use crate::run::standing::Standing;
use crate::run::standing::standings;

mod answers;
mod around;
mod ending;
mod gates;
mod looks;
mod restarts;
mod resumed;
mod steps;

pub use crate::run::scheduler::resumed::is_finished;

/// Feed it what happened, then poll until it has nothing more to ask for.
#[derive(Debug)]
pub struct Scheduler<'p> {
    plan: &'p Plan,
    options: Options,
    hosts: BTreeMap<HostName, Standing>,
    steps: BTreeMap<usize, StepOutcome>,
    domains: Domains,
    /// The stage's restarts, in the order in which they are tried.
    order: Vec<HostName>,
    /// Accounts that some host of this run has accepted.
    proven: BTreeSet<(String, Option<String>)>,
    stage: usize,
    position: Position,
    ready: VecDeque<Action>,
    ending: Ending,
    hooks: around::Hooks,
    inherited: resumed::Inherited,
    /// Answers to looks, weighed at the time of the next poll: a window may close meanwhile.
    looks: Vec<(HostName, Looked)>,
    /// The time of the last poll.
    now: Timestamp,
}

/// Where in the stage the run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Before,
    /// Gates are being looked at.
    Gates(GatePlace),
    /// Hooks around a stage, or around the run, are running.
    Hooks {
        place: Option<usize>,
        turn: Turn,
    },
    Batch {
        batch: usize,
        announced: bool,
    },
    /// What the hosts carry is being read.
    Ranking,
    Restarts,
    StepDue,
    StepRunning,
    /// The stage's work is done; its gates are not looked at yet.
    After,
    Leaving,
    Finished,
}

impl<'p> Scheduler<'p> {
    pub fn new(plan: &'p Plan, options: Options) -> Self {
        let mut hosts = standings(plan);
        for name in &options.left_out {
            if let Some(standing @ (Standing::Waiting | Standing::Equal)) = hosts.get_mut(name) {
                *standing = Standing::Ended(Outcome::NotStarted);
            }
        }
        let blocked = hosts.iter().filter_map(|(host, standing)| match standing {
            Standing::Ended(outcome) => {
                Some(Action::HostEnded { host: host.clone(), outcome: outcome.clone() })
            }
            Standing::Waiting
            | Standing::Equal
            | Standing::Configuring
            | Standing::Verified(_)
            | Standing::Looking(_)
            | Standing::Restarting(_) => None,
        });
        Self {
            plan,
            options,
            ready: blocked.collect(),
            hosts,
            steps: BTreeMap::new(),
            domains: Domains::new(plan),
            order: Vec::new(),
            proven: BTreeSet::new(),
            stage: 0,
            position: Position::Before,
            ending: Ending::Completed,
            hooks: around::Hooks::default(),
            inherited: resumed::Inherited::default(),
            looks: Vec::new(),
            now: plan.created,
        }
    }

    /// The next action at this time, or `None` while there is nothing to do but wait for an answer.
    pub fn poll(&mut self, now: Timestamp) -> Option<Action> {
        self.now = now;
        for (host, result) in std::mem::take(&mut self.looks) {
            self.looked(&host, result);
        }
        loop {
            if let Some(action) = self.ready.pop_front() {
                return Some(action);
            }
            if !self.advance() {
                return None;
            }
        }
    }

    /// Takes in what happened. Answers to questions never asked are dropped.
    pub fn handle(&mut self, happened: Happened) {
        match happened {
            Happened::LoggedOn(host) => {
                if let Some(planned) = self.plan.hosts.get(&host) {
                    self.proven.insert((planned.credential.clone(), planned.user.clone()));
                }
            }
            Happened::Configured { host, result } => self.configured(&host, result),
            Happened::Ranked { stage, ranks } => self.ranked(stage, &ranks),
            Happened::Looked { host, result } => self.looks.push((host, result)),
            Happened::Restarted { host, result } => self.restarted(&host, result),
            Happened::StepEnded { stage, result } => self.step_ended(stage, result),
            Happened::GatesEnded { stage, place, result } => self.gated(stage, place, result),
            Happened::HooksEnded { stage, turn, result } => self.hooks_ended(stage, turn, result),
            Happened::StopRequested(Stop::Go) => {}
            Happened::StopRequested(Stop::Pause) => {
                self.halt(Ending::Paused, "paused by the user".to_owned());
            }
            Happened::StopRequested(stop @ (Stop::Finish | Stop::SafePoint | Stop::Now)) => {
                self.hooks.is_given_up |= stop == Stop::Now;
                self.halt(Ending::Stopped, "stopped by the user".to_owned());
            }
        }
    }

    /// Where the hosts in scope ended; complete once [`Action::Finish`] was returned.
    pub fn outcomes(&self) -> BTreeMap<HostName, Outcome> {
        let ended = self.hosts.iter().filter_map(|(name, standing)| match standing {
            Standing::Ended(outcome) => Some((name.clone(), outcome.clone())),
            Standing::Waiting
            | Standing::Equal
            | Standing::Configuring
            | Standing::Verified(_)
            | Standing::Looking(_)
            | Standing::Restarting(_) => None,
        });
        ended.collect()
    }

    /// Whether hosts in flight are to stop at their next safe point, as the stage that was aborted
    /// says, or the playbook.
    pub fn cuts_short(&self) -> bool {
        let own = self.plan.stages.get(self.stage).and_then(|stage| stage.own.on_abort);
        self.ending == Ending::Aborted
            && own.unwrap_or(self.plan.on_abort) == OnAbort::StopAtSafePoint
    }

    /// How the organisation steps ended, by the place of their stage.
    pub fn steps(&self) -> &BTreeMap<usize, StepOutcome> {
        &self.steps
    }

    /// One small step forward; `false` if only an answer can move the run.
    fn advance(&mut self) -> bool {
        if self.position == Position::Finished {
            return false;
        }
        if self.ending != Ending::Completed {
            return self.wind_down();
        }
        match self.position {
            Position::Before => self.open_run() || self.enter_stage(),
            Position::Batch { batch, announced: false } => self.announce(batch),
            Position::Batch { batch, announced: true } => self.run_batch(batch),
            Position::Restarts => self.run_restarts(),
            Position::StepDue => self.run_step(),
            Position::Gates(_)
            | Position::Hooks { .. }
            | Position::Ranking
            | Position::StepRunning
            | Position::Finished => false,
            Position::After => {
                if self.did_something() {
                    self.look(GatePlace::After);
                } else {
                    self.position = Position::Leaving;
                }
                true
            }
            Position::Leaving => {
                if self.leave_stage() {
                    return true;
                }
                self.ready.push_back(Action::StageEnded { stage: self.stage });
                self.stage += 1;
                self.position = Position::Before;
                true
            }
        }
    }

    fn enter_stage(&mut self) -> bool {
        match self.work() {
            None => {
                if !self.leave_run() {
                    self.finish();
                }
                return true;
            }
            Some(PlannedWork::Hosts { .. } | PlannedWork::Step(_)) => {}
        }
        // A host of the stage may have failed before, when a step needed it read.
        self.check_budget();
        if self.ending != Ending::Completed || self.shut_out(self.stage) {
            return true;
        }
        self.ready.push_back(Action::StageStarted { stage: self.stage });
        self.look(GatePlace::Before);
        true
    }

    fn announce(&mut self, batch: usize) -> bool {
        let Some(PlannedWork::Hosts { batches, .. }) = self.work() else { return false };
        let Some(hosts) = batches.get(batch) else {
            self.release_restarts();
            self.rank();
            return true;
        };
        self.position = Position::Batch { batch, announced: true };
        self.keep_back(hosts);
        // One that is left out altogether is nothing to tell.
        let is_left_out = |host| self.options.left_out.contains(host);
        if !hosts.iter().all(is_left_out) && !self.is_told(hosts) {
            let hosts = hosts.clone();
            self.ready.push_back(Action::BatchStarted { stage: self.stage, batch, hosts });
        }
        true
    }

    /// INVARIANT: a batch starts only when every host of the batch before it is settled.
    fn run_batch(&mut self, batch: usize) -> bool {
        let Some(PlannedWork::Hosts { batches, .. }) = self.work() else { return false };
        let hosts = batches.get(batch).map_or(&[][..], Vec::as_slice);
        if self.start_one(hosts) {
            return true;
        }
        let settled = hosts.iter().all(|host| {
            !matches!(self.hosts.get(host), Some(Standing::Waiting | Standing::Configuring))
        });
        if settled {
            if batch + 1 < batches.len() {
                self.look(GatePlace::Between(batch));
            } else {
                self.position = Position::Batch { batch: batch + 1, announced: false };
            }
            return true;
        }
        if self.hosts.values().all(|standing| *standing != Standing::Configuring) {
            self.close(hosts);
            return true;
        }
        false
    }

    /// Starts the first of these hosts that waits, if a fork is free.
    fn start_one(&mut self, hosts: &[HostName]) -> bool {
        // INVARIANT: never more than limits.forks hosts are in flight.
        let busy = self.hosts.values().filter(|standing| **standing == Standing::Configuring);
        if busy.count() >= at_least_one(self.plan.limits.forks) {
            return false;
        }
        let may_start = |host: &&HostName| match self.hosts.get(*host) {
            Some(Standing::Waiting) => self.closed(host, true).is_none(),
            // It is only read.
            Some(Standing::Equal) => true,
            Some(
                Standing::Configuring
                | Standing::Verified(_)
                | Standing::Looking(_)
                | Standing::Restarting(_)
                | Standing::Ended(_),
            )
            | None => false,
        };
        let Some(host) = hosts.iter().find(may_start).cloned() else { return false };
        self.hosts.insert(host.clone(), Standing::Configuring);
        self.ready.push_back(Action::Configure(host));
        true
    }

    fn work(&self) -> Option<&'p PlannedWork> {
        self.plan.stages.get(self.stage).map(|PlannedStage { work, .. }| work)
    }

    fn restarts(&self) -> &'p [HostName] {
        match self.work() {
            Some(PlannedWork::Hosts { restarts, .. }) => restarts,
            Some(PlannedWork::Step(_)) | None => &[],
        }
    }

    fn step(&self, stage: usize) -> Option<&'p OrganisationStep> {
        match self.plan.stages.get(stage).map(|planned| &planned.work) {
            Some(PlannedWork::Step(step)) => Some(step),
            Some(PlannedWork::Hosts { .. }) | None => None,
        }
    }
}

/// A limit of 0 would be a run that never ends.
fn at_least_one(limit: u32) -> usize {
    usize::try_from(limit.max(1)).unwrap_or(usize::MAX)
}
