//! Reads the leases on a host, and sets or removes one.

use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::host::registry;
use crate::host::registry::WriteError;
use crate::model::change::Change;
use crate::model::lease;
use crate::model::lease::FoundLease;
use crate::model::lease::Lease;
use crate::model::registry::State;

/// All leases on the host, the asker's own included.
pub async fn read(link: &mut impl Reader) -> Result<Vec<FoundLease>, HostError> {
    let readings = registry::observe_prefixed(link, &lease::key(), lease::PREFIX).await?;
    Ok(readings.iter().filter_map(|(name, reading)| FoundLease::read(name, reading)).collect())
}

/// Writes the lease of its run, over an older one of the same run.
pub async fn set(link: &mut impl Writer, lease: &Lease) -> Result<(), WriteError> {
    write(link, &lease.run, State::Present(lease.value())).await
}

/// Removes the lease of a run; the key stays.
pub async fn remove(link: &mut impl Writer, run: &str) -> Result<(), WriteError> {
    write(link, run, State::Absent).await
}

async fn write(link: &mut impl Writer, run: &str, after: State) -> Result<(), WriteError> {
    let (path, rule) = (Lease::path(run), "lease".to_owned());
    registry::write(link, &Change { path, before: State::Absent, after, rule }).await
}
