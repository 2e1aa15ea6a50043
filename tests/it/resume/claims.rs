//! No prefix of a journal may claim what the hosts do not bear out.

use rmsfleet::journal::reader;
use rmsfleet::model::plan::Plan;
use rmsfleet::run::history::History;
use rmsfleet::run::history::RestartHistory;
use rmsfleet::run::history::StepHistory;

use crate::imagined::fleet::Fleet;

/// Holds what is certain by the journal against the machines, and what they hold against what the
/// journal leaves open.
#[track_caller]
pub(super) fn check(fleet: &Fleet, plan: &Plan, bytes: &[u8], what: &str) {
    let Ok(journal) = reader::parse(bytes) else { return };
    let history = History::of(&journal.records);
    for (name, host) in &plan.hosts {
        let past = history.host(name);
        for (index, change) in host.changes.iter().enumerate() {
            let held = fleet.value(name.as_str(), &change.path);
            let wanted = change.after.to_string();
            let holds = held.as_deref() == Some(wanted.as_str());
            if past.all_verified || past.verified.contains(&index) {
                assert!(holds, "{what}: {name} is told to hold change {index}, it has {held:?}");
            }
            // Only the record that announces it may be lost.
            if holds {
                let told = past.intended.contains(&index) || past.intended.len() == index;
                assert!(told && past.begun, "{what}: nobody told of change {index} of {name}");
            }
        }
        let (reboots, fresh) = fleet.with(|world| {
            let machine = &world.machines[name.as_str()];
            (machine.reboots, machine.fresh)
        });
        match past.restart {
            // It may have started by itself before the order's time had come.
            RestartHistory::Proved => assert!(fresh, "{what}: {name} is told as proved"),
            RestartHistory::None => assert_eq!(reboots, 0, "{what}: {name} is told as not begun"),
            RestartHistory::MayBeOrdered(_) => {}
        }
    }
    let set = fleet.with(|world| world.enabled);
    match history.steps.get(&("Contoso".to_owned(), "organisation".to_owned())) {
        Some(StepHistory::Verified(_) | StepHistory::Unchanged) => assert!(set, "{what}"),
        Some(StepHistory::InDoubt | StepHistory::Open) | None => {}
    }
}
