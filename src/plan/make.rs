//! The assembly of a plan from everything that is known.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::facts::HostSurvey;
use crate::model::facts::Survey;
use crate::model::host::Configure;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::outcome::FailureKind;
use crate::model::plan::Blocker;
use crate::model::plan::FORMAT;
use crate::model::plan::Input;
use crate::model::plan::Note;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::preflight::Waiver;
use crate::model::product::Role;
use crate::model::rollout::Playbook;
use crate::model::rollout::PlaybookStage;
use crate::model::rollout::StageWork;
use crate::model::rules::RulePack;
use crate::plan::client;
use crate::plan::host;
use crate::plan::host::Context;
use crate::plan::identity;
use crate::plan::lint;
use crate::plan::opening;
use crate::plan::peers;
use crate::plan::programs;
use crate::plan::stage;
use crate::plan::stage::Dealt;
use crate::plan::stage::Select;
use crate::plan::steps;
use crate::plan::steps::Steps;
use crate::plan::surveyed::surveyed;
use crate::plan::tenant;
use crate::plan::waiver;

/// Everything a plan is made from. The same input gives the same plan, to the byte.
#[derive(Clone)]
pub struct PlanInput<'a> {
    pub id: String,
    pub now: Timestamp,
    /// `rmsfleet 0.1.0`.
    pub tool: String,
    pub lab: bool,
    /// The files and texts behind the other fields, with their digests.
    pub inputs: Vec<Input>,
    /// The whole inventory, hosts out of scope and connector nodes included.
    pub hosts: &'a [Host],
    pub playbook: &'a Playbook,
    pub pack: &'a RulePack,
    pub survey: &'a Survey,
    /// Resolves a stage's host pattern.
    pub select: &'a Select<'a>,
    /// `--limit`: the hosts that may get work; `None` for all.
    pub limit: Option<&'a BTreeSet<HostName>>,
    /// `--waive HOST:BLOCKER=REASON`.
    pub waivers: &'a [Waiver],
    /// Exchange servers that the organisation step does not wait for, by name.
    pub waived_servers: &'a [String],
}

/// Makes the plan. It leaves the executor no choice: what to do, in which order, and what not.
pub fn make(input: &PlanInput<'_>) -> Plan {
    let eligible: BTreeSet<&HostName> = input
        .hosts
        .iter()
        .filter(|host| host.in_scope() && within(input, host))
        .map(|host| &host.name)
        .collect();
    let connectors: Vec<HostName> = input
        .hosts
        .iter()
        .filter(|host| host.role == Some(Role::Connector))
        .map(|host| host.name.clone())
        .collect();
    // What is named as an AD RMS cluster was no connector.
    let known = input.hosts.iter().flat_map(|host| host.connector.iter().chain(&host.adrms));
    let known: BTreeSet<String> = known.map(|origin| origin.host().to_owned()).collect();
    let earlier = client::earlier_connectors(input.survey, &known);
    let twins = identity::twins(input.survey);
    let context = Context {
        playbook: input.playbook,
        pack: input.pack,
        survey: input.survey,
        nodes: &connectors,
        earlier: &earlier,
        twins: &twins,
        hosts: input.hosts,
    };
    let surveyed = surveyed(input.hosts, context);
    let dealt = stage::deal(&input.playbook.stages, input.select, &surveyed, &eligible);
    let mut steps = steps::steps(input, &surveyed);
    let mut blockers = std::mem::take(&mut steps.blockers);
    let (told, doubts) = tenant::findings(input.hosts, input.survey);
    blockers.extend(doubts);
    blockers.extend(dealt.blockers.iter().cloned());
    blockers.extend(unsupported(input.survey));

    let mut hosts = plan_hosts(input, context, &dealt, &steps);
    let mut notes = waiver::apply(&mut hosts, input.waivers);
    notes.extend(told);
    settle_what_is_left_out(&mut hosts);
    notes.extend(marks_off(input.playbook, &hosts));
    let stages = stages(input, &dealt, &hosts, steps);

    let hours = i64::from(input.playbook.plan_valid_hours);
    let mut plan = Plan {
        format: FORMAT,
        id: input.id.clone(),
        created: input.now,
        valid_until: input
            .now
            .checked_add(SignedDuration::from_hours(hours))
            .unwrap_or(Timestamp::MAX),
        tool: input.tool.clone(),
        playbook: input.playbook.name.clone(),
        rules: format!("{} {}", input.pack.id, input.pack.version),
        inputs: input.inputs.clone(),
        limits: input.playbook.limits.clone(),
        count_unreachable_as_failed: input.playbook.count_unreachable_as_failed,
        on_abort: input.playbook.on_abort,
        marks: input.playbook.marks,
        lab: input.lab,
        hosts,
        stages,
        conditions: programs::spelled(input.playbook.conditions.clone(), input.hosts),
        undoes: None,
        blockers,
        notes,
    };
    plan.notes.extend(opening::too_late(&plan));
    let faults = lint::lint(&plan);
    plan.blockers.extend(faults);
    plan
}

fn marks_off(playbook: &Playbook, hosts: &BTreeMap<HostName, PlannedHost>) -> Option<Note> {
    let restarts = hosts.values().any(|host| host.has_work() && host.restart);
    (!playbook.marks && restarts).then(|| {
        let text = "if a run dies between write and restart, only its journal knows the restart \
                    owed";
        note("marks-off", text)
    })
}

pub(super) fn within(input: &PlanInput<'_>, host: &Host) -> bool {
    input.limit.is_none_or(|limit| limit.contains(&host.name))
}

/// What this version cannot do is said before anything is sealed.
fn unsupported(survey: &Survey) -> Vec<Blocker> {
    let failed = survey.hosts.iter().filter_map(|(name, host)| match host {
        HostSurvey::Read(_) => None,
        HostSurvey::Failed(failure) => Some((name, failure)),
    });
    failed
        .chain(&survey.organisation_failures)
        .filter(|(_, failure)| failure.kind == FailureKind::Unsupported)
        .map(|(name, failure)| Blocker {
            id: "unsupported".to_owned(),
            text: format!("{name}: {}", failure.text()),
            hint: failure.hint.clone(),
        })
        .collect()
}

fn plan_hosts(
    input: &PlanInput<'_>,
    context: Context<'_>,
    dealt: &Dealt,
    steps: &Steps,
) -> BTreeMap<HostName, PlannedHost> {
    let mut odd = peers::odd_peers(input.hosts, input.survey, input.pack);
    let mut planned = BTreeMap::new();
    for one in input.hosts {
        let mut plan = match (one.role, one.in_scope()) {
            (Some(Role::Connector), _) => host::connector(one, context),
            (None, _) => host::left_alone(one, context, out("it has no role")),
            (Some(_), false) => host::left_alone(one, context, out(why_out(one))),
            (Some(role), true) if dealt.contains(&one.name) => host::target(one, role, context),
            (Some(role), true) => {
                let why = if within(input, one) {
                    "no stage of the playbook takes it"
                } else {
                    "left out by --limit"
                };
                // An organisation step depends on this server all the same.
                if (role == Role::Exchange && steps.of_exchange) || steps.needs(one) {
                    PlannedHost { scope: out(why), ..host::target(one, role, context) }
                } else {
                    host::left_alone(one, context, out(why))
                }
            }
        };
        if plan.scope == Scope::InScope {
            plan.notes.extend(odd.remove(&one.name));
        }
        planned.insert(one.name.clone(), plan);
    }
    planned
}

fn out(why: &str) -> Scope {
    Scope::OutOfScope(why.to_owned())
}

fn why_out(host: &Host) -> &'static str {
    match host.configure {
        Configure::No => "`rms_configure` says no",
        Configure::Auto | Configure::Yes => "its farm roles need no values",
    }
}

/// A server that is left out of this run, but that the organisation step needs, counts only if it
/// is as wanted; the run reads it again before the step. One that differs stays out of scope, so
/// the step stays held.
fn settle_what_is_left_out(hosts: &mut BTreeMap<HostName, PlannedHost>) {
    for host in hosts.values_mut().filter(|host| host.identity.is_some()) {
        let Scope::OutOfScope(why) = &host.scope else { continue };
        let (why, differing) = (why.clone(), host.changes.len());
        host.changes.clear();
        host.restart = false;
        host.mark_paid = false;
        host.notes.retain(|note| note.id != "restart-paid");
        if differing == 0 && host.blockers.is_empty() {
            host.notes.push(note("left-out", format!("{} is as wanted; {why}", host.name)));
            host.scope = Scope::InScope;
            continue;
        }
        if differing > 0 {
            let text = format!("{differing} values of {} differ; {why}", host.name);
            host.notes.push(note("left-out", text));
        }
        for blocker in std::mem::take(&mut host.blockers) {
            host.notes.push(note("left-out", format!("{}: {}; {why}", host.name, blocker.text)));
        }
    }
}

fn stages(
    input: &PlanInput<'_>,
    dealt: &Dealt,
    hosts: &BTreeMap<HostName, PlannedHost>,
    mut steps: Steps,
) -> Vec<PlannedStage> {
    let by_name: BTreeMap<&HostName, &Host> =
        input.hosts.iter().map(|host| (&host.name, host)).collect();
    let mut stages = Vec::new();
    for (place, (stage, names)) in input.playbook.stages.iter().zip(&dealt.stages).enumerate() {
        match &stage.work {
            StageWork::Hosts { serial, budget, .. } => {
                let busy: Vec<HostName> = names
                    .iter()
                    .filter(|name| hosts.get(name).is_some_and(PlannedHost::has_work))
                    .cloned()
                    .collect();
                if busy.is_empty() {
                    continue;
                }
                // One that was blocked when the plan was sealed is none of the stage's hosts.
                let open = |name: &&HostName| hosts.get(*name).is_some_and(|own| !own.is_blocked());
                let counted = names.iter().filter(open).count();
                let restarts: Vec<&Host> = busy
                    .iter()
                    .filter(|name| hosts.get(name).is_some_and(|host| host.restart))
                    .filter_map(|name| by_name.get(name).copied())
                    .collect();
                stages.push(PlannedStage {
                    name: stage.name.clone(),
                    work: PlannedWork::Hosts {
                        batches: stage::batches(&busy, serial, input.playbook.limits.forks),
                        budget: stage::budget(*budget, counted),
                        restarts: stage::restart_order(&restarts),
                    },
                    gates: stage.gates.clone(),
                    hooks: stage.hooks.clone(),
                    own: stage.own,
                });
            }
            StageWork::Step(_) => stages.extend(step_stages(stage, steps.take(place))),
        }
    }
    stages
}

fn step_stages(stage: &PlaybookStage, steps: Vec<OrganisationStep>) -> Vec<PlannedStage> {
    let several = steps.len() > 1;
    steps
        .into_iter()
        .map(|step| PlannedStage {
            name: if several {
                let whose = if step.act.is_local() { step.via.short() } else { &step.organisation };
                format!("{} {whose}", stage.name)
            } else {
                stage.name.clone()
            },
            work: PlannedWork::Step(Box::new(step)),
            gates: stage.gates.clone(),
            hooks: stage.hooks.clone(),
            own: stage.own,
        })
        .collect()
}

/// A note about the plan as a whole, for callers that add what only they know.
pub fn note(id: &str, text: impl Into<String>) -> Note {
    Note { id: id.to_owned(), text: text.into() }
}

#[cfg(test)]
mod tests;
