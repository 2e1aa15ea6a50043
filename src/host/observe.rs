//! Everything that the survey asks of one host, over one connection, one question at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::host::identity;
use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::registry;
use crate::model::facts::Observation;
use crate::model::probe::Probe;

/// Answers a probe. What can be told stands in the observation, unreadable parts included; only a
/// call that fails altogether is an error.
pub async fn observe(
    link: &mut impl Reader,
    probe: &Probe,
    now: Timestamp,
) -> Result<Observation, HostError> {
    let (identity, os) = identity::read(link).await?;
    let mut values = BTreeMap::new();
    for path in &probe.values {
        values.insert(path.clone(), registry::observe(link, path).await?);
    }
    let mut listings = BTreeMap::new();
    for key in &probe.listings {
        listings.insert(key.clone(), registry::observe_listing(link, key).await?);
    }
    let mut access = BTreeMap::new();
    for key in &probe.access {
        access.insert(key.clone(), registry::observe_access(link, key).await?);
    }
    Ok(Observation { taken: now, identity, os, values, listings, access })
}
