//! What a journal says about its run, for `runs list` and `runs show`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::event::Event;
use crate::event::Record;
use crate::journal::debt::Debt;
use crate::model::host::HostName;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;

/// A run, told from its records alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    pub run: String,
    /// The sealed plan's id and digest.
    pub plan: String,
    pub digest: String,
    pub operator: String,
    pub workstation: String,
    pub lab: bool,
    /// The run that this one takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// It wrote nothing and restarted nothing.
    pub rehearsal: bool,
    /// Who approved the plan, and with which key.
    pub approved: Vec<(String, String)>,
    /// Hosts of the plan that it leaves out.
    pub left_out: Vec<HostName>,
    pub started: Option<Timestamp>,
    /// How many processes have worked on it: one more for each resume.
    pub segments: u32,
    /// `None`: the run goes on, or its process died.
    pub ended: Option<Timestamp>,
    /// The exit code and its name.
    pub exit: Option<(u8, String)>,
    pub halted: Option<String>,
    pub hosts: BTreeMap<HostName, HostSummary>,
    /// By organisation, with the step's stage where the records name it.
    pub steps: BTreeMap<String, StepSummary>,
}

/// One host's part of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HostSummary {
    /// `None`: its work had not ended when the journal ends.
    pub outcome: Option<Outcome>,
    /// Values written and read back, not counting those that were restored.
    pub verified: usize,
    /// A restart was owed and not proved: why.
    pub restart_owed: Option<String>,
    /// An order to restart was given, or was about to be.
    pub restart_ordered: bool,
    /// Places of changes announced, and neither verified, restored nor settled by an outcome.
    pub in_doubt: BTreeSet<usize>,
}

/// An organisation step's part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepSummary {
    Held(String),
    Unchanged,
    /// Announced, and nobody knows its end: read before anything else.
    InDoubt,
    Verified,
    Failed(String),
}

impl RunSummary {
    /// How many hosts hold something that nobody knows.
    pub fn in_doubt(&self) -> usize {
        self.hosts.values().filter(|host| host.is_in_doubt()).count()
    }

    pub fn restarts_owed(&self) -> usize {
        self.hosts.values().filter(|host| host.restart_owed.is_some()).count()
    }

    /// Whether the run may have changed anything that it was planned to change, on a host or in an
    /// organisation.
    pub fn has_written(&self) -> bool {
        let host = |host: &HostSummary| host.verified > 0 || host.is_in_doubt();
        let step =
            |step: &StepSummary| matches!(step, StepSummary::Verified | StepSummary::InDoubt);
        !self.rehearsal && (self.hosts.values().any(host) || self.steps.values().any(step))
    }
}

impl HostSummary {
    pub fn is_in_doubt(&self) -> bool {
        !self.in_doubt.is_empty() || matches!(self.outcome, Some(Outcome::InDoubt(_)))
    }
}

/// Folds the records of one run.
pub fn summarise(records: &[Record]) -> RunSummary {
    let mut summary = RunSummary::default();
    let mut debts: BTreeMap<HostName, Debt> = BTreeMap::new();
    for record in records {
        take(&mut summary, record);
        if let Some(host) = record.event.host() {
            debts.entry(host.clone()).or_default().take(&record.event);
        }
    }
    // A rehearsal restarts nothing and owes nothing.
    for (host, debt) in debts.into_iter().filter(|_| !summary.rehearsal) {
        if let Some(reason) = debt.reason() {
            summary.hosts.entry(host).or_default().restart_owed = Some(reason);
        }
    }
    summary
}

fn take(summary: &mut RunSummary, record: &Record) {
    match &record.event {
        Event::RunStarted {
            plan,
            digest,
            operator,
            workstation,
            lab,
            rehearsal,
            undoes,
            format: _,
            tool: _,
        } => {
            summary.undoes.clone_from(undoes);
            summary.run.clone_from(&record.run);
            summary.plan.clone_from(plan);
            summary.digest.clone_from(digest);
            summary.operator.clone_from(operator);
            summary.workstation.clone_from(workstation);
            summary.lab = *lab;
            summary.rehearsal = *rehearsal;
            summary.started = Some(record.ts);
            summary.segments = 1;
        }
        Event::RunResumed { segment, .. } => {
            summary.segments = *segment;
            summary.ended = None;
            summary.exit = None;
            summary.halted = None;
        }
        Event::RunEnded { exit, name } => {
            summary.ended = Some(record.ts);
            summary.exit = Some((*exit, name.clone()));
        }
        Event::PlanApproved { by, key } => summary.approved.push((by.clone(), key.clone())),
        Event::HostsLeftOut { hosts, limit: _ } => summary.left_out.clone_from(hosts),
        Event::Halted { reason } => summary.halted = Some(reason.clone()),
        // What tells of a debt is settled with all that does.
        Event::HostStarted { host, .. }
        | Event::RestartOwed { host, .. }
        | Event::MarkIntended { host, .. }
        | Event::RestartProved { host, .. } => {
            summary.hosts.entry(host.clone()).or_default();
        }
        Event::ChangeIntended { host, index, .. } => {
            summary.hosts.entry(host.clone()).or_default().in_doubt.insert(*index);
        }
        Event::ChangeVerified { host, index } => {
            let host = summary.hosts.entry(host.clone()).or_default();
            host.verified += 1;
            host.in_doubt.remove(index);
        }
        // What was verified is on its way back, and only its read-back tells where it is.
        Event::RestoreIntended { host, index } => {
            let host = summary.hosts.entry(host.clone()).or_default();
            if host.in_doubt.insert(*index) {
                host.verified = host.verified.saturating_sub(1);
            }
        }
        Event::RestoreVerified { host, index } => {
            summary.hosts.entry(host.clone()).or_default().in_doubt.remove(index);
        }
        Event::RestartIntended { host, .. } => {
            summary.hosts.entry(host.clone()).or_default().restart_ordered = true;
        }
        Event::HostEnded { host, outcome } => {
            let host = summary.hosts.entry(host.clone()).or_default();
            // An outcome settles what was announced; one in doubt says so itself.
            host.in_doubt.clear();
            host.outcome = Some(outcome.clone());
        }
        Event::StepHeld { organisation, step, reason } => {
            let held = StepSummary::Held(reason.clone());
            summary.steps.insert(step_name(organisation, step), held);
        }
        Event::StepIntended { organisation, step, .. } => {
            summary.steps.insert(step_name(organisation, step), StepSummary::InDoubt);
        }
        Event::StepVerified { organisation, step, .. } => {
            summary.steps.insert(step_name(organisation, step), StepSummary::Verified);
        }
        Event::StepUnchanged { organisation, step } => {
            summary.steps.insert(step_name(organisation, step), StepSummary::Unchanged);
        }
        Event::StepFailed { organisation, step, failure } => {
            let name = step_name(organisation, step);
            let step = match failure.kind {
                FailureKind::InDoubt => StepSummary::InDoubt,
                FailureKind::Unreachable
                | FailureKind::Denied
                | FailureKind::AccountGuarded
                | FailureKind::Fault
                | FailureKind::WrongHost
                | FailureKind::Drifted
                | FailureKind::Leased
                | FailureKind::WriteRefused
                | FailureKind::NotBack
                | FailureKind::RestartNotBegun
                | FailureKind::Hook
                | FailureKind::Maintenance
                | FailureKind::Unsupported => StepSummary::Failed(failure.text()),
            };
            summary.steps.insert(name, step);
        }
        Event::StageStarted { .. }
        | Event::BatchStarted { .. }
        | Event::HostSurveyed { .. }
        | Event::KeyIntended { .. }
        | Event::HostVerified { .. }
        | Event::RestartReady { .. }
        | Event::RestartForeign { .. }
        | Event::RestartRepeated { .. }
        | Event::LeaseLeft { .. }
        | Event::ServicesMissing { .. }
        | Event::RestartOrdered { .. }
        | Event::RestartWaiting { .. }
        | Event::GateStarted { .. }
        | Event::GateSeen { .. }
        | Event::GatePassed { .. }
        | Event::GateFailed { .. }
        | Event::PhaseStarted { .. }
        | Event::PeersSeen { .. }
        | Event::CapacitySeen { .. }
        | Event::MaintenanceFound { .. }
        | Event::MaintenanceIntended { .. }
        | Event::MaintenanceWaiting { .. }
        | Event::MaintenanceEntered { .. }
        | Event::MaintenanceLeft { .. }
        | Event::HookIntended { .. }
        | Event::StepAwaited { .. }
        | Event::HookEnded { .. }
        | Event::StageHookIntended { .. }
        | Event::StageHookEnded { .. }
        | Event::StageHookSkipped { .. }
        | Event::LeaseIntended { .. }
        | Event::StageEnded { .. } => {}
    }
}
/// `Contoso`, or `Contoso: exchange-irm`.
fn step_name(organisation: &str, step: &str) -> String {
    if step.is_empty() { organisation.to_owned() } else { format!("{organisation}: {step}") }
}
