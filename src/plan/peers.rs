//! Hosts that differ from their peers before the change: "13 alike, 1 odd".

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::facts::HostSurvey;
use crate::model::facts::Observation;
use crate::model::facts::Survey;
use crate::model::host::Host;
use crate::model::host::HostName;
use crate::model::plan::Note;
use crate::model::product::Role;
use crate::model::registry::Listing;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::ValuePath;
use crate::model::rules::RulePack;
use crate::plan::desired::render_rule;

/// Compares the hosts of each DAG and each farm by what they held before the change. Servers of
/// one kind must hold the same values, so one that differs is worth a look.
pub fn odd_peers(hosts: &[Host], survey: &Survey, pack: &RulePack) -> BTreeMap<HostName, Note> {
    let mut groups: BTreeMap<String, Vec<(&HostName, Held)>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.in_scope()) {
        let group = match (host.role, &host.dag, &host.farm) {
            (Some(Role::Exchange), Some(dag), _) => format!("DAG {dag}"),
            (Some(Role::Sharepoint), _, Some(farm)) => format!("farm {farm}"),
            (
                Some(Role::Exchange | Role::Sharepoint | Role::Fci | Role::Connector) | None,
                _,
                _,
            ) => {
                continue;
            }
        };
        if let Some(HostSurvey::Read(observation)) = survey.hosts.get(&host.name) {
            groups.entry(group).or_default().push((&host.name, held(host, observation, pack)));
        }
    }
    let mut notes = BTreeMap::new();
    for (group, members) in groups {
        let mut counts: BTreeMap<&Held, usize> = BTreeMap::new();
        for (_, held) in &members {
            *counts.entry(held).or_default() += 1;
        }
        if counts.len() < 2 {
            continue;
        }
        let usual = counts.iter().find(|(_, count)| **count * 2 > members.len()).map(|(it, _)| *it);
        for (name, held) in &members {
            if usual == Some(held) {
                continue;
            }
            let text = match usual {
                Some(usual) => format!(
                    "held other values than its peers of {group}: {}",
                    differing(&[usual, held])
                ),
                // Of two that differ, neither is the odd one.
                None => format!(
                    "the members of {group} did not hold the same values: {}",
                    differing(&members.iter().map(|(_, held)| held).collect::<Vec<_>>())
                ),
            };
            notes.insert((*name).clone(), Note { id: "odd-peer".to_owned(), text });
        }
    }
    notes
}

/// What stands at each path, both in lower case; nothing where nothing stands.
type Held = BTreeMap<String, String>;

/// The paths at which not all hold the same, by key and name.
fn differing(all: &[&Held]) -> String {
    let paths: BTreeSet<&String> = all.iter().flat_map(|held| held.keys()).collect();
    let differs = |path: &&String| {
        let mut held = all.iter().map(|held| held.get(*path));
        let first = held.next().flatten();
        held.any(|other| other != first)
    };
    let paths: Vec<&str> = paths.into_iter().filter(differs).map(String::as_str).collect();
    match paths.as_slice() {
        [] => "at no path that is known".to_owned(),
        [only] => (*only).to_owned(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// Everything the host holds at the places of its role's rules.
fn held(host: &Host, observation: &Observation, pack: &RulePack) -> Held {
    let mut held: BTreeMap<ValuePath, String> = BTreeMap::new();
    let rules = pack
        .rules
        .iter()
        .filter(|rule| rule.products.iter().any(|product| Some(product.role()) == host.role));
    for rule in rules {
        let Ok(wanted) = render_rule(host, rule) else { continue };
        held.insert(wanted.path.clone(), describe(&observation.value(&wanted.path)));
        if let Some(Listing::Known(values)) = observation.listings.get(&wanted.path.key) {
            for (name, reading) in values {
                let path = ValuePath { key: wanted.path.key.clone(), name: name.clone() };
                held.insert(path, describe(reading));
            }
        }
    }
    let lines = held.into_iter().filter(|(_, text)| !text.is_empty());
    lines.map(|(path, text)| (path.to_string().to_lowercase(), text.to_lowercase())).collect()
}

fn describe(reading: &Reading) -> String {
    match reading {
        Reading::Known(State::Absent) => String::new(),
        Reading::Known(State::Present(value)) => format!("{} {value}", value.kind()),
        Reading::Unreadable(_) => "unreadable".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::registry::Value;
    use crate::plan::sample;

    /// One entry per host of a DAG: the data of its redirection, or nothing.
    #[track_caller]
    fn check(data: &[Option<&str>], expected: &[&str]) {
        let mut hosts = Vec::new();
        let mut survey = Survey::default();
        for (place, data) in data.iter().enumerate() {
            let name = format!("EX{}", place + 1);
            let mut host = sample::host(&name, Role::Exchange);
            host.dag = Some("DAG1".into());
            let mut observation = sample::observation(&name, Role::Exchange);
            if let Some(data) = data {
                let key = r"SOFTWARE\Microsoft\ExchangeServer\v15\IRM\LicenseServerRedirection";
                let state = State::Present(Value::Sz((*data).to_owned()));
                sample::set(&mut observation, &ValuePath::new(key, "https://old"), state);
            }
            survey.hosts.insert(host.name.clone(), HostSurvey::Read(Box::new(observation)));
            hosts.push(host);
        }
        let notes = odd_peers(&hosts, &survey, &sample::pack());
        let odd: Vec<&str> = notes.keys().map(HostName::as_str).collect();
        assert_eq!(odd, expected);
        let blamed = notes.values().any(|note| note.text.contains("its peers"));
        assert_eq!(blamed, expected.len() == 1, "{notes:?}");
    }

    #[test]
    fn the_odd_one_is_named_and_the_alike_are_not() {
        check(&[None, None, None], &[]);
        check(&[None, Some("https://x"), None], &["EX2"]);
        check(&[Some("https://x"), Some("HTTPS://X"), Some("https://y")], &["EX3"]);
        check(&[None, Some("https://x")], &["EX1", "EX2"]);
    }
}
