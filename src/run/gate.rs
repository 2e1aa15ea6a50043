//! What an organisation step waits for.

use std::collections::BTreeMap;

use crate::model::host::HostName;
use crate::model::outcome::Outcome;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::run::action::Options;
use crate::run::standing::Standing;

/// Whether a step may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// What it wants held when planned; nothing is sent.
    Satisfied,
    /// Something that this run cannot mend.
    Held(String),
    /// Only the confirmation is missing.
    Unconfirmed(String),
    /// These needed hosts were equal when planned; they are read again before the step.
    ReadFirst(Vec<HostName>),
    Open,
}

/// INVARIANT: a step starts only when every host it needs is verified in this run, every server
/// that the inventory lacks is waived by name, and the organisation is confirmed by name.
pub fn gate(
    step: &OrganisationStep,
    plan: &Plan,
    hosts: &BTreeMap<HostName, Standing>,
    options: &Options,
) -> Gate {
    if step.satisfied {
        return Gate::Satisfied;
    }
    if let Some(reason) = &step.held {
        return Gate::Held(reason.clone());
    }
    let unverified: Vec<&str> = step
        .needs
        .iter()
        .filter(|host| !may_be_verified(hosts.get(*host)))
        .map(HostName::as_str)
        .collect();
    if !unverified.is_empty() {
        return Gate::Held(format!("not verified: {}", unverified.join(", ")));
    }
    // INVARIANT: a restart that the plan has is proved before the step. One that the inventory leaves
    // to people does not hold it: the plan says so, and they know.
    let owed: Vec<&str> = step
        .needs
        .iter()
        .filter(|host| {
            matches!(hosts.get(*host), Some(Standing::Ended(Outcome::RestartOwed { .. })))
                && plan.hosts.get(*host).is_some_and(|planned| planned.restart)
        })
        .map(HostName::as_str)
        .collect();
    if !owed.is_empty() {
        return Gate::Held(format!("a restart is owed: {}", owed.join(", ")));
    }
    let waived = |name: &str| step.waived.iter().any(|waiver| waiver.eq_ignore_ascii_case(name));
    let missing: Vec<&str> =
        step.missing.iter().map(String::as_str).filter(|name| !waived(name)).collect();
    if !missing.is_empty() {
        return Gate::Held(format!("not in the inventory: {}", missing.join(", ")));
    }
    if let Some(name) = step.confirmation()
        && !options.confirms(name)
    {
        return Gate::Unconfirmed(format!("organisation `{name}` is not confirmed by name"));
    }
    let unread: Vec<HostName> = step
        .needs
        .iter()
        .filter(|host| matches!(hosts.get(*host), Some(Standing::Equal | Standing::Configuring)))
        .cloned()
        .collect();
    if unread.is_empty() { Gate::Open } else { Gate::ReadFirst(unread) }
}

fn may_be_verified(standing: Option<&Standing>) -> bool {
    match standing {
        Some(Standing::Equal | Standing::Configuring | Standing::Verified(_)) => true,
        Some(Standing::Ended(outcome)) => outcome.is_well(),
        Some(Standing::Waiting | Standing::Looking(_) | Standing::Restarting(_)) | None => false,
    }
}
