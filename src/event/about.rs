//! Whom an event is about.

use crate::event::Event;
use crate::model::host::HostName;

impl Event {
    /// The host whose work the event is part of. Organisation steps belong to none.
    pub fn host(&self) -> Option<&HostName> {
        match self {
            Self::HostStarted { host, .. }
            | Self::ChangeIntended { host, .. }
            | Self::ChangeVerified { host, .. }
            | Self::RestoreIntended { host, .. }
            | Self::RestoreVerified { host, .. }
            | Self::HostSurveyed { host, .. }
            | Self::HostVerified { host, .. }
            | Self::MarkIntended { host, .. }
            | Self::LeaseIntended { host, .. }
            | Self::KeyIntended { host, .. }
            | Self::RestartOwed { host, .. }
            | Self::RestartReady { host, .. }
            | Self::RestartIntended { host, .. }
            | Self::RestartOrdered { host, .. }
            | Self::RestartForeign { host, .. }
            | Self::RestartRepeated { host, .. }
            | Self::LeaseLeft { host, .. }
            | Self::ServicesMissing { host, .. }
            | Self::RestartWaiting { host, .. }
            | Self::RestartProved { host, .. }
            | Self::PhaseStarted { host, .. }
            | Self::PeersSeen { host, .. }
            | Self::MaintenanceFound { host, .. }
            | Self::MaintenanceIntended { host, .. }
            | Self::MaintenanceWaiting { host, .. }
            | Self::MaintenanceEntered { host, .. }
            | Self::MaintenanceLeft { host, .. }
            | Self::HookIntended { host, .. }
            | Self::HookEnded { host, .. }
            | Self::HostEnded { host, .. } => Some(host),
            Self::GateSeen { host, .. } => host.as_ref(),
            Self::RunStarted { .. }
            | Self::PlanApproved { .. }
            | Self::HostsLeftOut { .. }
            | Self::RunResumed { .. }
            | Self::StageStarted { .. }
            | Self::BatchStarted { .. }
            | Self::CapacitySeen { .. }
            | Self::GateStarted { .. }
            | Self::GatePassed { .. }
            | Self::GateFailed { .. }
            | Self::StageHookIntended { .. }
            | Self::StageHookEnded { .. }
            | Self::StageHookSkipped { .. }
            | Self::StepHeld { .. }
            | Self::StepIntended { .. }
            | Self::StepAwaited { .. }
            | Self::StepVerified { .. }
            | Self::StepUnchanged { .. }
            | Self::StepFailed { .. }
            | Self::StageEnded { .. }
            | Self::Halted { .. }
            | Self::RunEnded { .. } => None,
        }
    }
}
