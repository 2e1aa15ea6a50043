//! Looks at live state: before a stage's restarts for their order, before each restart for its
//! failure domains.

use std::collections::BTreeMap;

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedHost;
use crate::run::action::Action;
use crate::run::action::Looked;
use crate::run::domains;
use crate::run::exit::Ending;
use crate::run::order;
use crate::run::order::Rank;
use crate::run::scheduler::Position;
use crate::run::scheduler::Scheduler;
use crate::run::standing::Standing;

impl Scheduler<'_> {
    /// Asks what the hosts carry that are about to restart, if their order depends on it.
    pub(super) fn rank(&mut self) {
        self.order = self.restarts().to_vec();
        let asked: Vec<HostName> = self
            .restarts()
            .iter()
            .filter(|name| matches!(self.hosts.get(*name), Some(Standing::Verified(_))))
            .filter(|name| self.plan.hosts.get(*name).is_some_and(order::is_live))
            .cloned()
            .collect();
        // The order of one is no question.
        if asked.len() < 2 {
            self.position = Position::Restarts;
            return;
        }
        self.position = Position::Ranking;
        self.ready.push_back(Action::Rank { stage: self.stage, hosts: asked });
    }

    pub(super) fn ranked(&mut self, stage: usize, ranks: &BTreeMap<HostName, Rank>) {
        if self.position != Position::Ranking || stage != self.stage {
            return;
        }
        let hosts: Vec<&PlannedHost> =
            self.restarts().iter().filter_map(|name| self.plan.hosts.get(name)).collect();
        self.order = order::arrange(&hosts, ranks);
        self.position = Position::Restarts;
    }

    /// Starts a restart, or the look that must come before it.
    ///
    /// INVARIANT: a member of a DAG, farm or cluster goes down only after its peers were seen, and
    /// from the look on it counts as down itself, so that no two are let through by one look.
    pub(super) fn lead_down(&mut self, host: &PlannedHost, values: usize) {
        if self.inherited.underway.remove(&host.name) {
            self.hosts.insert(host.name.clone(), Standing::Restarting(values));
            self.ready.push_back(Action::Restart(host.name.clone()));
            return;
        }
        let ours = self.down_with(host);
        self.domains.restarting(host);
        if domains::is_redundant(host) {
            self.hosts.insert(host.name.clone(), Standing::Looking(values));
            self.ready.push_back(Action::Look { host: host.name.clone(), ours });
        } else {
            self.hosts.insert(host.name.clone(), Standing::Restarting(values));
            self.ready.push_back(Action::Restart(host.name.clone()));
        }
    }

    /// Hosts of its failure domains that this run has taken down or is about to.
    fn down_with(&self, host: &PlannedHost) -> Vec<HostName> {
        let shares = |other: &PlannedHost| {
            other.domains.iter().any(|own| host.domains.iter().any(|one| one.id == own.id))
        };
        let down = self.hosts.iter().filter(|(_, standing)| {
            matches!(standing, Standing::Restarting(_) | Standing::Looking(_))
        });
        down.filter(|(name, _)| **name != host.name)
            .filter(|(name, _)| self.plan.hosts.get(*name).is_some_and(shares))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn looked(&mut self, host: &HostName, result: Looked) {
        let Some(planned) = self.plan.hosts.get(host) else { return };
        let Some(Standing::Looking(values)) = self.hosts.get(host) else { return };
        let values = *values;
        // The look may have waited long: a window may have closed, or somebody stopped the run.
        let goes_on = self.ending == Ending::Completed && self.closed(host, false).is_none();
        // INVARIANT: where a restart turned out not to be proved meanwhile, a look lets nobody down.
        let closed = self.domains.closed(planned);
        match (result, closed) {
            // INVARIANT: two runs do not take turns on one fleet.
            (Looked::Leased(reason), _) => {
                self.domains.proved(planned);
                self.end(host, Outcome::RestartOwed { values, reason: reason.clone() });
                self.halt(Ending::Locked, format!("{host}: {reason}"));
            }
            (Looked::Held(reason), _) | (Looked::Clear, Some(reason))
                if self.ending == Ending::Completed =>
            {
                self.domains.proved(planned);
                self.end(host, Outcome::RestartOwed { values, reason });
            }
            (Looked::Clear, None) if goes_on => {
                self.hosts.insert(host.clone(), Standing::Restarting(values));
                self.ready.push_back(Action::Restart(host.clone()));
            }
            (Looked::Clear | Looked::Stopped | Looked::Held(_), _) => {
                self.domains.proved(planned);
                self.hosts.insert(host.clone(), Standing::Verified(values));
            }
        }
    }
}
