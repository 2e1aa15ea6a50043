//! Which of the hosts that may restart goes first, by what they carry now.

use std::collections::BTreeMap;

use crate::model::care::RestartOrder;
use crate::model::host::HostName;
use crate::model::plan::PlannedHost;

/// What a host carries, read right before its stage's restarts. `None` where it was not read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rank {
    /// Databases that are active on it, or roles that it owns.
    pub load: Option<usize>,
    /// It is the Primary Active Manager.
    pub primary: bool,
}

/// Whether the host's order asks for something that only the host can tell.
pub fn is_live(host: &PlannedHost) -> bool {
    host.care.order.iter().any(|word| match word {
        RestartOrder::FewestActiveDatabases
        | RestartOrder::PamLast
        | RestartOrder::FewestOwnedRoles => true,
        RestartOrder::AlternateSites | RestartOrder::CentralAdminLast => false,
    })
}

/// The hosts in the order in which they go down, if nothing holds one of them up.
///
/// Hosts without a live order keep the plan's. Of the others the primary comes last, sites take
/// turns, and within a site the one that carries least leads; ties keep the plan's order.
pub fn arrange(hosts: &[&PlannedHost], ranks: &BTreeMap<HostName, Rank>) -> Vec<HostName> {
    let mut keyed: Vec<_> = hosts
        .iter()
        .enumerate()
        .map(|(place, host)| {
            let rank = ranks.get(&host.name).copied().unwrap_or_default();
            let asks = |word| host.care.order.contains(&word);
            let last = asks(RestartOrder::PamLast) && rank.primary;
            let by_load =
                asks(RestartOrder::FewestActiveDatabases) || asks(RestartOrder::FewestOwnedRoles);
            // One that did not tell what it carries comes behind those that did.
            let load = if by_load { rank.load.unwrap_or(usize::MAX) } else { 0 };
            (last, load, place, *host)
        })
        .collect();
    keyed.sort_by_key(|(last, load, place, _)| (*last, *load, *place));
    let mut turns: BTreeMap<(bool, Option<&str>), usize> = BTreeMap::new();
    let mut dealt: Vec<_> = keyed
        .iter()
        .map(|(last, load, place, host)| {
            let alternates =
                is_live(host) && host.care.order.contains(&RestartOrder::AlternateSites);
            let turn = if alternates {
                let turn = turns.entry((*last, host.site.as_deref())).or_default();
                *turn += 1;
                *turn
            } else {
                0
            };
            ((*last, turn, *load, *place), &host.name)
        })
        .collect();
    dealt.sort_by_key(|(key, _)| *key);
    dealt.into_iter().map(|(_, name)| name.clone()).collect()
}
