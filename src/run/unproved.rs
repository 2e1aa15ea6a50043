//! A restart that an earlier process of this run began and did not see the end of.

use jiff::SignedDuration;

use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Reader;
use crate::host::registry;
use crate::host::restart::BootReading;
use crate::host::restart::Wait;
use crate::host::restart::is_same_boot;
use crate::host::restart::read_boot;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::run::action::Restarted;
use crate::run::configure::moved;
use crate::run::history::Order;
use crate::run::means::Means;
use crate::run::means::target;
use crate::run::peers;
use crate::run::restart::order::Ready;
use crate::run::restart::order::Waited;
use crate::run::restart::order::budget;
use crate::run::restart::order::lead;
use crate::run::restart::order::order;
use crate::run::restart::order::ready;
use crate::run::restart::order::stopped;
use crate::run::restart::order::tell_proof;
use crate::run::restart::order::wait_for_proof;
use crate::run::restart::others_down;
use crate::run::trouble::Trouble;

/// What two counts of whole seconds may differ by.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// What became of an order that nobody saw the end of.
pub(super) enum Settled {
    Ended(Restarted),
    /// Provably not: it may be given again.
    NotBegun,
}

impl Settled {
    fn not_proved(failure: Failure) -> Self {
        Self::Ended(Restarted::NotProved(failure))
    }
}

/// Proves a restart that may have been ordered, or tells that it provably was not begun.
///
/// Why no host restarts twice. The boot time is read first. If it is later than before the order,
/// that is the proof that is wanted, and nothing more is ordered. If it is the old one, either the
/// order never reached the host, or it did and the host has not gone down yet. A host that took an
/// order goes down within seconds, or minutes if something holds it up; so the settle time passes,
/// counted from the reading before the order by the host's own count of seconds up, which no clock
/// and no workstation can shift. Only then, with the old boot still alive, a new order is given,
/// and over the very connection on which the old boot time was read. That connection ends with the
/// boot it belongs to. If the first order comes true after the reading, the connection is dead and
/// carries no second one; if it comes true while the second arrives, the host is shutting down
/// and answers 1115 or 1190, which means "already under way". Either way one restart follows.
/// Where the two witnesses contradict each other nothing is ordered at all.
pub(super) async fn settle<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    past: &Order,
) -> Result<Settled, SinkError> {
    let full = budget(host, means.clock.now());
    let mut deadline = match look(means, host).await {
        Ok(reading) if is_same_boot(reading.last_boot, past.boot) => {
            let now = means.clock.now();
            let left = settle_time(means, host).saturating_sub(since(past, reading));
            if left.is_positive() {
                // Both count whole seconds, and not at the same instants.
                now.saturating_add(left.saturating_add(SLACK)).unwrap_or(now)
            } else {
                now
            }
        }
        // Back already; or down, booting, or out of reach: the wait tells.
        Ok(_) | Err(Trouble::Host(_)) => full,
        Err(Trouble::Sink(error)) => return Err(error),
        Err(Trouble::Failure(failure)) => return Ok(Settled::not_proved(failure)),
    };
    loop {
        if deadline <= means.clock.now() {
            return Ok(Settled::NotBegun);
        }
        let wait = Wait {
            before: past.boot,
            ordered_at: past.at,
            deadline,
            services: &past.services,
            pace: means.pace,
        };
        match wait_for_proof(means, host, &wait).await? {
            Waited::Proved(proof) => {
                tell_proof(means, host, proof)?;
                return conclude(means, host).await.map(Settled::Ended);
            }
            Waited::Stopped => return Ok(Settled::Ended(stopped())),
            Waited::Failed(failure) => match failure.kind {
                FailureKind::RestartNotBegun => return Ok(Settled::NotBegun),
                // It went down only now.
                FailureKind::NotBack if deadline < full => deadline = full,
                FailureKind::NotBack
                | FailureKind::Unreachable
                | FailureKind::Denied
                | FailureKind::AccountGuarded
                | FailureKind::Fault
                | FailureKind::WrongHost
                | FailureKind::Drifted
                | FailureKind::Leased
                | FailureKind::WriteRefused
                | FailureKind::InDoubt
                | FailureKind::Hook
                | FailureKind::Maintenance
                | FailureKind::Unsupported => return Ok(Settled::not_proved(failure)),
            },
        }
    }
}

/// After a proof that only the journal or this process has seen: the values must have outlived the
/// restart.
pub(super) async fn conclude<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<Restarted, SinkError> {
    match verified(means, host).await {
        Ok(_) => Ok(Restarted::Proved),
        Err(trouble) => Ok(Restarted::Failed(trouble.failure()?)),
    }
}

pub(super) async fn verified<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<C::Link, Trouble> {
    let mut link = means.connect(host).await?;
    as_wanted(&mut link, host).await?;
    Ok(link)
}

/// An earlier process wrote the values; this one has not seen them.
async fn as_wanted(link: &mut impl Reader, host: &PlannedHost) -> Result<(), Trouble> {
    let wanted = host.changes.iter().map(|change| (&change.path, &change.after));
    let equal = host.equal.iter().map(|(path, state)| (path, state));
    for (path, expected) in wanted.chain(equal) {
        registry::expect(link, path, expected).await.map_err(moved)?;
    }
    Ok(())
}

/// Orders the restart over the connection on which the old boot time is read.
pub(super) async fn again<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    past: &Order,
) -> Result<Restarted, SinkError> {
    if means.is_to_stop() {
        let reason = "its restart was not begun, and the run was stopped before a second order";
        return Ok(Restarted::Held(reason.to_owned()));
    }
    // INVARIANT: its peers are looked at before the second order as before the first.
    let ours = others_down(means, host);
    if let Some(reason) = peers::objection(means, host, &ours).await? {
        return Ok(Restarted::Held(format!("its second order is held: {reason}")));
    }
    let mut found = match ready(means, host).await {
        Ok(found) => found,
        Err(trouble) => return Ok(Restarted::NotProved(trouble.failure()?)),
    };
    if let Some(failure) = contradiction(means, host, past, found.before) {
        return Ok(Restarted::NotProved(failure));
    }
    if let Err(trouble) = as_wanted(&mut found.link, host).await {
        return Ok(Restarted::Failed(trouble.failure()?));
    }
    let services = if past.services.is_empty() { found.services } else { past.services.clone() };
    order(means, host, Ready { services, ..found }).await
}

/// INVARIANT: no second order unless the boot that was to end is read as the present one, and the
/// settle time has passed in it.
pub(super) fn contradiction<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    past: &Order,
    now: BootReading,
) -> Option<Failure> {
    let is_early = past.up_seconds.is_some() && since(past, now) < settle_time(means, host);
    if is_same_boot(now.last_boot, past.boot) && !is_early {
        return None;
    }
    let text = format!(
        "expected a restart after {} or none, the host says it is up since {} for {} s",
        past.boot, now.last_boot, now.up_seconds
    );
    let failure = Failure::new(FailureKind::NotBack, text);
    Some(failure.hint("compare the clocks of host and workstation, then resume again"))
}

/// The order itself may have carried a warning's lead.
fn settle_time<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> SignedDuration {
    means.past.settle.saturating_add(SignedDuration::from_secs(lead(host).into()))
}

async fn look<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<BootReading, Trouble> {
    // Anonymous first: a host that is down costs the account nothing.
    means.connect.knock(&target(host)).await?;
    let mut link = means.connect(host).await?;
    Ok(read_boot(&mut link).await?)
}

/// How long the boot has gone on since it was read before the order. Where that reading is not
/// known, the wait begins now.
fn since(past: &Order, now: BootReading) -> SignedDuration {
    let passed = past.up_seconds.map_or(0, |before| now.up_seconds.saturating_sub(before));
    SignedDuration::from_secs(i64::try_from(passed).unwrap_or(i64::MAX))
}
