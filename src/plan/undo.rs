//! The plan that takes a run back: its sealed plan with the ends swapped, as far as the run's
//! records say that it wrote, and as far as the hosts still hold what it wrote.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::conditions::Conditions;
use crate::model::facts::Survey;
use crate::model::host::HostName;
use crate::model::lease;
use crate::model::plan::Blocker;
use crate::model::plan::FORMAT;
use crate::model::plan::Input;
use crate::model::plan::Note;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::Undoes;
use crate::model::preflight::Waiver;
use crate::model::probe::Probe;
use crate::model::registry::KeyPath;
use crate::plan::compare;
use crate::plan::lint;
use crate::plan::probe;
use crate::plan::seal::Sealed;
use crate::plan::waiver;

mod host;
mod since;
mod stages;
mod steps;

pub use since::Again;
pub use since::Since;

/// The id of notes on what stays as the run left it.
const LEFT_BEHIND: &str = "left-behind";

/// What a run has written, or may have. Places count within a host's changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub hosts: BTreeMap<HostName, WrittenHost>,
    /// Steps that were announced, by organisation and stage. Journals of the first version name no
    /// stage.
    pub steps: BTreeSet<(String, String)>,
    /// A stage whose step may have been carried out with its only record lost: reading tells.
    pub begun: BTreeSet<String>,
    /// The run came to its end; of one that did not the last record may be lost.
    pub ended: bool,
    /// The end of no step is in doubt.
    pub is_seen: bool,
}

/// One host's part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenHost {
    /// Written and read back.
    pub verified: BTreeSet<usize>,
    /// Announced, and not read back: only the host can tell.
    pub possible: BTreeSet<usize>,
    /// Keys that it may have created, leaf first.
    pub keys: Vec<KeyPath>,
    /// A lease of the run may stand.
    pub leased: bool,
}

impl Written {
    /// Whether the step of this stage was carried out, or may have been.
    fn has_step(&self, organisation: &str, stage: &str) -> bool {
        let is = |name: &str| self.steps.contains(&(organisation.to_owned(), name.to_owned()));
        is(stage) || is("") || self.begun.contains(stage)
    }
}

impl WrittenHost {
    pub fn is_empty(&self) -> bool {
        let nothing = self.verified.is_empty() && self.possible.is_empty();
        nothing && self.keys.is_empty() && !self.leased
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        self.verified.union(&self.possible).copied()
    }
}

/// Everything an undo plan is made from. The same input gives the same plan, to the byte.
#[derive(Clone)]
pub struct UndoInput<'a> {
    pub id: String,
    pub now: Timestamp,
    /// `rmsfleet 0.1.0`.
    pub tool: String,
    pub run: &'a str,
    /// The plan that the run carried out.
    pub original: &'a Sealed,
    pub written: &'a Written,
    /// The hosts and organisations as they are now, asked by [`questions`].
    pub survey: &'a Survey,
    /// What other recorded runs have done since.
    pub since: &'a Since,
    /// `--waive HOST:BLOCKER`.
    pub waivers: &'a [Waiver],
    /// `--waive-server NAME`: only on the first way again is there something to waive.
    pub waived_servers: &'a [String],
}

impl UndoInput<'_> {
    /// How many times ends are swapped then.
    fn depth(&self) -> u32 {
        self.original.plan.undoes.as_ref().map_or(1, |undoes| undoes.depth.saturating_add(1))
    }

    fn is_forward(&self) -> bool {
        self.depth().is_multiple_of(2)
    }
}

/// What must be read before a run can be taken back: of each host that it may have written.
pub fn questions(original: &Plan, written: &Written) -> BTreeMap<HostName, Probe> {
    let mut probes: BTreeMap<HostName, Probe> = BTreeMap::new();
    for (name, part) in written.hosts.iter().filter(|(_, part)| !part.is_empty()) {
        let Some(planned) = original.hosts.get(name) else { continue };
        let probe = probes.entry(name.clone()).or_default();
        let changes = part.places().filter_map(|place| planned.changes.get(place));
        for change in changes {
            probe.values.insert(change.path.clone());
            probe.access.insert(change.path.key.clone());
        }
        probe.values.insert(probe::restart_mark());
        probe.access.insert(lease::key());
        probe.listings.insert(lease::key());
        probe.listings.extend(part.keys.iter().cloned());
    }
    for (_, step) in stages::steps(original, written) {
        // What cannot be read is asked for as well: then there is something to take back.
        probes.entry(step.via.clone()).or_default();
        compare::ask_of(step, &mut probes);
    }
    probes
}

/// Makes the plan that takes the run back.
///
/// What no longer holds what the run wrote is not touched: its host is blocked until somebody
/// decides by name (`--waive HOST:drifted`) that the rest goes back without it. The others go on.
pub fn undo(input: &UndoInput<'_>) -> Plan {
    let original = &input.original.plan;
    let mut hosts: BTreeMap<HostName, PlannedHost> =
        original.hosts.values().map(|own| (own.name.clone(), host::undo(own, input))).collect();
    stages::hold_back(input, &mut hosts);
    windows(&mut hosts, input.waivers);
    let drifted = drifted(&hosts);
    let mut notes = waiver::apply(&mut hosts, input.waivers);
    let undoes = Undoes {
        run: input.run.to_owned(),
        digest: input.original.digest.clone(),
        depth: input.depth(),
        left: drifted.saturating_sub(self::drifted(&hosts)),
    };
    let dealt = stages::stages(input, &undoes, &mut hosts);
    notes.extend(dealt.notes);
    notes.extend(undone(input));
    notes.extend(waived_servers(input));
    if undoes.left > 0 {
        let text =
            format!("{} values of run {} stay as they are, as waived", undoes.left, input.run);
        notes.push(note(LEFT_BEHIND, text));
    }
    if !input.written.ended {
        let text = "the run did not come to its end; what it left in doubt was read for this plan";
        notes.push(note("run-open", text));
    }
    let lifetime = original.valid_until.duration_since(original.created);
    let mut inputs = vec![Input {
        what: "run".to_owned(),
        name: input.run.to_owned(),
        sha256: input.original.digest.clone(),
    }];
    // Where the credentials are found again.
    inputs.extend(original.inputs.iter().filter(|own| own.what != "run").cloned());
    let mut plan = Plan {
        format: FORMAT,
        id: input.id.clone(),
        created: input.now,
        valid_until: input.now.checked_add(lifetime).unwrap_or(Timestamp::MAX),
        tool: input.tool.clone(),
        playbook: original.playbook.clone(),
        rules: original.rules.clone(),
        inputs,
        limits: original.limits.clone(),
        count_unreachable_as_failed: original.count_unreachable_as_failed,
        on_abort: original.on_abort,
        marks: original.marks,
        lab: original.lab,
        hosts,
        stages: dealt.stages,
        conditions: Conditions {
            around: stages::kept_hooks(&original.conditions.around),
            ..original.conditions.clone()
        },
        undoes: Some(undoes),
        blockers: Vec::new(),
        notes,
    };
    let faults = lint::lint(&plan);
    plan.blockers.extend(faults);
    plan
}

/// Values that somebody has changed since and that keep their hosts back.
fn drifted(hosts: &BTreeMap<HostName, PlannedHost>) -> usize {
    let blockers = hosts.values().flat_map(|host| &host.blockers);
    blockers.filter(|blocker| blocker.id == "drifted").count()
}

/// Runs that have taken the run back before, each with what was written over it since.
fn undone(input: &UndoInput<'_>) -> Vec<Note> {
    let runs = input.since.undone_by();
    runs.into_iter()
        .map(|by| {
            let mut written: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for ((host, _), again) in &input.since.values {
                if let (true, Some(run)) = (again.undone_by == by, &again.written_by) {
                    written.entry(run).or_default().insert(host.as_str());
                }
            }
            let since = written.iter().map(|(run, hosts)| {
                let hosts: Vec<&str> = hosts.iter().copied().collect();
                format!("; run {run} has written the same values since on {}", hosts.join(", "))
            });
            let since: String = since.collect();
            note(
                "undone-already",
                format!("run {} is undone already by run {by}{since}", input.run),
            )
        })
        .collect()
}

fn waived_servers(input: &UndoInput<'_>) -> Option<Note> {
    let names = input.waived_servers.join(", ");
    let is_unused = !input.is_forward() && !names.is_empty();
    let text = "the waiver had no effect: what goes back asks for no complete list of servers";
    is_unused.then(|| note("waiver-unused", format!("{names}: {text}")))
}

/// What stays as the run left it although the plan takes the run back, in words.
pub fn left_behind(plan: &Plan) -> impl Iterator<Item = &str> {
    let notes = plan.notes.iter().filter(|note| note.id == LEFT_BEHIND);
    notes.map(|note| note.text.as_str())
}

/// A window holds for the way back too, and a person may take a host out of it by name: then there
/// is something to waive.
fn windows(hosts: &mut BTreeMap<HostName, PlannedHost>, waivers: &[Waiver]) {
    for waiver in waivers.iter().filter(|waiver| waiver.id == "window") {
        let Some(host) = hosts.get_mut(&waiver.host) else { continue };
        if let Some(name) = host.window.clone().filter(|_| host.has_work()) {
            host.blockers.push(Blocker {
                id: "window".to_owned(),
                text: format!("the way back keeps to window `{name}` as the run did"),
                hint: None,
            });
        }
    }
}

fn note(id: &str, text: impl Into<String>) -> Note {
    Note { id: id.to_owned(), text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[test]
    fn a_waived_window_lets_a_host_go_back_at_any_time() {
        let mut hosts = sample::plan().hosts;
        let name = hosts.values().find(|host| host.has_work()).unwrap().name.clone();
        hosts.get_mut(&name).unwrap().window = Some("night".to_owned());
        let waiver = sample::waiver(name.as_str(), "window");
        let mut kept = hosts.clone();
        windows(&mut kept, &[]);
        assert_eq!(kept, hosts);
        windows(&mut hosts, std::slice::from_ref(&waiver));
        let notes = waiver::apply(&mut hosts, &[waiver]);
        assert_eq!(notes, [], "a waiver without effect");
        let host = &hosts[&name];
        assert_eq!((host.window.as_deref(), host.is_blocked()), (None, false));
        assert!(host.notes.iter().any(|note| note.text.contains("window `night`")));
    }
}
