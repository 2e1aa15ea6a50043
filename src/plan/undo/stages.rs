//! The order of an undo: organisation steps go back before the values that they rest on.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::conditions::Conditions;
use crate::model::gate::ExchangeCheck;
use crate::model::gate::Gate;
use crate::model::gate::StageGates;
use crate::model::hook::Around;
use crate::model::host::HostName;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::plan::Undoes;
use crate::model::program::RunOn;
use crate::model::step::Act;
use crate::plan::undo::UndoInput;
use crate::plan::undo::Written;
use crate::plan::undo::note;
use crate::plan::url::url_host;

/// The stages, and what is to say about them.
#[derive(Debug, Default)]
pub(super) struct Dealt {
    pub(super) stages: Vec<PlannedStage>,
    pub(super) notes: Vec<Note>,
}

/// The steps that the run has carried out, or may have, with their stages' names.
pub(super) fn steps<'a>(
    original: &'a Plan,
    written: &'a Written,
) -> impl Iterator<Item = (&'a str, &'a OrganisationStep)> {
    original.stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Step(step) if written.has_step(&step.organisation, &stage.name) => {
            Some((stage.name.as_str(), &**step))
        }
        PlannedWork::Step(_) | PlannedWork::Hosts { .. } => None,
    })
}

/// Blocks the servers below a step that nothing takes back: IRM must not stay on over servers that
/// no longer know where to get it, unless somebody decides so by name.
pub(super) fn hold_back(input: &UndoInput<'_>, hosts: &mut BTreeMap<HostName, PlannedHost>) {
    for (_, step) in steps(&input.original.plan, input.written) {
        let Err(text) = back(step, input) else { continue };
        for name in &step.needs {
            if let Some(host) = hosts.get_mut(name).filter(|host| host.has_work()) {
                host.blockers.push(Blocker {
                    id: "step-stays".to_owned(),
                    text: text.clone(),
                    hint: Some(format!(
                        "take it back by hand first, then add --waive {name}:step-stays"
                    )),
                });
            }
        }
    }
}

/// Deals the hosts that have work out to stages, and says which wait for a step.
///
/// A configuring run ends with its steps, so an undo begins with them, and the servers that a step
/// rests on are not touched before it is taken back. The undo of an undo goes the first way again.
pub(super) fn stages(
    input: &UndoInput<'_>,
    undoes: &Undoes,
    hosts: &mut BTreeMap<HostName, PlannedHost>,
) -> Dealt {
    let mut dealt = Dealt::default();
    let original = &input.original.plan;
    let conditions = &original.conditions;
    let connectors: BTreeSet<String> =
        original.hosts.values().filter_map(|host| host.connector.clone()).collect();
    let mut left_out: BTreeSet<String> = BTreeSet::new();
    // A step that goes back goes before its servers, so that none is there to be asked.
    let alone = !undoes.is_forward();
    let mut gates = |gates: &StageGates, is_step: bool| {
        let kept = kept(gates, conditions, &connectors);
        let kept = if is_step && alone { of_no_host(&kept, conditions) } else { kept };
        let all = |gates: &StageGates| -> BTreeSet<String> {
            [&gates.before, &gates.between, &gates.after].into_iter().flatten().cloned().collect()
        };
        left_out.extend(all(gates).difference(&all(&kept)).cloned());
        kept
    };
    let mut after: BTreeSet<String> = conditions.around.after.iter().cloned().collect();
    let mut hooks = |around: &Around| {
        after.extend(around.after.iter().cloned());
        kept_hooks(around)
    };
    let mut servers = Vec::new();
    let mut steps = Vec::new();
    for stage in &original.stages {
        match &stage.work {
            PlannedWork::Hosts { batches, budget, restarts } => {
                let work = host_stage(batches, *budget, restarts, hosts);
                servers.extend(work.map(|work| PlannedStage {
                    name: stage.name.clone(),
                    work,
                    gates: gates(&stage.gates, false),
                    hooks: hooks(&stage.hooks),
                    own: stage.own,
                }));
            }
            PlannedWork::Step(step) if input.written.has_step(&step.organisation, &stage.name) => {
                match back(step, input) {
                    Ok(work) => steps.push(PlannedStage {
                        name: stage.name.clone(),
                        work: PlannedWork::Step(Box::new(work)),
                        gates: gates(&stage.gates, true),
                        hooks: hooks(&stage.hooks),
                        own: stage.own,
                    }),
                    Err(text) => dealt.notes.push(note("step-stays", text)),
                }
            }
            PlannedWork::Step(_) => {}
        }
    }
    steps.reverse();
    for stage in &mut steps {
        let PlannedWork::Step(step) = &mut stage.work else { continue };
        if undoes.is_forward() {
            let waited = |name: &&HostName| {
                let before = original.hosts.get(*name);
                before.is_some_and(|host| host.after_step.as_ref() == Some(&stage.name))
            };
            let is_in = |host: &PlannedHost| host.scope == Scope::InScope;
            let needs = hosts.iter().filter(|(name, host)| is_in(host) && waited(name));
            step.needs = needs.map(|(name, _)| name.clone()).collect();
        } else {
            for name in std::mem::take(&mut step.needs) {
                if let Some(host) = hosts.get_mut(&name).filter(|host| host.has_work()) {
                    host.after_step = Some(stage.name.clone());
                }
            }
        }
    }
    dealt.stages = if undoes.is_forward() {
        servers.into_iter().chain(steps).collect()
    } else {
        steps.into_iter().chain(servers).collect()
    };
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().map(String::as_str).collect();
        let text = format!(
            "{} would wait for a connector that these servers are taken away from: left out",
            names.join(", ")
        );
        dealt.notes.push(note("gates-left-out", text));
    }
    let any = !dealt.stages.is_empty();
    dealt.notes.extend(after.iter().filter(|_| any).map(|name| {
        let undo = conditions.hooks.get(name).and_then(|hook| hook.undo.as_ref());
        let by = undo.map(|undo| format!("; `{undo}` takes it back, run it yourself"));
        let text = format!(
            "hook `{name}` follows what was rolled out, and does not run on the way back{}",
            by.unwrap_or_default()
        );
        note("hook-left-out", text)
    }));
    dealt
}

/// The hooks of a way back: what stands around work that goes on (alerts, a banner) stands around
/// this too, and what was to follow upon its end was meant for the other direction.
pub(super) fn kept_hooks(around: &Around) -> Around {
    Around { before: around.before.clone(), after: Vec::new() }
}

fn host_stage(
    batches: &[Vec<HostName>],
    budget: u32,
    restarts: &[HostName],
    hosts: &BTreeMap<HostName, PlannedHost>,
) -> Option<PlannedWork> {
    let busy = |name: &&HostName| hosts.get(*name).is_some_and(PlannedHost::has_work);
    let restarted =
        |name: &&HostName| busy(name) && hosts.get(*name).is_some_and(|own| own.restart);
    let batches: Vec<Vec<HostName>> = batches
        .iter()
        .map(|batch| batch.iter().filter(busy).cloned().collect::<Vec<_>>())
        .filter(|batch| !batch.is_empty())
        .collect();
    let mut order: Vec<HostName> = restarts.iter().filter(restarted).cloned().collect();
    let more = batches.iter().flatten().filter(|name| restarted(name) && !order.contains(name));
    let more: Vec<HostName> = more.cloned().collect();
    order.extend(more);
    (!batches.is_empty()).then_some(PlannedWork::Hosts { batches, budget, restarts: order })
}

fn only(gates: &StageGates, stays: impl Fn(&&String) -> bool) -> StageGates {
    let some = |names: &[String]| names.iter().filter(&stays).cloned().collect();
    StageGates {
        before: some(&gates.before),
        between: some(&gates.between),
        after: some(&gates.after),
    }
}

/// The gates that ask no host by itself.
fn of_no_host(gates: &StageGates, conditions: &Conditions) -> StageGates {
    let stays = |name: &&String| match conditions.gates.get(*name) {
        Some(
            Gate::Http { .. }
            | Gate::Exchange { .. }
            | Gate::Service { .. }
            | Gate::Tcp { .. }
            | Gate::RmsTemplates { .. }
            | Gate::Command { run_on: RunOn::Host, .. },
        ) => false,
        Some(
            Gate::EventLog { .. }
            | Gate::Soak { .. }
            | Gate::Approval { .. }
            | Gate::Command { .. },
        )
        | None => true,
    };
    only(gates, stays)
}

/// The gates that can still be true: the connector's log and its answer, and IRM's own test, are no
/// measure for servers that leave the connector.
fn kept(gates: &StageGates, conditions: &Conditions, connectors: &BTreeSet<String>) -> StageGates {
    let stays = |name: &&String| match conditions.gates.get(*name) {
        Some(Gate::EventLog { .. } | Gate::RmsTemplates { .. }) => false,
        Some(Gate::Http { url, .. }) => {
            let host = url_host(url);
            host.is_some() && !connectors.iter().any(|own| url_host(own) == host)
        }
        Some(Gate::Exchange { checks, .. }) => {
            !checks.iter().any(|check| matches!(check, ExchangeCheck::TestIrmConfiguration { .. }))
        }
        Some(
            Gate::Service { .. }
            | Gate::Tcp { .. }
            | Gate::Soak { .. }
            | Gate::Approval { .. }
            | Gate::Command { .. },
        )
        | None => true,
    };
    only(gates, stays)
}

/// The step that takes this one back, or why there is none.
///
/// It waits for no host: IRM goes off first, and the servers after it. Servers that the run's plan
/// did not know hold it no more; they lose nothing that they were configured for.
fn back(step: &OrganisationStep, input: &UndoInput<'_>) -> Result<OrganisationStep, String> {
    let Some(act) = step.act.inverse() else {
        return Err(format!(
            "{} for {} cannot be taken back: what was there before is not known",
            step.act.verb(),
            step.organisation
        ));
    };
    let settings = act.settings();
    let now = input.survey.organisations.iter().find(|own| {
        matches!(act, Act::ExchangeIrm { .. }) && own.dn.eq_ignore_ascii_case(&step.identity)
    });
    let satisfied = !settings.is_empty()
        && now.is_some_and(|now| {
            settings.iter().all(|one| now.irm.setting(&one.name).is_same(&one.after))
        });
    let unnamed = now.map(|now| now.servers.iter().map(|server| server.name.clone()));
    let mut waived = step.waived.clone();
    waived.extend(step.missing.iter().cloned().chain(unnamed.into_iter().flatten()));
    waived.sort_unstable();
    waived.dedup();
    Ok(OrganisationStep { act, satisfied, missing: Vec::new(), waived, ..step.clone() })
}
