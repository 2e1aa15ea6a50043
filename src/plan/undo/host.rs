//! One host's part of an undo: the values that go back, those that stay, and whether it restarts.

use std::collections::BTreeMap;

use crate::model::change::Change;
use crate::model::facts::HostSurvey;
use crate::model::facts::Observation;
use crate::model::host::PriorAdrms;
use crate::model::lease;
use crate::model::lease::Lease;
use crate::model::plan::Blocker;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::ValueName;
use crate::model::verdict::Evidence;
use crate::model::verdict::RestartNeed;
use crate::model::verdict::Verdict;
use crate::plan::debt;
use crate::plan::diff;
use crate::plan::host::blocker;
use crate::plan::host::leased;
use crate::plan::host::not_read;
use crate::plan::probe;
use crate::plan::undo::Again;
use crate::plan::undo::UndoInput;
use crate::plan::undo::WrittenHost;
use crate::plan::undo::note;
use crate::plan::verdict;

/// The host as the undo plan has it; out of scope if the run wrote nothing there.
pub(super) fn undo(original: &PlannedHost, input: &UndoInput<'_>) -> PlannedHost {
    let mut planned = PlannedHost {
        changes: Vec::new(),
        equal: Vec::new(),
        verdict: Verdict {
            need: RestartNeed::NotRequired,
            rule: "not-touched".to_owned(),
            evidence: Vec::new(),
        },
        restart: false,
        restart_owed: None,
        mark_paid: false,
        leases: Vec::new(),
        empty_keys: Vec::new(),
        after_step: None,
        blockers: Vec::new(),
        notes: Vec::new(),
        // They told of the host before it was changed.
        findings: Vec::new(),
        authorise: None,
        ..original.clone()
    };
    let written = input.written.hosts.get(&original.name).filter(|part| !part.is_empty());
    let Some(written) = written else {
        if original.scope == Scope::InScope {
            planned.scope = Scope::OutOfScope(format!("run {} wrote nothing here", input.run));
        }
        return planned;
    };
    planned.scope = Scope::InScope;
    match input.survey.hosts.get(&original.name) {
        Some(HostSurvey::Read(seen)) => {
            take_back(&mut planned, original, written, seen, input);
        }
        Some(HostSurvey::Failed(failure)) => planned.blockers.push(not_read(failure)),
        None => {
            let text = "the survey has no answer of this host";
            planned.blockers.push(blocker("unread", text));
        }
    }
    planned
}

fn take_back(
    planned: &mut PlannedHost,
    original: &PlannedHost,
    written: &WrittenHost,
    seen: &Observation,
    input: &UndoInput<'_>,
) {
    let identity = original.identity.as_ref();
    if !identity.is_some_and(|identity| identity.is_same(&seen.identity)) {
        let text = format!("the host says it is {}, and the run saw another", seen.identity);
        planned.blockers.push(Blocker {
            hint: Some("look for a stale DNS record or two names of one server".to_owned()),
            ..blocker("identity", &text)
        });
    }
    planned.identity = Some(seen.identity.clone());
    // The run that is taken back may have died with its lease in place.
    leased(planned, seen, Some(input.run));
    match seen.value(&probe::restart_mark()) {
        Reading::Known(State::Absent) => {}
        Reading::Known(State::Present(mark)) => planned.restart_owed = Some(mark.to_string()),
        Reading::Unreadable(why) => unreadable(planned, &probe::restart_mark().to_string(), &why),
    }
    taken_back(planned, original, written, seen, input);
    // The last that was written goes back first.
    let places: Vec<usize> = written.places().collect();
    for place in places.into_iter().rev() {
        if let Some(change) = original.changes.get(place) {
            value(planned, change, written.verified.contains(&place), seen, input.run);
        }
    }
    keys(planned, written, seen);
    marks(planned, written, seen, input.run);
    restart(planned, original, written, seen, input.run);
    let marked = (input.original.plan.marks && planned.restart) || planned.mark_paid;
    let marks = marked.then(lease::key);
    let touched = planned.changes.iter().map(|change| change.path.key.clone()).chain(marks);
    let rights = diff::rights(touched, seen);
    planned.blockers.extend(rights);
}

/// What was taken back already and holds what the run wrote all the same was written by somebody
/// else: it is not the run's to take back.
fn taken_back(
    planned: &mut PlannedHost,
    original: &PlannedHost,
    written: &WrittenHost,
    seen: &Observation,
    input: &UndoInput<'_>,
) {
    let mut again: BTreeMap<&Again, usize> = BTreeMap::new();
    for change in written.places().filter_map(|place| original.changes.get(place)) {
        let own = input.since.values.get(&(original.name.clone(), change.path.clone()));
        if let (Some(own), Reading::Known(found)) = (own, seen.value(&change.path))
            && found == change.after
        {
            *again.entry(own).or_default() += 1;
        }
    }
    for (Again { undone_by, written_by }, values) in again {
        let (who, what) = match written_by {
            Some(run) => (format!("run {run}"), format!("to take that back: rmsfleet undo {run}")),
            None => ("somebody".to_owned(), "find out who wrote them".to_owned()),
        };
        let text = format!(
            "run {} is undone here already by run {undone_by}, and {who} has written the same {} \
             since",
            input.run,
            if values == 1 { "value".to_owned() } else { format!("{values} values") },
        );
        planned.blockers.push(Blocker {
            hint: Some(format!(
                "{what}; to take them back with this run: --waive {}:undone-already",
                planned.name
            )),
            ..blocker("undone-already", &text)
        });
    }
}

/// INVARIANT: only what still holds what the run wrote goes back.
fn value(
    planned: &mut PlannedHost,
    change: &Change,
    verified: bool,
    seen: &Observation,
    run: &str,
) {
    let Change { path, before, after, rule: _ } = change;
    match seen.value(path) {
        Reading::Known(found) if found == *after => planned.changes.push(change.swapped()),
        Reading::Known(found) if found == *before => {
            if verified {
                let text = format!("{path} holds what it held before run {run} already");
                planned.notes.push(note("reverted", text));
            }
            planned.equal.push((path.clone(), found));
        }
        Reading::Known(found) => planned.blockers.push(Blocker {
            hint: Some(format!(
                "find out who changed it; to leave it so and take the rest back: --waive {}:drifted",
                planned.name
            )),
            ..blocker(
                "drifted",
                &format!("{path} holds `{found}`, and run {run} wrote `{after}`: it stays"),
            )
        }),
        Reading::Unreadable(why) => unreadable(planned, &path.to_string(), &why),
    }
}

fn unreadable(planned: &mut PlannedHost, what: &str, why: &str) {
    planned.blockers.push(Blocker {
        hint: Some("give the account read access to the key, then try again".to_owned()),
        ..blocker("unreadable", &format!("{what}: {why}"))
    });
}

/// Keys that the run created and that stand empty once its values are gone.
fn keys(planned: &mut PlannedHost, written: &WrittenHost, seen: &Observation) {
    // What stands under our own key is the marks' business.
    for key in written.keys.iter().filter(|key| **key != lease::key()) {
        let goes = |name: &ValueName| {
            let own = |change: &&Change| change.path.key == *key && change.path.name == *name;
            planned.changes.iter().find(own).is_some_and(|change| change.after == State::Absent)
        };
        match seen.listings.get(key) {
            Some(Listing::NoKey) => {}
            Some(Listing::Known(values)) if values.iter().all(|(name, _)| goes(name)) => {
                planned.empty_keys.push(key.clone());
            }
            Some(Listing::Known(_)) => {
                let text = format!("{key} holds more than the run wrote: it stays");
                planned.notes.push(note("key-in-use", text));
            }
            Some(Listing::Unreadable(why)) => unreadable(planned, &key.to_string(), why),
            None => unreadable(planned, &key.to_string(), "never read"),
        }
    }
}

/// By the rule of the run's own plan: the state before that run is the one that comes back, so its
/// evidence is this verdict's too.
fn restart(
    planned: &mut PlannedHost,
    original: &PlannedHost,
    written: &WrittenHost,
    seen: &Observation,
    run: &str,
) {
    let Some(role) = original.role else { return };
    let is_row = |one: &&Evidence| one.row.is_some();
    let evidence: Vec<Evidence> =
        original.verdict.evidence.iter().filter(is_row).cloned().collect();
    let answered = original.verdict.rule == "inventory" || evidence.is_empty();
    let prior = match original.verdict.need {
        RestartNeed::Required if answered => PriorAdrms::Used,
        RestartNeed::NotRequired if answered => PriorAdrms::Never,
        RestartNeed::Required | RestartNeed::NotRequired | RestartNeed::Unknown => PriorAdrms::Auto,
    };
    if is_void(planned, original, written, run) {
        planned.mark_paid = true;
        let text = "run announced a restart here and wrote nothing that needs one; its mark goes";
        planned.notes.push(note("restart-void", format!("{}: the {text}", planned.name)));
        return;
    }
    let paid = debt::paid(seen).filter(|_| planned.changes.is_empty());
    planned.mark_paid = paid.is_some();
    let decided = verdict::decide(verdict::Case {
        role,
        changes: planned.changes.len(),
        evidence,
        prior,
        owed: planned.restart_owed.as_deref(),
        paid,
    });
    planned.verdict = decided.verdict;
    planned.blockers.extend(decided.blocker);
    let required = planned.verdict.need == RestartNeed::Required;
    let asked = original.verdict.need == RestartNeed::Required;
    // What the inventory said then about restarts, as far as the plan shows it.
    let (always, by_people) = (original.restart && !asked, asked && !original.restart);
    planned.restart = (required || (always && !planned.changes.is_empty())) && !by_people;
    if required && by_people {
        let text = format!("{} must restart, and the run's plan left that to people", planned.name);
        planned.notes.push(note("restart-left-owed", text));
    }
}

/// Whether the mark on the host is this run's own, and the run came to write nothing there.
fn is_void(
    planned: &PlannedHost,
    original: &PlannedHost,
    written: &WrittenHost,
    run: &str,
) -> bool {
    let is_own = |mark: &String| mark.split(' ').next() == Some(run);
    planned.restart_owed.as_ref().is_some_and(is_own)
        && original.restart_owed.is_none()
        && written.verified.is_empty()
        && planned.changes.is_empty()
        && planned.blockers.is_empty()
}

/// A run that died may have left its lease on a host, or our key with nothing in it: that is work
/// too. The lease is taken over and given back, and the key goes with it.
fn marks(planned: &mut PlannedHost, written: &WrittenHost, seen: &Observation, run: &str) {
    let key = lease::key();
    let own = Lease::path(run).name;
    if let Some(Listing::Known(values)) = seen.listings.get(&key)
        && (values.iter().any(|(name, _)| *name == own)
            || (values.is_empty() && written.keys.contains(&key)))
    {
        planned.empty_keys.push(key);
    }
}
