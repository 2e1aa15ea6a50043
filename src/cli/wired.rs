//! The network as a run uses it: traffic counted by what each host is busy with, and in the lab
//! every address led to the farm's sockets.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::event::Event;
use crate::event::Phase;
use crate::host::doctor::Bedside;
use crate::host::doctor::Greeting;
use crate::host::doctor::Shown;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Knock;
use crate::host::link::Target;
use crate::model::host::HostName;
use crate::model::host::Scheme;
use crate::model::host::Transport;
use crate::net::connect::Network;
use crate::report::words;

/// Where the lab's hosts answer.
pub type Addresses = BTreeMap<HostName, SocketAddr>;

/// A network with the lab's addresses, if it is the lab, and every host's present phase.
#[derive(Debug, Clone)]
pub struct Wired {
    network: Network,
    lab: Option<Arc<Addresses>>,
    phases: Arc<Mutex<BTreeMap<HostName, Phase>>>,
}

impl Wired {
    pub fn new(network: Network, lab: Option<Addresses>) -> Self {
        Self { network, lab: lab.map(Arc::new), phases: Arc::default() }
    }

    /// Whether the account for a target was refused at its first logon.
    pub fn is_refused(&self, target: &Target) -> bool {
        self.network.is_refused(target)
    }

    pub fn is_lab(&self) -> bool {
        self.lab.is_some()
    }

    /// Fetches a page of a web server that asks for Windows authentication; in the lab, of the host
    /// that the target names.
    pub async fn page(&self, target: &Target) -> Result<Vec<u8>, HostError> {
        self.network.phase("tenant").page(&self.route(target)?).await
    }

    /// Deletes the shells of programs whose calls were cut off; the hosts on which one may stand.
    pub async fn delete_left(&self) -> BTreeSet<HostName> {
        self.network.delete_left().await
    }

    /// Follows the run: what a host is busy with from here on.
    pub fn note(&self, event: &Event) {
        let (host, phase) = match event {
            Event::HostStarted { host, phase } | Event::PhaseStarted { host, phase, .. } => {
                (host, *phase)
            }
            Event::RestartIntended { host, .. } => (host, Phase::Restart),
            // It has taken a logon since: from here on a refusal is one.
            Event::RestartProved { host, .. } => (host, Phase::Settle),
            Event::StepIntended { via, .. } => (via, Phase::Step),
            // Nobody is waited for any more.
            Event::HostEnded { host, .. } => (host, Phase::Survey),
            _ => return,
        };
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        phases.insert(host.clone(), phase);
    }

    fn network(&self, target: &Target) -> Network {
        let phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let phase = phases.get(&target.host).copied().unwrap_or(Phase::Survey);
        let network = self.network.phase(words::phase(phase));
        match phase {
            Phase::Restart => network.restarting(),
            Phase::Settle | Phase::Gates | Phase::Back => network.restarted(),
            Phase::Survey | Phase::Registry | Phase::Peers | Phase::Drain | Phase::Step => network,
        }
    }

    /// The target's address in the lab; a host that the farm lacks keeps a name nobody answers to.
    fn route(&self, target: &Target) -> Result<Target, HostError> {
        let Some(lab) = &self.lab else { return Ok(target.clone()) };
        let address = lab.get(&target.host).ok_or_else(|| {
            HostError::Unsupported(format!("the simulated farm has no host `{}`", target.host))
        })?;
        let mut routed = target.clone();
        routed.endpoint.scheme = Scheme::Http;
        routed.endpoint.transport = Transport::Ntlm;
        routed.endpoint.address = address.ip().to_string();
        routed.endpoint.port = address.port();
        Ok(routed)
    }
}

impl Connect for Wired {
    type Link = <Network as Connect>::Link;
    type Shell = <Network as Connect>::Shell;

    async fn connect(&self, target: &Target) -> Result<Self::Link, HostError> {
        self.network(target).connect(&self.route(target)?).await
    }

    async fn shell(&self, target: &Target, configuration: &str) -> Result<Self::Shell, HostError> {
        self.network(target).shell(&self.route(target)?, configuration).await
    }

    async fn knock(&self, target: &Target) -> Result<Knock, HostError> {
        self.network(target).knock(&self.route(target)?).await
    }

    async fn dial(&self, target: &Target) -> Result<SocketAddr, HostError> {
        self.network(target).dial(&self.route(target)?).await
    }
}

impl Bedside for Wired {
    fn user(&self, target: &Target) -> Option<String> {
        self.network.user(target)
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<IpAddr>, HostError> {
        self.network(target).resolve(&self.route(target)?).await
    }

    async fn shake(&self, target: &Target) -> Result<Shown, HostError> {
        self.network(target).shake(&self.route(target)?).await
    }

    fn service(&self, target: &Target) -> Option<String> {
        self.network(target).service(target)
    }

    async fn greet(&self, target: &Target) -> Result<Greeting, HostError> {
        self.network(target).greet(&self.route(target)?).await
    }
}
