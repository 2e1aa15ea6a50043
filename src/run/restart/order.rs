//! The order itself: given once, proved by the boot time, its mark removed.

use jiff::SignedDuration;
use jiff::Timestamp;
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
use crate::host::service;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::model::product::Role;
use crate::plan::window;
use crate::plan::worst;
use crate::run::action::Restarted;
use crate::run::action::Stop;
use crate::run::history::RestartHistory;
use crate::run::lease;
use crate::run::mark;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::means::target;
use crate::run::trouble::Trouble;

/// Seconds until the host begins to end, so that the reply to the order can leave it.
const DELAY: u32 = 2;

/// `ERROR_SHUTDOWN_IN_PROGRESS` and `ERROR_SHUTDOWN_IS_SCHEDULED`: a restart is on its way.
const UNDER_WAY: [u32; 2] = [1115, 1190];

/// What is known of a host right before the order, and the connection on which it was read.
pub(in crate::run) struct Ready<L> {
    pub(in crate::run) link: L,
    pub(in crate::run) before: BootReading,
    pub(in crate::run) services: Vec<String>,
    /// Other services that started by themselves and ran.
    pub(in crate::run) others: Vec<String>,
}

/// Why so many seconds of work on a host do not fit in now.
pub(super) fn shut<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    seconds: u32,
) -> Option<String> {
    let conditions = &means.plan.conditions;
    window::opening(host.window.as_deref(), conditions, means.clock.now(), seconds).closed()
}

/// Seconds that the host's users have between the warning and the restart.
pub(in crate::run) fn lead(host: &PlannedHost) -> u32 {
    host.care.warn.as_ref().map_or(0, |warning| warning.lead)
}

/// Gives the order over the connection on which the boot time was read.
pub(in crate::run) async fn order<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    ready: Ready<C::Link>,
) -> Result<Restarted, SinkError> {
    let Ready { mut link, before, services, others } = ready;
    if means.is_to_stop() {
        return Ok(Restarted::Held("the run was stopped before the order".to_owned()));
    }
    // INVARIANT: no order is given that cannot be seen through inside the host's window.
    if let Some(why) = shut(means, host, worst::from_order(host, &means.plan.conditions)) {
        return Ok(Restarted::Shut(why));
    }
    // INVARIANT: the machine that the run is carried out from is not restarted by it.
    if let Some(failure) = own_machine(means, host) {
        return Ok(Restarted::Failed(failure));
    }
    if let Err(trouble) = lease::keep(means, host, &mut link).await {
        return Ok(Restarted::Failed(trouble.failure()?));
    }
    // INVARIANT: no order unless the boot that it is to end is the present one: connections are
    // renewed in silence, and reads wait and are repeated.
    match restart::read_boot(&mut link).await {
        Ok(now)
            if restart::is_same_boot(now.last_boot, before.last_boot)
                && now.up_seconds >= before.up_seconds => {}
        Ok(now) => {
            let text = format!(
                "expected the boot of {} to be the present one, the host says {}",
                before.last_boot, now.last_boot
            );
            let failure = Failure::new(FailureKind::RestartNotBegun, text)
                .hint(format!("it restarted in between; then: rmsfleet resume {}", means.run));
            return Ok(not_ordered(means, host, failure));
        }
        Err(error) => return Ok(not_ordered(means, host, error.failure())),
    }
    let name = host.name.clone();
    // Apart from the intent, so that it survives a journal that lost its last record.
    means.emit(Event::RestartReady {
        host: name.clone(),
        boot: before.last_boot,
        up_seconds: before.up_seconds,
        services: services.clone(),
        others: others.clone(),
    })?;
    lock(&means.others).insert(name.clone(), others);
    // INVARIANT: the order is recorded before it is given, and given once.
    means.emit(Event::RestartIntended { host: name.clone(), boot_before: before.last_boot })?;
    means.touch(&host.name);
    let budget_seconds = host.restart_timeout.saturating_add(lead(host));
    means.emit(Event::PhaseStarted {
        host: name.clone(),
        phase: Phase::Restart,
        budget: budget_seconds,
    })?;
    let ordered_at = means.clock.now();
    let run = means.run;
    let comment = match &host.care.warn {
        Some(warning) => format!("{} (rmsfleet run {run})", warning.message),
        None => format!("rmsfleet run {run}"),
    };
    let delay = DELAY.max(lead(host));
    let code = match restart::order(&mut link, delay, &comment).await {
        Ok(code) => code,
        Err(error) => return Ok(not_taken(&error)),
    };
    drop(link);
    means.emit(Event::RestartOrdered { host: name.clone(), code })?;
    if let Some(code) = code.filter(|code| UNDER_WAY.contains(code))
        && means.past(&name).restart == RestartHistory::None
    {
        // It is not taken over, and not waited out in silence: the host goes down all the same.
        means.emit(Event::RestartForeign { host: name.clone(), code })?;
    }
    if let Some(code) = code.filter(|code| *code != 0 && !UNDER_WAY.contains(code)) {
        let text = format!("expected code 0 for the restart order, host returned {code}");
        let failure = Failure::new(FailureKind::RestartNotBegun, text);
        return Ok(not_ordered(means, host, hinted(failure, code)));
    }
    let wait = Wait {
        before: before.last_boot,
        ordered_at,
        deadline: budget(host, ordered_at),
        services: &services,
        pace: means.pace,
    };
    match wait_for_proof(means, host, &wait).await? {
        Waited::Proved(proof) => tell_proof(means, host, proof)?,
        Waited::Failed(failure) => return Ok(Restarted::NotProved(failure)),
        Waited::Stopped => return Ok(stopped()),
    }
    Ok(Restarted::Proved)
}

/// What is told instead of a restart of the machine that the run is carried out from.
pub(super) fn own_machine<C, K>(means: &Means<'_, C, K>, host: &PlannedHost) -> Option<Failure> {
    let why = means.controller.is_own(host)?;
    let text = format!("the run goes on from this machine, and does not restart it: {why}");
    let failure = Failure::new(FailureKind::RestartNotBegun, text);
    Some(failure.hint("restart it yourself once the run has ended"))
}

fn hinted(failure: Failure, code: u32) -> Failure {
    match code {
        // ERROR_ACCESS_DENIED and ERROR_PRIVILEGE_NOT_HELD.
        5 | 1314 => failure.hint(
            "give the account the right to shut the system down from remote, or restart it by hand",
        ),
        _ => failure,
    }
}

/// Where an earlier order may be coming true just now, the host counts as down and stays as it is.
fn not_ordered<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    failure: Failure,
) -> Restarted {
    if means.past(&host.name).open_order().is_some() {
        Restarted::NotProved(failure)
    } else {
        Restarted::Failed(failure)
    }
}

/// Until when a restart that is waited for from `since` on must be proved.
pub(in crate::run) fn budget(host: &PlannedHost, since: Timestamp) -> Timestamp {
    let budget = SignedDuration::from_secs(i64::from(host.restart_timeout) + i64::from(lead(host)));
    since.saturating_add(budget).unwrap_or(since)
}

pub(in crate::run) fn tell_proof<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    proof: BootReading,
) -> Result<(), SinkError> {
    means.emit(Event::RestartProved {
        host: host.name.clone(),
        boot_after: proof.last_boot,
        up_seconds: proof.up_seconds,
    })
}

pub(in crate::run) fn stopped() -> Restarted {
    Restarted::GivenUp("ordered, and not proved when the user stopped the run".to_owned())
}

pub(in crate::run) fn mark_left(mut failure: Failure) -> Failure {
    failure.chain.insert(0, "restarted, but the mark could not be removed".to_owned());
    Failure { kind: FailureKind::WriteRefused, ..failure }
}

pub(in crate::run) async fn ready<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Ready<C::Link>, Trouble> {
    let mut link = means.connect(host).await?;
    let before = restart::read_boot(&mut link).await?;
    let services = restart::running_services(&mut link, services_of(host.role)).await?;
    let mut others = service::automatic(&mut link).await?;
    others.retain(|name| !services.contains(name));
    Ok(Ready { link, before, services, others })
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
        | HostError::TicketRefused { .. }
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

pub(in crate::run) enum Waited {
    Proved(BootReading),
    Failed(Failure),
    Stopped,
}

pub(in crate::run) async fn wait_for_proof<C: Connect, K: Clock>(
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

/// Takes the mark off a host that is proved to have restarted, and gives its lease back.
pub(in crate::run) async fn clear_mark<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<(), Trouble> {
    if !means.plan.marks && host.restart_owed.is_none() {
        return Ok(());
    }
    let mut link = means.connect(host).await?;
    mark::clear(means, host, &mut link).await?;
    Ok(lease::let_go(means, host, &mut link).await?)
}
