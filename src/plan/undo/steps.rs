//! Organisation steps on the way back: each begins where the one before it on the same object
//! ends, and only the first where the object was read.

use std::collections::BTreeMap;

use crate::model::host::HostName;
use crate::model::plan::OrganisationStep;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedStage;
use crate::model::step::ByHand;
use crate::model::step::FARM_SERVER;
use crate::model::step::Setting;
use crate::model::step::SettingValue;
use crate::plan::compare::found;
use crate::plan::compare::object;
use crate::plan::undo::UndoInput;
use crate::plan::undo::since::Again;
use crate::plan::undo::stages;

/// A step of the run, and what takes it back.
pub(super) struct Back<'a> {
    pub(super) stage: &'a PlannedStage,
    pub(super) step: &'a OrganisationStep,
    pub(super) way: Way,
}

/// How a step is taken back.
pub(super) enum Way {
    Step(Box<OrganisationStep>),
    /// Nothing takes it back, in words.
    Stays(String),
    /// The steps on this object end where it stands already, and no server has to be changed while
    /// it stands otherwise.
    Needless,
}

/// Where an object stands after the steps so far.
struct Thread {
    /// What was read; what was not told is not there. `None` if nothing was.
    read: Option<BTreeMap<String, SettingValue>>,
    now: BTreeMap<String, SettingValue>,
    /// Why a step on it cannot be done; then none after it is.
    held: Option<String>,
    /// It stands neither where the run began nor where it ended, in words.
    strange: Option<String>,
    /// The run has one step on it.
    alone: bool,
    /// Places among the steps.
    places: Vec<usize>,
}

/// The steps that the run has carried out, or may have, the last one first, with what takes each
/// back.
pub(super) fn back<'a>(
    input: &UndoInput<'a>,
    hosts: &BTreeMap<HostName, PlannedHost>,
) -> Vec<Back<'a>> {
    let mut threads: BTreeMap<String, Thread> = BTreeMap::new();
    let mut all: Vec<Back<'a>> = Vec::new();
    for (stage, step) in stages::steps(&input.original.plan, input.written).rev() {
        let way = match (inverse(step, input), object(step)) {
            (Err(text), _) => Way::Stays(text),
            (Ok(own), None) => Way::Step(Box::new(own)),
            (Ok(mut own), Some(key)) => {
                let again = input.since.objects.get(&key);
                let thread = threads.entry(key).or_insert_with(|| Thread::of(step, input));
                thread.places.push(all.len());
                thread.take(&mut own, input.run, again);
                Way::Step(Box::new(own))
            }
        };
        all.push(Back { stage, step, way });
    }
    for thread in threads.into_values() {
        let mut steps = thread.places.iter().filter_map(|place| all.get(*place));
        let is_used = steps.any(|own| is_used(own, input, hosts));
        let (Some(read), false) = (thread.read, is_used) else { continue };
        let ends = ends(&all, &thread.places);
        let holds = |(name, end): (&String, &SettingValue)| {
            read.get(name).is_some_and(|own| own.is_same(end))
        };
        // One step says for itself that it holds.
        if thread.places.len() < 2 || !ends.iter().all(holds) {
            continue;
        }
        for place in thread.places {
            if let Some(own) = all.get_mut(place) {
                own.way = Way::Needless;
            }
        }
    }
    all
}

/// Where the steps at these places lead together.
fn ends(all: &[Back<'_>], places: &[usize]) -> BTreeMap<String, SettingValue> {
    let mut ends = BTreeMap::new();
    for place in places {
        if let Some(Back { way: Way::Step(step), .. }) = all.get(*place) {
            let settings = step.act.settings().iter();
            ends.extend(settings.map(|own| (own.name.clone(), own.after.clone())));
        }
    }
    ends
}

/// Whether a server is to be changed that rests on the step, or waited for it in the run.
fn is_used(
    back: &Back<'_>,
    input: &UndoInput<'_>,
    hosts: &BTreeMap<HostName, PlannedHost>,
) -> bool {
    let waited = |name: &HostName| {
        let own = input.original.plan.hosts.get(name);
        own.is_some_and(|own| own.after_step.as_ref() == Some(&back.stage.name))
    };
    let mut busy = hosts.values().filter(|host| host.has_work());
    busy.any(|host| back.step.needs.contains(&host.name) || waited(&host.name))
}

/// The act's other direction, as if the object stood where the run left it; or why there is none.
fn inverse(step: &OrganisationStep, input: &UndoInput<'_>) -> Result<OrganisationStep, String> {
    let Some(act) = step.act.inverse() else {
        return Err(format!(
            "{} for {} cannot be taken back: what was there before is not known",
            step.act.verb(),
            step.organisation
        ));
    };
    let by_hand = step.by_hand.as_ref().map(|own| ByHand {
        instructions: act
            .settings()
            .iter()
            .map(|one| format!("bring {} back from {} to {}", one.name, one.before, one.after))
            .collect(),
        timeout: own.timeout,
    });
    // What the run's plan could not do is no matter of the way back.
    let own = OrganisationStep {
        act,
        satisfied: false,
        missing: Vec::new(),
        held: None,
        by_hand,
        ..step.clone()
    };
    Ok(if input.is_forward() { complete(own, input) } else { own })
}

/// On the first way again every server of the organisation counts, as it did when the run was
/// planned.
fn complete(mut step: OrganisationStep, input: &UndoInput<'_>) -> OrganisationStep {
    let mut all = input.survey.organisations.iter();
    let now = all.find(|own| own.dn.eq_ignore_ascii_case(&step.identity));
    let known = |name: &str| input.original.plan.hosts.values().any(|host| host.is_named(name));
    let waived = |name: &str| {
        let mut names = step.waived.iter().chain(input.waived_servers);
        names.any(|own| own.eq_ignore_ascii_case(name))
    };
    let servers = now.into_iter().flat_map(|now| &now.servers).filter(|server| !server.is_edge);
    let unlisted =
        servers.filter(|server| !known(&server.name) && !server.fqdn.as_deref().is_some_and(known));
    let (pardoned, missing): (Vec<_>, Vec<_>) = unlisted
        .partition(|server| waived(&server.name) || server.fqdn.as_deref().is_some_and(waived));
    let pardoned: Vec<String> = pardoned.iter().map(|server| server.name.clone()).collect();
    step.missing = missing.iter().map(|server| server.name.clone()).collect();
    step.waived.extend(pardoned);
    step.waived.sort_unstable();
    step.waived.dedup();
    step
}

impl Thread {
    fn of(step: &OrganisationStep, input: &UndoInput<'_>) -> Self {
        let read = found(step, input.survey).ok().map(|found| {
            let own = stages::steps(&input.original.plan, input.written)
                .filter(|(_, other)| object(other) == object(step))
                .flat_map(|(_, other)| other.act.settings())
                .map(|setting| setting.name.clone());
            let guarded = step.act.guarded_server().map(|_| FARM_SERVER.to_owned());
            own.chain(guarded)
                .map(|name| {
                    let value = found(&name);
                    (name, value)
                })
                .filter(|(_, value)| *value != SettingValue::Untold)
                .collect::<BTreeMap<_, _>>()
        });
        let now = read.clone().unwrap_or_default();
        let own = || {
            let all = stages::steps(&input.original.plan, input.written);
            all.filter(|(_, other)| object(other) == object(step))
        };
        let strange = read.as_ref().filter(|_| input.written.is_seen).and_then(|read| {
            let settings: Vec<&Setting> =
                own().flat_map(|(_, other)| other.act.settings()).collect();
            between(read, &settings, input.run)
        });
        Self { read, now, held: None, strange, alone: own().count() == 1, places: Vec::new() }
    }

    /// Lets the step begin where the object stands, and moves the object to the step's end.
    ///
    /// INVARIANT: what is neither as the run left it nor as it was before is not touched.
    fn take(&mut self, step: &mut OrganisationStep, run: &str, again: Option<&Again>) {
        let mut moved = Vec::new();
        let mut expect = |name: &str, wanted: &SettingValue, now: Option<&SettingValue>| {
            let Some(now) = now else { return };
            if now != wanted && !now.is_same(wanted) {
                moved.push(format!("{name} reads {now}, and run {run} left {wanted}"));
            }
        };
        for setting in step.act.settings_mut().into_iter().flatten() {
            match self.now.get(&setting.name) {
                Some(now) if now.is_same(&setting.after) => setting.before = now.clone(),
                now => expect(&setting.name, &setting.before, now),
            }
        }
        if let Some(server) = step.act.guarded_server() {
            expect(FARM_SERVER, server, self.now.get(FARM_SERVER));
        }
        step.satisfied = step.act.settings().iter().all(Setting::is_satisfied);
        if step.satisfied {
            return;
        }
        if self.held.is_none() {
            self.held = if moved.is_empty() {
                // What an undo left in the middle stands there as well.
                let strange = || self.strange.clone().filter(|_| again.is_none());
                let set = || again.filter(|_| self.alone).map(Again::set_by_hand);
                again.and_then(Again::overwritten).or_else(set).or_else(strange)
            } else {
                Some(format!(
                    "{}: it stays; find out who changed it, and set it by hand if it is to go back",
                    moved.join(" and ")
                ))
            };
        }
        step.held = self.held.clone();
        if step.held.is_none() {
            let ends = step.act.settings().iter();
            self.now.extend(ends.map(|own| (own.name.clone(), own.after.clone())));
        }
    }
}

/// What is neither as the run left it nor as it was before the run, although some step of the run had
/// it so in between: somebody has set it since.
fn between(
    read: &BTreeMap<String, SettingValue>,
    settings: &[&Setting],
    run: &str,
) -> Option<String> {
    let mut ends: BTreeMap<&str, (&SettingValue, &SettingValue)> = BTreeMap::new();
    for own in settings {
        let begin = ends.get(own.name.as_str()).map_or(&own.before, |(begin, _)| begin);
        ends.insert(&own.name, (begin, &own.after));
    }
    let is_at = |now: &SettingValue, end: &SettingValue| now == end || now.is_same(end);
    let mut moved = ends.into_iter().filter_map(|(name, (begin, end))| {
        let now = read.get(name)?;
        let text = format!(
            "{name} reads {now}; before run {run} it was {begin}, and the run left {end}: it stays; \
             find out who changed it, and set it by hand if it is to go back"
        );
        (!is_at(now, begin) && !is_at(now, end)).then_some(text)
    });
    moved.next()
}

#[cfg(test)]
mod tests;
