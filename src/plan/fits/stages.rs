//! Stages against the inventory: who is in which, and whether anybody is.

use std::collections::BTreeMap;

use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::plan::FailureDomain;
use crate::model::product::Role;
use crate::model::rollout::Playbook;
use crate::model::rollout::ServerOrder;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;
use crate::plan::domain;
use crate::plan::fits::Case;
use crate::plan::fits::Finding;
use crate::plan::fits::Names;
use crate::plan::fits::Place;
use crate::plan::fits::at;
use crate::plan::fits::error;
use crate::plan::fits::role_of;
use crate::plan::fits::some;
use crate::plan::fits::warning;
use crate::plan::stage;

/// Deals the hosts in scope out; a host that a stage before has is a finding.
pub(super) fn deal<'a>(
    playbook: &Playbook,
    hosts: &'a [Host],
    names: &Names<'_>,
    found: &mut Vec<Finding>,
) -> Vec<Option<Vec<&'a Host>>> {
    let by_name: BTreeMap<&HostName, &Host> =
        hosts.iter().filter(|host| host.in_scope()).map(|host| (&host.name, host)).collect();
    let mut taken: BTreeMap<&HostName, usize> = BTreeMap::new();
    let mut dealt = Vec::new();
    for (place, stage) in playbook.stages.iter().enumerate() {
        let StageWork::Hosts { pattern, .. } = &stage.work else {
            dealt.push(Some(Vec::new()));
            continue;
        };
        let Some(names) = names(pattern) else {
            dealt.push(None);
            continue;
        };
        let all: Vec<&Host> = names.iter().filter_map(|name| by_name.get(name).copied()).collect();
        let (again, own): (Vec<&Host>, Vec<&Host>) =
            all.into_iter().partition(|host| taken.contains_key(&host.name));
        if let Some(first) = again.first() {
            let other = taken.get(&first.name).and_then(|place| playbook.stages.get(*place));
            let other = other.map_or("another stage", |stage| stage.name.as_str());
            found.push(error(
                at(place, &["hosts"]),
                format!(
                    "stage `{}` names {}, which stage `{other}` has already",
                    stage.name,
                    some(&again)
                ),
                "a host goes once: take them out of one of the two with `:!`",
            ));
        }
        taken.extend(own.iter().map(|host| (&host.name, place)));
        dealt.push(Some(own));
    }
    let is_dealt = dealt.iter().all(Option::is_some);
    let idle: Vec<&Host> = by_name
        .values()
        .copied()
        .filter(|host| is_dealt && !taken.contains_key(&host.name))
        .collect();
    if !idle.is_empty() {
        found.push(error(
            Place::Playbook(vec!["stages".to_owned()]),
            format!("no stage of the playbook takes {}", some(&idle)),
            "add a stage for them, or say `rms_configure: false` in the inventory",
        ));
    }
    dealt
}

pub(super) fn check(case: &Case<'_>, found: &mut Vec<Finding>) {
    for (place, one) in case.playbook.stages.iter().enumerate() {
        let StageWork::Hosts { serial, budget, .. } = &one.work else {
            if case.concerned(place).is_some_and(|hosts| hosts.is_empty()) {
                found.push(warning(
                    at(place, &["org_step"]),
                    format!("stage `{}` has no server to work through", one.name),
                    "leave the stage out, or add the servers to the inventory",
                ));
            }
            continue;
        };
        let Some(Some(hosts)) = case.dealt.get(place) else { continue };
        if hosts.is_empty() {
            found.push(warning(
                at(place, &["hosts"]),
                format!("stage `{}` takes no host of this inventory", one.name),
                "leave it out, or correct its pattern",
            ));
            continue;
        }
        let borne = usize::try_from(stage::budget(*budget, hosts.len())).unwrap_or(usize::MAX);
        if borne >= hosts.len() {
            found.push(warning(
                at(place, &["hosts"]),
                format!(
                    "stage `{}` never stops for failures: it bears {borne}, and has {} hosts",
                    one.name,
                    hosts.len()
                ),
                "lower `max_fail_percentage` or `max_failures`",
            ));
        }
        let names: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
        let batches = stage::batches(&names, serial, case.playbook.limits.forks).len();
        if batches < 2 && !one.gates.between.is_empty() {
            found.push(warning(
                at(place, &["gates_between"]),
                format!("stage `{}` has one batch, so nothing is between batches", one.name),
                "name the gates in `gates_after`, or give the stage smaller batches with `serial`",
            ));
        }
    }
    early_steps(case, found);
    domains(case, found);
    groups(case, found);
}

/// A step that waits for servers whose stage comes later is held, and the run goes past it.
fn early_steps(case: &Case<'_>, found: &mut Vec<Finding>) {
    for (place, one) in case.playbook.stages.iter().enumerate() {
        let StageWork::Step(order) = &one.work else { continue };
        if !waits_for_servers(order) {
            continue;
        }
        let role = role_of(order);
        let later = case.dealt.iter().skip(place + 1).flatten().flatten().copied();
        let later: Vec<&Host> = later.filter(|host| host.role == Some(role)).collect();
        if !later.is_empty() {
            found.push(error(
                at(place, &["org_step"]),
                format!(
                    "stage `{}` needs every {role} server verified, and {} come in a later stage",
                    one.name,
                    some(&later)
                ),
                "put it behind the stages of its servers",
            ));
        }
    }
}

/// What is switched on is used at once, so that the servers must be ready before.
fn waits_for_servers(order: &StepOrder) -> bool {
    match order {
        StepOrder::ExchangeIrm(irm) => {
            irm.internal_licensing == Some(true) || irm.client_access_server == Some(true)
        }
        StepOrder::Farm(farm) => farm.enabled,
        // Each waits for its own server alone, and those that are named may have had their turn.
        StepOrder::Servers { act: ServerOrder::FileObject { .. }, only, .. } => only.is_none(),
        StepOrder::Servers { .. } | StepOrder::RefreshCertificates => false,
    }
}

/// A failure domain whose members may all be down at once protects nobody.
fn domains(case: &Case<'_>, found: &mut Vec<Finding>) {
    let mut members: BTreeMap<String, (FailureDomain, Vec<&Host>)> = BTreeMap::new();
    for host in case.hosts.iter().filter(|host| host.in_scope()) {
        for domain in domain::domains(host, case.playbook) {
            let id = domain.id.clone();
            members.entry(id).or_insert((domain, Vec::new())).1.push(host);
        }
    }
    for (id, (domain, hosts)) in members {
        let all = usize::try_from(domain.max_unavailable).is_ok_and(|most| most >= hosts.len());
        let is_meant = all && domain.stands_in() && hosts.len() > 1;
        let Some(first) = hosts.first().filter(|_| is_meant) else {
            continue;
        };
        let role = first.role.map_or("", Role::id);
        found.push(error(
            Place::Playbook(vec!["restart".into(), role.into(), "max_unavailable".into()]),
            format!("all {} hosts of `{id}` may be down at once", hosts.len()),
            format!("write a `count` below {}", hosts.len()),
        ));
    }
}

/// Restart settings of a group that the inventory does not have.
fn groups(case: &Case<'_>, found: &mut Vec<Finding>) {
    for (group, _) in &case.playbook.restart_groups {
        if case.hosts.iter().any(|host| host.groups.contains(group)) {
            continue;
        }
        found.push(error(
            Place::Playbook(vec!["restart".to_owned(), group.clone()]),
            format!("the inventory has no group `{group}`, so nobody restarts by these settings"),
            "rmsfleet inventory list shows the groups",
        ));
    }
}
