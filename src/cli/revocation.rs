//! Where the connector's certificate says that its revocation list is: seen from here, so that each
//! host can be asked whether it gets at that list.

use std::collections::BTreeMap;

use crate::cli::tenant;
use crate::cli::wired::Wired;
use crate::host::doctor::Bedside as _;
use crate::lab::local;
use crate::model::host::Host;
use crate::model::origin::Origin;
use crate::model::preflight::Check;
use crate::model::preflight::Demand;
use crate::model::preflight::Preflight;

/// Lists by connector, or why they are not known.
pub type Lists = BTreeMap<Origin, Result<Vec<String>, String>>;

/// Shakes hands with each connector on https, unless the playbook skips the check. Nobody is named to
/// it, and nothing asked.
pub async fn lists(hosts: &[Host], preflight: &Preflight, wired: &Wired) -> Lists {
    let mut lists = Lists::new();
    if preflight.demand(Check::ConnectorTlsChainAndCrl) == Demand::Skipped {
        return lists;
    }
    for host in hosts.iter().filter(|host| host.in_scope()) {
        let Some(connector) = host.connector.as_ref().filter(|one| one.is_https()) else {
            continue;
        };
        if lists.contains_key(connector) {
            continue;
        }
        let found = if wired.is_lab() {
            // The simulated connector shows no certificate; its hosts get at this list.
            Ok(vec![local::REVOCATION_LIST.to_owned()])
        } else {
            let shown = wired.shake(&tenant::page_of(connector, host)).await;
            shown.map(|shown| shown.lists).map_err(|error| {
                format!("the connector's certificate is not seen: {}", error.failure().text())
            })
        };
        lists.insert(connector.clone(), found);
    }
    lists
}
