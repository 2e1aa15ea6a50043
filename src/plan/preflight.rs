//! The checks before sealing: what each host must be, and what it was found to be.
//!
//! Every line says what was expected, what was found, where and when. What nobody could read is
//! "not read": it is never taken for good, and blocks where the playbook asks for proof.

mod clients;
mod cluster;
mod encryption;
mod office;
mod reach;
mod restart;
mod windows;

use crate::model::facts::Observation;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::plan::Blocker;
use crate::model::preflight::Check;
use crate::model::preflight::Demand;
use crate::model::preflight::Finding;
use crate::model::preflight::Preflight;
use crate::model::preflight::Status;
use crate::model::probe::Probe;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::ValuePath;
use crate::model::rules::RulePack;

pub use clients::RESOURCE_MANAGER;
pub use cluster::members_key;
pub(crate) use windows::CLOCK_SKEW;

/// What the checks of one host look at.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub host: &'a Host,
    pub role: Role,
    /// `None` where the product cannot be told.
    pub product: Option<Product>,
    pub observation: &'a Observation,
    pub survey: &'a Survey,
    /// The whole inventory.
    pub hosts: &'a [Host],
    pub preflight: &'a Preflight,
    /// Default values that the host's rules write.
    pub defaults: &'a [KeyPath],
}

/// What one look at a host gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Good,
    Bad,
    /// Odd in a way that blocks nothing, whatever is demanded.
    Odd,
    /// Nobody answered.
    Unread,
    /// Nobody answered, and nobody can be expected to: it blocks nothing.
    Unknowable,
}

/// One line before it is weighed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    check: Check,
    outcome: Outcome,
    expected: String,
    found: String,
    source: String,
}

impl Line {
    fn new(
        check: Check,
        outcome: Outcome,
        expected: impl Into<String>,
        found: impl Into<String>,
        source: impl Into<String>,
    ) -> Self {
        Self {
            check,
            outcome,
            expected: expected.into(),
            found: found.into(),
            source: source.into(),
        }
    }
}

/// What is looked at on a connector node, which nothing keeps out of the run: it is not written.
pub fn about_a_node(case: Case<'_>) -> Vec<Finding> {
    let told = |line: Line| Finding {
        id: line.check.id().to_owned(),
        status: status(line.outcome, Demand::Told),
        expected: line.expected,
        found: line.found,
        source: line.source,
        time: case.observation.taken,
        waived: None,
    };
    windows::lines(case).into_iter().map(told).collect()
}

/// The findings of one host, and what blocks it.
pub fn findings(case: Case<'_>) -> (Vec<Finding>, Vec<Blocker>) {
    let mut lines = windows::lines(case);
    lines.extend(clients::lines(case));
    lines.extend(restart::lines(case));
    lines.extend(reach::lines(case));
    lines.extend(office::lines(case));
    lines.extend(encryption::lines(case));
    lines.extend(cluster::lines(case));
    let mut findings = Vec::new();
    let mut blockers = Vec::new();
    for line in lines {
        let demand = case.preflight.demand(line.check);
        if demand == Demand::Skipped {
            continue;
        }
        if blocks(line.outcome, demand) {
            blockers.push(blocker(case.host, &line));
        }
        findings.push(Finding {
            id: line.check.id().to_owned(),
            status: status(line.outcome, demand),
            expected: line.expected,
            found: line.found,
            source: line.source,
            time: case.observation.taken,
            waived: None,
        });
    }
    findings.sort_by_key(|finding| finding.status);
    (findings, blockers)
}

fn status(outcome: Outcome, demand: Demand) -> Status {
    match (outcome, demand) {
        (Outcome::Good, _) => Status::Ok,
        (Outcome::Bad, Demand::Proved | Demand::NotFailed) => Status::Block,
        (Outcome::Bad, Demand::Told | Demand::Skipped) | (Outcome::Odd, _) => Status::Warn,
        (Outcome::Unread | Outcome::Unknowable, _) => Status::NotRead,
    }
}

fn blocks(outcome: Outcome, demand: Demand) -> bool {
    match (outcome, demand) {
        (Outcome::Bad, Demand::Proved | Demand::NotFailed) | (Outcome::Unread, Demand::Proved) => {
            true
        }
        (Outcome::Bad | Outcome::Unread, Demand::Told | Demand::Skipped)
        | (Outcome::Unread, Demand::NotFailed)
        | (Outcome::Good | Outcome::Odd | Outcome::Unknowable, _) => false,
    }
}

fn blocker(host: &Host, line: &Line) -> Blocker {
    let id = line.check.id();
    let found = match line.outcome {
        Outcome::Unread => format!("it was not read: {}", line.found),
        Outcome::Good | Outcome::Bad | Outcome::Odd | Outcome::Unknowable => {
            format!("found {}", line.found)
        }
    };
    Blocker {
        id: id.to_owned(),
        text: format!("expected {}, {found} ({})", line.expected, line.source),
        hint: Some(format!("{}, or --waive {}:{id}=REASON", remedy(line.check), host.name)),
    }
}

/// What to do about a check that failed.
fn remedy(check: Check) -> &'static str {
    match check {
        Check::OsSupported => "take the host out of the role, or move the role to a newer Windows",
        Check::ProductVersion => "install what is missing, or correct `rms_product`",
        Check::MsipcClient => "install the RMS client 2.1 (setup_msipc_x64.exe)",
        Check::MsdrmMode2 => "install the update that brings Cryptographic Mode 2",
        Check::NotConnectorServer => "leave a connector node out of the other roles",
        Check::NotDomainController => "move the role to a member server",
        Check::NoPendingReboot => "restart the host first",
        Check::ClockSkew => "correct the time service",
        Check::ConnectorAnswers => "correct DNS, load balancer or firewall",
        Check::ConnectorTlsChainAndCrl => "make the host trust the certificate's authority",
        Check::NoPolicyConflict => "take the values out of the policy",
        Check::NamedDefault => "delete the value that is named `(default)`",
        Check::OfficeClientInstalled => "remove the applications",
        Check::Aes256CbcExchangeSetting => {
            "install the update and grant NETWORK SERVICE full control"
        }
        Check::InventoryComplete => "add the missing members to the inventory",
    }
}

/// What the checks add to a target's probe.
pub fn ask(host: &Host, role: Role, pack: &RulePack, probe: &mut Probe) {
    windows::ask(role, probe);
    clients::ask(role, probe);
    restart::ask(probe);
    reach::ask(host, role, pack, probe);
    office::ask(probe);
    encryption::ask(role, probe);
    cluster::ask(role, probe);
}

/// Leaves out the costly questions of checks that the playbook skips.
pub fn narrow(probe: &mut Probe, preflight: &Preflight) {
    let asks = |check| preflight.asks(check);
    if !asks(Check::ConnectorAnswers) && !asks(Check::ConnectorTlsChainAndCrl) {
        probe.request = None;
        probe.revocation = None;
    }
    if !asks(Check::NoPolicyConflict) {
        probe.policies.clear();
    }
    if !asks(Check::NoPendingReboot) {
        probe.client_restart = false;
    }
    if !asks(Check::Aes256CbcExchangeSetting) {
        probe.access_lists.clear();
    }
    if !asks(Check::OfficeClientInstalled) {
        probe.subkeys.retain(|key| !office::is_ours(key));
    }
}

/// Keys whose default values a role's rules write.
pub fn default_keys(role: Role, pack: &RulePack) -> Vec<KeyPath> {
    let rules = pack.rules.iter().filter(|rule| rule.name.is_empty());
    let of_role = rules.filter(|rule| rule.products.iter().any(|product| product.role() == role));
    let mut keys: Vec<KeyPath> = of_role.map(|rule| KeyPath::new(&rule.key)).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// A value that is named `(default)`, as a policy may leave it beside the default value.
fn named_default(key: &KeyPath) -> ValuePath {
    ValuePath::new(key.as_str(), "(default)")
}

#[cfg(test)]
mod tests;
