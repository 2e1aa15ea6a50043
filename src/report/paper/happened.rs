//! What the records of a run say of its hosts, steps and gates.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Record;
use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::step::StepState;
use crate::report::style::Tint;
use crate::report::words::ending;
use crate::report::words::left_out;

/// A run, as far as its records go.
#[derive(Debug, Default)]
pub(super) struct Happened {
    pub(super) run: String,
    pub(super) operator: String,
    pub(super) workstation: String,
    pub(super) started: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    pub(super) exit: Option<(u8, String)>,
    pub(super) halted: Option<String>,
    pub(super) hosts: BTreeMap<HostName, HostHappened>,
    /// By organisation and stage: whether it went well, and how it ended.
    pub(super) steps: BTreeMap<(String, String), (bool, String)>,
    /// In order, those around stages and the run: which and where, whether it ended well, what it said.
    pub(super) hooks: Vec<(String, bool, String)>,
    /// In order: where, which, whether it was green, and why not.
    pub(super) gates: Vec<(String, String, Option<String>)>,
}

#[derive(Debug, Default)]
pub(super) struct HostHappened {
    pub(super) outcome: Option<Outcome>,
    /// The run was told to leave it out.
    pub(super) is_left_out: bool,
    pub(super) ended: Option<Timestamp>,
    pub(super) booted: Option<Timestamp>,
}

impl HostHappened {
    /// How it ended in words; `None` if that is not known.
    pub(super) fn ending(&self) -> Option<(&'static str, Tint, String)> {
        match &self.outcome {
            None | Some(Outcome::NotStarted) if self.is_left_out => Some(left_out()),
            outcome => outcome.as_ref().map(ending),
        }
    }
}

impl Happened {
    /// `None` for a plan that no run has begun.
    pub(super) fn of(records: &[Record]) -> Option<Self> {
        let first = records.first()?;
        let mut happened = Self { run: first.run.clone(), ..Self::default() };
        for record in records {
            happened.take(record);
        }
        Some(happened)
    }

    fn host(&mut self, name: &HostName) -> &mut HostHappened {
        self.hosts.entry(name.clone()).or_default()
    }

    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { operator, workstation, .. } => {
                self.operator.clone_from(operator);
                self.workstation.clone_from(workstation);
                self.started = Some(record.ts);
            }
            Event::RunResumed { .. } => (self.ended, self.exit, self.halted) = (None, None, None),
            Event::RunEnded { exit, name } => {
                self.ended = Some(record.ts);
                self.exit = Some((*exit, name.clone()));
            }
            Event::HostsLeftOut { hosts, limit: _ } => {
                for host in hosts {
                    self.host(host).is_left_out = true;
                }
            }
            Event::Halted { reason } => self.halted = Some(reason.clone()),
            Event::RestartProved { host, boot_after, .. } => {
                self.host(host).booted = Some(*boot_after);
            }
            Event::HostEnded { host, outcome } => {
                let host = self.host(host);
                host.outcome = Some(outcome.clone());
                host.ended = Some(record.ts);
            }
            Event::GatePassed { stage, gate } => {
                self.gates.push((stage.clone(), gate.clone(), None));
            }
            Event::GateFailed { stage, gate, reason } => {
                self.gates.push((stage.clone(), gate.clone(), Some(reason.clone())));
            }
            Event::StepHeld { organisation, step, reason } => {
                let text = format!("held: {reason}");
                self.steps.insert((organisation.clone(), step.clone()), (false, text));
            }
            Event::StepVerified { organisation, step, after } => {
                let text = match after {
                    StepState::Told { told } => told.clone(),
                    StepState::Settings { .. } | StepState::Irm(_) => {
                        "set, and read back as planned".to_owned()
                    }
                };
                self.steps.insert((organisation.clone(), step.clone()), (true, text));
            }
            Event::StepUnchanged { organisation, step } => {
                let text = "was as wanted, nothing was set".to_owned();
                self.steps.insert((organisation.clone(), step.clone()), (true, text));
            }
            Event::StepFailed { organisation, step, failure } => {
                let end = (false, failure.text());
                self.steps.insert((organisation.clone(), step.clone()), end);
            }
            Event::StageHookEnded { errand, ok, said } => {
                let what = format!("hook {} {}", errand.hook, errand.place());
                self.hooks.push((what, *ok, said.clone()));
            }
            _ => {}
        }
    }
}
