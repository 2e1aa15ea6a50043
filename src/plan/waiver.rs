//! Blockers that a person takes upon himself, by name: `--waive HOST:BLOCKER`.

use std::collections::BTreeMap;

use crate::model::host::HostName;
use crate::model::plan::Note;
use crate::model::plan::PlannedHost;

/// What may be waived: findings about which a person can know more than the survey. What could
/// not be read, or would be denied, is no matter of opinion.
pub const WAIVABLE: [&str; 10] = [
    "product-version",
    "identity",
    "migration-leftover",
    "other-connector",
    "access-unknown",
    "window",
    "drifted",
    "step-stays",
    "leased",
    "single-copy",
];

/// Turns waived blockers into notes; says which waivers had no effect.
pub fn apply(
    hosts: &mut BTreeMap<HostName, PlannedHost>,
    waivers: &[(HostName, String)],
) -> Vec<Note> {
    let mut unused = Vec::new();
    for (name, id) in waivers {
        let mut used = false;
        if let Some(host) = hosts.get_mut(name).filter(|_| WAIVABLE.contains(&id.as_str())) {
            let (waived, kept) = std::mem::take(&mut host.blockers)
                .into_iter()
                .partition::<Vec<_>, _>(|blocker| blocker.id == *id);
            host.blockers = kept;
            if id == "window" && !waived.is_empty() {
                host.window = None;
            }
            if id == "single-copy" && !waived.is_empty() {
                host.care.outage = std::mem::take(&mut host.single_copies);
            }
            for blocker in waived {
                used = true;
                let text = format!("{id} was waived: {}", blocker.text);
                host.notes.push(Note { id: "waived".to_owned(), text });
            }
        }
        if !used {
            let why = if WAIVABLE.contains(&id.as_str()) {
                "there is no such blocker"
            } else {
                "it cannot be waived"
            };
            let text = format!("the waiver {name}:{id} had no effect: {why}");
            unused.push(Note { id: "waiver-unused".to_owned(), text });
        }
    }
    unused
}
