//! Checks a finished plan for what no plan may hold.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::host::HostName;
use crate::model::plan::Blocker;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::PlannedWork;
use crate::model::plan::Scope;
use crate::model::registry::ValuePath;
use crate::plan::programs;

/// Finds impossible plans: two rules that fight over one value, a batch with a host that has no
/// work or comes twice, a restart nobody decided, a program on a host that nobody knows. A sound plan gives an empty list.
pub fn lint(plan: &Plan) -> Vec<Blocker> {
    let mut faults = Vec::new();
    for host in plan.hosts.values() {
        values(host, &mut faults);
        if host.scope != Scope::InScope && host.has_work() {
            faults.push(fault(format!("{} is out of scope and has work", host.name)));
        }
    }
    order(plan, &mut faults);
    faults.extend(programs::stranded(plan));
    faults
}

fn values(host: &PlannedHost, faults: &mut Vec<Blocker>) {
    let mut rules: BTreeMap<&ValuePath, &str> = BTreeMap::new();
    for change in &host.changes {
        if let Some(other) = rules.insert(&change.path, &change.rule) {
            faults.push(fault(format!(
                "{}: rules `{other}` and `{}` both want {}",
                host.name, change.rule, change.path
            )));
        }
        if change.before == change.after {
            faults.push(fault(format!("{}: {} would change to itself", host.name, change.path)));
        }
    }
    for (path, _) in &host.equal {
        if let Some(rule) = rules.get(path) {
            faults.push(fault(format!(
                "{}: rule `{rule}` wants {} changed, and another wants it as it is",
                host.name, path
            )));
        }
    }
}

fn order(plan: &Plan, faults: &mut Vec<Blocker>) {
    let mut placed: BTreeSet<&HostName> = BTreeSet::new();
    for stage in &plan.stages {
        let (batches, restarts) = match &stage.work {
            PlannedWork::Hosts { batches, restarts, .. } => (batches, restarts),
            PlannedWork::Step(_) => continue,
        };
        let mut here: BTreeSet<&HostName> = BTreeSet::new();
        for batch in batches {
            if batch.is_empty() {
                faults.push(fault(format!("stage `{}` has an empty batch", stage.name)));
            }
            for name in batch {
                here.insert(name);
                if !placed.insert(name) {
                    faults.push(fault(format!("{name} stands in two batches")));
                }
                if !plan.hosts.get(name).is_some_and(PlannedHost::has_work) {
                    faults.push(fault(format!("{name} stands in a batch and has no work")));
                }
            }
        }
        for name in restarts {
            let wanted = plan.hosts.get(name).is_some_and(|host| host.restart);
            if !wanted || !here.contains(name) {
                faults.push(fault(format!("{name} restarts and nothing asks for it")));
            }
        }
    }
    for host in plan.hosts.values().filter(|host| host.has_work()) {
        if !placed.contains(&host.name) {
            faults.push(fault(format!("{} has work and stands in no batch", host.name)));
        }
    }
}

fn fault(text: String) -> Blocker {
    Blocker { id: "lint".to_owned(), text, hint: None }
}
