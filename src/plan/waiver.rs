//! Blockers that a person takes upon himself, by name: `--waive HOST:BLOCKER=REASON`.

use std::collections::BTreeMap;

use crate::model::host::HostName;
use crate::model::plan::Note;
use crate::model::plan::PlannedHost;
use crate::model::preflight::Check;
use crate::model::preflight::Waiver;

/// What may be waived beside the checks: findings about which a person can know more than the
/// survey. What could not be read, or would be denied, is no matter of opinion.
pub const WAIVABLE: [&str; 11] = [
    "product-version",
    "identity",
    "migration-leftover",
    "other-connector",
    "access-unknown",
    "window",
    "drifted",
    "undone-already",
    "step-stays",
    "leased",
    "single-copy",
];

fn is_waivable(id: &str) -> bool {
    WAIVABLE.contains(&id) || Check::parse(id).is_some()
}

/// Turns waived blockers into notes, with their reasons; says which waivers had no effect.
pub fn apply(hosts: &mut BTreeMap<HostName, PlannedHost>, waivers: &[Waiver]) -> Vec<Note> {
    let mut unused = Vec::new();
    for Waiver { host: name, id, reason } in waivers {
        let mut used = false;
        if let Some(host) = hosts.get_mut(name).filter(|_| is_waivable(id)) {
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
            let why = match reason {
                Some(reason) => format!("({reason})"),
                None => format!("without a reason (say it with --waive '{name}:{id}=why')"),
            };
            for blocker in waived {
                used = true;
                let text = format!("{id} was waived {why}: {}", blocker.text);
                host.notes.push(Note { id: "waived".to_owned(), text });
            }
            if used {
                for finding in host.findings.iter_mut().filter(|finding| finding.id == *id) {
                    finding.waived = Some(reason.clone().unwrap_or_default());
                }
            }
        }
        if !used {
            let why =
                if is_waivable(id) { "there is no such blocker" } else { "it cannot be waived" };
            let text = format!("the waiver {name}:{id} had no effect: {why}");
            unused.push(Note { id: "waiver-unused".to_owned(), text });
        }
    }
    unused
}
