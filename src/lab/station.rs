//! One host of the farm on its socket: shared state, and what its connections must know.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;

use crate::lab::accounts::Accounts;
use crate::lab::edge::Edge;
use crate::lab::host::LabHost;
use crate::lab::power::Phase;
use crate::wire::ntlm::acceptor::Names;

/// What all hosts of a farm share.
#[derive(Debug)]
pub struct Commons {
    pub edge: Edge,
    /// What every request takes.
    pub latency: Duration,
    accounts: Mutex<Accounts>,
    busy: Mutex<Busy>,
}

#[derive(Debug, Default)]
struct Busy {
    /// Requests under way, by host.
    under_way: Vec<usize>,
    peak: usize,
}

impl Commons {
    pub fn new(edge: Edge, latency: Duration, accounts: Accounts, hosts: usize) -> Self {
        let busy = Busy { under_way: vec![0; hosts], peak: 0 };
        Self { edge, latency, accounts: Mutex::new(accounts), busy: Mutex::new(busy) }
    }

    pub fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn busy_peak(&self) -> usize {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).peak
    }

    /// Marks the host as busy until the guard is dropped.
    pub fn enter(&self, host: usize) -> BusyGuard<'_> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = busy.under_way.get_mut(host) {
            *count += 1;
        }
        let now = busy.under_way.iter().filter(|count| **count > 0).count();
        busy.peak = busy.peak.max(now);
        BusyGuard { commons: self, host }
    }
}

/// See [`Commons::enter`].
pub struct BusyGuard<'a> {
    commons: &'a Commons,
    host: usize,
}

impl Drop for BusyGuard<'_> {
    fn drop(&mut self) {
        let mut busy = self.commons.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = busy.under_way.get_mut(self.host) {
            *count = count.saturating_sub(1);
        }
    }
}

/// One host with its address.
pub struct Station {
    pub index: usize,
    pub address: SocketAddr,
    pub names: Names,
    /// Whether `/PowerShell` answers here.
    pub exchange: bool,
    pub commons: Arc<Commons>,
    host: Mutex<LabHost>,
    /// Something happened that a waiting Receive or the listener should look at.
    pub changed: Notify,
    /// Counts how often the host went down: connections of an earlier count are reset.
    pub falls: watch::Sender<u64>,
}

impl Station {
    pub fn new(
        index: usize,
        address: SocketAddr,
        names: Names,
        exchange: bool,
        commons: Arc<Commons>,
        host: LabHost,
    ) -> Self {
        Self {
            index,
            address,
            names,
            exchange,
            commons,
            host: Mutex::new(host),
            changed: Notify::new(),
            falls: watch::Sender::new(0),
        }
    }

    pub fn host(&self) -> MutexGuard<'_, LabHost> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The phase now, and how long it lasts; `None` if it lasts until something happens.
    pub fn look(&self) -> (Phase, Option<Duration>) {
        let now = self.commons.edge.now();
        let mut host = self.host();
        let phase = host.look(now);
        (phase, host.power.next_change(now))
    }
}
