//! Whether a playbook fits an inventory: what can be told to go wrong before anything is contacted.
//!
//! An error is what cannot work, or what two readers would take in two ways. A warning is what works
//! and is probably not meant.

mod clock;
mod gates;
mod stages;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::product::Role;
use crate::model::rollout::Playbook;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;

/// What a host pattern names before the survey: the hosts, or that only the survey can tell.
pub type Names<'a> = dyn Fn(&str) -> Option<Vec<HostName>> + 'a;

/// Where a finding stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Keys and positions from the playbook's root: `stages`, `1`, `hosts`.
    Playbook(Vec<String>),
    /// A variable of a host.
    Host(HostName, &'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub place: Place,
    pub is_error: bool,
    pub text: String,
    /// What to type instead.
    pub hint: String,
}

/// Everything that the checks look at.
pub(super) struct Case<'a> {
    pub(super) playbook: &'a Playbook,
    pub(super) hosts: &'a [Host],
    /// By stage, the hosts that it takes; `None` where only the survey can tell.
    pub(super) dealt: Vec<Option<Vec<&'a Host>>>,
    pub(super) now: Timestamp,
}

/// Looks at everything, in the order of the playbook.
pub fn findings(
    playbook: &Playbook,
    hosts: &[Host],
    names: &Names<'_>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let dealt = stages::deal(playbook, hosts, names, &mut found);
    let case = Case { playbook, hosts, dealt, now };
    stages::check(&case, &mut found);
    gates::check(&case, &mut found);
    clock::check(&case, &mut found);
    canaries(hosts, &mut found);
    found
}

impl Case<'_> {
    /// The hosts that the gates of a stage are about; `None` where only the survey can tell.
    pub(super) fn concerned(&self, stage: usize) -> Option<Vec<&Host>> {
        match self.playbook.stages.get(stage).map(|stage| &stage.work) {
            Some(StageWork::Hosts { .. }) => self.dealt.get(stage).cloned().flatten(),
            Some(StageWork::Step(order)) => Some(of_role(self.hosts, role_of(order))),
            None => None,
        }
    }
}

/// Whose step it is.
pub(super) fn role_of(order: &StepOrder) -> Role {
    match order {
        StepOrder::ExchangeIrm(_) | StepOrder::RefreshCertificates => Role::Exchange,
        StepOrder::Farm(_) => Role::Sharepoint,
        StepOrder::Servers { role, .. } => *role,
    }
}

pub(super) fn of_role(hosts: &[Host], role: Role) -> Vec<&Host> {
    hosts.iter().filter(|host| host.role == Some(role) && host.in_scope()).collect()
}

/// The place of something in a stage.
pub(super) fn at(stage: usize, rest: &[&str]) -> Place {
    let head = ["stages".to_owned(), stage.to_string()];
    Place::Playbook(head.into_iter().chain(rest.iter().map(|key| (*key).to_owned())).collect())
}

pub(super) fn error(place: Place, text: String, hint: impl Into<String>) -> Finding {
    Finding { place, is_error: true, text, hint: hint.into() }
}

pub(super) fn warning(place: Place, text: String, hint: impl Into<String>) -> Finding {
    Finding { place, is_error: false, text, hint: hint.into() }
}

/// At most three names, and how many more.
pub(super) fn some(hosts: &[&Host]) -> String {
    let names: Vec<&str> = hosts.iter().take(3).map(|host| host.name.short()).collect();
    match hosts.len().saturating_sub(3) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Two canaries of one role and rank: which of them goes first is nobody's decision.
fn canaries(hosts: &[Host], found: &mut Vec<Finding>) {
    let mut ranks: BTreeSet<(Role, u32)> = BTreeSet::new();
    for host in hosts.iter().filter(|host| host.in_scope()) {
        let (Some(role), Some(rank)) = (host.role, host.canary) else { continue };
        if !ranks.insert((role, rank)) {
            found.push(error(
                Place::Host(host.name.clone(), "rms_canary"),
                format!("{} has the canary rank {rank} that another {role} host has", host.name),
                "give each canary of a role its own rank; 1 goes first",
            ));
        }
    }
}
