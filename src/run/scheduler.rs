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
use crate::plan::window;
use crate::run::action::Action;
use crate::run::action::GatePlace;
use crate::run::action::Happened;
use crate::run::action::Looked;
use crate::run::action::Options;
use crate::run::action::StepOutcome;
use crate::run::action::Stop;
use crate::run::domains::Domains;
use crate::run::exit::Ending;
use crate::run::exit::exit;
use crate::run::exit::undo_exit;
use crate::run::gate::Gate;
use crate::run::gate::gate;
use crate::run::standing::Standing;
use crate::run::standing::owed;
use crate::run::standing::standings;

mod answers;
mod around;
mod gates;
mod looks;
mod restarts;
mod resumed;

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

    /// Whether the failure budget, a gate or a step ended the run.
    pub fn is_aborted(&self) -> bool {
        self.ending == Ending::Aborted
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
        if !hosts.is_empty() && !self.is_told(hosts) {
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

    fn run_step(&mut self) -> bool {
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
                // What is done to one server keeps to that server's window.
                let window = step.act.is_local().then(|| self.plan.hosts.get(&step.via)).flatten();
                let window = window.and_then(|host| host.window.as_deref());
                let opening =
                    window::opening(window, &self.plan.conditions, self.now, STEP_SECONDS);
                if let Some(reason) = opening.closed() {
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
    fn keep_back(&mut self, hosts: &[HostName]) {
        for host in hosts {
            let waits = self.hosts.get(host) == Some(&Standing::Waiting);
            let after = self.plan.hosts.get(host).and_then(|planned| planned.after_step.as_ref());
            if let (true, Some(name)) = (waits, after)
                && !self.is_done(name)
            {
                self.end(host, Outcome::NotStarted);
            }
        }
    }

    fn is_done(&self, step: &str) -> bool {
        let stage = self.plan.stages.iter().position(|stage| stage.name == step);
        let outcome = stage.and_then(|stage| self.steps.get(&stage));
        matches!(outcome, Some(StepOutcome::Verified(_) | StepOutcome::Unchanged))
    }

    fn hold(&mut self, stage: usize, reason: String) {
        self.steps.insert(stage, StepOutcome::Held(reason.clone()));
        self.ready.push_back(Action::StepHeld { stage, reason });
    }

    /// After a halt: waits for what is in flight, then ends everything.
    fn wind_down(&mut self) -> bool {
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
    /// because a window is closed: it is brought back, or goes on if its own is open.
    fn bring_back(&mut self) -> bool {
        if self.ending != Ending::Window {
            return false;
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

    fn finish(&mut self) {
        let names: Vec<HostName> = self.hosts.keys().cloned().collect();
        for name in names {
            let Some(planned) = self.plan.hosts.get(&name) else { continue };
            match self.hosts.get(&name) {
                Some(Standing::Waiting) => self.end(&name, Outcome::NotStarted),
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
        let exit = if self.plan.undoes.is_some() {
            undo_exit(self.ending, ended, steps)
        } else {
            exit(self.ending, ended(), steps)
        };
        self.ready.push_back(Action::Finish(exit));
    }

    fn was_to_restart(&self, host: &HostName) -> bool {
        self.plan.hosts.get(host).is_some_and(|planned| planned.restart)
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

/// What an organisation step may take, in seconds: three cmdlets of a slow directory.
const STEP_SECONDS: u32 = 900;

/// A limit of 0 would be a run that never ends.
fn at_least_one(limit: u32) -> usize {
    usize::try_from(limit.max(1)).unwrap_or(usize::MAX)
}
