//! The connection that a step is done over: a PowerShell endpoint, or WS-Management itself.

use crate::host::exchange;
use crate::host::fileserver;
use crate::host::folder;
use crate::host::gate::POWERSHELL;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::host::link::Target;
use crate::host::service;
use crate::host::sharepoint;
use crate::model::plan::OrganisationStep;
use crate::model::step::Act;
use crate::run::means::Means;

pub(super) enum Line<C: Connect> {
    Shell(C::Shell),
    Link(C::Link),
}

impl<C: Connect> Line<C> {
    pub(super) async fn open<K: Clock>(
        means: &Means<'_, C, K>,
        step: &OrganisationStep,
        target: &Target,
    ) -> Result<Self, HostError> {
        let configuration = match &step.act {
            Act::ExchangeIrm { .. } | Act::RefreshCertificates => exchange::CONFIGURATION,
            Act::SharepointIrm { configuration, .. } => configuration,
            Act::ClearFolder { .. } => POWERSHELL,
            Act::CycleServices { .. } | Act::FileObject { .. } => {
                return means.connect.connect(target).await.map(Self::Link);
            }
        };
        means.connect.shell(target, configuration).await.map(Self::Shell)
    }

    /// Does what the act says, once.
    pub(super) async fn perform(&mut self, act: &Act, clock: &impl Clock) -> Result<(), HostError> {
        match (self, act) {
            (Self::Shell(shell), Act::ExchangeIrm { settings, .. }) => {
                exchange::set(shell, settings).await
            }
            (Self::Shell(shell), Act::RefreshCertificates) => {
                exchange::refresh_certificates(shell).await
            }
            (Self::Shell(shell), Act::SharepointIrm { settings, .. }) => {
                sharepoint::set(shell, settings).await
            }
            (Self::Shell(shell), Act::ClearFolder { folder }) => folder::clear(shell, folder).await,
            (Self::Link(link), Act::CycleServices { services }) => {
                service::cycle(link, clock, services).await
            }
            (Self::Link(link), Act::FileObject { object, name, settings }) => {
                fileserver::set(link, *object, name, settings).await
            }
            (Self::Shell(_) | Self::Link(_), _) => Err(misfit()),
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Shell(shell) => shell.close().await,
            Self::Link(_) => {}
        }
    }
}

/// A line that was opened for another kind of act: a fault of ours.
pub(super) fn misfit() -> HostError {
    HostError::Unsupported("the step goes over another kind of connection".to_owned())
}
