//! The registry work on one host: compare all, write one by one, read back, verify all.

use std::collections::BTreeSet;

use jiff::Timestamp;

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
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::plan::worst;
use crate::run::action::Configured;
use crate::run::gates::later;
use crate::run::history::HostHistory;
use crate::run::lease;
use crate::run::mark;
use crate::run::means::Means;
use crate::run::restore::Ledger;
use crate::run::restore::create_keys;
use crate::run::restore::delete_keys;
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
    let past = means.past(&host.name);
    let (mut link, standing) = match ready(means, host, &past).await {
        Ok(ready) => ready,
        Err(trouble) => return Ok(Configured::Failed(unread(&past, trouble.failure()?))),
    };
    if past.all_verified {
        let values = host.changes.len() + host.equal.len();
        means.emit(Event::HostVerified { host: host.name.clone(), values })?;
        return Ok(Configured::Verified(host.changes.len()));
    }
    if means.is_to_stop() {
        return Ok(Configured::Stopped);
    }
    announce_owed(means, host, restarts)?;
    let mut ledger = Ledger {
        mark: None,
        leased: false,
        begun: past.intended.last().map_or(0, |index| index + 1),
        created: past.created.clone(),
    };
    // Whoever waits for an account's turn has lost none of it.
    let call = host.operation_timeout;
    let until = later(means.clock.now(), worst::of_writes(call).saturating_sub(call));
    let work = Work { restarts, past: &past, standing: &standing, until };
    match write(means, host, &work, &mut link, &mut ledger).await {
        Ok(()) => {
            let cleared = clear_keys(means, host, &mut link).await;
            if !restarts {
                lease::let_go(means, host, &mut link).await?;
            }
            means.release(&host.name);
            match cleared {
                Ok(()) => Ok(Configured::Verified(host.changes.len())),
                Err(trouble) => Ok(Configured::Failed(keys_left(trouble.failure()?))),
            }
        }
        Err(Trouble::Sink(error)) => Err(error),
        Err(trouble) => {
            let failure = take_back(means, host, link, &ledger, trouble).await?;
            means.release(&host.name);
            Ok(Configured::Failed(failure))
        }
    }
}

/// What is left to do on a host.
struct Work<'a> {
    restarts: bool,
    past: &'a HostHistory,
    /// Places of changes that stand already.
    standing: &'a BTreeSet<usize>,
    /// From then on no value is begun.
    until: Timestamp,
}

/// Connects and compares everything the plan saw. Nothing is written before all of it holds.
///
/// Gives the places of changes that an earlier process of this run has made.
async fn ready<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    past: &HostHistory,
) -> Result<(C::Link, BTreeSet<usize>), Trouble> {
    let mut link = means.connect(host).await?;
    match compare(means, host, past, &mut link).await {
        Ok(standing) => Ok((link, standing)),
        Err(Trouble::Failure(failure)) if failure.kind == FailureKind::Drifted => {
            // Another run that is at work on it is why it moved, and a reason to stop.
            lease::stand_back(means, host, &mut link).await?;
            Err(failure.into())
        }
        Err(trouble) => Err(trouble),
    }
}

async fn compare<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    past: &HostHistory,
    link: &mut impl Writer,
) -> Result<BTreeSet<usize>, Trouble> {
    let mut standing = BTreeSet::new();
    // INVARIANT: a host that moved since the plan is not written at all.
    for (index, change) in host.changes.iter().enumerate() {
        // The last record may be lost, and one only: before the first value it is the lease's.
        let next = past.intended.last().map_or(0, |last| last + 1);
        let lost = index == next && (past.leased || !means.plan.marks);
        if stands(link, change, past, lost || past.intended.contains(&index)).await? {
            standing.insert(index);
        }
    }
    for (path, expected) in &host.equal {
        registry::expect(link, path, expected).await.map_err(moved)?;
    }
    Ok(standing)
}

/// Whether the change was made by an earlier process. What it verified must have stayed; what it may
/// have written when it died holds what was there or what was wanted, and nothing else.
async fn stands(
    link: &mut impl Writer,
    change: &Change,
    past: &HostHistory,
    may_be_ours: bool,
) -> Result<bool, Trouble> {
    if past.all_verified {
        registry::expect(link, &change.path, &change.after).await.map_err(moved)?;
        return Ok(true);
    }
    if past.begun && may_be_ours {
        let found = registry::observe(link, &change.path).await?;
        if matches!(&found, Reading::Known(state) if *state == change.after) {
            return Ok(true);
        }
    }
    registry::expect(link, &change.path, &change.before).await.map_err(moved)?;
    Ok(false)
}

/// A host that cannot be read stays in doubt where an earlier process may have written to it.
fn unread(past: &HostHistory, failure: Failure) -> Failure {
    let may_have_written = !past.all_verified && !past.intended.is_empty();
    let is_silent = matches!(failure.kind, FailureKind::Unreachable | FailureKind::Fault);
    if !(may_have_written && is_silent) {
        return failure;
    }
    let mut chain =
        vec!["the run died in the middle of the writes, and cannot read them".to_owned()];
    chain.extend(failure.chain);
    Failure { kind: FailureKind::InDoubt, chain, hint: failure.hint }
}

async fn write<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    work: &Work<'_>,
    link: &mut impl Writer,
    ledger: &mut Ledger,
) -> Result<(), Trouble> {
    lease::take(means, host, link, ledger).await?;
    if means.plan.marks && work.restarts {
        mark::set(means, host, link, ledger).await?;
    }
    for (index, change) in host.changes.iter().enumerate() {
        if work.standing.contains(&index) {
            adopt(means, host, work.past, index, ledger)?;
        } else if means.clock.now() >= work.until {
            return Err(out_of_time(host, index).into());
        } else {
            change_one(means, host, link, index, change, ledger).await?;
        }
    }
    let wanted = host.changes.iter().map(|change| (&change.path, &change.after));
    let equal = host.equal.iter().map(|(path, state)| (path, state));
    for (path, expected) in wanted.chain(equal) {
        registry::expect(link, path, expected).await?;
    }
    if host.mark_paid {
        mark::settle(means, host, link).await?;
    }
    Ok(())
}

/// INVARIANT: no value is begun that may not be read back within the time that a window was asked for.
fn out_of_time(host: &PlannedHost, index: usize) -> Failure {
    let text = format!(
        "{} of {} values were written when the time for it was over ({} s)",
        index,
        host.changes.len(),
        worst::of_writes(host.operation_timeout)
    );
    Failure::new(FailureKind::Fault, text).hint(
        "`rmsfleet doctor HOST` shows how fast it answers; a longer \
             `ansible_winrm_operation_timeout_sec` gives it more time in a new plan",
    )
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
    ledger.begun = ledger.begun.max(index + 1);
    registry::write(link, change).await?;
    registry::expect(link, &change.path, &change.after).await?;
    means.emit(Event::ChangeVerified { host: name, index })?;
    Ok(())
}

/// The last of a host's registry work. The values stand and are verified; what goes wrong from here
/// on takes none of them back.
async fn clear_keys<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), Trouble> {
    delete_keys(means, host, link, &host.empty_keys).await?;
    // INVARIANT: told only once nothing is left to do, so that a resume does the rest.
    let values = host.changes.len() + host.equal.len();
    means.emit(Event::HostVerified { host: host.name.clone(), values })?;
    Ok(())
}

fn keys_left(mut failure: Failure) -> Failure {
    let text = "every value is as planned, but the keys that are to go could not all be removed";
    failure.chain.insert(0, text.to_owned());
    failure
}

/// Takes over a change that stands: the journal has it, or has lost its last record.
fn adopt<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    past: &HostHistory,
    index: usize,
    ledger: &mut Ledger,
) -> Result<(), SinkError> {
    let name = host.name.clone();
    if index == past.intended.len()
        && let (false, Some(change)) = (past.intended.contains(&index), host.changes.get(index))
    {
        // The one act whose intent may be missing: it follows the last that is recorded.
        let (host, change) = (name.clone(), change.clone());
        means.emit(Event::ChangeIntended { host, index, change })?;
        ledger.begun = ledger.begun.max(index + 1);
        return means.emit(Event::ChangeVerified { host: name, index });
    }
    if past.intended.contains(&index) && !past.verified.contains(&index) {
        means.emit(Event::ChangeVerified { host: name, index })?;
    }
    Ok(())
}

/// A value is not what it was: the host is refused.
pub fn moved(error: WriteError) -> Trouble {
    match error {
        WriteError::Drifted { .. } => Failure::new(FailureKind::Drifted, error.to_string())
            .hint("plan again: the host moved since the plan was made")
            .into(),
        // Silence is not evidence: the host may stand as planned.
        WriteError::Unread { .. } => Failure::new(FailureKind::Fault, error.to_string())
            .hint("`rmsfleet doctor HOST` looks at the rights; then resume the run")
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
