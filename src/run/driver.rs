//! The one async loop. It carries out what the scheduler asks for and has no policy of its own.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::sync::watch;

use crate::error::Exit;
use crate::event::Event;
use crate::event::JOURNAL_FORMAT;
use crate::event::Sink;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::restart::Pace;
use crate::model::hook::Turn;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::run::action::Action;
use crate::run::action::Configured;
use crate::run::action::GatePlace;
use crate::run::action::Gated;
use crate::run::action::Happened;
use crate::run::action::Hooked;
use crate::run::action::Looked;
use crate::run::action::Options;
use crate::run::action::Restarted;
use crate::run::action::StepDone;
use crate::run::action::StepOutcome;
use crate::run::action::Stop;
use crate::run::around::around;
use crate::run::configure::configure;
use crate::run::controller::Controller;
use crate::run::gates::gates;
use crate::run::history::Past;
use crate::run::lease;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::peers;
use crate::run::recorder::Recorder;
use crate::run::rehearse;
use crate::run::restart::restart;
use crate::run::scheduler::Scheduler;
use crate::run::step::step;

/// Everything a run needs; all of it is an argument.
pub struct RunContext<'a, C, K> {
    pub plan: &'a Plan,
    /// The sealed plan's digest, for the journal.
    pub digest: &'a str,
    /// The run's id, new for every run.
    pub run: &'a str,
    /// `rmsfleet 0.1.0`.
    pub tool: &'a str,
    pub operator: &'a str,
    pub workstation: &'a str,
    pub connect: &'a C,
    pub clock: &'a K,
    pub sink: &'a mut dyn Sink,
    pub options: Options,
    /// How often a restarting host is looked at.
    pub pace: Pace,
    pub controller: &'a dyn Controller,
    /// Raised by Ctrl-C; a sender that is gone means that nobody will stop the run.
    pub stop: watch::Receiver<Stop>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// Every host in scope.
    pub outcomes: BTreeMap<HostName, Outcome>,
    pub steps: Vec<(OrganisationStep, StepOutcome)>,
    pub exit: Exit,
}

/// What ends a run without a report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No act began after the event that could not be recorded.
    #[error("the run stopped, because its journal cannot be written")]
    Journal(#[from] SinkError),
    /// A fault of ours: the scheduler waits, and nothing is in flight.
    #[error("the run waits for nothing")]
    Idle,
}

/// Runs a sealed plan from its first stage to its last, or to the first thing that stops it.
pub async fn execute<C: Connect, K: Clock>(
    context: RunContext<'_, C, K>,
) -> Result<RunReport, RunError> {
    let started = Event::RunStarted {
        format: JOURNAL_FORMAT,
        tool: context.tool.to_owned(),
        plan: context.plan.id.clone(),
        digest: context.digest.to_owned(),
        operator: context.operator.to_owned(),
        workstation: context.workstation.to_owned(),
        lab: context.plan.lab,
        undoes: context.plan.undoes.as_ref().map(|undoes| undoes.run.clone()),
        rehearsal: context.options.rehearsal,
    };
    let scheduler = Scheduler::new(context.plan, context.options.clone());
    drive(context, scheduler, started, &Past::default()).await
}

/// Goes on with a run whose process died or was stopped, from what its records prove and what the
/// hosts say. The plan's expiry does not count: the run began in time, and a host that has moved
/// since is refused by itself.
pub async fn resume<C: Connect, K: Clock>(
    context: RunContext<'_, C, K>,
    past: &Past,
) -> Result<RunReport, RunError> {
    let resumed = Event::RunResumed {
        segment: past.history.segments.saturating_add(1),
        tool: context.tool.to_owned(),
        operator: context.operator.to_owned(),
        workstation: context.workstation.to_owned(),
        torn: past.torn.clone(),
    };
    let scheduler = Scheduler::resume(context.plan, context.options.clone(), &past.history);
    drive(context, scheduler, resumed, past).await
}

async fn drive<C: Connect, K: Clock>(
    context: RunContext<'_, C, K>,
    mut scheduler: Scheduler<'_>,
    opening: Event,
    past: &Past,
) -> Result<RunReport, RunError> {
    let RunContext { plan, connect, clock, .. } = context;
    let preface = context.options.preface;
    let rehearsal = context.options.rehearsal;
    let recorder = Recorder::new(context.sink);
    recorder.emit(opening)?;
    for event in preface {
        recorder.emit(event)?;
    }
    let mut stop = context.stop;
    let means = Means {
        plan,
        run: context.run,
        operator: context.operator,
        workstation: context.workstation,
        connect,
        clock,
        rehearsal,
        pace: context.pace,
        past,
        recorder: &recorder,
        stop: stop.clone(),
        controller: context.controller,
        aborted: AtomicBool::new(false),
        shells: Semaphore::new(usize::try_from(plan.limits.exchange_shell.max(1)).unwrap_or(1)),
        asking: tokio::sync::Mutex::default(),
        logged_on: Mutex::default(),
        leased: Mutex::new(past.leased()),
        touched: Mutex::default(),
        restarting: Mutex::default(),
        hooked: Mutex::default(),
        others: Mutex::default(),
        found: Mutex::new(past.found()),
        ledger: Mutex::new(past.history.hooks.clone()),
        capacity: Mutex::default(),
    };
    let mut may_stop = true;
    let mut flight = Flight::default();
    let exit = loop {
        // Work in flight may have seen the request, and ended for it, before this loop did.
        scheduler.handle(Happened::StopRequested(means.stopped()));
        while let Some(action) = scheduler.poll(clock.now()) {
            if let Some(event) = announce(plan, &action) {
                means.emit(event)?;
            }
            flight.start(&means, action);
        }
        if scheduler.cuts_short() {
            means.aborted.store(true, Ordering::Relaxed);
        }
        if let Some(exit) = flight.exit {
            break exit;
        }
        if flight.work.is_empty() {
            return Err(RunError::Idle);
        }
        tokio::select! {
            biased;
            changed = stop.changed(), if may_stop => {
                may_stop = changed.is_ok();
                scheduler.handle(Happened::StopRequested(means.stopped()));
                if means.stopped() == Stop::Now {
                    flight.abandon(&means, &mut scheduler)?;
                }
            }
            Some(happened) = flight.work.next() => {
                // Told first: whether an account is known decides what a refused logon means.
                for host in std::mem::take(&mut *lock(&means.logged_on)) {
                    scheduler.handle(Happened::LoggedOn(host));
                }
                let happened = happened?;
                flight.landed(&happened, plan, &recorder)?;
                scheduler.handle(happened);
            }
        }
    };
    if means.stopped() != Stop::Now {
        let outcomes = scheduler.outcomes();
        let mut stop = means.stop.clone();
        tokio::select! {
            biased;
            // What is left then is taken away by a resume, or expires.
            Ok(_) = stop.wait_for(|stop| *stop == Stop::Now) => {}
            given_back = lease::release_all(&means, &outcomes) => given_back?,
        }
    }
    recorder.emit(Event::RunEnded { exit: exit.code(), name: exit.name().to_owned() })?;
    let steps = scheduler.steps().iter().filter_map(|(stage, outcome)| {
        planned_step(plan, *stage).map(|step| (step.clone(), outcome.clone()))
    });
    Ok(RunReport { outcomes: scheduler.outcomes(), steps: steps.collect(), exit })
}

/// What is under way.
#[derive(Default)]
struct Flight<'a> {
    // Nothing is spawned: the work only waits for the network, and one task carries all of it.
    work: FuturesUnordered<BoxFuture<'a, Result<Happened, SinkError>>>,
    configuring: BTreeSet<HostName>,
    looking: BTreeSet<HostName>,
    restarting: BTreeSet<HostName>,
    ranking: Option<usize>,
    stage: Option<usize>,
    gates: Option<(usize, GatePlace)>,
    hooks: Option<(Option<usize>, Turn)>,
    exit: Option<Exit>,
}

impl<'a> Flight<'a> {
    fn start<C: Connect, K: Clock>(&mut self, means: &'a Means<'a, C, K>, action: Action) {
        let plan = means.plan;
        match action {
            Action::Configure(name) => {
                let Some(host) = plan.hosts.get(&name) else { return };
                self.configuring.insert(name);
                let restarts = is_restarted(plan, host);
                self.work.push(Box::pin(async move {
                    let result = if means.rehearsal {
                        rehearse::configure(means, host).await?
                    } else {
                        configure(means, host, restarts).await?
                    };
                    Ok(Happened::Configured { host: host.name.clone(), result })
                }));
            }
            Action::Rank { stage, hosts } => {
                self.ranking = Some(stage);
                self.work.push(Box::pin(async move {
                    let ranks = peers::ranks(means, &hosts).await;
                    Ok(Happened::Ranked { stage, ranks })
                }));
            }
            Action::Look { host: name, ours } => {
                let Some(host) = plan.hosts.get(&name) else { return };
                self.looking.insert(name);
                self.work.push(Box::pin(async move {
                    let result = peers::look(means, host, &ours).await?;
                    Ok(Happened::Looked { host: host.name.clone(), result })
                }));
            }
            Action::Restart(name) => {
                let Some(host) = plan.hosts.get(&name) else { return };
                self.restarting.insert(name);
                self.work.push(Box::pin(async move {
                    let result = if means.rehearsal {
                        rehearse::restart(means, host).await?
                    } else {
                        restart(means, host).await?
                    };
                    means.release(&host.name);
                    Ok(Happened::Restarted { host: host.name.clone(), result })
                }));
            }
            Action::Step { stage } => {
                let Some(planned) = planned_step(plan, stage) else { return };
                let Some(PlannedStage { name, .. }) = plan.stages.get(stage) else { return };
                self.stage = Some(stage);
                self.work.push(Box::pin(async move {
                    let result = step(means, name, planned).await?;
                    Ok(Happened::StepEnded { stage, result })
                }));
            }
            Action::Gates { stage, place, hosts, again } => {
                self.gates = Some((stage, place));
                self.work.push(Box::pin(async move {
                    let result = gates(means, stage, place, &hosts, again).await?;
                    Ok(Happened::GatesEnded { stage, place, result })
                }));
            }
            Action::Hooks { stage, turn } => {
                self.hooks = Some((stage, turn));
                self.work.push(Box::pin(async move {
                    let result = around(means, stage, turn).await?;
                    Ok(Happened::HooksEnded { stage, turn, result })
                }));
            }
            Action::Finish(exit) => self.exit = Some(exit),
            Action::StageStarted { .. }
            | Action::BatchStarted { .. }
            | Action::StepUnchanged { .. }
            | Action::StepHeld { .. }
            | Action::HostEnded { .. }
            | Action::StageEnded { .. }
            | Action::Halt { .. } => {}
        }
    }

    fn landed(
        &mut self,
        happened: &Happened,
        plan: &Plan,
        recorder: &Recorder<'_>,
    ) -> Result<(), SinkError> {
        match happened {
            Happened::Configured { host, .. } => {
                self.configuring.remove(host);
            }
            Happened::Looked { host, .. } => {
                self.looking.remove(host);
            }
            Happened::Ranked { .. } => self.ranking = None,
            Happened::Restarted { host, .. } => {
                self.restarting.remove(host);
            }
            Happened::StepEnded { stage, result } => {
                self.stage = None;
                if let Some(event) = step_ended(plan, *stage, result) {
                    recorder.emit(event)?;
                }
            }
            Happened::GatesEnded { .. } => self.gates = None,
            Happened::HooksEnded { .. } => self.hooks = None,
            Happened::LoggedOn(_) | Happened::StopRequested(_) => {}
        }
        Ok(())
    }

    /// Drops everything. What had announced a write and not ended it is in doubt.
    fn abandon<C: Connect, K: Clock>(
        &mut self,
        means: &Means<'_, C, K>,
        scheduler: &mut Scheduler<'_>,
    ) -> Result<(), SinkError> {
        self.work.clear();
        let doubt = || {
            let text = "the user ended the run in the middle of the work";
            Failure::new(FailureKind::InDoubt, text).hint("read before anything else is written")
        };
        let mut news = Vec::new();
        for host in std::mem::take(&mut self.configuring) {
            let result = if means.is_touched(&host) {
                Configured::Abandoned(doubt())
            } else {
                Configured::Stopped
            };
            news.push(Happened::Configured { host, result });
        }
        for host in std::mem::take(&mut self.looking) {
            news.push(Happened::Looked { host, result: Looked::Stopped });
        }
        if let Some(stage) = self.ranking.take() {
            news.push(Happened::Ranked { stage, ranks: BTreeMap::new() });
        }
        for host in std::mem::take(&mut self.restarting) {
            let reason = if means.is_touched(&host) { "ordered, and not proved" } else { "due" };
            let reason = format!("{reason} when the user ended the run");
            news.push(Happened::Restarted { host, result: Restarted::GivenUp(reason) });
        }
        if let Some((stage, place)) = self.gates.take() {
            news.push(Happened::GatesEnded { stage, place, result: Gated::Stopped });
        }
        if let Some((stage, turn)) = self.hooks.take() {
            news.push(Happened::HooksEnded { stage, turn, result: Hooked::Stopped });
        }
        if let Some(stage) = self.stage.take() {
            let touched =
                planned_step(means.plan, stage).is_some_and(|step| means.is_touched(&step.via));
            let result = if touched { Err(doubt()) } else { Ok(StepDone::Stopped) };
            if let Some(event) = step_ended(means.plan, stage, &result) {
                means.emit(event)?;
            }
            news.push(Happened::StepEnded { stage, result });
        }
        for happened in news {
            scheduler.handle(happened);
        }
        Ok(())
    }
}

/// Whether some stage of the plan restarts the host.
fn is_restarted(plan: &Plan, host: &PlannedHost) -> bool {
    plan.stages.iter().any(|stage| match &stage.work {
        PlannedWork::Hosts { restarts, .. } => restarts.contains(&host.name),
        PlannedWork::Step(_) => false,
    })
}

fn planned_step(plan: &Plan, stage: usize) -> Option<&OrganisationStep> {
    match plan.stages.get(stage).map(|planned| &planned.work) {
        Some(PlannedWork::Step(step)) => Some(step),
        Some(PlannedWork::Hosts { .. }) | None => None,
    }
}

/// The event of an action that the scheduler has decided on. Batches count from 1 for people.
fn announce(plan: &Plan, action: &Action) -> Option<Event> {
    let name = |stage: usize| plan.stages.get(stage).map(|stage| stage.name.clone());
    let organisation = |stage| planned_step(plan, stage).map(|step| step.organisation.clone());
    Some(match action {
        Action::StageStarted { stage } => Event::StageStarted { stage: name(*stage)? },
        Action::BatchStarted { stage, batch, hosts } => {
            let batches = match &plan.stages.get(*stage)?.work {
                PlannedWork::Hosts { batches, .. } => batches.len(),
                PlannedWork::Step(_) => return None,
            };
            let (stage, hosts) = (name(*stage)?, hosts.clone());
            Event::BatchStarted { stage, batch: batch + 1, batches, hosts }
        }
        Action::StepUnchanged { stage } => {
            Event::StepUnchanged { organisation: organisation(*stage)?, step: name(*stage)? }
        }
        Action::StepHeld { stage, reason } => {
            let (organisation, step) = (organisation(*stage)?, name(*stage)?);
            Event::StepHeld { organisation, step, reason: reason.clone() }
        }
        Action::HostEnded { host, outcome } => {
            Event::HostEnded { host: host.clone(), outcome: outcome.clone() }
        }
        Action::StageEnded { stage } => Event::StageEnded { stage: name(*stage)? },
        Action::Halt { reason } => Event::Halted { reason: reason.clone() },
        Action::Configure(_)
        | Action::Rank { .. }
        | Action::Look { .. }
        | Action::Restart(_)
        | Action::Gates { .. }
        | Action::Hooks { .. }
        | Action::Step { .. }
        | Action::Finish(_) => return None,
    })
}

fn step_ended(plan: &Plan, stage: usize, result: &Result<StepDone, Failure>) -> Option<Event> {
    let organisation = planned_step(plan, stage)?.organisation.clone();
    let step = plan.stages.get(stage)?.name.clone();
    Some(match result {
        Ok(StepDone::Verified(after)) => {
            Event::StepVerified { organisation, step, after: after.clone() }
        }
        Ok(StepDone::Unchanged) => Event::StepUnchanged { organisation, step },
        Ok(StepDone::Rehearsed) => {
            let reason = "rehearsal: it would be set now".to_owned();
            Event::StepHeld { organisation, step, reason }
        }
        // The scheduler tells why it is held.
        Ok(StepDone::Stopped | StepDone::Awaited(_)) => return None,
        Err(failure) => Event::StepFailed { organisation, step, failure: failure.clone() },
    })
}
