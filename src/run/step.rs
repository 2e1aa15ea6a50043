//! The organisation step: read again, set once, read back.

use crate::event::Event;
use crate::event::SinkError;
use crate::host::exchange;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Shell;
use crate::host::link::Target;
use crate::model::irm::IrmConfiguration;
use crate::model::irm::Organisation;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::OrganisationStep;
use crate::model::plan::Plan;
use crate::model::plan::PlannedHost;
use crate::run::action::StepDone;
use crate::run::action::Stop;
use crate::run::history::StepHistory;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::means::target;
use crate::run::trouble::Trouble;

/// Carries out a step whose gate is open.
pub async fn step<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    step: &OrganisationStep,
) -> Result<Result<StepDone, Failure>, SinkError> {
    let target = step_target(means.plan, step);
    match attempt(means, step, &target).await {
        Ok(done) => Ok(Ok(done)),
        Err(trouble) => Ok(Err(trouble.failure()?)),
    }
}

async fn attempt<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    step: &OrganisationStep,
    target: &Target,
) -> Result<StepDone, Trouble> {
    let mut shell = means.connect.shell(target, exchange::CONFIGURATION).await?;
    lock(&means.logged_on).insert(step.via.clone());
    let act = act(means, step, &mut shell).await;
    shell.close().await;
    match act? {
        Act::Ended(done) => Ok(done),
        // What the act left is read over a new connection; the act itself is never repeated.
        Act::Unclear(error) => settle(means, step, target, error).await,
    }
}

/// What can be said at the end of the first connection.
enum Act {
    Ended(StepDone),
    Unclear(HostError),
}

async fn act<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    step: &OrganisationStep,
    shell: &mut impl Shell,
) -> Result<Act, Trouble> {
    let found = exchange::observe(shell, &step.via).await?;
    if !found.dn.eq_ignore_ascii_case(&step.dn) {
        let text = format!("expected the organisation of `{}`, found `{}`", step.dn, found.dn);
        return Err(Failure::new(FailureKind::WrongHost, text).into());
    }
    if holds(step, &found.irm) {
        let announced = means.past.history.steps.get(&step.organisation);
        return Ok(Act::Ended(match announced {
            // An earlier process of this run has set it, and died before it knew.
            Some(StepHistory::InDoubt) => StepDone::Verified(found.irm),
            Some(StepHistory::Verified(_) | StepHistory::Unchanged | StepHistory::Open) | None => {
                StepDone::Unchanged
            }
        }));
    }
    if let Some(moved) = moved(means.plan, step, &found) {
        return Err(Failure::new(FailureKind::Drifted, moved)
            .hint("plan again: the organisation moved since the plan was made")
            .into());
    }
    if means.stopped() >= Stop::SafePoint {
        return Ok(Act::Ended(StepDone::Stopped));
    }
    // INVARIANT: the intent is recorded before the cmdlet goes out, and it goes out once.
    means.emit(Event::StepIntended {
        organisation: step.organisation.clone(),
        dn: step.dn.clone(),
        via: step.via.clone(),
    })?;
    means.touch(&step.via);
    if let Err(error) = exchange::enable(shell, step).await {
        return Ok(Act::Unclear(error));
    }
    Ok(match exchange::verify(shell, step).await {
        Ok(after) => Act::Ended(StepDone::Verified(after)),
        Err(error) => Act::Unclear(error),
    })
}

/// Tells by reading where an act that did not end well has left the organisation.
async fn settle<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    step: &OrganisationStep,
    target: &Target,
    error: HostError,
) -> Result<StepDone, Trouble> {
    let read = async {
        let mut shell = means.connect.shell(target, exchange::CONFIGURATION).await?;
        let found = exchange::observe(&mut shell, &step.via).await;
        shell.close().await;
        found
    };
    let mut failure = error.failure();
    match read.await {
        Ok(found) if found.dn.eq_ignore_ascii_case(&step.dn) => {
            if holds(step, &found.irm) {
                return Ok(StepDone::Verified(found.irm));
            }
            if switches(&found.irm) == switches(&step.before) {
                let (kind, told) = if goes_on_alone(&error) {
                    let told = "read back as it was before, but it may still be under way";
                    (FailureKind::InDoubt, told)
                } else {
                    (FailureKind::WriteRefused, "read back as it was before")
                };
                failure.kind = kind;
                failure.chain.insert(0, told.to_owned());
            } else {
                failure.kind = FailureKind::InDoubt;
                failure.chain.insert(0, format!("read back as {}", told(&found.irm)));
            }
        }
        Ok(found) => {
            failure.kind = FailureKind::InDoubt;
            failure.chain.insert(0, format!("read back from another organisation, `{}`", found.dn));
        }
        Err(unread) => {
            failure.kind = FailureKind::InDoubt;
            failure.chain.splice(0..0, ["could not be read back".to_owned()]);
            failure.chain.extend(unread.failure().chain);
        }
    }
    Err(failure.into())
}

/// Whether the host may be carrying out what nobody waits for any more: a pipeline does not end with
/// its connection.
fn goes_on_alone(error: &HostError) -> bool {
    match error {
        HostError::Lost { .. } => true,
        HostError::NotConnected { .. }
        | HostError::Denied { .. }
        | HostError::Guarded { .. }
        | HostError::Fault(_)
        | HostError::Unexpected { .. }
        | HostError::Cmdlet { .. }
        | HostError::Unsupported(_) => false,
    }
}

/// Whether what the step sets is set.
fn holds(step: &OrganisationStep, irm: &IrmConfiguration) -> bool {
    (!step.set_internal_licensing || irm.internal_licensing_enabled == Some(true))
        && (!step.set_client_access_server || irm.client_access_server_enabled == Some(true))
}

fn switches(irm: &IrmConfiguration) -> (Option<bool>, Option<bool>) {
    (irm.internal_licensing_enabled, irm.client_access_server_enabled)
}

/// Why the organisation is no longer the one that was planned for; `None` if it is.
fn moved(plan: &Plan, step: &OrganisationStep, found: &Organisation) -> Option<String> {
    if switches(&found.irm) != switches(&step.before) {
        return Some(format!("expected {}, found {}", told(&step.before), told(&found.irm)));
    }
    let known = |name: &str| {
        let named = |own: &String| own.eq_ignore_ascii_case(name);
        step.missing.iter().chain(&step.waived).any(named)
            || plan.hosts.values().any(|host| is_named(host, name))
    };
    let fresh: Vec<&str> = found
        .servers
        .iter()
        .filter(|server| !server.is_edge)
        .filter(|server| {
            !known(&server.name) && !server.fqdn.as_ref().is_some_and(|fqdn| known(fqdn))
        })
        .map(|server| server.name.as_str())
        .collect();
    (!fresh.is_empty())
        .then(|| format!("servers that the plan does not know: {}", fresh.join(", ")))
}

fn is_named(host: &PlannedHost, name: &str) -> bool {
    host.name.as_str().eq_ignore_ascii_case(name)
        || host.name.short().eq_ignore_ascii_case(name)
        || host.identity.as_ref().is_some_and(|own| own.computer.eq_ignore_ascii_case(name))
}

fn told(irm: &IrmConfiguration) -> String {
    let word = |switch: Option<bool>| match switch {
        Some(true) => "true",
        Some(false) => "false",
        None => "not told",
    };
    let (internal, client) = (irm.internal_licensing_enabled, irm.client_access_server_enabled);
    format!(
        "InternalLicensingEnabled {} and ClientAccessServerEnabled {}",
        word(internal),
        word(client)
    )
}

/// The Exchange endpoint of the step, with the times of the host that stands behind it.
fn step_target(plan: &Plan, step: &OrganisationStep) -> Target {
    const SECONDS: std::time::Duration = std::time::Duration::from_secs(30);
    let host = plan.hosts.get(&step.via).map(target);
    Target {
        host: step.via.clone(),
        endpoint: step.endpoint.clone(),
        credential: step.credential.clone(),
        user: step.user.clone(),
        connect_timeout: host.as_ref().map_or(SECONDS, |host| host.connect_timeout),
        operation_timeout: host.as_ref().map_or(SECONDS, |host| host.operation_timeout),
    }
}
