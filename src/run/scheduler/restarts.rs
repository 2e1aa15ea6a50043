//! The restart phase of a stage: who goes down next, and who stays owed.

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedHost;
use crate::run::exit::Ending;
use crate::run::scheduler::Position;
use crate::run::scheduler::Scheduler;
use crate::run::scheduler::at_least_one;
use crate::run::standing::Standing;

impl Scheduler<'_> {
    /// Hosts that only owe a restart may stand in no batch: they have nothing to be configured.
    pub(super) fn release_restarts(&mut self) {
        for host in self.restarts() {
            let owes = self.plan.hosts.get(host).is_some_and(|host| host.changes.is_empty());
            let waits = matches!(self.hosts.get(host), Some(Standing::Waiting | Standing::Equal));
            if owes && waits {
                self.hosts.insert(host.clone(), Standing::Verified(0));
            }
        }
    }

    /// INVARIANT: only hosts whose values were all verified restart, each once, in order.
    pub(super) fn run_restarts(&mut self) -> bool {
        let due: Vec<(&PlannedHost, usize)> = self
            .order
            .iter()
            .filter_map(|host| match self.hosts.get(host) {
                Some(Standing::Verified(values)) => Some((self.plan.hosts.get(host)?, *values)),
                Some(_) | None => None,
            })
            .collect();
        let busy = |standing: &&Standing| {
            matches!(standing, Standing::Looking(_) | Standing::Restarting(_))
        };
        let restarting = self.hosts.values().filter(busy).count();
        // INVARIANT: never more than limits.restart hosts restart at once.
        if restarting < at_least_one(self.plan.limits.restart) {
            let underway = |host: &&PlannedHost| self.inherited.underway.contains(&host.name);
            let may = |host: &PlannedHost| {
                self.domains.objection(host).is_none() && self.closed(&host.name, false).is_none()
            };
            // One that may be under way counts as down already, and nobody may wait for it.
            let free = due
                .iter()
                .find(|(host, _)| underway(host))
                .or_else(|| due.iter().find(|(host, _)| may(host)));
            if let Some((host, values)) = free {
                let (host, values) = (*host, *values);
                self.lead_down(host, values);
                return true;
            }
        }
        if restarting > 0 {
            return false;
        }
        let mut closed = Vec::new();
        for (host, values) in due {
            let reason = match (self.domains.objection(host), self.closed(&host.name, false)) {
                (Some(objection), _) => objection,
                (None, why) => {
                    closed.push(host.name.clone());
                    why.unwrap_or_default()
                }
            };
            self.end(&host.name, Outcome::RestartOwed { values, reason });
        }
        self.position = Position::After;
        if !closed.is_empty() {
            let names: Vec<&str> = closed.iter().map(HostName::as_str).collect();
            let reason = format!("no window is open for the restart of {}", names.join(", "));
            self.halt(Ending::Window, reason);
        }
        true
    }
}
