//! Folding: hosts with identical changes are shown once, and their names in short.

use std::collections::BTreeMap;

use sha2::Digest;
use sha2::Sha256;

use crate::model::change::Change;
use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::product::Role;

/// A set is apart from the rest if another set of its role has this many times its hosts.
const APART: usize = 3;

/// Hosts of one role that get exactly the same changes from exactly the same state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// `A`, `B` … `Z`, `AA`.
    pub id: String,
    pub role: Option<Role>,
    /// Eight digits of the digest over the changes: the same set has the same ones in any plan.
    pub digest: String,
    pub hosts: Vec<HostName>,
    pub changes: Vec<Change>,
    /// The much larger set of the same role that these few hosts are not part of.
    pub outlier_of: Option<String>,
}

/// Folds the hosts that have changes: the largest set first, outliers last. Blocked hosts are not
/// among them.
pub fn fold(plan: &Plan) -> Vec<ChangeSet> {
    let mut sets: BTreeMap<(Option<Role>, String), ChangeSet> = BTreeMap::new();
    for host in plan.hosts.values() {
        if host.changes.is_empty() || host.is_blocked() {
            continue;
        }
        let digest: String = digest(&host.changes).chars().take(8).collect();
        sets.entry((host.role, digest.clone()))
            .or_insert_with(|| ChangeSet {
                id: String::new(),
                role: host.role,
                digest,
                hosts: Vec::new(),
                changes: host.changes.clone(),
                outlier_of: None,
            })
            .hosts
            .push(host.name.clone());
    }
    let mut largest: BTreeMap<Option<Role>, usize> = BTreeMap::new();
    for set in sets.values() {
        let most = largest.entry(set.role).or_default();
        *most = set.hosts.len().max(*most);
    }
    let is_apart = |set: &ChangeSet| {
        largest.get(&set.role).is_some_and(|most| *most >= APART.saturating_mul(set.hosts.len()))
    };
    let mut folded: Vec<ChangeSet> = sets.into_values().collect();
    folded.sort_by(|a, b| {
        (is_apart(a).cmp(&is_apart(b)))
            .then_with(|| b.hosts.len().cmp(&a.hosts.len()))
            .then_with(|| a.hosts.cmp(&b.hosts))
    });
    let mut first: BTreeMap<Option<Role>, String> = BTreeMap::new();
    for (place, set) in folded.iter_mut().enumerate() {
        set.id = letters(place);
        let main = first.entry(set.role).or_insert_with(|| set.id.clone());
        set.outlier_of = is_apart(set).then(|| main.clone());
    }
    folded
}

fn digest(changes: &[Change]) -> String {
    let mut hasher = Sha256::new();
    for change in changes {
        // Debug text is unambiguous, because it quotes strings.
        hasher.update(format!("{change:?}\n").as_bytes());
    }
    crate::plan::seal::hex(&hasher.finalize())
}

fn letters(place: usize) -> String {
    let mut place = place;
    let mut reversed = Vec::new();
    loop {
        let offset = u8::try_from(place % 26).unwrap_or(0);
        reversed.push(char::from(b'A' + offset));
        if place < 26 {
            break;
        }
        place = place / 26 - 1;
    }
    reversed.into_iter().rev().collect()
}

/// Host names in short: `FS[01-06,08-12] FSCL01N[1-2]`.
pub fn compress(names: &[HostName]) -> String {
    type Numbers<'a> = Vec<(u64, &'a str)>;
    let mut groups: BTreeMap<(&str, &str, usize), Numbers<'_>> = BTreeMap::new();
    let mut plain: Vec<&str> = Vec::new();
    for name in names {
        match split(name.as_str()) {
            Some((prefix, digits, suffix)) => match digits.parse() {
                Ok(number) => groups
                    .entry((prefix, suffix, digits.len()))
                    .or_default()
                    .push((number, name.as_str())),
                Err(_) => plain.push(name.as_str()),
            },
            None => plain.push(name.as_str()),
        }
    }
    let mut words: Vec<String> = plain.into_iter().map(ToOwned::to_owned).collect();
    for ((prefix, suffix, width), mut numbers) in groups {
        numbers.sort_unstable();
        numbers.dedup();
        if let [(_, only)] = numbers.as_slice() {
            words.push((*only).to_owned());
            continue;
        }
        let ranges = ranges(numbers.iter().map(|(number, _)| *number));
        let ranges: Vec<String> = ranges
            .into_iter()
            .map(|(from, to)| match to - from {
                0 => format!("{from:0width$}"),
                _ => format!("{from:0width$}-{to:0width$}"),
            })
            .collect();
        words.push(format!("{prefix}[{}]{suffix}", ranges.join(",")));
    }
    words.sort_unstable();
    words.join(" ")
}

/// Cuts a name around the last number of its first label.
fn split(name: &str) -> Option<(&str, &str, &str)> {
    let label = name.find('.').unwrap_or(name.len());
    let (label, domain) = name.split_at_checked(label)?;
    let end = label.rfind(|c: char| c.is_ascii_digit())? + 1;
    let (head, tail) = label.split_at_checked(end)?;
    let start = head.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| {
        at + head.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
    });
    let (prefix, digits) = head.split_at_checked(start)?;
    let suffix = name.get(name.len() - tail.len() - domain.len()..)?;
    Some((prefix, digits, suffix))
}

fn ranges(numbers: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(number) => *to = number,
            Some(_) | None => ranges.push((number, number)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::Fleet;

    #[track_caller]
    fn check(names: &str, expected: &str) {
        let names: Vec<HostName> = names.split(' ').map(HostName::new).collect();
        assert_eq!(compress(&names), expected);
    }

    #[test]
    fn names_are_shown_in_short() {
        check("FS01 FS02 FS03 FS05", "FS[01-03,05]");
        check("FSCL01N1 FSCL01N2 FS12", "FS12 FSCL01N[1-2]");
        check("EX-AMS01 EX-FRA01", "EX-AMS01 EX-FRA01");
        check("FS9 FS10 FS11", "FS9 FS[10-11]");
        check("a1.corp.com a2.corp.com a3.dev.com", "a3.dev.com a[1-2].corp.com");
        check("MAIL", "MAIL");
        check("1 2 3", "[1-3]");
        check("sü1x sü2x", "sü[1-2]x");
        check("A99999999999999999999999 A1", "A1 A99999999999999999999999");
    }

    #[test]
    fn identical_changes_are_folded_and_the_odd_one_stands_apart() {
        let mut fleet = Fleet::new(&["EX1", "FS1", "FS2", "FS3", "FS4"]);
        let key = r"SOFTWARE\Microsoft\MSDRM\ServiceLocation\Activation";
        fleet.set("FS1", key, "", "https://adrms.contoso.com/_wmcs/certification");
        let sets = fold(&fleet.plan());
        let got: Vec<String> = sets
            .iter()
            .map(|set| format!("{} {} {:?}", set.id, compress(&set.hosts), set.outlier_of))
            .collect();
        assert_eq!(got, ["A FS[2-4] None", "B EX1 None", "C FS1 Some(\"A\")"]);
        assert_eq!(sets[0].changes.len(), 2);
    }

    #[test]
    fn sets_are_lettered_beyond_z() {
        let got: Vec<String> = [0, 25, 26, 51, 52, 701, 702].into_iter().map(letters).collect();
        assert_eq!(got, ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }
}
