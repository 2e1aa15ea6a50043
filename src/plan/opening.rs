//! When each host of a plan may start, seen from one moment.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::host::HostName;
use crate::model::plan::Note;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::plan::window;
use crate::plan::window::Opening;
use crate::plan::worst;

/// Hosts with work that share a window and an opening, by the window's name; `None` for hosts that may
/// be touched at any time.
pub fn groups(plan: &Plan, now: Timestamp) -> Vec<(Option<&str>, Opening, Vec<HostName>)> {
    let mut groups: Vec<(Option<&str>, Opening, Vec<HostName>)> = Vec::new();
    for host in plan.hosts.values().filter(|host| host.has_work()) {
        let (window, opening) = (host.window.as_deref(), of_host(plan, host, now));
        match groups.iter_mut().find(|(name, own, _)| *name == window && *own == opening) {
            Some((_, _, hosts)) => hosts.push(host.name.clone()),
            None => groups.push((window, opening, vec![host.name.clone()])),
        }
    }
    groups.sort_by(|one, other| (one.0, &one.2).cmp(&(other.0, &other.2)));
    groups
}

fn of_host(plan: &Plan, host: &PlannedHost, now: Timestamp) -> Opening {
    let worst = worst::of_host(host, &plan.conditions, host.restart);
    window::opening(host.window.as_deref(), &plan.conditions, now, worst)
}

/// Says of which hosts the plan will have expired before they may be touched.
pub fn too_late(plan: &Plan) -> Option<Note> {
    let mut late: BTreeMap<String, Vec<HostName>> = BTreeMap::new();
    for (window, opening, hosts) in groups(plan, plan.created) {
        let Opening::Closed { opens: Some(opens), .. } = opening else { continue };
        if opens > plan.valid_until {
            let name = window.map_or_else(|| "a freeze".to_owned(), |name| format!("`{name}`"));
            let when = format!("{name} opens {}", opens.strftime("%Y-%m-%d %H:%MZ"));
            late.entry(when).or_default().extend(hosts);
        }
    }
    if late.is_empty() {
        return None;
    }
    let parts =
        late.iter().map(|(when, hosts)| format!("{} ({when})", crate::plan::fold::compress(hosts)));
    let until = plan.valid_until.strftime("%Y-%m-%d %H:%MZ");
    let parts: Vec<String> = parts.collect();
    let text = format!(
        "the plan expires at {until}, before these may be touched: {}; plan nearer to the window, or \
         set `change.plan_valid_for`",
        parts.join("; ")
    );
    Some(Note { id: "expires-first".to_owned(), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::window::Day;
    use crate::model::window::Window;
    use crate::plan::sample;

    /// A plan of Friday, valid for a day, whose host may be touched on one day of the week.
    fn plan(day: Day) -> Plan {
        let mut plan = sample::plan();
        plan.created = "2026-11-27T18:00:00Z".parse().unwrap();
        plan.valid_until = "2026-11-28T18:00:00Z".parse().unwrap();
        let window = Window {
            tz: "UTC".to_owned(),
            days: vec![day],
            start: 60,
            duration: 14_400,
            cutoff: 0,
        };
        plan.conditions.windows.insert("night".to_owned(), window);
        let host = plan.hosts.values_mut().find(|host| host.has_work()).expect("a host with work");
        host.window = Some("night".to_owned());
        plan
    }

    #[test]
    fn a_plan_that_expires_before_its_window_says_so() {
        let note = too_late(&plan(Day::Thu)).expect("a note");
        assert!(note.text.contains("`night` opens 2026-12-03 01:00Z"), "{}", note.text);
        assert_eq!(too_late(&plan(Day::Sat)), None);
    }

    #[test]
    fn hosts_stand_together_by_window_and_opening() {
        let plan = plan(Day::Sat);
        let groups = groups(&plan, plan.created);
        let closed = groups.iter().find(|(name, _, _)| *name == Some("night")).unwrap();
        let opens = "2026-11-28T01:00:00Z".parse().ok();
        assert!(matches!(&closed.1, Opening::Closed { opens: at, .. } if *at == opens));
        let hosts: usize = groups.iter().map(|(_, _, hosts)| hosts.len()).sum();
        assert_eq!(hosts, plan.hosts.values().filter(|host| host.has_work()).count());
    }
}
