//! Whom the connector's administrator must authorise before the changed hosts can use it.

use crate::model::host::HostName;
use crate::model::plan::Plan;
use crate::model::product::Role;
use crate::plan::authorise::LIST_MINUTES;
use crate::plan::fold::compress;
use crate::report::plan::RenderOptions;
use crate::report::plan::in_scope;
use crate::report::plan::wrap::wrap;
use crate::report::style::Tint;

/// Without `full`: accounts shown.
const ACCOUNTS: usize = 4;

pub(super) fn lines(plan: &Plan, options: &RenderOptions) -> Vec<String> {
    let changed = || in_scope(plan).filter(|host| host.has_work() && !host.changes.is_empty());
    let computers: Vec<HostName> = changed()
        .filter(|host| host.role == Some(Role::Fci) && host.authorise.is_some())
        .filter_map(|host| Some(HostName::new(host.identity.as_ref()?.computer.as_str())))
        .collect();
    let mut accounts: Vec<String> = Vec::new();
    for host in changed().filter(|host| host.role != Some(Role::Fci)) {
        let Some(account) = &host.authorise else { continue };
        if !accounts.contains(account) {
            accounts.push(account.clone());
        }
    }
    if !computers.is_empty() {
        let names =
            compress(&computers).split(' ').map(|name| format!("{name}$")).collect::<Vec<_>>();
        let text = format!(
            "the computer accounts {}, or a group that they are in, as file servers (FCI)",
            names.join(" ")
        );
        accounts.push(text);
    }
    if accounts.is_empty() {
        return Vec::new();
    }
    let title = format!(
        "AUTHORISE  in the connector's administration tool; every node loads the list every \
         {LIST_MINUTES} minutes"
    );
    let mut lines: Vec<String> = wrap("", &title, 0, options.width)
        .iter()
        .map(|line| options.style.paint(Tint::Strong, line))
        .collect();
    let shown = if options.full { usize::MAX } else { ACCOUNTS };
    lines.extend(accounts.iter().take(shown).flat_map(|one| wrap("", one, 4, options.width)));
    if accounts.len() > shown {
        lines.push(format!("      and {} more accounts (--full)", accounts.len() - shown));
    }
    lines
}
