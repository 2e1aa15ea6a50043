//! What later runs have done to what a run wrote.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::event::Event;
use crate::event::Record;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::plan::PlannedWork;
use crate::model::registry::ValuePath;
use crate::plan::compare::object;
use crate::plan::undo::Again;
use crate::plan::undo::Since;
use crate::run::history::History;
use crate::run::written::LastWrites;
use crate::run::written::verified;

/// Something that was written and read back: a host's value, or what a step sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Value(HostName, ValuePath),
    Object(String),
}

impl LastWrites {
    /// What the runs after this one took back of it, and what was written over that. A run that
    /// takes such a run back brings this one's values again, as if they had never gone.
    pub fn since(mut self, run: &str) -> Since {
        self.runs.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        let later: Vec<_> = self.runs.iter().skip_while(|(_, id, _, _)| id != run).collect();
        // Whether a run leads where this one led; the others have nothing to do with it.
        let mut leads: BTreeMap<&str, bool> = BTreeMap::from([(run, true)]);
        let mut own: BTreeSet<Thing> = BTreeSet::new();
        let mut writes: Vec<(Timestamp, &str, Thing)> = Vec::new();
        for (_, id, plan, records) in later {
            let undone = plan.undoes.as_ref().and_then(|undoes| leads.get(undoes.run.as_str()));
            if let Some(undone) = undone.copied() {
                leads.insert(id, !undone);
            }
            let written = written(plan, records);
            if id == run {
                own.extend(written.into_iter().map(|(_, thing)| thing));
            } else {
                writes.extend(written.into_iter().map(|(at, thing)| (at, id.as_str(), thing)));
            }
        }
        writes.retain(|(_, _, thing)| own.contains(thing));
        writes.sort_by_key(|(at, _, _)| *at);
        let mut again: BTreeMap<Thing, Again> = BTreeMap::new();
        for (_, id, thing) in writes {
            match leads.get(id) {
                Some(true) => drop(again.remove(&thing)),
                Some(false) => {
                    let own = Again { undone_by: id.to_owned(), written_by: None };
                    again.insert(thing, own);
                }
                None => {
                    if let Some(own) = again.get_mut(&thing) {
                        own.written_by = Some(id.to_owned());
                    }
                }
            }
        }
        let mut since = Since::default();
        for (thing, own) in again {
            match thing {
                Thing::Value(host, path) => drop(since.values.insert((host, path), own)),
                Thing::Object(key) => drop(since.objects.insert(key, own)),
            }
        }
        since
    }
}

/// What a run wrote, and when that was read back the last time.
fn written(plan: &Plan, records: &[Record]) -> Vec<(Timestamp, Thing)> {
    let left = History::of(records).written();
    let values = verified(records).into_iter().filter_map(|((host, place), at)| {
        left.hosts.get(&host).filter(|own| own.verified.contains(&place))?;
        let change = plan.hosts.get(&host)?.changes.get(place)?;
        Some((at, Thing::Value(host, change.path.clone())))
    });
    let objects = records.iter().filter_map(|record| {
        let Event::StepVerified { organisation, step, after: _ } = &record.event else {
            return None;
        };
        let stage = plan.stages.iter().find_map(|stage| match &stage.work {
            PlannedWork::Step(own) if own.organisation == *organisation => {
                (stage.name == *step).then_some(own)
            }
            PlannedWork::Step(_) | PlannedWork::Hosts { .. } => None,
        });
        Some((record.ts, Thing::Object(object(stage?)?)))
    });
    values.chain(objects).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Undoes;
    use crate::plan::sample;

    /// Every run writes the values of `FS1`; `undoes` names the run that it takes back.
    fn runs(all: &[(&str, Option<&str>)]) -> LastWrites {
        let mut writes = LastWrites::default();
        for (second, (run, undoes)) in (0_i64..).zip(all) {
            let mut plan = sample::plan();
            plan.undoes = undoes.map(|undone| Undoes {
                run: undone.to_owned(),
                digest: String::new(),
                depth: 1,
                left: 0,
            });
            let host = HostName::new("FS1");
            let ts = Timestamp::from_second(second).unwrap();
            let changes = plan.hosts[&host].changes.clone();
            let events = changes.into_iter().enumerate().flat_map(|(index, change)| {
                let host = host.clone();
                let intended = Event::ChangeIntended { host: host.clone(), index, change };
                [intended, Event::ChangeVerified { host, index }]
            });
            let records: Vec<Record> = (0..)
                .zip(events)
                .map(|(seq, event)| Record { seq, ts, run: (*run).to_owned(), event })
                .collect();
            writes.take(run, plan, &records);
        }
        writes
    }

    #[track_caller]
    fn check(all: &[(&str, Option<&str>)], expected: Option<(&str, Option<&str>)>) {
        let since = runs(all).since("r1");
        let told: BTreeSet<_> = since.values.values().cloned().collect();
        let expected = expected.map(|(undone_by, written_by)| Again {
            undone_by: undone_by.to_owned(),
            written_by: written_by.map(str::to_owned),
        });
        assert_eq!(told, expected.into_iter().collect(), "{all:?}");
    }

    #[test]
    fn what_is_undone_and_written_again_is_told_from_what_was_never_undone() {
        check(&[("r1", None)], None);
        check(&[("r1", None), ("r2", None)], None);
        check(&[("r1", None), ("r2", Some("r1"))], Some(("r2", None)));
        let thrice = [("r1", None), ("r2", Some("r1")), ("r3", None)];
        check(&thrice, Some(("r2", Some("r3"))));
        // The undo of the undo brings back what the run had written.
        check(&[("r1", None), ("r2", Some("r1")), ("r3", Some("r2"))], None);
        // What an earlier run did is past.
        check(&[("r0", None), ("r1", None), ("r2", Some("r0"))], None);
    }
}
