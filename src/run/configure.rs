//! The registry work on one host: compare all, write one by one, read back, verify all.

use crate::event::Event;
use crate::event::Phase;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Writer;
use crate::host::registry;
use crate::host::registry::WriteError;
use crate::model::change::Change;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedHost;
use crate::model::registry::State;
use crate::run::action::Configured;
use crate::run::action::Stop;
use crate::run::mark;
use crate::run::means::Means;
use crate::run::restore::Ledger;
use crate::run::restore::create_keys;
use crate::run::restore::take_back;
use crate::run::standing::owed;
use crate::run::trouble::Trouble;

/// Brings a host to its planned values, or leaves it as it was.
///
/// `restarts` says whether the run restarts the host afterwards, so that the restart is marked
/// as owed before the first value that needs it.
pub async fn configure<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    restarts: bool,
) -> Result<Configured, SinkError> {
    means.emit(Event::HostStarted { host: host.name.clone(), phase: Phase::Registry })?;
    let mut link = match ready(means, host).await {
        Ok(link) => link,
        Err(trouble) => return Ok(Configured::Failed(trouble.failure()?)),
    };
    if means.stopped() >= Stop::SafePoint {
        return Ok(Configured::Stopped);
    }
    announce_owed(means, host, restarts)?;
    let mut ledger = Ledger::default();
    match write(means, host, restarts, &mut link, &mut ledger).await {
        Ok(()) => {
            means.release(&host.name);
            Ok(Configured::Verified(host.changes.len()))
        }
        Err(Trouble::Sink(error)) => Err(error),
        Err(trouble) => {
            let failure = take_back(means, host, link, &ledger, trouble).await?;
            means.release(&host.name);
            Ok(Configured::Failed(failure))
        }
    }
}

/// Connects and compares everything the plan saw. Nothing is written before all of it holds.
async fn ready<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
) -> Result<C::Link, Trouble> {
    let mut link = means.connect(host).await?;
    let changes = host.changes.iter().map(|change| (&change.path, &change.before));
    let equal = host.equal.iter().map(|(path, state)| (path, state));
    // INVARIANT: a host that moved since the plan is not written at all.
    for (path, expected) in changes.chain(equal) {
        registry::expect(&mut link, path, expected).await.map_err(moved)?;
    }
    Ok(link)
}

async fn write<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    restarts: bool,
    link: &mut impl Writer,
    ledger: &mut Ledger,
) -> Result<(), Trouble> {
    if means.plan.marks && restarts {
        mark::set(means, host, link, ledger).await?;
    }
    for (index, change) in host.changes.iter().enumerate() {
        change_one(means, host, link, index, change, ledger).await?;
    }
    let wanted = host.changes.iter().map(|change| (&change.path, &change.after));
    let equal = host.equal.iter().map(|(path, state)| (path, state));
    for (path, expected) in wanted.chain(equal) {
        registry::expect(link, path, expected).await?;
    }
    if host.mark_paid {
        mark::settle(means, host, link).await?;
    }
    let values = host.changes.len() + host.equal.len();
    means.emit(Event::HostVerified { host: host.name.clone(), values })?;
    Ok(())
}

async fn change_one<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
    index: usize,
    change: &Change,
    ledger: &mut Ledger,
) -> Result<(), Trouble> {
    let name = host.name.clone();
    if change.before == State::Absent {
        create_keys(means, host, link, &change.path.key, ledger).await?;
    }
    // INVARIANT: the intent is recorded before the bytes go out.
    means.emit(Event::ChangeIntended { host: name.clone(), index, change: change.clone() })?;
    means.touch(&host.name);
    ledger.begun = index + 1;
    registry::write(link, change).await?;
    registry::expect(link, &change.path, &change.after).await?;
    means.emit(Event::ChangeVerified { host: name, index })?;
    Ok(())
}

fn moved(error: WriteError) -> Trouble {
    match error {
        WriteError::Drifted { .. } => Failure::new(FailureKind::Drifted, error.to_string())
            .hint("plan again: the host moved since the plan was made")
            .into(),
        WriteError::Refused { .. } | WriteError::Link(_) => error.into(),
    }
}

/// INVARIANT: a debt is on disk before the first write that causes it.
fn announce_owed<C, K>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    restarts: bool,
) -> Result<(), SinkError>
where
    C: Connect,
    K: Clock,
{
    let reason = match owed(host, host.changes.len()) {
        _ if restarts => format!("rule `{}`", host.verdict.rule),
        Outcome::RestartOwed { reason, .. } => reason,
        _ => return Ok(()),
    };
    let inherited = host.restart_owed.is_some();
    means.emit(Event::RestartOwed { host: host.name.clone(), reason, inherited })
}
