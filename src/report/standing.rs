//! Where a run stands: a fold over its plan and its records, for those who look at it meanwhile.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::error::Exit;
use crate::event::Event;
use crate::event::Phase;
use crate::event::Record;
use crate::event::ledger::Ledger;
use crate::model::gate::Gate;
use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::plan::worst;

/// A run between two of its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub operator: String,
    pub workstation: String,
    pub lab: bool,
    pub rehearsal: bool,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// The exit code and its name.
    pub exit: Option<(u8, String)>,
    pub halted: Option<String>,
    /// By organisation and stage.
    pub steps: BTreeMap<(String, String), StepStanding>,
    /// Restarts owed, and why.
    pub owed: BTreeMap<HostName, String>,
    /// The last record's time.
    pub last: Option<Timestamp>,
    /// The stage that was begun last: its place in the plan.
    pub stage: Option<usize>,
    /// Whether that stage has ended.
    pub is_stage_over: bool,
    /// Batch and batches of the stage.
    pub batch: Option<(usize, usize)>,
    /// The gate that is looked at: its name, and what was seen red last.
    pub gate: Option<(String, String)>,
    /// A step that waits to be done by hand: whose, and what to type then.
    pub awaited: Option<(String, String)>,
    /// Every host that the plan has work for.
    pub hosts: BTreeMap<HostName, HostStanding>,
    /// Failure domains as last seen: members up, members, votes.
    pub capacity: BTreeMap<String, Capacity>,
    pub hooks: Ledger,
}

/// Members up, members, votes held and all votes.
pub type Capacity = (usize, usize, Option<(u32, u32)>);

/// One host of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostStanding {
    /// Its turn has not come, or comes again.
    Waiting,
    Busy(Busy),
    /// Its values are written and read back; its restart is to come.
    Verified,
    Ended(Outcome),
}

/// An organisation step that was begun or held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepStanding {
    Held(String),
    Unchanged,
    /// Announced, and its end was not seen.
    Begun,
    Verified,
    Failed(String),
}

/// What a host is busy with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    pub phase: Phase,
    pub since: Timestamp,
    /// Seconds that the phase has.
    pub budget: Option<u32>,
    /// What was seen last.
    pub seen: String,
}

/// Whether somebody works on the run, as the locks tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulse {
    /// Whose process, and its last sign of life.
    Alive { process: u32, workstation: String, heartbeat: Timestamp },
    /// No process holds its locks.
    Gone,
    /// The run takes no locks: its farm is simulated.
    Untold,
}

impl Standing {
    /// `owed` is what the journal's own reckoning says.
    pub fn of(plan: &Plan, records: &[Record], owed: BTreeMap<HostName, String>) -> Self {
        let mut standing = Self { owed, ..Self::default() };
        for host in plan.hosts.values().filter(|host| host.has_work()) {
            standing.hosts.insert(host.name.clone(), HostStanding::Waiting);
        }
        for record in records {
            standing.last = Some(record.ts);
            standing.hooks.take(&record.event);
            standing.take(plan, record);
        }
        standing
    }

    /// The approval that the run waits for, if it does: its name and what it asks.
    pub fn approval<'p>(&self, plan: &'p Plan) -> Option<(&str, &'p str)> {
        let (name, _) = self.gate.as_ref().filter(|_| self.ended.is_none())?;
        match plan.conditions.gates.get(name) {
            Some(Gate::Approval { prompt, .. }) => Some((name, prompt)),
            Some(
                Gate::Http { .. }
                | Gate::EventLog { .. }
                | Gate::Exchange { .. }
                | Gate::Service { .. }
                | Gate::RmsTemplates { .. }
                | Gate::Tcp { .. }
                | Gate::Soak { .. }
                | Gate::Command { .. },
            )
            | None => None,
        }
    }

    /// Hosts of the stage's batches and restarts whose turn is still to come: of a run that has ended,
    /// those that a resume would see to.
    pub fn ahead(&self, work: &PlannedWork) -> Vec<HostName> {
        let PlannedWork::Hosts { batches, restarts, .. } = work else { return Vec::new() };
        let mut hosts: Vec<HostName> = Vec::new();
        for host in batches.iter().flatten().chain(restarts) {
            let waits = match self.hosts.get(host) {
                Some(HostStanding::Waiting | HostStanding::Verified) => true,
                Some(HostStanding::Ended(outcome)) if self.ended.is_some() => match outcome {
                    Outcome::NotStarted
                    | Outcome::InDoubt(_)
                    | Outcome::Failed(_)
                    | Outcome::Unreachable(_) => true,
                    Outcome::RestartOwed { .. } => restarts.contains(host),
                    Outcome::Unchanged
                    | Outcome::Changed { .. }
                    | Outcome::Refused(_)
                    | Outcome::Blocked => false,
                },
                Some(HostStanding::Busy(_) | HostStanding::Ended(_)) | None => false,
            };
            if waits && !hosts.contains(host) {
                hosts.push(host.clone());
            }
        }
        hosts
    }

    fn take(&mut self, plan: &Plan, record: &Record) {
        match &record.event {
            Event::RunStarted { operator, workstation, lab, rehearsal, .. } => {
                self.operator.clone_from(operator);
                self.workstation.clone_from(workstation);
                (self.lab, self.rehearsal) = (*lab, *rehearsal);
                self.started = Some(record.ts);
            }
            Event::HostsLeftOut { hosts, limit: _ } => {
                self.hosts.retain(|name, _| !hosts.contains(name));
            }
            Event::Halted { reason } => self.halted = Some(reason.clone()),
            Event::RunResumed { .. } => {
                (self.ended, self.exit, self.halted) = (None, None, None);
                for host in self.hosts.values_mut() {
                    // What was under way is looked at again.
                    if let HostStanding::Busy(_) | HostStanding::Ended(Outcome::NotStarted) = host {
                        *host = HostStanding::Waiting;
                    }
                }
                (self.gate, self.awaited) = (None, None);
            }
            Event::StageStarted { stage } => {
                self.stage = plan.stages.iter().position(|own| own.name == *stage);
                (self.batch, self.gate, self.is_stage_over) = (None, None, false);
            }
            Event::StageEnded { .. } => self.is_stage_over = true,
            Event::BatchStarted { batch, batches, .. } => self.batch = Some((*batch, *batches)),
            Event::HostStarted { host, phase } => {
                let own = plan.hosts.get(host).filter(|_| *phase == Phase::Registry);
                let budget = own.map(|host| worst::of_writes(host.operation_timeout));
                self.busy(host, *phase, budget, record.ts);
            }
            Event::PhaseStarted { host, phase, budget } => {
                self.busy(host, *phase, Some(*budget), record.ts);
            }
            Event::RestartWaiting { host, seen }
            | Event::MaintenanceWaiting { host, seen }
            | Event::PeersSeen { host, seen, clear: false } => self.see(host, seen),
            Event::ChangeIntended { host, index, .. } => {
                self.see(host, &format!("writing value {}", index + 1));
            }
            Event::RestartIntended { host, .. } => self.see(host, "restart ordered"),
            Event::RestartProved { host, .. } => self.see(host, "restart proved"),
            Event::MaintenanceEntered { host } => self.see(host, "out of service"),
            Event::MaintenanceLeft { host, .. } => self.see(host, "back as found"),
            Event::HostVerified { host, .. } => {
                self.hosts.insert(host.clone(), HostStanding::Verified);
            }
            Event::HostEnded { host, outcome } => {
                if let Some(own) = self.hosts.get_mut(host) {
                    *own = HostStanding::Ended(outcome.clone());
                }
            }
            Event::GateStarted { gate, .. } => self.gate = Some((gate.clone(), String::new())),
            Event::GateSeen { gate, green, seen, host, .. } => {
                let on = host.as_ref().map(|host| format!("{}: ", host.short()));
                let seen = if *green { String::new() } else { on.unwrap_or_default() + seen };
                self.gate = Some((gate.clone(), seen));
            }
            Event::GatePassed { .. } | Event::GateFailed { .. } => self.gate = None,
            Event::StepAwaited { organisation, then, .. } => {
                self.awaited = Some((organisation.clone(), then.clone()));
            }
            Event::StepIntended { organisation, step, .. } => {
                self.step(organisation, step, StepStanding::Begun);
            }
            Event::StepUnchanged { organisation, step } => {
                self.step(organisation, step, StepStanding::Unchanged);
            }
            Event::StepVerified { organisation, step, .. } => {
                self.step(organisation, step, StepStanding::Verified);
            }
            Event::StepHeld { organisation, step, reason } => {
                // What was begun stays so until somebody sees its end.
                let key = (organisation.clone(), step.clone());
                if self.steps.get(&key) == Some(&StepStanding::Begun) {
                    return;
                }
                self.step(organisation, step, StepStanding::Held(reason.clone()));
            }
            Event::StepFailed { organisation, step, failure } => {
                self.step(organisation, step, StepStanding::Failed(failure.text()));
            }
            Event::CapacitySeen { domain, up, of, votes } => {
                self.capacity.insert(domain.clone(), (*up, *of, *votes));
            }
            Event::RunEnded { exit, name } => {
                self.ended = Some(record.ts);
                self.exit = Some((*exit, name.clone()));
                (self.gate, self.awaited) = (None, None);
            }
            _ => {}
        }
    }

    fn step(&mut self, organisation: &str, stage: &str, standing: StepStanding) {
        self.steps.insert((organisation.to_owned(), stage.to_owned()), standing);
        self.awaited = None;
    }

    fn busy(&mut self, host: &HostName, phase: Phase, budget: Option<u32>, since: Timestamp) {
        // A survey, or a host that is only read for a step, is no work of the plan.
        if let Some(own) = self.hosts.get_mut(host) {
            *own = HostStanding::Busy(Busy { phase, since, budget, seen: String::new() });
        }
    }

    fn see(&mut self, host: &HostName, text: &str) {
        if let Some(HostStanding::Busy(busy)) = self.hosts.get_mut(host) {
            text.clone_into(&mut busy.seen);
        }
    }
}

/// What `status` ends with: the run's own exit code once it has ended; 0 while somebody works on
/// it; 8 where it stands still and can go on, because it waits for a person or its process is gone.
pub fn exit(standing: &Standing, plan: &Plan, pulse: &Pulse) -> u8 {
    let waits = standing.approval(plan).is_some() || standing.awaited.is_some();
    match (&standing.exit, pulse) {
        (Some((code, _)), _) => *code,
        (None, Pulse::Gone) => Exit::Paused.code(),
        (None, Pulse::Alive { .. } | Pulse::Untold) if waits => Exit::Paused.code(),
        (None, Pulse::Alive { .. } | Pulse::Untold) => Exit::Ok.code(),
    }
}

#[cfg(test)]
mod tests;
