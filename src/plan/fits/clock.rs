//! Windows that nobody fits in, and freezes that leave nothing open.

use std::collections::BTreeMap;

use crate::model::host::Host;
use crate::model::host::RestartPolicy;
use crate::model::product::Role;
use crate::plan::domain;
use crate::plan::fits::Case;
use crate::plan::fits::Finding;
use crate::plan::fits::Place;
use crate::plan::fits::error;
use crate::plan::fits::some;
use crate::plan::fits::warning;
use crate::plan::window;
use crate::plan::window::Opening;
use crate::plan::worst;

pub(super) fn check(case: &Case<'_>, found: &mut Vec<Finding>) {
    let mut by_window: BTreeMap<Option<&str>, Vec<&Host>> = BTreeMap::new();
    for host in case.hosts.iter().filter(|host| host.in_scope()) {
        by_window.entry(host.window.as_deref()).or_default().push(host);
    }
    for (name, hosts) in &by_window {
        match name {
            None => frozen(case, None, hosts, found),
            Some(name) if !case.playbook.conditions.windows.contains_key(*name) => {
                unknown(case, name, hosts, found);
            }
            Some(name) => {
                let before = found.len();
                too_long(case, name, hosts, found);
                if found.len() == before {
                    frozen(case, Some(name), hosts, found);
                }
            }
        }
    }
}

fn unknown(case: &Case<'_>, name: &str, hosts: &[&Host], found: &mut Vec<Finding>) {
    let Some(first) = hosts.first() else { return };
    let known: Vec<&str> = case.playbook.conditions.windows.keys().map(String::as_str).collect();
    let hint = if known.is_empty() {
        "define it below `windows` in the playbook, which you name with -p".to_owned()
    } else {
        format!("the playbook has {}", known.join(", "))
    };
    found.push(error(
        Place::Host(first.name.clone(), "rms_window"),
        format!(
            "{} {} window `{name}`, which the playbook does not define",
            some(hosts),
            has(hosts)
        ),
        hint,
    ));
}

fn has(hosts: &[&Host]) -> &'static str {
    if hosts.len() == 1 { "has" } else { "have" }
}

/// The most that a host may take, as the plan will count it; the second number is without restart.
fn worst(case: &Case<'_>, host: &Host) -> (u32, u32) {
    let writes = worst::of_writes(host.operation_timeout);
    let conditions = &case.playbook.conditions;
    let restarted = domain::restart_settings(host, case.playbook)
        .map(|settings| worst::before_plan(&settings.care, settings.timeout, conditions, writes));
    (restarted.unwrap_or(writes), writes)
}

/// File servers restart always, the others if they used Rights Management before.
fn restarts_surely(host: &Host) -> bool {
    match host.restart {
        RestartPolicy::Always => true,
        RestartPolicy::Auto => host.role == Some(Role::Fci),
        RestartPolicy::Never | RestartPolicy::Manual => false,
    }
}

fn too_long(case: &Case<'_>, name: &str, hosts: &[&Host], found: &mut Vec<Finding>) {
    let Some(open) = case.playbook.conditions.windows.get(name) else { return };
    let place = || Place::Playbook(vec!["windows".to_owned(), name.to_owned()]);
    let minutes = open.duration.saturating_sub(open.cutoff) / 60;
    let misfit = |host: &&&Host| {
        let (with, without) = worst(case, host);
        let restarts = !matches!(host.restart, RestartPolicy::Never | RestartPolicy::Manual);
        !window::can_fit(open, if restarts { with } else { without })
    };
    let misfits: Vec<&Host> = hosts.iter().filter(misfit).copied().collect();
    let Some(longest) = misfits.iter().map(|host| worst(case, host).0.div_ceil(60)).max() else {
        return;
    };
    let text = format!(
        "{} may take {longest} min, and window `{name}` has {minutes} min before its cutoff",
        some(&misfits)
    );
    let hint = "make the window longer, its cutoff shorter, or the restart's `timeout` smaller";
    if misfits.iter().any(|host| restarts_surely(host)) {
        found.push(error(place(), text, hint));
    } else {
        let text = format!("if they must restart, {text}");
        found.push(warning(place(), text, hint));
    }
}

fn frozen(case: &Case<'_>, name: Option<&str>, hosts: &[&Host], found: &mut Vec<Finding>) {
    let longest = hosts.iter().map(|host| worst(case, host).0).max().unwrap_or(0);
    let conditions = &case.playbook.conditions;
    let Opening::Closed { opens, why } = window::opening(name, conditions, case.now, longest)
    else {
        return;
    };
    let freeze = Place::Playbook(vec!["change".to_owned(), "freeze".to_owned()]);
    let which = name.map_or_else(String::new, |name| format!(" in window `{name}`"));
    if opens.is_none() {
        found.push(error(
            freeze,
            format!("{} can never be touched{which}: {why}", some(hosts)),
            "shorten the freeze, or open the window on other days",
        ));
    }
}
