//! The restart of one host: ordered once, proved by its boot time, its mark removed.

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
use crate::model::care::Drain;
use crate::model::gate::Gate;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::model::product::Role;
use crate::plan::window;
use crate::plan::worst;
use crate::run::action::Gated;
use crate::run::action::Restarted;
use crate::run::action::Stop;
use crate::run::gates;
use crate::run::history::Maintenance;
use crate::run::history::RestartHistory;
use crate::run::hook;
use crate::run::lease;
use crate::run::maintenance;
use crate::run::maintenance::Entered;
use crate::run::mark;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::means::target;
use crate::run::peers;
use crate::run::settled;
use crate::run::trouble::Trouble;
use crate::run::unproved;
use crate::run::unproved::Settled;

/// Seconds until the host begins to end, so that the reply to the order can leave it.
const DELAY: u32 = 2;

/// `ERROR_SHUTDOWN_IN_PROGRESS` and `ERROR_SHUTDOWN_IS_SCHEDULED`: a restart is on its way.
const UNDER_WAY: [u32; 2] = [1115, 1190];

/// What is known of a host right before the order, and the connection on which it was read.
pub(super) struct Ready<L> {
    pub(super) link: L,
    pub(super) before: BootReading,
    pub(super) services: Vec<String>,
    /// Other services that started by themselves and ran.
    pub(super) others: Vec<String>,
}

/// Restarts a host and waits for the proof. What an earlier process of this run began is settled
/// by reading first.
pub async fn restart<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Restarted, SinkError> {
    means.emit(Event::HostStarted { host: host.name.clone(), phase: Phase::Restart })?;
    lock(&means.restarting).insert(host.name.clone());
    let ended = seen_through(means, host).await;
    lock(&means.restarting).remove(&host.name);
    ended
}

async fn seen_through<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Restarted, SinkError> {
    let past = means.past(&host.name);
    let out = past.maintenance.is_some() || past.is_drained(&host.care, &means.plan.conditions);
    let mut open = past.maintenance;
    let restarted = match past.restart {
        RestartHistory::None => fresh(means, host, &mut open).await?,
        RestartHistory::MayBeOrdered(order) => {
            match unproved::settle(means, host, &order).await? {
                Settled::Ended(restarted) => restarted,
                // An earlier process has brought it back since: it is taken out again first.
                Settled::NotBegun if host.care.drain != Drain::None && !out => {
                    fresh(means, host, &mut open).await?
                }
                Settled::NotBegun => unproved::again(means, host, &order).await?,
            }
        }
        RestartHistory::Proved => unproved::conclude(means, host).await?,
    };
    match restarted {
        Restarted::Proved => after(means, host, &mut open).await,
        // Not ordered, or known to run: nothing keeps it out of service any longer.
        Restarted::Failed(failure) => {
            let failure = match bring_back(means, host, &mut open).await? {
                Ok(()) => failure,
                Err(second) => also(failure, &second),
            };
            Ok(Restarted::Failed(failure))
        }
        Restarted::Held(reason) => Ok(match bring_back(means, host, &mut open).await? {
            Ok(()) => Restarted::Held(reason),
            Err(failure) => Restarted::Failed(failure),
        }),
        Restarted::Shut(why) => Ok(match bring_back(means, host, &mut open).await? {
            Ok(()) => Restarted::Shut(why),
            Err(failure) => Restarted::Failed(failure),
        }),
        // Whether it is up is not known: what a drain took out of service stays out.
        Restarted::NotProved(failure) => {
            Ok(Restarted::NotProved(left_out(means, failure, open.as_ref())))
        }
        Restarted::GivenUp(_) => Ok(restarted),
    }
}

async fn fresh<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    open: &mut Option<Maintenance>,
) -> Result<Restarted, SinkError> {
    // An earlier process verified the values, and this one has not seen them.
    let past = means.past(&host.name);
    let drained = past.is_drained(&host.care, &means.plan.conditions);
    if open.is_some() || drained || past.open_order().is_some() {
        if let Err(trouble) = unproved::verified(means, host).await {
            return Ok(Restarted::Failed(trouble.failure()?));
        }
        // Its window was open for the process that began; nobody looked since.
        let worst = worst::of_host(host, &means.plan.conditions, true);
        if let Some(why) = shut(means, host, worst) {
            return Ok(Restarted::Shut(why));
        }
    }
    match &host.care.drain {
        Drain::None => {}
        // One whose end was not seen may run again in a resume, and its record then says so.
        Drain::Hook(name) => {
            let done = past.hook.is_some_and(|past| past.name == *name && past.ended_well);
            if !done && let Err(failure) = hook::drain(means, host).await? {
                return Ok(Restarted::Failed(failure));
            }
        }
        Drain::ExchangeDag | Drain::FailoverCluster => {
            match maintenance::enter(means, host, open).await? {
                Entered::Out => {}
                Entered::Failed(failure) => return Ok(Restarted::Failed(failure)),
                Entered::Stopped => {
                    let reason = "the user stopped the run before the order".to_owned();
                    return Ok(Restarted::Held(reason));
                }
            }
        }
    }
    // INVARIANT: a drain takes its time, so the peers are seen once more right before the order.
    let ours: Vec<HostName> =
        lock(&means.restarting).iter().filter(|name| **name != host.name).cloned().collect();
    if host.care.drain != Drain::None
        && let Some(reason) = peers::objection(means, host, &ours).await?
    {
        return Ok(Restarted::Held(format!("drained and brought back: {reason}")));
    }
    match ready(means, host).await {
        Ok(ready) => order(means, host, ready).await,
        Err(trouble) => Ok(Restarted::Failed(trouble.failure()?)),
    }
}

/// INVARIANT: the next host of its failure domains goes down only after this one's gates were seen
/// green and it is back in service.
///
/// A gate that can be green only in service is looked at when the host is back in service.
async fn after<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    open: &mut Option<Maintenance>,
) -> Result<Restarted, SinkError> {
    settled::wait(means, host).await?;
    let (later, first): (Vec<String>, Vec<String>) =
        host.care.gates_after.iter().cloned().partition(|name| {
            open.is_some() && means.plan.conditions.gates.get(name).is_some_and(Gate::needs_service)
        });
    let mut unseen = false;
    match pass(means, host, &first).await? {
        Gated::Passed => {}
        Gated::Failed(reason) | Gated::Awaiting(reason) => return Ok(not_serving(means, &reason)),
        Gated::Stopped => unseen = true,
    }
    // It is up and was proved: a stop is no reason to leave it out of service.
    if let Err(failure) = bring_back(means, host, open).await? {
        return Ok(not_serving(means, &failure.text()));
    }
    if !unseen {
        match pass(means, host, &later).await? {
            Gated::Passed => return Ok(Restarted::Proved),
            Gated::Failed(reason) | Gated::Awaiting(reason) => {
                return Ok(not_serving(means, &reason));
            }
            Gated::Stopped => {}
        }
    }
    let text = "restarted and proved, and its gates were not green when the user stopped the run";
    Ok(Restarted::GivenUp(text.to_owned()))
}

/// The first Ctrl-C lets a host in flight finish, and its gates belong to that.
async fn pass<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    gates: &[String],
) -> Result<Gated, SinkError> {
    gates::pass(means, host.name.as_str(), gates, &[host], Stop::SafePoint).await
}

fn not_serving<C, K>(means: &Means<'_, C, K>, why: &str) -> Restarted {
    let text = format!("restarted and proved, but {why}");
    let hint = format!("see to the host, then: rmsfleet resume {}", means.run);
    Restarted::NotProved(Failure::new(FailureKind::Hook, text).hint(hint))
}

/// Puts the host back into service, by the hook or as found.
async fn bring_back<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    open: &mut Option<Maintenance>,
) -> Result<Result<(), Failure>, SinkError> {
    match host.care.drain {
        Drain::Hook(_) if is_back(means, host) => Ok(Ok(())),
        Drain::Hook(_) => hook::bring_back(means, host).await,
        Drain::None | Drain::ExchangeDag | Drain::FailoverCluster => {
            maintenance::leave(means, host, open).await
        }
    }
}

/// Whether a program has brought it back already, in an earlier process that saw it restarted.
fn is_back<C: Connect, K: Clock>(means: &Means<'_, C, K>, host: &PlannedHost) -> bool {
    let past = means.past(&host.name);
    past.is_proved() && past.hook.is_some() && !past.is_drained(&host.care, &means.plan.conditions)
}

/// Says how a host is brought back that may still be out of service.
fn left_out<C, K>(
    means: &Means<'_, C, K>,
    failure: Failure,
    open: Option<&Maintenance>,
) -> Failure {
    let Some(own) = open else { return failure };
    let commands = own.found.recovery();
    if commands.is_empty() || failure.kind == FailureKind::Maintenance {
        return failure;
    }
    let typed = commands.join("; ");
    let resume = format!("rmsfleet resume {}", means.run);
    failure.hint(format!("it is out of service; once it is up: {resume}, or by hand: {typed}"))
}

fn also(mut failure: Failure, second: &Failure) -> Failure {
    failure.chain.push(format!("and then {}", second.text()));
    failure
}

/// Why so many seconds of work on a host do not fit in now.
fn shut<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    seconds: u32,
) -> Option<String> {
    let conditions = &means.plan.conditions;
    window::opening(host.window.as_deref(), conditions, means.clock.now(), seconds).closed()
}

/// Seconds that the host's users have between the warning and the restart.
pub(super) fn lead(host: &PlannedHost) -> u32 {
    host.care.warn.as_ref().map_or(0, |warning| warning.lead)
}

/// Gives the order over the connection on which the boot time was read.
pub(super) async fn order<C: Connect, K: Clock>(
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
    if let Some(why) = means.controller.is_own(host) {
        let text = format!("the run goes on from this machine, and does not restart it: {why}");
        let failure = Failure::new(FailureKind::RestartNotBegun, text)
            .hint("restart it yourself once the run has ended");
        return Ok(Restarted::Failed(failure));
    }
    if let Err(trouble) = lease::keep(means, host, &mut link).await {
        return Ok(Restarted::Failed(trouble.failure()?));
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
        return Ok(Restarted::NotProved(failure));
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
    match clear_mark(means, host).await {
        Ok(()) => Ok(Restarted::Proved),
        Err(trouble) => Ok(Restarted::Failed(mark_left(trouble.failure()?))),
    }
}

/// Until when a restart that is waited for from `since` on must be proved.
pub(super) fn budget(host: &PlannedHost, since: Timestamp) -> Timestamp {
    let budget = SignedDuration::from_secs(i64::from(host.restart_timeout) + i64::from(lead(host)));
    since.saturating_add(budget).unwrap_or(since)
}

pub(super) fn tell_proof<C: Connect, K: Clock>(
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

pub(super) fn stopped() -> Restarted {
    Restarted::GivenUp("ordered, and not proved when the user stopped the run".to_owned())
}

pub(super) fn mark_left(mut failure: Failure) -> Failure {
    failure.chain.insert(0, "restarted, but the mark could not be removed".to_owned());
    Failure { kind: FailureKind::WriteRefused, ..failure }
}

pub(super) async fn ready<C: Connect, K: Clock>(
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

pub(super) enum Waited {
    Proved(BootReading),
    Failed(Failure),
    Stopped,
}

pub(super) async fn wait_for_proof<C: Connect, K: Clock>(
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
    mark::clear(means, host, &mut link).await?;
    Ok(lease::let_go(means, host, &mut link).await?)
}
