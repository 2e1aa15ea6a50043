//! What the network cost: counters per host and phase.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::model::host::HostName;

/// Counters of one host in one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// HTTP requests, those of a logon included.
    pub requests: u64,
    /// Bytes of HTTP bodies; headers are not counted.
    pub sent: u64,
    pub received: u64,
    /// Passwords tried: a refused one counts too.
    pub logons: u64,
    /// Time spent waiting for replies.
    pub time: Duration,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.sent += more.sent;
        self.received += more.received;
        self.logons += more.logons;
        self.time += more.time;
    }
}

/// The counters of a command; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Stats(Arc<Mutex<BTreeMap<(HostName, String), Counters>>>);

impl Stats {
    pub fn add(&self, host: &HostName, phase: &str, counters: Counters) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry((host.clone(), phase.to_owned())).or_default() += counters;
    }

    /// The counters so far, by host and phase.
    pub fn snapshot(&self) -> BTreeMap<(HostName, String), Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_per_host_and_phase() {
        let stats = Stats::default();
        let one = |sent| Counters { requests: 1, sent, ..Counters::default() };
        let host = HostName::new("FS01");
        stats.add(&host, "survey", one(3));
        stats.clone().add(&host, "survey", one(4));
        stats.add(&host, "registry", one(5));
        let expected = BTreeMap::from([
            ((host.clone(), "survey".to_owned()), Counters { requests: 2, ..one(7) }),
            ((host, "registry".to_owned()), one(5)),
        ]);
        assert_eq!(stats.snapshot(), expected);
    }
}
