//! Where a host stands while the run goes on.

use std::collections::BTreeMap;

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::model::verdict::RestartNeed;

/// Where a host stands. Numbers count the values written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has work and waits for its batch.
    Waiting,
    /// As wanted when planned; read again only before a step that needs it.
    Equal,
    Configuring,
    /// All its values are verified, and its restart is due.
    Verified(usize),
    /// Its restart waits for a look at its failure domains.
    Looking(usize),
    Restarting(usize),
    Ended(Outcome),
}

/// The start of every host in scope; others are no part of a run.
pub fn standings(plan: &Plan) -> BTreeMap<HostName, Standing> {
    let mut standings = BTreeMap::new();
    for host in plan.hosts.values() {
        match host.scope {
            Scope::InScope => {}
            Scope::Connector | Scope::OutOfScope(_) => continue,
        }
        let standing = if host.is_blocked() {
            Standing::Ended(Outcome::Blocked)
        } else if host.has_work() {
            Standing::Waiting
        } else {
            Standing::Equal
        };
        standings.insert(host.name.clone(), standing);
    }
    standings
}

/// Where a verified host ends that this run does not restart.
pub fn owed(host: &PlannedHost, values: usize) -> Outcome {
    if let (Some(reason), false) = (&host.restart_owed, host.mark_paid) {
        return Outcome::RestartOwed { values, reason: reason.clone() };
    }
    match host.verdict.need {
        RestartNeed::Required if values > 0 => {
            let rule = &host.verdict.rule;
            let reason = format!("rule `{rule}` asks for a restart that the plan leaves out");
            Outcome::RestartOwed { values, reason }
        }
        RestartNeed::Required | RestartNeed::NotRequired | RestartNeed::Unknown if values == 0 => {
            Outcome::Unchanged
        }
        RestartNeed::Required | RestartNeed::NotRequired | RestartNeed::Unknown => {
            Outcome::Changed { values, restarted: false }
        }
    }
}
