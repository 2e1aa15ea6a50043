//! The network as recipes see it: who logs on where, over what.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use uuid::Uuid;

use crate::host::doctor::Bedside;
use crate::host::doctor::Greeting;
use crate::host::doctor::Shown;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Knock;
use crate::host::link::Target;
use crate::host::support::unsupported;
use crate::model::host::HostName;
use crate::model::host::Transport;
use crate::net::accounts::Accounts;
use crate::net::accounts::Login;
use crate::net::accounts::Who;
use crate::net::channel::Channel;
use crate::net::entropy;
use crate::net::entropy::EntropyError;
use crate::net::guard::AccountGuard;
use crate::net::handshake;
use crate::net::knock::greet;
use crate::net::knock::knock;
use crate::net::left::LeftShells;
use crate::net::link::WsmanLink;
use crate::net::page;
use crate::net::reach;
use crate::net::shell::PsrpShell;
use crate::net::stats::Stats;
use crate::net::tidy::Tidy as _;
use crate::wire::soap::Header;

/// Largest reply asked for, in bytes: the limit of the oldest hosts (`winrm.md` 1.2).
const MAX_ENVELOPE: u32 = 153_600;
/// Hosts whose left shells are deleted at the same time.
const TIDIED_AT_ONCE: usize = 16;
/// How long a cmdlet may stay silent; Exchange takes minutes where it talks to a slow directory.
const PATIENCE: Duration = Duration::from_mins(10);

/// Connects to real hosts. Clones share the account guard and the counters.
#[derive(Debug, Clone)]
pub struct Network {
    accounts: Accounts,
    guard: AccountGuard,
    stats: Stats,
    phase: String,
    session_id: String,
    left: LeftShells,
}

impl Network {
    /// `accounts` must hold one for every target that will be asked for.
    pub fn new(accounts: Accounts, stats: Stats) -> Result<Self, EntropyError> {
        Ok(Self {
            accounts,
            guard: AccountGuard::default(),
            stats,
            phase: String::new(),
            session_id: urn(entropy::uuid()?),
            left: LeftShells::default(),
        })
    }

    /// The same network, its traffic counted under another phase from here on.
    #[must_use]
    pub fn phase(&self, phase: &str) -> Self {
        Self { phase: phase.to_owned(), ..self.clone() }
    }

    /// The same network for a host that restarts by our order.
    #[must_use]
    pub fn restarting(&self) -> Self {
        Self { guard: self.guard.lenient(), ..self.clone() }
    }

    /// The same network for a host that has restarted by our order.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self { guard: self.guard.patient(), ..self.clone() }
    }

    /// Deletes the shells whose calls were cut off, those of a host one after the other. The hosts on
    /// which one may still stand; they end it themselves after its idle time.
    pub async fn delete_left(&self) -> BTreeSet<HostName> {
        let mut hosts: BTreeMap<HostName, Vec<(String, String, Target)>> = BTreeMap::new();
        for left in self.left.list() {
            hosts.entry(left.2.host.clone()).or_default().push(left);
        }
        let deleted = hosts.into_iter().map(|(host, shells)| async move {
            let mut all_gone = true;
            for (id, resource, target) in shells {
                all_gone &= match self.connect(&target).await {
                    Ok(mut link) => link.delete(&id, &resource).await,
                    Err(_) => false,
                };
            }
            (!all_gone).then_some(host)
        });
        let standing = futures::stream::iter(deleted)
            .buffer_unordered(TIDIED_AT_ONCE)
            .filter_map(std::future::ready)
            .collect::<BTreeSet<HostName>>()
            .await;
        standing.into_iter().chain(self.left.take_given_up()).collect()
    }

    /// Fetches a page of a web server that asks for Windows authentication.
    pub async fn page(&self, target: &Target) -> Result<Vec<u8>, HostError> {
        let login = self.login(target)?;
        page::fetch(target, &login, &self.guard, &self.stats, &self.phase).await
    }

    /// Whether the account for a target was refused at its first logon.
    pub fn is_refused(&self, target: &Target) -> bool {
        self.accounts.find(target).is_some_and(|login| self.guard.is_refused(login.user()))
    }

    async fn open(&self, target: &Target) -> Result<Channel, HostError> {
        if let Some(reason) = unsupported(&target.endpoint) {
            return Err(HostError::Unsupported(reason));
        }
        let login = self.login(target)?;
        Channel::open(target, &login, &self.guard, &self.stats, &self.phase).await
    }

    fn login(&self, target: &Target) -> Result<Arc<Login>, HostError> {
        self.accounts.find(target).ok_or_else(|| {
            let user = target.user.as_deref().unwrap_or("nobody in particular");
            let credential = &target.credential;
            HostError::Unsupported(format!("credential `{credential}` has no account for {user}"))
        })
    }

    fn header(&self, target: &Target) -> Header {
        Header {
            message_id: String::new(),
            session_id: self.session_id.clone(),
            to: target.endpoint.url(),
            operation_timeout: target.operation_timeout,
            max_envelope: MAX_ENVELOPE,
        }
    }
}

impl Connect for Network {
    type Link = WsmanLink<Channel>;
    type Shell = PsrpShell<Channel>;

    async fn connect(&self, target: &Target) -> Result<Self::Link, HostError> {
        let mut ids = ids()?;
        let channel = self.open(target).await?;
        let shells = self.left.of(target);
        Ok(WsmanLink::new(channel, self.header(target), Box::new(move || urn(ids())), shells))
    }

    async fn shell(&self, target: &Target, configuration: &str) -> Result<Self::Shell, HostError> {
        let ids = ids()?;
        let channel = self.open(target).await?;
        let (header, shells) = (self.header(target), self.left.of(target));
        // Large, and once a session.
        Box::pin(PsrpShell::open(channel, configuration, header, PATIENCE, Box::new(ids), shells))
            .await
    }

    async fn knock(&self, target: &Target) -> Result<Knock, HostError> {
        knock(target, &self.stats, &self.phase).await
    }

    async fn dial(&self, target: &Target) -> Result<SocketAddr, HostError> {
        reach::dial(target).await
    }
}

impl Bedside for Network {
    fn user(&self, target: &Target) -> Option<String> {
        self.accounts.find(target).map(|login| login.user().to_owned())
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<IpAddr>, HostError> {
        reach::resolve(target).await
    }

    async fn shake(&self, target: &Target) -> Result<Shown, HostError> {
        handshake::shake(target).await
    }

    fn service(&self, target: &Target) -> Option<String> {
        let endpoint = &target.endpoint;
        let by_ticket = match endpoint.transport {
            Transport::Kerberos => true,
            Transport::Negotiate => {
                let login = self.accounts.find(target)?;
                matches!(login.who(), Who::Ticket { .. } | Who::Keytab { .. })
            }
            Transport::Ntlm
            | Transport::Basic
            | Transport::BasicInClear
            | Transport::Certificate => false,
        };
        let host = endpoint.spn.host.as_ref().unwrap_or(&endpoint.address);
        by_ticket.then(|| format!("{}/{host}", endpoint.spn.class.as_str()))
    }

    async fn greet(&self, target: &Target) -> Result<Greeting, HostError> {
        greet(target, &self.stats, &self.phase).await
    }
}

/// Ids that never repeat: one drawn here, where that may fail, and its neighbours.
fn ids() -> Result<impl FnMut() -> Uuid + Send + 'static, HostError> {
    let first = entropy::uuid().map_err(|error| HostError::Unsupported(error.to_string()))?;
    Ok(neighbours(first))
}

/// The id itself, then others that differ in their last 48 bits.
fn neighbours(first: Uuid) -> impl FnMut() -> Uuid + Send + 'static {
    let mut count = 0_u128;
    move || {
        let id = Uuid::from_u128(first.as_u128() ^ (count & 0xffff_ffff_ffff));
        count += 1;
        id
    }
}

fn urn(id: Uuid) -> String {
    format!("uuid:{}", id.hyphenated().to_string().to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::left::tests::target;

    #[test]
    fn ids_are_version_four_and_never_the_same() {
        let mut ids = neighbours(Uuid::from_u128(0x1234_5678_9abc_4def_8123_0000_0000_00ff));
        let drawn: BTreeSet<Uuid> = (0..1000).map(|_| ids()).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(drawn.iter().all(|id| id.get_version_num() == 4));
        let first = neighbours(Uuid::from_u128(0x1234_5678_9abc_4def_8123_0000_0000_00ff))();
        assert_eq!(urn(first), "uuid:12345678-9ABC-4DEF-8123-0000000000FF");
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_said_before_anything_is_sent() {
        let network = Network::new(Accounts::default(), Stats::default()).unwrap();
        let mut target = target();
        target.endpoint.transport = Transport::Basic;
        let text = |result: Result<_, HostError>| match result {
            Ok(_) => panic!("connected"),
            Err(error) => error.to_string(),
        };
        let basic = text(network.connect(&target).await);
        assert!(basic.starts_with("Basic over http"), "{basic}");
        target.endpoint.transport = Transport::Ntlm;
        let nobody = text(network.connect(&target).await);
        assert_eq!(nobody, "credential `default` has no account for admin");
        assert!(network.stats.snapshot().is_empty());
    }
}
