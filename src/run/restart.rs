//! The restart of one host: ordered once, proved by its boot time, its mark removed.

use jiff::SignedDuration;
use tokio::sync::mpsc;

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::restart;
use crate::host::restart::BootReading;
use crate::host::restart::Wait;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::model::product::Role;
use crate::run::action::Restarted;
use crate::run::action::Stop;
use crate::run::mark;
use crate::run::means::Means;
use crate::run::means::target;
use crate::run::trouble::Trouble;

/// Seconds until the host begins to end, so that the reply to the order can leave it.
const DELAY: u32 = 2;

/// `ERROR_SHUTDOWN_IN_PROGRESS` and `ERROR_SHUTDOWN_IS_SCHEDULED`: a restart is on its way.
const UNDER_WAY: [u32; 2] = [1115, 1190];

/// Restarts a host and waits for the proof.
pub async fn restart<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Restarted, SinkError> {
    means.emit(Event::HostStarted { host: host.name.clone(), phase: Phase::Restart })?;
    let (mut link, before, services) = match ready(means, host).await {
        Ok(ready) => ready,
        Err(trouble) => return Ok(Restarted::Failed(trouble.failure()?)),
    };
    if means.stopped() >= Stop::SafePoint {
        return Ok(Restarted::GivenUp("the user stopped the run before the order".to_owned()));
    }
    let name = host.name.clone();
    // INVARIANT: the order is recorded before it is given, and given once.
    means.emit(Event::RestartIntended { host: name.clone(), boot_before: before.last_boot })?;
    means.touch(&host.name);
    let ordered_at = means.clock.now();
    let comment = format!("rmsfleet run {}", means.run);
    let code = match restart::order(&mut link, DELAY, &comment).await {
        Ok(code) => code,
        Err(error) => return Ok(not_taken(&error)),
    };
    drop(link);
    means.emit(Event::RestartOrdered { host: name.clone(), code })?;
    if let Some(code) = code.filter(|code| *code != 0 && !UNDER_WAY.contains(code)) {
        let text = format!("expected code 0 for the restart order, host returned {code}");
        let failure = Failure::new(FailureKind::RestartNotBegun, text);
        return Ok(Restarted::NotProved(failure));
    }
    let budget = SignedDuration::from_secs(host.restart_timeout.into());
    let wait = Wait {
        before: before.last_boot,
        ordered_at,
        deadline: ordered_at.saturating_add(budget).unwrap_or(ordered_at),
        services: &services,
        pace: means.pace,
    };
    let proof = match wait_for_proof(means, host, &wait).await? {
        Waited::Proved(proof) => proof,
        Waited::Failed(failure) => return Ok(Restarted::NotProved(failure)),
        Waited::Stopped => {
            let reason = "ordered, and not proved when the user stopped the run".to_owned();
            return Ok(Restarted::GivenUp(reason));
        }
    };
    means.emit(Event::RestartProved {
        host: name,
        boot_after: proof.last_boot,
        up_seconds: proof.up_seconds,
    })?;
    Ok(match clear_mark(means, host).await {
        Ok(()) => Restarted::Proved,
        Err(trouble) => {
            let mut failure = trouble.failure()?;
            failure.chain.insert(0, "restarted, but the mark could not be removed".to_owned());
            Restarted::Failed(Failure { kind: FailureKind::WriteRefused, ..failure })
        }
    })
}

async fn ready<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<(C::Link, BootReading, Vec<String>), Trouble> {
    let mut link = means.connect(host).await?;
    let before = restart::read_boot(&mut link).await?;
    let services = restart::running_services(&mut link, services_of(host.role)).await?;
    Ok((link, before, services))
}

/// What a host of a role is there for; those that run before must run again after.
fn services_of(role: Option<Role>) -> &'static [&'static str] {
    match role {
        Some(Role::Exchange) => &["MSExchangeTransport", "MSExchangeIS", "W3SVC"],
        Some(Role::Sharepoint) => &["SPTimerV4", "W3SVC"],
        Some(Role::Fci) => &["LanmanServer", "SrmSvc"],
        Some(Role::Connector) | None => &[],
    }
}

/// What an order leaves that was answered by an error. No wildcard arm: a new one must decide.
fn not_taken(error: &HostError) -> Restarted {
    match error {
        HostError::NotConnected { .. }
        | HostError::Denied { .. }
        | HostError::Guarded { .. }
        | HostError::Unsupported(_) => Restarted::Failed(error.failure()),
        // It was sent. A host that is going down answers with faults too, so that it may be on its
        // way: nobody else of its domains follows.
        HostError::Fault(_)
        | HostError::Lost { .. }
        | HostError::Unexpected { .. }
        | HostError::Cmdlet { .. } => Restarted::NotProved(error.failure()),
    }
}

enum Waited {
    Proved(BootReading),
    Failed(Failure),
    Stopped,
}

async fn wait_for_proof<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    wait: &Wait<'_>,
) -> Result<Waited, SinkError> {
    let (tell_lost, mut lost) = mpsc::unbounded_channel();
    let mut on_seen = |seen| {
        if let Err(error) = means.emit(Event::RestartWaiting { host: host.name.clone(), seen }) {
            // The receiver lives as long as the wait does.
            let _received = tell_lost.send(error);
        }
    };
    let target = target(host);
    let mut stop = means.stop.clone();
    let stopped = async {
        if stop.wait_for(|level| *level >= Stop::SafePoint).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        Some(error) = lost.recv() => Err(error),
        proof = restart::wait_for_restart(
            means.connect,
            means.clock,
            &target,
            wait,
            &mut on_seen,
        ) => {
            Ok(match proof {
                Ok(proof) => Waited::Proved(proof),
                Err(failure) => Waited::Failed(failure),
            })
        }
        () = stopped => Ok(Waited::Stopped),
    }
}

async fn clear_mark<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<(), Trouble> {
    if !means.plan.marks && host.restart_owed.is_none() {
        return Ok(());
    }
    let mut link = means.connect(host).await?;
    mark::clear(means, host, &mut link).await
}
