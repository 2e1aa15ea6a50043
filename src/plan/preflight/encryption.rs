//! Whether an Exchange server can read and write content of AES256-CBC (`connector.md` 3.2).

use crate::model::particulars::Asked;
use crate::model::preflight::Check;
use crate::model::preflight::version_parts;
use crate::model::probe::Probe;
use crate::model::product::Product;
use crate::model::product::Role;
use crate::model::registry::KeyPath;
use crate::model::registry::ValuePath;
use crate::plan::preflight::Case;
use crate::plan::preflight::Line;
use crate::plan::preflight::Outcome;
use crate::plan::preflight::clients::setup_file;
use crate::plan::product::EXCHANGE_SETUPS;

const MSIPC_SERVER: &str = r"SOFTWARE\Microsoft\MSIPC\Server";
/// `NETWORK SERVICE`.
const NETWORK_SERVICE: &str = "S-1-5-20";
/// `KEY_ALL_ACCESS`.
const FULL_CONTROL: u32 = 0x000F_003F;
const SETUP_FILE: &str = r"Bin\ExSetup.exe";
/// Of each Cumulative Update that has the fix: from which revision on it reads, and writes.
const UPDATES: [([u32; 3], u32, u32); 3] =
    [([15, 1, 2507], 31, 34), ([15, 2, 1118], 36, 39), ([15, 2, 1258], 23, 27)];

pub(super) fn ask(role: Role, probe: &mut Probe) {
    if role == Role::Exchange {
        for setup in EXCHANGE_SETUPS {
            let folder = ValuePath::new(setup, "MsiInstallPath");
            probe.values.insert(folder.clone());
            probe.files.insert((folder, SETUP_FILE.to_owned()));
        }
        probe.access_lists.insert(KeyPath::new(MSIPC_SERVER));
    }
}

pub(super) fn lines(case: Case<'_>) -> Vec<Line> {
    let is_modern = case
        .product
        .is_some_and(|product| !matches!(product, Product::Exchange2010 | Product::Exchange2013));
    if case.role == Role::Exchange && is_modern {
        vec![build(case), access(case), setting()]
    } else {
        Vec::new()
    }
}

fn line(outcome: Outcome, expected: &str, found: String, source: String) -> Line {
    Line::new(Check::Aes256CbcExchangeSetting, outcome, expected, found, source)
}

fn build(case: Case<'_>) -> Line {
    let file = setup_file(case.observation);
    let expected = "the update of August 2023 to read AES256-CBC, of October 2023 to write it";
    let Some((path, answer)) = file else {
        return line(
            Outcome::Unread,
            expected,
            "ExSetup.exe: never asked".to_owned(),
            "CIM_DataFile".to_owned(),
        );
    };
    let (outcome, found) = match answer.told() {
        Ok(Some(version)) => match version_parts(version).map(|parts| reads_and_writes(&parts)) {
            Some((true, true)) => (Outcome::Good, version.clone()),
            Some((true, false)) => {
                (Outcome::Bad, format!("{version}, which reads and cannot write"))
            }
            Some((false, _)) => (Outcome::Bad, version.clone()),
            None => (Outcome::Unread, format!("the version `{version}`")),
        },
        Ok(None) => (Outcome::Unread, "no such file".to_owned()),
        Err(reason) => (Outcome::Unread, reason.to_owned()),
    };
    line(outcome, expected, found, format!("CIM_DataFile {path}"))
}

/// By build: an update of its Cumulative Update, or a later Cumulative Update.
fn reads_and_writes(version: &[u32]) -> (bool, bool) {
    let &[major, minor, build, revision] = version else { return (false, false) };
    let own = UPDATES.iter().find(|(update, _, _)| *update == [major, minor, build]);
    if let Some((_, reads, writes)) = own {
        return (revision >= *reads, revision >= *writes);
    }
    let last = UPDATES.iter().rfind(|(update, _, _)| update.starts_with(&[major, minor]));
    let is_later = last.is_some_and(|([_, _, last], _, _)| build > *last);
    (is_later, is_later)
}

/// Nobody asks for the organisation's override, so that two good lines are not taken for "ready".
fn setting() -> Line {
    let expected = "the override EnableEncryptionAlgorithmCBC, once every server can read it";
    let found = "Get-SettingOverride is not asked".to_owned();
    line(Outcome::Unknowable, expected, found, "Get-SettingOverride".to_owned())
}

fn access(case: Case<'_>) -> Line {
    let key = KeyPath::new(MSIPC_SERVER);
    let lists = &case.observation.particulars.access_lists;
    let (outcome, found) = match lists.get(&key).unwrap_or(&Asked::Never).told() {
        Ok(entries) => {
            let own = entries.iter().find(|entry| {
                entry.sid == NETWORK_SERVICE
                    && entry.allows
                    && entry.mask & FULL_CONTROL == FULL_CONTROL
            });
            let denied = entries.iter().any(|entry| entry.sid == NETWORK_SERVICE && !entry.allows);
            match own {
                Some(_) if denied => (Outcome::Bad, "granted, and denied as well".to_owned()),
                Some(entry) if entry.inherited_below => {
                    (Outcome::Good, "granted, and inherited below".to_owned())
                }
                Some(_) => (Outcome::Bad, "granted, but not inherited below".to_owned()),
                None if entries.is_empty() => (Outcome::Bad, "no such key".to_owned()),
                None => (Outcome::Bad, "not granted".to_owned()),
            }
        }
        Err(reason) => (Outcome::Unread, reason.to_owned()),
    };
    let expected = "full control for NETWORK SERVICE";
    line(outcome, expected, found, format!("{key}, its access list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_old_reads_or_reads_and_writes() {
        let check = |version: &str, expected| {
            let parts = version_parts(version).unwrap();
            assert_eq!(reads_and_writes(&parts), expected, "{version}");
        };
        check("15.1.2507.6", (false, false));
        check("15.1.2507.31", (true, false));
        check("15.1.2507.34", (true, true));
        check("15.1.2375.37", (false, false));
        check("15.2.1118.38", (true, false));
        check("15.2.1258.27", (true, true));
        check("15.2.1544.4", (true, true));
        check("15.2.2562.17", (true, true));
        check("15.2.986.5", (false, false));
        check("15.2", (false, false));
    }
}
