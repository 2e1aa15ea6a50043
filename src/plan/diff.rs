//! Desired values against readings: what changes, what is as wanted, what cannot be told.

use std::collections::BTreeSet;

use crate::model::change::Change;
use crate::model::facts::Access;
use crate::model::facts::Observation;
use crate::model::plan::Blocker;
use crate::model::plan::Note;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::RAW_UNTOLD;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::TYPE_UNTOLD;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::model::rollout::Variants;
use crate::plan::desired::Desired;
use crate::plan::desired::ForeignForm;
use crate::plan::desired::same_value;
use crate::plan::url::has_form;

/// One host's differences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    pub changes: Vec<Change>,
    pub equal: Vec<(ValuePath, State)>,
    pub blockers: Vec<Blocker>,
    pub notes: Vec<Note>,
}

/// The form that a migration leaves behind on purpose, and takes away itself.
const MIGRATION: &str = "migration-phase-1";

/// Compares. A value nobody could read is blocked, not absent: silence is not evidence.
pub fn diff(desired: &[Desired], observation: &Observation, variants: Variants) -> Diff {
    let mut diff = Diff::default();
    for wanted in desired {
        match observation.value(&wanted.path) {
            Reading::Unreadable(reason) => diff.blockers.push(Blocker {
                id: "unreadable".to_owned(),
                text: format!("{}: {reason}", wanted.path),
                hint: Some(unreadable_hint(&reason).to_owned()),
            }),
            Reading::Known(before) if wanted.is_met_by(&before) => {
                diff.equal.push((wanted.path.clone(), before));
            }
            Reading::Known(before) => diff.changes.push(Change {
                path: wanted.path.clone(),
                before,
                after: State::Present(wanted.after.clone()),
                rule: wanted.rule.clone(),
            }),
        }
        for (form, found) in foreign_forms(wanted, observation) {
            let is_own = form.path == wanted.path;
            // It blocks until somebody who knows the migration has decided.
            let is_left = form.id == MIGRATION;
            let fate = match (is_own, variants) {
                (true, _) => "is replaced",
                (false, _) if is_left => "is left to whoever ends the migration",
                (false, Variants::Keep) => "is left as it is (`variants: converge` removes it)",
                (false, Variants::Converge) => "is removed",
            };
            diff.notes.push(Note {
                id: "foreign-variant".to_owned(),
                text: format!("{} = {found} ({}: {}) {fate}", form.path, form.id, form.note),
            });
            let is_ours = desired.iter().any(|other| other.path == form.path);
            let twice = diff.changes.iter().any(|other| other.path == form.path);
            let is_removed = !is_own && !is_ours && !twice && !is_left;
            if is_removed && variants == Variants::Converge {
                diff.changes.push(Change {
                    path: form.path.clone(),
                    before: State::Present(found),
                    after: State::Absent,
                    rule: wanted.rule.clone(),
                });
            }
        }
    }
    diff
}

/// Rights on the keys that `changes` would write, asked for without writing.
pub fn rights(keys: impl IntoIterator<Item = KeyPath>, observation: &Observation) -> Vec<Blocker> {
    let keys: BTreeSet<KeyPath> = keys.into_iter().collect();
    keys.iter().filter_map(|key| right(key, observation)).collect()
}

fn right(key: &KeyPath, observation: &Observation) -> Option<Blocker> {
    let mut asked = key.clone();
    loop {
        match observation.access.get(&asked) {
            Some(Access::Granted) => return None,
            Some(Access::Denied) => {
                return Some(Blocker {
                    id: "access-denied".to_owned(),
                    text: format!("a write below {asked} would be denied"),
                    hint: Some(
                        "give the account the rights to set values and create subkeys there"
                            .to_owned(),
                    ),
                });
            }
            Some(Access::Unreadable(reason)) => return Some(unknown_right(&asked, reason)),
            None if asked == *key => return Some(unknown_right(key, "never asked")),
            // The key is not there: the nearest ancestor that was asked decides.
            Some(Access::NoKey) | None => {}
        }
        // With no ancestor asked, the key's absence is all that is known: the write will tell.
        asked = asked.parent()?;
    }
}

fn unknown_right(key: &KeyPath, reason: &str) -> Blocker {
    Blocker {
        id: "access-unknown".to_owned(),
        text: format!("whether {key} may be written cannot be told: {reason}"),
        hint: Some("plan again, or let the write itself decide with --waive".to_owned()),
    }
}

/// At most one form is recognised in a value: the first that the rule pack names.
fn foreign_forms<'d>(
    wanted: &'d Desired,
    observation: &Observation,
) -> Vec<(&'d ForeignForm, Value)> {
    let mut forms: Vec<(&ForeignForm, Value)> = Vec::new();
    for form in &wanted.variants {
        if forms.iter().any(|(seen, _)| seen.path == form.path) {
            continue;
        }
        if let Some(found) = foreign(wanted, form, observation) {
            forms.push((form, found));
        }
    }
    forms
}

/// The value that stands there in this form.
fn foreign(wanted: &Desired, form: &ForeignForm, observation: &Observation) -> Option<Value> {
    let State::Present(found) = stands_at(observation, &form.path)? else { return None };
    let is_own = form.path == wanted.path;
    let recognised = match &form.data {
        Some(data) => found.as_sz().is_some_and(|found| has_form(found, data)),
        None => !is_own,
    };
    (recognised && !(is_own && same_value(&found, &wanted.after))).then_some(found)
}

/// What is known to stand at a path, by its own reading or by its key's listing.
pub fn stands_at(observation: &Observation, path: &ValuePath) -> Option<State> {
    match observation.values.get(path) {
        Some(Reading::Known(state)) => return Some(state.clone()),
        Some(Reading::Unreadable(_)) => return None,
        None => {}
    }
    match observation.listings.get(&path.key)? {
        Listing::NoKey => Some(State::Absent),
        Listing::Unreadable(_) => None,
        Listing::Known(values) => match values.iter().find(|(name, _)| *name == path.name) {
            Some((_, Reading::Known(state))) => Some(state.clone()),
            Some((_, Reading::Unreadable(_))) => None,
            None => Some(State::Absent),
        },
    }
}

/// What to do about a value that cannot be read.
fn unreadable_hint(reason: &str) -> &'static str {
    if [TYPE_UNTOLD, RAW_UNTOLD].contains(&reason) {
        "it is there and of another type than REG_SZ: look at it on the host, delete it if nobody \
         needs it, then plan again"
    } else {
        "give the account read access to the key, then plan again"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::product::Role;
    use crate::model::registry::Value;
    use crate::plan::sample;

    const KEY: &str = r"SOFTWARE\Microsoft\MSIPC\ServiceLocation\LicensingRedirection";
    const NAME: &str = "https://t/_wmcs/licensing";
    const DATA: &str = "https://c/_wmcs/licensing";

    fn wanted() -> Desired {
        Desired {
            path: ValuePath::new(KEY, NAME),
            after: Value::Sz(DATA.into()),
            rule: "r".into(),
            variants: vec![
                ForeignForm {
                    id: "bare-name".into(),
                    path: ValuePath::new(KEY, "/_wmcs/licensing"),
                    data: None,
                    note: "as misprinted".into(),
                },
                ForeignForm {
                    id: "bare-data".into(),
                    path: ValuePath::new(KEY, NAME),
                    data: Some("https://c".into()),
                    note: "without a path".into(),
                },
            ],
        }
    }

    #[track_caller]
    fn check(reading: Option<Reading>, expected: &str) {
        let mut observation = sample::observation("H1", Role::Sharepoint);
        let path = ValuePath::new(KEY, NAME);
        observation.values.remove(&path);
        if let Some(reading) = reading {
            observation.values.insert(path, reading);
        }
        let diff = diff(&[wanted()], &observation, Variants::Keep);
        let mut words = Vec::new();
        words.extend(diff.changes.iter().map(|one| format!("change from {}", one.before)));
        words.extend(diff.equal.iter().map(|_| "equal".to_owned()));
        words.extend(diff.blockers.iter().map(|one| format!("{}: {}", one.id, one.text)));
        words.extend(diff.notes.iter().map(|one| one.id.clone()));
        assert!(words.join(", ").starts_with(expected), "{words:?}");
    }

    fn known(text: &str) -> Reading {
        Reading::Known(State::Present(Value::Sz(text.into())))
    }

    #[test]
    fn a_value_is_changed_equal_or_blocked() {
        check(Some(Reading::Known(State::Absent)), "change from absent");
        check(
            Some(known("https://old/_wmcs/licensing")),
            "change from https://old/_wmcs/licensing",
        );
        check(Some(known(DATA)), "equal");
        check(Some(known("https://C/_wmcs/Licensing")), "equal");
        check(Some(Reading::Known(State::Present(Value::Dword(1)))), "change from 1 (0x00000001)");
        check(Some(Reading::Unreadable("return code 5".into())), "unreadable: HKLM");
    }

    #[test]
    fn a_value_nobody_read_is_blocked() {
        let path = ValuePath::new(KEY, NAME);
        check(None, &format!("unreadable: {path}: never read"));
    }

    #[test]
    fn foreign_forms_are_named_and_left_alone() {
        check(Some(known("https://c")), "change from https://c, foreign-variant");
        let mut observation = sample::observation("H1", Role::Sharepoint);
        sample::set(
            &mut observation,
            &ValuePath::new(KEY, "/_WMCS/licensing"),
            State::Present(Value::Sz(DATA.into())),
        );
        sample::set(
            &mut observation,
            &ValuePath::new(KEY, NAME),
            State::Present(Value::Sz(DATA.into())),
        );
        let diff = diff(&[wanted()], &observation, Variants::Keep);
        assert!(diff.changes.is_empty());
        assert!(diff.notes[0].text.contains("is left as it is"), "{:?}", diff.notes);
        let diff = super::diff(&[wanted()], &observation, Variants::Converge);
        let [change] = diff.changes.as_slice() else { panic!("{:?}", diff.changes) };
        assert_eq!(change.path, ValuePath::new(KEY, "/_wmcs/licensing"));
        assert_eq!(
            (&change.before, &change.after),
            (&State::Present(Value::Sz(DATA.into())), &State::Absent)
        );
        assert!(diff.notes[0].text.contains("is removed"), "{:?}", diff.notes);
    }

    #[test]
    fn a_write_that_would_be_denied_blocks() {
        let check = |access: &[(&str, Access)], expected: Option<&str>| {
            let mut observation = sample::observation("H1", Role::Sharepoint);
            observation.access =
                access.iter().map(|(key, access)| (KeyPath::new(key), access.clone())).collect();
            let got = rights([KeyPath::new(KEY)], &observation);
            assert_eq!(got.first().map(|one| one.id.as_str()), expected, "{access:?}");
        };
        check(&[(KEY, Access::Granted)], None);
        check(&[(KEY, Access::Denied)], Some("access-denied"));
        check(&[(KEY, Access::Unreadable("x".into()))], Some("access-unknown"));
        check(&[], Some("access-unknown"));
        check(&[(KEY, Access::NoKey)], None);
        check(
            &[(KEY, Access::NoKey), (r"SOFTWARE\Microsoft", Access::Denied)],
            Some("access-denied"),
        );
    }

    #[test]
    fn a_value_of_another_type_is_no_matter_of_rights() {
        assert!(unreadable_hint("access denied").contains("read access"));
        for reason in [TYPE_UNTOLD, RAW_UNTOLD] {
            let hint = unreadable_hint(reason);
            assert!(hint.contains("another type") && !hint.contains("access"), "{hint}");
        }
    }
}
