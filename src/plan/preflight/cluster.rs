//! Whether the inventory knows everybody that a host belongs to: its organisation, its DAG or
//! cluster, its farm.

use crate::model::farm::Farm;
use crate::model::host::Host;
use crate::model::preflight::Check;
use crate::model::probe::Probe;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::ValuePath;
use crate::plan::farm::is_no_member;
use crate::plan::farm::name_of;
use crate::plan::organisation::organisation_of;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;

/// The hive of the failover cluster that a node belongs to; a DAG is one too.
const CLUSTER: &str = "Cluster";

/// The key below which every node of the cluster has one, with its `NodeName`.
pub fn members_key() -> KeyPath {
    KeyPath::new(format!(r"{CLUSTER}\Nodes"))
}

fn cluster_name() -> ValuePath {
    ValuePath::new(CLUSTER, "ClusterName")
}

pub(super) fn ask(role: Role, probe: &mut Probe) {
    if matches!(role, Role::Exchange | Role::Fci) {
        probe.values.insert(cluster_name());
        probe.members = Some(members_key());
    }
}

pub(super) fn lines(case: Case<'_>) -> Vec<Line> {
    match case.role {
        Role::Exchange => [organisation(case)].into_iter().chain(cluster(case)).collect(),
        Role::Fci => cluster(case),
        Role::Sharepoint => vec![farm(case)],
        Role::Connector => Vec::new(),
    }
}

fn line(outcome: Outcome, expected: &str, found: String, source: &str) -> Line {
    Line::new(Check::InventoryComplete, outcome, expected, found, source)
}

fn organisation(case: Case<'_>) -> Line {
    let (outcome, found) = match organisation_of(case.host, case.survey) {
        Some(organisation) => {
            let missing: Vec<&str> = organisation
                .servers
                .iter()
                .filter(|server| !server.is_edge && !is_listed(&server.name, case.hosts))
                .map(|server| server.name.as_str())
                .collect();
            let (name, number) = (&organisation.name, organisation.servers.len());
            if missing.is_empty() {
                (Outcome::Good, format!("all {number} of {name}"))
            } else {
                let verb = if missing.len() == 1 { "is" } else { "are" };
                (Outcome::Bad, format!("{} {verb} in {name} and not listed", missing.join(", ")))
            }
        }
        None => (Outcome::Unread, "the organisation was not read".to_owned()),
    };
    let expected = "every Exchange server of the organisation in the inventory";
    line(outcome, expected, found, "Get-ExchangeServer")
}

/// A farm is asked where a stage of the playbook works on it.
fn farm(case: Case<'_>) -> Line {
    let found = case.survey.farms.get(&name_of(case.host));
    let (outcome, found) = match found {
        None => (Outcome::Unread, "no stage of the playbook asks the farm".to_owned()),
        Some(Err(failure)) => (Outcome::Unread, failure.text()),
        Some(Ok(Farm { servers: None, .. })) => {
            (Outcome::Unread, "the farm did not tell its servers".to_owned())
        }
        Some(Ok(Farm { servers: Some(servers), .. })) => {
            let members = || servers.iter().filter(|server| !is_no_member(server.role.as_deref()));
            let missing: Vec<&str> = members()
                .filter(|server| !is_listed(short(&server.name), case.hosts))
                .map(|server| server.name.as_str())
                .collect();
            if missing.is_empty() {
                (Outcome::Good, format!("all {} of the farm", members().count()))
            } else {
                let verb = if missing.len() == 1 { "is" } else { "are" };
                (Outcome::Bad, format!("{} {verb} in the farm and not listed", missing.join(", ")))
            }
        }
    };
    line(outcome, "every server of the farm in the inventory", found, "Get-SPServer")
}

fn short(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// A host that belongs to no cluster has no such hive; one that does is compared with the
/// inventory's word, its members too.
fn cluster(case: Case<'_>) -> Vec<Line> {
    let (key, asserted) = match case.role {
        Role::Exchange => ("rms_dag", case.host.dag.as_deref()),
        Role::Sharepoint | Role::Fci | Role::Connector => {
            ("rms_cluster", case.host.cluster.as_deref())
        }
    };
    let path = cluster_name();
    let expected = asserted.map_or_else(
        || format!("no cluster, as there is no `{key}`"),
        |name| format!("the cluster {name}, as `{key}` says"),
    );
    let (outcome, found) = match (case.observation.value(&path), asserted) {
        (Reading::Known(State::Absent), None) => (Outcome::Good, "none".to_owned()),
        // The hive is only there while the cluster's service runs.
        (Reading::Known(State::Absent), Some(_)) => {
            (Outcome::Unread, "no cluster's hive".to_owned())
        }
        (Reading::Known(State::Present(found)), Some(name))
            if found.as_sz().is_some_and(|found| found.eq_ignore_ascii_case(name)) =>
        {
            (Outcome::Good, found.to_string())
        }
        (Reading::Known(State::Present(found)), _) => {
            (Outcome::Bad, format!("it is a node of {found}"))
        }
        (Reading::Unreadable(reason), _) => (Outcome::Unread, reason),
    };
    let named = outcome == Outcome::Good && asserted.is_some();
    let mut lines = vec![line(outcome, &expected, found, &path.to_string())];
    if named || outcome == Outcome::Bad {
        lines.push(members(case));
    }
    lines
}

fn members(case: Case<'_>) -> Line {
    let (outcome, found) = match case.observation.particulars.members.told() {
        Ok(nodes) => {
            let missing: Vec<&str> = nodes
                .iter()
                .map(String::as_str)
                .filter(|node| !is_listed(node, case.hosts))
                .collect();
            match (nodes.len(), missing.is_empty()) {
                (0, _) => (Outcome::Unread, "no node is named".to_owned()),
                (number, true) => (Outcome::Good, format!("all {number} nodes")),
                (_, false) => (Outcome::Bad, format!("not listed: {}", missing.join(", "))),
            }
        }
        Err(reason) => (Outcome::Unread, reason.to_owned()),
    };
    let expected = "every node of the cluster in the inventory";
    line(outcome, expected, found, &members_key().to_string())
}

fn is_listed(computer: &str, hosts: &[Host]) -> bool {
    hosts.iter().any(|host| host.name.short().eq_ignore_ascii_case(computer))
}
