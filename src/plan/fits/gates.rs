//! Gates that can never be green here, and what is defined and never used.

use std::collections::BTreeSet;

use crate::model::care::Drain;
use crate::model::gate::Gate;
use crate::model::host::Host;
use crate::model::product::Role;
use crate::model::program::RunOn;
use crate::model::rollout::StageWork;
use crate::model::rollout::StepOrder;
use crate::plan::fits::Case;
use crate::plan::fits::Finding;
use crate::plan::fits::Place;
use crate::plan::fits::at;
use crate::plan::fits::error;
use crate::plan::fits::of_role;
use crate::plan::fits::some;
use crate::plan::fits::warning;
use crate::plan::programs;

pub(super) fn check(case: &Case<'_>, found: &mut Vec<Finding>) {
    let step = case
        .playbook
        .stages
        .iter()
        .position(|stage| matches!(stage.work, StageWork::Step(StepOrder::ExchangeIrm(_))));
    for (place, stage) in case.playbook.stages.iter().enumerate() {
        let lists = [
            ("gates_before", &stage.gates.before),
            ("gates_between", &stage.gates.between),
            ("gates_after", &stage.gates.after),
        ];
        for (key, names) in lists {
            for (index, name) in names.iter().enumerate() {
                let Some(gate) = case.playbook.conditions.gates.get(name) else { continue };
                let hosts = case.concerned(place);
                let is_early = step
                    .is_some_and(|step| place < step || (place == step && key == "gates_before"));
                let why = never(case, gate, hosts.as_deref(), is_early);
                found.extend(why.map(|(text, hint)| {
                    let index = index.to_string();
                    error(at(place, &[key, &index]), format!("gate `{name}` {text}"), hint)
                }));
            }
        }
    }
    restarts(case, step, found);
    strangers(case, found);
    unused(case, found);
}

/// Programs on a host that the inventory lacks, or that no survey will know.
fn strangers(case: &Case<'_>, found: &mut Vec<Finding>) {
    let conditions = &case.playbook.conditions;
    let gates = conditions.gates.iter();
    let gates = gates.filter_map(|(name, gate)| Some(("gates", name, gate.command()?.1)));
    let hooks = conditions.hooks.iter().map(|(name, hook)| ("hooks", name, &hook.run_on));
    for (key, name, run_on) in gates.chain(hooks) {
        let RunOn::Named(wanted) = run_on else { continue };
        let names = || case.hosts.iter().map(|host| &host.name);
        let host = programs::find(wanted, names());
        let host = host.and_then(|name| case.hosts.iter().find(|host| host.name == *name));
        let (text, hint) = match host {
            Some(host) if host.role.is_some() => continue,
            Some(host) => (
                format!("{} has no `rms_role`, so no survey knows who it is", host.name),
                "give it a role, or run the program on the controller",
            ),
            None => (
                format!("`{wanted}` is no one host of the inventory"),
                "write `controller`, `host`, or the full name of a host",
            ),
        };
        let path = [key, name, "run_on"].map(str::to_owned);
        found.push(error(Place::Playbook(path.into()), text, hint));
    }
}

/// Why a gate can never be green, and what to do about it.
fn never(
    case: &Case<'_>,
    gate: &Gate,
    hosts: Option<&[&Host]>,
    is_early: bool,
) -> Option<(String, &'static str)> {
    let empty = hosts.is_some_and(<[&Host]>::is_empty);
    let exchange: Vec<&Host> = hosts
        .into_iter()
        .flatten()
        .copied()
        .filter(|host| host.role == Some(Role::Exchange))
        .collect();
    match gate {
        Gate::EventLog { .. }
            if !case.hosts.iter().any(|host| host.role == Some(Role::Connector)) =>
        {
            let text = "can never be green: no host of the inventory has `rms_role: connector`";
            Some((text.to_owned(), "add the connector nodes to the inventory"))
        }
        // An inference (`features.md` U10): before Rights Management is on, Exchange does not talk to
        // the connector.
        Gate::EventLog { need, .. } if is_early && !need.is_empty() && !exchange.is_empty() => {
            let text = format!(
                "waits for the connector to hear from {}, and Exchange is silent towards it until \
                 the organisation step, which comes later",
                some(&exchange)
            );
            Some((text, "name it in the `gates_after` of the organisation step"))
        }
        Gate::Exchange { .. } if hosts.is_some() && !empty && exchange.is_empty() => {
            let text = "asks Exchange servers, and this stage has none";
            Some((text.to_owned(), "name it in a stage of Exchange servers"))
        }
        Gate::RmsTemplates { .. }
            if hosts.is_some_and(|hosts| {
                !hosts.is_empty() && !hosts.iter().any(|host| host.role == Some(Role::Fci))
            }) =>
        {
            let text = "asks file servers, and this stage has none";
            Some((text.to_owned(), "name it in a stage of file servers"))
        }
        Gate::Http { url, .. } if url.contains("rms_connector_url") => {
            let without: Vec<&Host> = hosts
                .into_iter()
                .flatten()
                .copied()
                .filter(|host| host.connector.is_none())
                .collect();
            (!without.is_empty()).then(|| {
                let text = format!("needs `rms_connector_url`, which {} lack", some(&without));
                (text, "set `rms_connector_url` in the inventory")
            })
        }
        Gate::Http { .. }
        | Gate::EventLog { .. }
        | Gate::Exchange { .. }
        | Gate::Service { .. }
        | Gate::Tcp { .. }
        | Gate::Soak { .. }
        | Gate::Approval { .. }
        | Gate::RmsTemplates { .. }
        | Gate::Command { .. } => None,
    }
}

/// Gates after a restart hold up the failure domain, so one that is never green stops it for good.
fn restarts(case: &Case<'_>, step: Option<usize>, found: &mut Vec<Finding>) {
    let playbook = case.playbook;
    let roles = [
        ("exchange", Role::Exchange, &playbook.restart_exchange),
        ("sharepoint", Role::Sharepoint, &playbook.restart_sharepoint),
        ("fci", Role::Fci, &playbook.restart_fci),
    ];
    let of_groups = playbook.restart_groups.iter().map(|(group, settings)| {
        let members = |host: &&Host| host.in_scope() && host.groups.contains(group);
        (group.as_str(), case.hosts.iter().filter(members).collect::<Vec<_>>(), settings)
    });
    let of_roles =
        roles.into_iter().map(|(key, role, settings)| (key, of_role(case.hosts, role), settings));
    for (key, hosts, settings) in of_roles.chain(of_groups) {
        if hosts.is_empty() {
            continue;
        }
        // They restart in a stage before the step that makes Exchange speak to the connector.
        let is_early = step.is_some_and(|step| {
            let mut before = (0..step).filter_map(|place| case.concerned(place)).flatten();
            before.any(|early| hosts.iter().any(|host| host.name == early.name))
        });
        for (index, name) in settings.care.gates_after.iter().enumerate() {
            let Some(gate) = playbook.conditions.gates.get(name) else { continue };
            let Some((text, hint)) = never(case, gate, Some(&hosts), is_early) else { continue };
            let path = ["restart", key, "gates_after", &index.to_string()].map(str::to_owned);
            found.push(error(Place::Playbook(path.into()), format!("gate `{name}` {text}"), hint));
        }
    }
}

/// What stands in the playbook and is never looked at gives a safety that is not there.
fn unused(case: &Case<'_>, found: &mut Vec<Finding>) {
    let playbook = case.playbook;
    let settings =
        [&playbook.restart_exchange, &playbook.restart_sharepoint, &playbook.restart_fci];
    let cares: Vec<_> = settings
        .into_iter()
        .chain(playbook.restart_groups.iter().map(|(_, settings)| settings))
        .map(|settings| &settings.care)
        .collect();
    let in_stages = playbook.stages.iter().flat_map(|stage| {
        stage.gates.before.iter().chain(&stage.gates.between).chain(&stage.gates.after)
    });
    let gates: BTreeSet<&String> =
        in_stages.chain(cares.iter().flat_map(|care| &care.gates_after)).collect();
    let mut hooks: BTreeSet<&String> = BTreeSet::new();
    for care in &cares {
        if let Drain::Hook(name) = &care.drain {
            hooks.insert(name);
        }
    }
    let around = playbook.stages.iter().map(|stage| &stage.hooks);
    for around in around.chain([&playbook.conditions.around]) {
        hooks.extend(around.before.iter().chain(&around.after));
    }
    let undone: Vec<&String> =
        playbook.conditions.hooks.values().filter_map(|hook| hook.undo.as_ref()).collect();
    hooks.extend(undone);
    let windows: BTreeSet<&String> =
        case.hosts.iter().filter_map(|host| host.window.as_ref()).collect();
    let mut tell = |key: &str, name: &str, text: &str| {
        let place = Place::Playbook(vec![key.to_owned(), name.to_owned()]);
        found.push(warning(place, text.to_owned(), "use it, or take it out"));
    };
    for name in playbook.conditions.gates.keys().filter(|name| !gates.contains(name)) {
        tell("gates", name, &format!("gate `{name}` is never looked at"));
    }
    for name in playbook.conditions.hooks.keys().filter(|name| !hooks.contains(name)) {
        tell("hooks", name, &format!("hook `{name}` never runs"));
    }
    for name in playbook.conditions.windows.keys().filter(|name| !windows.contains(name)) {
        tell("windows", name, &format!("no host has `rms_window: {name}`"));
    }
}
