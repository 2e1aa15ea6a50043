//! Which hosts may be down at the same time.

use std::collections::BTreeMap;

use crate::model::plan::FailureDomain;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;

/// Whether a host has peers that must be seen before it goes down.
pub fn is_redundant(host: &PlannedHost) -> bool {
    host.domains.iter().any(FailureDomain::stands_in)
}

/// The count of hosts that are down, per failure domain.
#[derive(Debug, Clone, Default)]
pub struct Domains {
    down: BTreeMap<String, u32>,
    /// Domains in which a restart was not proved, and the host's name.
    closed: BTreeMap<String, String>,
}

impl Domains {
    /// Hosts that the survey could not reach are taken as down from the start.
    pub fn new(plan: &Plan) -> Self {
        let mut domains = Self::default();
        for host in plan.hosts.values() {
            if host.blockers.iter().any(|blocker| blocker.id == "unreachable") {
                domains.lost(host);
            }
        }
        domains
    }

    /// Why the host must not restart now; `None` if it may.
    pub fn objection(&self, host: &PlannedHost) -> Option<String> {
        if let Some(closed) = self.closed(host) {
            return Some(closed);
        }
        host.domains.iter().find_map(|domain| {
            let FailureDomain { id, max_unavailable } = domain;
            let down = self.down.get(id).copied().unwrap_or(0);
            // INVARIANT: never more than max_unavailable hosts of a failure domain are down.
            (down >= *max_unavailable)
                .then(|| format!("{down} of at most {max_unavailable} hosts of `{id}` are down"))
        })
    }

    /// Why nobody of the host's domains may go down any more; `None` if somebody may.
    pub fn closed(&self, host: &PlannedHost) -> Option<String> {
        host.domains.iter().find_map(|domain| {
            let name = self.closed.get(&domain.id)?;
            Some(format!("the restart of {name} in `{}` is not proved", domain.id))
        })
    }

    pub fn restarting(&mut self, host: &PlannedHost) {
        for domain in &host.domains {
            *self.down.entry(domain.id.clone()).or_default() += 1;
        }
    }

    pub fn proved(&mut self, host: &PlannedHost) {
        for domain in &host.domains {
            if let Some(down) = self.down.get_mut(&domain.id) {
                *down = down.saturating_sub(1);
            }
        }
    }

    /// INVARIANT: where a restart is not proved, no further host of the domain restarts.
    pub fn close(&mut self, host: &PlannedHost) {
        for domain in &host.domains {
            self.closed.insert(domain.id.clone(), host.name.to_string());
        }
    }

    /// The host does not answer.
    pub fn lost(&mut self, host: &PlannedHost) {
        for domain in &host.domains {
            if domain.stands_in() {
                *self.down.entry(domain.id.clone()).or_default() += 1;
            }
        }
    }
}
