//! Whether a host owes a restart, as far as its records tell at any instant.

use std::collections::BTreeSet;

use crate::event::Event;
use crate::model::outcome::Outcome;

/// What one host's records say about its restart.
#[derive(Debug, Default)]
pub(super) struct Debt {
    /// Announced before the first write: why.
    announced: Option<String>,
    /// Owed whatever this run has written.
    firm: bool,
    /// Places of changes that may stand on the host.
    written: BTreeSet<usize>,
    /// A mark of this run may stand on the host.
    marked: bool,
    /// Every value was read as planned; from here on nothing is taken back.
    verified: bool,
}

impl Debt {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::RestartOwed { reason, inherited, .. } => {
                self.announced = Some(reason.clone());
                self.firm |= inherited;
            }
            Event::ChangeIntended { index, .. } => {
                self.written.insert(*index);
            }
            Event::RestoreVerified { index, .. } => {
                self.written.remove(index);
            }
            // One about to be removed may stand there still, until the host's work has ended.
            Event::MarkIntended { set, .. } => self.marked |= set,
            Event::HostVerified { .. } => self.verified = true,
            // It went out, or was about to: only the proof settles it.
            Event::RestartIntended { .. } => self.firm = true,
            Event::RestartProved { .. } => *self = Self::default(),
            Event::HostEnded { outcome, .. } => self.end(outcome),
            Event::RunStarted { .. }
            | Event::RunResumed { .. }
            | Event::StageStarted { .. }
            | Event::BatchStarted { .. }
            | Event::HostStarted { .. }
            | Event::ChangeVerified { .. }
            | Event::RestoreIntended { .. }
            | Event::HostSurveyed { .. }
            | Event::KeyIntended { .. }
            | Event::RestartReady { .. }
            | Event::RestartForeign { .. }
            | Event::RestartRepeated { .. }
            | Event::LeaseLeft { .. }
            | Event::ServicesMissing { .. }
            | Event::RestartOrdered { .. }
            | Event::RestartWaiting { .. }
            | Event::StepHeld { .. }
            | Event::StepIntended { .. }
            | Event::StepAwaited { .. }
            | Event::StepVerified { .. }
            | Event::StepUnchanged { .. }
            | Event::StepFailed { .. }
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
            | Event::HookEnded { .. }
            | Event::StageHookIntended { .. }
            | Event::StageHookEnded { .. }
            | Event::StageHookSkipped { .. }
            | Event::StageEnded { .. }
            | Event::PlanApproved { .. }
            | Event::HostsLeftOut { .. }
            | Event::LeaseIntended { .. }
            | Event::Halted { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::RestartOwed { reason, .. } => {
                self.announced = Some(reason.clone());
                self.firm = true;
            }
            // Nothing was written, or all of it was taken back and read, the mark included.
            Outcome::Refused(_)
            | Outcome::Failed(_)
            | Outcome::Unreachable(_)
            | Outcome::NotStarted
            | Outcome::Blocked
                if !self.verified && self.written.is_empty() =>
            {
                self.marked = false;
            }
            Outcome::Unchanged
            | Outcome::Changed { .. }
            | Outcome::InDoubt(_)
            | Outcome::Refused(_)
            | Outcome::Failed(_)
            | Outcome::Unreachable(_)
            | Outcome::NotStarted
            | Outcome::Blocked => {}
        }
    }

    /// Why a restart is owed; `None` if none is.
    pub(super) fn reason(&self) -> Option<String> {
        let written = self.verified || !self.written.is_empty();
        match &self.announced {
            Some(reason) if self.firm || written || self.marked => Some(reason.clone()),
            None if self.marked => Some("its mark may stand on the host".to_owned()),
            Some(_) | None => None,
        }
    }
}
