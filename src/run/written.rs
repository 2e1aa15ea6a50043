//! The last word of the recorded runs on each value of each host.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Record;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::plan::PlannedStage;
use crate::model::plan::PlannedWork;
use crate::model::registry::ValuePath;
use crate::plan::compare::Expected;
use crate::plan::compare::WrittenBy;
use crate::plan::compare::object;
use crate::run::history::History;
use crate::run::history::StepHistory;

/// Runs taken in one after another.
#[derive(Debug, Default)]
pub struct LastWrites {
    pub(super) runs: Vec<(Timestamp, String, Plan, Vec<Record>)>,
}

impl LastWrites {
    pub fn take(&mut self, run: &str, plan: Plan, records: &[Record]) {
        let Some(first) = records.first() else { return };
        self.runs.push((first.ts, run.to_owned(), plan, records.to_vec()));
    }

    /// What the hosts should hold by the runs in the order in which they began, and the latest
    /// plan with every host that an earlier one had; `None` if nothing was ever written.
    ///
    /// A value counts as written if it was read back and not restored. One that was planned and
    /// never written is expected too, unless a run has written it earlier or later.
    pub fn into_expected(mut self) -> Option<(Plan, BTreeMap<HostName, Vec<Expected>>)> {
        self.runs.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        let mut all: BTreeMap<(HostName, ValuePath), Expected> = BTreeMap::new();
        let mut steps: BTreeMap<String, PlannedStage> = BTreeMap::new();
        let mut reach: Option<Plan> = None;
        for (_, run, plan, records) in self.runs {
            let times = verified(&records);
            let history = History::of(&records);
            for stage in &plan.stages {
                last_word(&mut steps, &history, stage);
            }
            let written = history.written();
            for (name, host) in &plan.hosts {
                let part = written.hosts.get(name).cloned().unwrap_or_default();
                for (place, change) in host.changes.iter().enumerate() {
                    let at = times.get(&(name.clone(), place)).copied();
                    let by = at.filter(|_| part.verified.contains(&place));
                    let expected = Expected {
                        path: change.path.clone(),
                        wanted: change.after.clone(),
                        before: Some(change.before.clone()),
                        written: by.map(|at| WrittenBy { run: run.clone(), at }),
                        forms: Vec::new(),
                    };
                    let key = (name.clone(), change.path.clone());
                    if expected.written.is_some() {
                        all.insert(key, expected);
                    } else {
                        all.entry(key).or_insert(expected);
                    }
                }
            }
            reach = Some(joined(reach, plan));
        }
        // Hosts that no run has ever written to are `verify`'s business.
        let mut hosts: BTreeMap<HostName, Vec<Expected>> = BTreeMap::new();
        for ((name, _), expected) in all {
            hosts.entry(name).or_default().push(expected);
        }
        hosts.retain(|_, values| values.iter().any(|value| value.written.is_some()));
        let is_any = !hosts.is_empty() || !steps.is_empty();
        reach
            .filter(|_| is_any)
            .map(|plan| (Plan { stages: steps.into_values().collect(), ..plan }, hosts))
    }
}

/// Takes in a step that a run has set: each setting counts as the last run left it.
fn last_word(steps: &mut BTreeMap<String, PlannedStage>, history: &History, stage: &PlannedStage) {
    let PlannedWork::Step(step) = &stage.work else { return };
    if !matches!(history.step(&step.organisation, &stage.name), Some(StepHistory::Verified(_))) {
        return;
    }
    // What leaves nothing to compare with has no key.
    let Some(key) = object(step) else { return };
    let mut step = (**step).clone();
    if let Some(PlannedStage { work: PlannedWork::Step(earlier), .. }) = steps.get(&key) {
        step.act.keep(&earlier.act);
    }
    steps.insert(key, PlannedStage { work: PlannedWork::Step(Box::new(step)), ..stage.clone() });
}

/// When each change of each host was read back, the last time.
pub(super) fn verified(records: &[Record]) -> BTreeMap<(HostName, usize), Timestamp> {
    let times = records.iter().filter_map(|record| match &record.event {
        Event::ChangeVerified { host, index } => Some(((host.clone(), *index), record.ts)),
        _ => None,
    });
    times.collect()
}

fn joined(earlier: Option<Plan>, mut later: Plan) -> Plan {
    for (name, host) in earlier.into_iter().flat_map(|plan| plan.hosts) {
        later.hosts.entry(name).or_insert(host);
    }
    later
}
