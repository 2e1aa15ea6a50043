//! Restarts that are pending already, each cause for itself (`connector.md` 3.1).

use crate::model::facts::Observation;
use crate::model::preflight::Check;
use crate::model::probe::Probe;
use crate::model::registry::KeyPath;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;

const SESSION_MANAGER: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager";
const UPDATE_EXE: &str = r"SOFTWARE\Microsoft\Updates\UpdateExeVolatile";
/// Keys that are there while a restart is pending.
const KEYS: [(&str, &str); 2] = [
    (
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
        "component servicing",
    ),
    (
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
        "Windows Update",
    ),
];
/// The service of Configuration Manager's client, in lower case.
const CLIENT: &str = "ccmexec";

pub(super) fn ask(probe: &mut Probe) {
    probe.values.insert(renames());
    probe.values.insert(flags());
    probe.listings.extend(KEYS.map(|(key, _)| KeyPath::new(key)));
    probe.services.insert("CcmExec".to_owned());
    probe.client_restart = true;
}

fn renames() -> ValuePath {
    ValuePath::new(SESSION_MANAGER, "PendingFileRenameOperations")
}

fn flags() -> ValuePath {
    ValuePath::new(UPDATE_EXE, "Flags")
}

pub(super) fn lines(case: Case<'_>) -> Vec<Line> {
    let seen = case.observation;
    let line = |expected: &str, (outcome, found): (Outcome, String), source: String| {
        let expected = format!("no restart pending by {expected}");
        Line::new(Check::NoPendingReboot, outcome, expected, found, source)
    };
    let mut lines = vec![
        line("files to rename", renaming(seen), renames().to_string()),
        line("an update's own setup", updating(seen), flags().to_string()),
    ];
    for (key, what) in KEYS {
        lines.push(line(what, key_stands(seen, key), format!("HKLM\\{key}")));
    }
    let source = "CCM_ClientUtilities.DetermineIfRebootPending".to_owned();
    lines.push(line("Configuration Manager", client(seen), source));
    lines
}

fn renaming(seen: &Observation) -> (Outcome, String) {
    match seen.value(&renames()) {
        Reading::Known(State::Absent) => (Outcome::Good, "absent".to_owned()),
        Reading::Known(State::Present(Value::MultiSz(texts))) => {
            // Pairs of an old and a new name; a file to delete has an empty new name.
            let files: Vec<&str> = texts
                .iter()
                .filter(|text| !text.is_empty())
                .map(|text| text.trim_start_matches(['!', '*']).trim_start_matches(r"\??\"))
                .collect();
            match files.as_slice() {
                [] => (Outcome::Good, "an empty list".to_owned()),
                [first] => (Outcome::Bad, first.to_string()),
                [first, rest @ ..] => (Outcome::Bad, format!("{first} and {} more", rest.len())),
            }
        }
        Reading::Known(State::Present(other)) => {
            (Outcome::Bad, format!("a {} `{other}`", other.kind()))
        }
        Reading::Unreadable(reason) => (Outcome::Unread, reason),
    }
}

fn updating(seen: &Observation) -> (Outcome, String) {
    match seen.value(&flags()) {
        Reading::Known(State::Absent) => (Outcome::Good, "absent".to_owned()),
        Reading::Known(State::Present(Value::Dword(0))) => (Outcome::Good, "0".to_owned()),
        Reading::Known(State::Present(other)) => (Outcome::Bad, other.to_string()),
        Reading::Unreadable(reason) => (Outcome::Unread, reason),
    }
}

fn key_stands(seen: &Observation, key: &str) -> (Outcome, String) {
    match seen.listings.get(&KeyPath::new(key)) {
        Some(Listing::NoKey) => (Outcome::Good, "no such key".to_owned()),
        Some(Listing::Known(_)) => (Outcome::Bad, "the key is there".to_owned()),
        Some(Listing::Unreadable(reason)) => (Outcome::Unread, reason.clone()),
        None => (Outcome::Unread, "never asked".to_owned()),
    }
}

fn client(seen: &Observation) -> (Outcome, String) {
    let found = &seen.particulars;
    match (found.client_restart.told(), found.services.told()) {
        (Ok(true), _) => (Outcome::Bad, "a restart is pending".to_owned()),
        (Ok(false), _) => (Outcome::Good, "none pending".to_owned()),
        (Err(_), Ok(services)) if !services.contains_key(CLIENT) => {
            (Outcome::Good, "no client of it is installed".to_owned())
        }
        (Err(reason), _) => (Outcome::Unread, reason.to_owned()),
    }
}
