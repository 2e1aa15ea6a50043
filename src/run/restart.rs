//! What is around the restart of one host: taken out of service, restarted, looked at, brought back.

pub(super) mod order;

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::restart::BootReading;
use crate::host::restart::read_boot_and_clock;
use crate::model::care::Drain;
use crate::model::gate::Gate;
use crate::model::host::HostName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::plan::worst;
use crate::run::action::Gated;
use crate::run::action::Restarted;
use crate::run::action::Stop;
use crate::run::gates;
use crate::run::gates::Gates;
use crate::run::history::Hooked;
use crate::run::history::HostHistory;
use crate::run::history::Maintenance;
use crate::run::history::RestartHistory;
use crate::run::hook;
use crate::run::lease;
use crate::run::maintenance;
use crate::run::maintenance::Entered;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::peers;
use crate::run::restart::order::clear_mark;
use crate::run::restart::order::mark_left;
use crate::run::restart::order::order;
use crate::run::restart::order::own_machine;
use crate::run::restart::order::ready;
use crate::run::restart::order::shut;
use crate::run::restart::order::tell_proof;
use crate::run::settled;
use crate::run::trouble::Trouble;
use crate::run::unproved;
use crate::run::unproved::Settled;

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
        Restarted::Proved => {
            // Whatever becomes of the mark, the host is up and goes back into service.
            let left = match clear_mark(means, host).await {
                Ok(()) => None,
                Err(trouble) => Some(mark_left(trouble.failure()?)),
            };
            let ended = after(means, host, &mut open).await?;
            Ok(match (ended, left) {
                (Restarted::Proved, Some(failure)) => Restarted::Failed(failure),
                (ended, _) => ended,
            })
        }
        // Not ordered, or known to run: nothing keeps it out of service any longer. One that cannot be
        // brought back counts as down: nobody else of its domains follows.
        Restarted::Failed(failure) => Ok(match bring_back(means, host, &mut open).await? {
            Ok(()) => Restarted::Failed(failure),
            Err(second) => Restarted::NotProved(also(failure, second)),
        }),
        Restarted::Held(reason) => Ok(match bring_back(means, host, &mut open).await? {
            Ok(()) => Restarted::Held(reason),
            Err(failure) => Restarted::NotProved(failure),
        }),
        Restarted::Shut(why) => Ok(match bring_back(means, host, &mut open).await? {
            Ok(()) => Restarted::Shut(why),
            Err(failure) => Restarted::NotProved(failure),
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
    let past = means.past(&host.name);
    match restarted_since(means, host, &past).await {
        Ok(None) => {}
        Ok(Some(proof)) => {
            tell_proof(means, host, proof)?;
            return Ok(Restarted::Proved);
        }
        Err(trouble) => return Ok(Restarted::Failed(trouble.failure()?)),
    }
    // INVARIANT: the machine that the run is carried out from is not taken out of service for nothing.
    if let Some(failure) = own_machine(means, host) {
        return Ok(Restarted::Failed(failure));
    }
    // An earlier process verified the values, and this one has not seen them.
    let drained = past.is_drained(&host.care, &means.plan.conditions);
    if open.is_some() || drained || past.open_order().is_some() {
        let ours = async {
            let mut link = unproved::verified(means, host).await?;
            lease::keep(means, host, &mut link).await
        };
        if let Err(trouble) = ours.await {
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
            let is_this = |past: &Hooked| past.name == *name && past.ended_well;
            let done = past.hook.as_ref().is_some_and(is_this);
            if !done && let Err(failure) = hook::drain(means, host).await? {
                return Ok(Restarted::Failed(failure));
            }
        }
        Drain::ExchangeDag | Drain::FailoverCluster => {
            match maintenance::enter(means, host, open).await? {
                Entered::Out => {}
                Entered::Failed(failure) => return Ok(Restarted::Failed(failure)),
                Entered::Stopped => {
                    let reason = "the run was stopped before the order".to_owned();
                    return Ok(Restarted::Held(reason));
                }
            }
        }
    }
    // INVARIANT: a drain takes its time, so the peers are seen once more right before the order.
    let ours = others_down(means, host);
    if host.care.drain != Drain::None
        && let Some(reason) = peers::objection(means, host, &ours).await?
    {
        return Ok(Restarted::Held(format!("drained and brought back: {reason}")));
    }
    let ready = match ready(means, host).await {
        Ok(ready) => ready,
        Err(trouble) => return Ok(Restarted::Failed(trouble.failure()?)),
    };
    // An earlier order may have come true in the drain.
    if let Some(past) = past.open_order()
        && let Some(failure) = unproved::contradiction(means, host, past, ready.before)
    {
        return Ok(Restarted::NotProved(failure));
    }
    order(means, host, ready).await
}

/// The boot that makes an order needless: the host has restarted by other means since its values were
/// written, in an earlier process or run.
async fn restarted_since<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    past: &HostHistory,
) -> Result<Option<BootReading>, Trouble> {
    let owed = host.restart_owed.as_ref().filter(|_| host.changes.is_empty());
    let owed = owed.and_then(|mark| mark.split_once(' ')?.1.parse().ok());
    let Some(since) = past.verified_at.or(owed) else { return Ok(None) };
    let mut link = unproved::verified(means, host).await?;
    let boot = read_boot_and_clock(&mut link, means.clock).await?;
    if boot.after(since).is_none() {
        return Ok(None);
    }
    let seen =
        format!("it has restarted since its values were written at {since}: not ordered again");
    means.emit(Event::RestartWaiting { host: host.name.clone(), seen })?;
    Ok(Some(BootReading { last_boot: boot.last_boot, up_seconds: boot.up_seconds }))
}

/// Hosts that this process is restarting beside it.
pub(super) fn others_down<C, K>(means: &Means<'_, C, K>, host: &PlannedHost) -> Vec<HostName> {
    lock(&means.restarting).iter().filter(|name| **name != host.name).cloned().collect()
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
    // In their order: a soak or a person comes after what is to be green before.
    let needs_service =
        |name: &String| means.plan.conditions.gates.get(name).is_some_and(Gate::needs_service);
    let gates = host.care.gates_after.as_slice();
    let at = gates.iter().position(needs_service).filter(|_| open.is_some());
    let (first, later) = gates.split_at(at.unwrap_or(gates.len()));
    let mut unseen = false;
    match pass(means, host, first).await? {
        Gated::Passed => {}
        Gated::Failed(reason) | Gated::Awaiting(reason) => return Ok(not_serving(means, &reason)),
        Gated::Stopped => unseen = true,
    }
    // It is up and was proved: a stop is no reason to leave it out of service.
    if let Err(failure) = bring_back(means, host, open).await? {
        return Ok(not_serving(means, &failure.text()));
    }
    if !unseen {
        match pass(means, host, later).await? {
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
    if !gates.is_empty() {
        let budget = worst::of_gates(gates, &means.plan.conditions);
        means.emit(Event::PhaseStarted { host: host.name.clone(), phase: Phase::Gates, budget })?;
    }
    let at = host.name.as_str();
    let gates = Gates { at, names: gates, again: false, until: Stop::SafePoint };
    gates::pass(means, &gates, &[host]).await
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
        Drain::Hook(_) if is_back(means, host) || !is_hooked(means, host) => Ok(Ok(())),
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

/// INVARIANT: a host that no program of this run has taken out of service is brought back by none.
fn is_hooked<C: Connect, K: Clock>(means: &Means<'_, C, K>, host: &PlannedHost) -> bool {
    means.past(&host.name).hook.is_some() || lock(&means.hooked).contains(&host.name)
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

fn also(mut failure: Failure, second: Failure) -> Failure {
    failure.chain.push(format!("and then {}", second.text()));
    Failure { hint: second.hint.or(failure.hint), ..failure }
}
