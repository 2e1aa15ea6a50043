//! The lease of this run on a host: taken before the first write, given back when the host is done.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::TryStreamExt;

use crate::event::Event;
use crate::event::SinkError;
use crate::host::lease;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::HostError;
use crate::host::link::Writer;
use crate::model::host::HostName;
use crate::model::lease as model;
use crate::model::lease::Claim;
use crate::model::lease::FoundLease;
use crate::model::lease::LASTS;
use crate::model::lease::Lease;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Outcome;
use crate::model::plan::PlannedHost;
use crate::run::means::Means;
use crate::run::means::lock;
use crate::run::restore::Ledger;
use crate::run::restore::create_keys;
use crate::run::restore::delete_keys;
use crate::run::trouble::Trouble;

/// Takes the host for this run, or says whose it is. Nothing else is written before.
///
/// Announce, read, hold, read: `model::lease::rival` says why two runs never both get through. A
/// lease that an earlier process of this run left is taken over; one that has expired, or that the
/// plan saw and a person waived, is removed.
pub async fn take<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
    ledger: &mut Ledger,
) -> Result<(), Trouble> {
    if !means.plan.marks {
        return Ok(());
    }
    let now = means.clock.now();
    for old in &borne(means, host, link).await? {
        means.emit(intent(host, &old.run, false))?;
        lease::remove(link, &old.run).await?;
    }
    create_keys(means, host, link, &model::key(), ledger).await?;
    // A key for the lease leaves nothing of the plan in doubt.
    means.release(&host.name);
    means.emit(intent(host, means.run, true))?;
    ledger.leased = true;
    let until = now.saturating_add(LASTS).unwrap_or(now);
    lock(&means.leased).insert(host.name.clone(), Some(until));
    for claim in [Claim::Wanted, Claim::Held] {
        let own = Lease {
            run: means.run.to_owned(),
            claim,
            plan: means.plan.id.clone(),
            until,
            workstation: means.workstation.to_owned(),
            operator: means.operator.to_owned(),
        };
        lease::set(link, &own).await?;
        let found = lease::read(link).await?;
        let rival = model::rival(&found, means.run, Some(claim), now).cloned();
        let mine = found.iter().find(|one| one.run == means.run);
        let stands = mine.is_some_and(|one| one.lease.as_ref() == Ok(&own));
        if rival.is_some() || !stands {
            release(means, host, link).await?;
            ledger.leased = false;
        }
        match rival {
            Some(rival) => return Err(leased(means, host, &rival)),
            None if !stands => {
                return Err(match mine.map(|one| &one.lease) {
                    Some(Err(why)) => not_read_back(why),
                    Some(Ok(_)) | None => taken_away(),
                });
            }
            None => {}
        }
    }
    Ok(())
}

/// Says whose the host is, if it is another run's.
pub async fn stand_back<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), Trouble> {
    if means.plan.marks {
        borne(means, host, link).await?;
    }
    Ok(())
}

/// Leases of other runs that keep nobody away: expired, or seen by the plan and waived.
async fn borne<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<Vec<FoundLease>, Trouble> {
    let now = means.clock.now();
    let (borne, others) = parted(means, host, lease::read(link).await?);
    match model::rival(&others, means.run, None, now) {
        Some(rival) => Err(leased(means, host, rival)),
        None => Ok(borne),
    }
}

/// Leases of other runs: those that do not count, or that the plan bears, and the others.
pub fn parted<C, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    found: Vec<FoundLease>,
) -> (Vec<FoundLease>, Vec<FoundLease>) {
    let now = means.clock.now();
    found
        .into_iter()
        .filter(|found| found.run != means.run)
        .partition(|found| !found.counts(now) || host.leases.contains(&found.told()))
}

/// Whether the lease of this run on the host has long to go.
pub fn is_fresh<C, K: Clock>(means: &Means<'_, C, K>, host: &PlannedHost) -> bool {
    let until = lock(&means.leased).get(&host.name).copied().flatten();
    until.is_some_and(|until| until.duration_since(means.clock.now()) > LASTS / 2)
}

/// Makes sure that the host is this run's before a later act; a lease that has long to go stays as
/// it is.
pub async fn keep<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), Trouble> {
    if is_fresh(means, host) {
        return Ok(());
    }
    take(means, host, link, &mut Ledger::default()).await
}

/// Removes the lease of this run, and the key if nothing else is in it.
pub async fn release<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), Trouble> {
    if !lock(&means.leased).contains_key(&host.name) {
        return Ok(());
    }
    if lease::read(link).await?.iter().any(|found| found.run == means.run) {
        means.emit(intent(host, means.run, false))?;
        lease::remove(link, means.run).await?;
    }
    delete_keys(means, host, link, &[model::key()]).await?;
    lock(&means.leased).remove(&host.name);
    Ok(())
}

/// As [`release`], for work that is done: what is left over is tried again at the end of the run,
/// and undoes nothing.
pub async fn let_go<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), SinkError> {
    match release(means, host, link).await {
        Err(Trouble::Sink(error)) => Err(error),
        Ok(()) | Err(Trouble::Host(_) | Trouble::Failure(_)) => Ok(()),
    }
}

/// At the end of a run: gives back what is still held, where the host can be reached. What cannot
/// be given back is told, and expires, or is taken away by a resume.
pub async fn release_all<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    outcomes: &BTreeMap<HostName, Outcome>,
) -> Result<(), SinkError> {
    let held: Vec<HostName> = lock(&means.leased).keys().cloned().collect();
    // One in doubt is left to whoever settles the doubt. One that was away may be back by now.
    let settled =
        held.iter().filter(|name| !matches!(outcomes.get(name), Some(Outcome::InDoubt(_))));
    let given_back = settled.filter_map(|name| means.plan.hosts.get(name)).map(|host| async move {
        let released = async {
            // After a refused logon nobody tries the host a second time.
            if let Some(Outcome::Failed(failure)) = outcomes.get(&host.name)
                && matches!(failure.kind, FailureKind::Denied | FailureKind::AccountGuarded)
            {
                return Err(failure.clone().into());
            }
            let mut link = means.connect(host).await?;
            release(means, host, &mut link).await
        };
        if let Err(trouble) = released.await {
            let (host, why) = (host.name.clone(), trouble.failure()?.text());
            means.emit(Event::LeaseLeft { host, why })?;
        }
        Ok(())
    });
    let forks = usize::try_from(means.plan.limits.forks.max(1)).unwrap_or(1);
    let given_back: Vec<_> = given_back.collect();
    futures::stream::iter(given_back).buffer_unordered(forks).try_collect().await
}

fn intent(host: &PlannedHost, run: &str, set: bool) -> Event {
    Event::LeaseIntended { host: host.name.clone(), lease: Lease::path(run).to_string(), set }
}

fn leased<C, K>(means: &Means<'_, C, K>, host: &PlannedHost, rival: &FoundLease) -> Trouble {
    let used = rival.lease.as_ref().is_ok_and(|lease| lease.plan == means.plan.id);
    let same = if used { "; it carries out this same plan, and a plan is used once" } else { "" };
    let hint = format!(
        "wait for its end, or end it there; if it is lost: rmsfleet resume {} on its workstation, \
         or plan anew and bear it with --waive {}:leased",
        rival.run, host.name
    );
    Failure::new(FailureKind::Leased, format!("{}{same}", rival.told())).hint(hint).into()
}

fn not_read_back(why: &str) -> Trouble {
    let expected = "the lease of this run, read back right after it was written".to_owned();
    HostError::Unexpected { expected, got: why.to_owned() }.into()
}

fn taken_away() -> Trouble {
    let text = "expected the lease of this run right after it was written, and it was gone";
    Failure::new(FailureKind::Leased, text).hint("somebody else works on the host").into()
}
