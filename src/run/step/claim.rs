//! The lease on a server of the organisation while its step is done: two workstations may have no
//! other host in common that both of them write to.

use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::model::plan::Scope;
use crate::run::lease;
use crate::run::means::Means;
use crate::run::trouble::Trouble;

/// Keeps other runs away; whether there is a host for that.
pub(super) async fn take<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    step: &OrganisationStep,
) -> Result<bool, Trouble> {
    let Some(host) = keeper(means.plan, step) else { return Ok(false) };
    let mut link = means.connect(host).await?;
    lease::keep(means, host, &mut link).await?;
    Ok(true)
}

/// After a step that ended well. What is left over is given back at the end of the run.
pub(super) async fn give_back<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    step: &OrganisationStep,
) -> Result<(), SinkError> {
    let Some(host) = keeper(means.plan, step).filter(|host| means.is_leased(&host.name)) else {
        return Ok(());
    };
    match means.connect(host).await {
        Ok(mut link) => lease::let_go(means, host, &mut link).await,
        Err(Trouble::Sink(error)) => Err(error),
        Err(Trouble::Host(_) | Trouble::Failure(_)) => Ok(()),
    }
}

/// The first by name of those that the step needs. Plans with the same servers have the same; two
/// inventories of one organisation without a server in common have not, and are told apart by reading
/// alone.
fn keeper<'p>(plan: &'p Plan, step: &OrganisationStep) -> Option<&'p PlannedHost> {
    let name = step.needs.iter().min().unwrap_or(&step.via);
    let host = plan.hosts.get(name).filter(|_| plan.marks)?;
    (host.scope == Scope::InScope && !host.is_blocked()).then_some(host)
}
