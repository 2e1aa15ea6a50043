//! Component states now against those before.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::maintenance::ACTIVE;
use crate::model::maintenance::Component;
use crate::model::maintenance::REQUESTER;

/// In words, every component that is not as it was found. Where nothing was found, because the
/// server was not taken out of service, those that are held down in the name that such work is
/// done in: nobody has said that they should be.
pub fn unlike(
    found: Option<&BTreeMap<String, Component>>,
    now: &BTreeMap<String, Component>,
) -> Vec<String> {
    let Some(found) = found else {
        let held = now.iter().filter_map(|(name, component)| {
            let asked = component.asked.get(REQUESTER).filter(|state| *state != ACTIVE)?;
            Some(format!("{name} is {asked} by {REQUESTER}"))
        });
        return held.collect();
    };
    let mut odd = Vec::new();
    for name in found.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
        match (found.get(name), now.get(name)) {
            (Some(was), Some(is)) => differences(name, was, is, &mut odd),
            (Some(_), None) => odd.push(format!("{name} is not told any more")),
            (None, Some(_)) => odd.push(format!("{name} was not told before")),
            (None, None) => {}
        }
    }
    odd
}

/// An entry cannot be taken away, so that Active by somebody who had not asked is no difference.
fn differences(name: &str, was: &Component, is: &Component, odd: &mut Vec<String>) {
    let asked = |component: &Component, requester: &str| {
        component.asked.get(requester).cloned().unwrap_or_else(|| ACTIVE.to_owned())
    };
    let before = odd.len();
    for requester in was.asked.keys().chain(is.asked.keys()).collect::<BTreeSet<_>>() {
        let (then, now) = (asked(was, requester), asked(is, requester));
        if then != now {
            odd.push(format!("{name} is {now} by {requester}, it was {then}"));
        }
    }
    if odd.len() == before && was.state != is.state {
        odd.push(format!("{name} is {}, it was {}", is.state, was.state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(state: &str, asked: &[(&str, &str)]) -> BTreeMap<String, Component> {
        let asked = asked.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned()));
        let component = Component { state: state.to_owned(), asked: asked.collect() };
        [("HubTransport".to_owned(), component)].into()
    }

    #[track_caller]
    fn check(
        found: Option<&BTreeMap<String, Component>>,
        now: &BTreeMap<String, Component>,
        expected: &[&str],
    ) {
        assert_eq!(unlike(found, now), expected);
    }

    #[test]
    fn what_somebody_had_set_before_is_as_found_and_what_a_drain_left_is_not() {
        let plain = component("Active", &[]);
        let put_back = component("Active", &[("Maintenance", "Active")]);
        let left = component("Draining", &[("Maintenance", "Draining")]);
        let theirs = component("Inactive", &[("HealthApi", "Inactive")]);
        check(Some(&plain), &put_back, &[]);
        check(Some(&theirs), &theirs, &[]);
        check(Some(&plain), &left, &["HubTransport is Draining by Maintenance, it was Active"]);
        check(Some(&theirs), &plain, &["HubTransport is Active by HealthApi, it was Inactive"]);
        let unread = component("Inactive", &[]);
        check(Some(&plain), &unread, &["HubTransport is Inactive, it was Active"]);
        check(Some(&plain), &BTreeMap::new(), &["HubTransport is not told any more"]);
    }

    #[test]
    fn where_nothing_was_found_only_maintenance_counts() {
        check(None, &component("Inactive", &[("HealthApi", "Inactive")]), &[]);
        let left = component("Draining", &[("Maintenance", "Draining")]);
        check(None, &left, &["HubTransport is Draining by Maintenance"]);
    }
}
