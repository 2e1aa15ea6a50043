//! What the lab counts, per host and for the farm.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::host::HostName;

/// Counters of one host since the farm was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HostStats {
    pub connections: u64,
    pub logons: u64,
    /// Refused logons, those while the host was starting left out.
    pub failed_logons: u64,
    /// SOAP requests that were unsealed and read.
    pub requests: u64,
    /// Anonymous Identify.
    pub knocks: u64,
    /// Registry methods that read, Get, Enumerate and Pull.
    pub reads: u64,
    /// `Set…`, `Create…` and `Delete…` methods of the registry, refused ones too.
    pub writes: u64,
    pub faults: u64,
    pub restart_orders: u64,
    pub reboots: u64,
    /// Bodies in clear after a logon, and sealed ones that did not verify.
    pub refused_bodies: u64,
    /// Shells of both kinds; a restart closes without counting.
    pub shells_opened: u64,
    pub shells_closed: u64,
    pub cmdlets: BTreeMap<String, u64>,
}

/// Counters of the whole farm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FarmStats {
    pub hosts: BTreeMap<HostName, HostStats>,
    /// Most hosts that were answering a request at the same moment.
    pub busy_peak: usize,
}

impl FarmStats {
    /// The sum of one counter over all hosts.
    pub fn sum(&self, counter: impl Fn(&HostStats) -> u64) -> u64 {
        self.hosts.values().map(counter).sum()
    }
}
