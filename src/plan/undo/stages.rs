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
use crate::model::step::FARM_SERVER;
use crate::model::step::SettingValue;
use crate::plan::compare::found;
use crate::plan::compare::object;
use crate::plan::undo::LEFT_BEHIND;
use crate::plan::undo::UndoInput;
use crate::plan::undo::Written;
use crate::plan::undo::note;
use crate::plan::undo::steps::Back;
use crate::plan::undo::steps::Way;
use crate::plan::undo::steps::back;
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
) -> impl DoubleEndedIterator<Item = (&'a PlannedStage, &'a OrganisationStep)> {
    original.stages.iter().filter_map(|stage| match &stage.work {
        PlannedWork::Step(step) if written.has_step(&step.organisation, &stage.name) => {
            Some((stage, &**step))
        }
        PlannedWork::Step(_) | PlannedWork::Hosts { .. } => None,
    })
}

/// Blocks the servers below a step that nothing takes back: IRM must not stay on over servers that
/// no longer know where to get it, unless somebody decides so by name.
pub(super) fn hold_back(input: &UndoInput<'_>, hosts: &mut BTreeMap<HostName, PlannedHost>) {
    for Back { step, way, .. } in back(input, hosts) {
        let text = match way {
            Way::Stays(text) => text,
            Way::Step(own) => match own.held {
                Some(why) => {
                    format!("{} for {} stays: {why}", step.act.verb(), step.organisation)
                }
                None => continue,
            },
            Way::Needless => continue,
        };
        for name in &step.needs {
            // Also one that is blocked: whoever waives that has not decided about this.
            if let Some(host) = hosts.get_mut(name).filter(|host| host.would_work()) {
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
/// Steps that followed servers go back before them, the last one first, and the servers that a step
/// rests on are not touched before it is taken back. Steps that came before every server go back
/// after them: what they switch on again is used at once.
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
    for stage in &original.stages {
        if let PlannedWork::Hosts { batches, budget, restarts } = &stage.work {
            let work = host_stage(batches, *budget, restarts, hosts);
            servers.extend(work.map(|work| PlannedStage {
                name: stage.name.clone(),
                work,
                gates: gates(&stage.gates, false),
                hooks: hooks(&stage.hooks),
                own: stage.own,
            }));
        }
    }
    let is_hosts = |stage: &PlannedStage| matches!(stage.work, PlannedWork::Hosts { .. });
    let mut seen = original.stages.iter().skip_while(|stage| !is_hosts(stage)).peekable();
    let followed: BTreeSet<&str> = match seen.peek() {
        Some(_) => seen.map(|stage| stage.name.as_str()).collect(),
        None => original.stages.iter().map(|stage| stage.name.as_str()).collect(),
    };
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for Back { stage, step, way } in back(input, hosts) {
        let mut work = match way {
            Way::Step(work) => work,
            Way::Stays(text) => {
                dealt.notes.push(note("step-stays", text));
                continue;
            }
            Way::Needless => continue,
        };
        dealt.notes.extend(unread(step, input));
        dealt.notes.extend(left_behind(&work, step));
        let is_first = followed.contains(stage.name.as_str());
        work.needs = Vec::new();
        if is_first {
            let held = work.held.is_some();
            for name in step.needs.iter().filter(|_| !held) {
                if let Some(host) = hosts.get_mut(name).filter(|host| host.has_work()) {
                    host.after_step = Some(stage.name.clone());
                }
            }
        } else {
            work.needs = rests_on(input, stage, step, &work, hosts);
        }
        let stage = PlannedStage {
            name: stage.name.clone(),
            work: PlannedWork::Step(work),
            gates: gates(&stage.gates, true),
            hooks: hooks(&stage.hooks),
            own: stage.own,
        };
        if is_first { first.push(stage) } else { last.push(stage) }
    }
    dealt.stages = first.into_iter().chain(servers).chain(last).collect();
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

/// The servers that must be as they are wanted before a step that follows them: those that waited
/// for it in the run, and where it switches something on, all that rest on what it sets.
fn rests_on(
    input: &UndoInput<'_>,
    stage: &PlannedStage,
    step: &OrganisationStep,
    work: &OrganisationStep,
    hosts: &BTreeMap<HostName, PlannedHost>,
) -> Vec<HostName> {
    let original = &input.original.plan;
    let key = object(step);
    let resting: BTreeSet<&HostName> = steps(original, input.written)
        .filter(|(_, other)| work.act.turns_on() && key.is_some() && object(other) == key)
        .flat_map(|(_, other)| &other.needs)
        .collect();
    let on_same = |name: &String| {
        let mut all = steps(original, input.written);
        let is_same = work.act.turns_on() && key.is_some();
        is_same && all.any(|(stage, other)| stage.name == *name && object(other) == key)
    };
    let waited = |name: &HostName| {
        let before = original.hosts.get(name).and_then(|host| host.after_step.as_ref());
        before.is_some_and(|step| *step == stage.name || on_same(step))
    };
    let concerned = hosts.iter().filter(|(_, host)| host.scope == Scope::InScope);
    let concerned = concerned.filter(|(name, _)| waited(name) || resting.contains(name));
    concerned.map(|(name, _)| name.clone()).collect()
}

/// That nobody knows where the step would begin, if so.
fn unread(step: &OrganisationStep, input: &UndoInput<'_>) -> Option<Note> {
    let failure = found(step, input.survey).err()?;
    let text = format!(
        "{} for {} was not read ({}); the run reads it before it sets anything",
        step.act.verb(),
        step.organisation,
        failure.text()
    );
    Some(note("step-unread", text))
}

/// What the way back cannot set to nothing.
fn left_behind(work: &OrganisationStep, step: &OrganisationStep) -> Option<Note> {
    let server = work.act.guarded_server().filter(|_| work.held.is_none())?;
    let mut settings = step.act.settings().iter();
    let nothing = SettingValue::Text(String::new());
    settings.find(|own| own.name == FARM_SERVER && own.before == nothing)?;
    let text = format!(
        "{FARM_SERVER} of farm {} stays {server}: {} cannot set it to nothing, as it was before",
        step.organisation,
        step.act.verb()
    );
    Some(note(LEFT_BEHIND, text))
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
