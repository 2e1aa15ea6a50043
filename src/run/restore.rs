//! All values of a host or none: takes back what was written, by compare and set.

use crate::event::Event;
use crate::event::SinkError;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Writer;
use crate::host::registry;
use crate::model::change::Change;
use crate::model::lease::key;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::run::lease;
use crate::run::means::Means;
use crate::run::trouble::Trouble;

/// What may have been written on a host.
#[derive(Debug, Default)]
pub struct Ledger {
    pub mark: Option<Change>,
    /// The lease of this run may stand.
    pub leased: bool,
    /// So many of the host's changes were announced; the last one may not have arrived.
    pub begun: usize,
    /// Keys that were missing, leaf first.
    pub created: Vec<KeyPath>,
}

/// Restores the host after trouble in the middle, and says how that went.
///
/// A connection that broke is replaced once; on the new one every value is read before anything
/// is put back. What cannot be read leaves the host in doubt.
pub async fn take_back<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: C::Link,
    ledger: &Ledger,
    trouble: Trouble,
) -> Result<Failure, SinkError> {
    let lost = trouble.lost_connection();
    let failure = trouble.failure()?;
    let only_leased = ledger.begun == 0
        && ledger.mark.is_none()
        && ledger.created.iter().all(|own| *own == key());
    if only_leased && !ledger.leased && ledger.created.is_empty() {
        return Ok(failure);
    }
    let first = if lost { None } else { Some(link) };
    match settle(means, host, first, ledger).await {
        Err(Trouble::Sink(error)) => Err(error),
        // A lease is no value: it is given back, or it expires.
        _ if only_leased => Ok(failure),
        Ok(()) => Ok(restored(failure)),
        Err(doubt) => Ok(in_doubt(failure, doubt.failure()?)),
    }
}

async fn settle<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: Option<C::Link>,
    ledger: &Ledger,
) -> Result<(), Trouble> {
    if let Some(mut link) = link {
        match restore(means, host, &mut link, ledger).await {
            Err(trouble) if trouble.lost_connection() => {}
            settled => return settled,
        }
    }
    // One new connection. Every step reads first, so a second try repeats nothing.
    let mut link = means.connect(host).await?;
    restore(means, host, &mut link, ledger).await
}

async fn restore<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
    ledger: &Ledger,
) -> Result<(), Trouble> {
    let begun = host.changes.iter().enumerate().take(ledger.begun);
    for (index, change) in begun.rev() {
        let name = host.name.clone();
        let intent = Event::RestoreIntended { host: name.clone(), index };
        put_back(means, link, change, intent).await?;
        means.emit(Event::RestoreVerified { host: name, index })?;
    }
    if let Some(mark) = &ledger.mark {
        put_back(means, link, mark, mark_intent(host, mark, false)).await?;
    }
    if ledger.leased {
        lease::release(means, host, link).await?;
    }
    // A key that somebody has used meanwhile stays.
    delete_keys(means, host, link, &ledger.created).await
}

/// Creates what is missing above a value that is about to be written.
pub async fn create_keys<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
    key: &KeyPath,
    ledger: &mut Ledger,
) -> Result<(), Trouble> {
    let missing = registry::missing_ancestors(link, key).await?;
    if missing.is_empty() {
        return Ok(());
    }
    // INVARIANT: every key is on disk before the act that creates it.
    for key in missing.iter().rev() {
        means.emit(Event::KeyIntended {
            host: host.name.clone(),
            key: key.clone(),
            create: true,
        })?;
    }
    means.touch(&host.name);
    ledger.created.splice(0..0, missing);
    registry::create_key(link, key).await?;
    Ok(())
}

/// Deletes those of our keys that hold nothing, deepest first.
pub async fn delete_keys<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
    keys: &[KeyPath],
) -> Result<(), Trouble> {
    for key in keys {
        if registry::is_empty(link, key).await? {
            let (host, key) = (host.name.clone(), key.clone());
            means.emit(Event::KeyIntended { host, key: key.clone(), create: false })?;
            registry::delete_empty_keys(link, &[key]).await?;
        }
    }
    Ok(())
}

/// INVARIANT: only what still holds our write is taken back, and it is read afterwards.
async fn put_back<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    link: &mut impl Writer,
    change: &Change,
    intent: Event,
) -> Result<(), Trouble> {
    let Change { path, before, after, rule: _ } = change;
    match registry::observe(link, path).await? {
        Reading::Known(found) if found == *before => Ok(()),
        Reading::Known(found) if found == *after => {
            means.emit(intent)?;
            registry::write(link, &change.swapped()).await?;
            registry::expect(link, path, before).await?;
            Ok(())
        }
        Reading::Known(found) => Err(doubt(format!(
            "`{path}` holds `{found}`, neither what was there nor what was written"
        ))),
        Reading::Unreadable(why) => Err(doubt(format!("`{path}` is unreadable: {why}"))),
    }
}

fn doubt(text: String) -> Trouble {
    Failure::new(FailureKind::InDoubt, text).into()
}

fn restored(failure: Failure) -> Failure {
    let mut chain = vec!["taken back and read back, after".to_owned()];
    chain.extend(failure.chain);
    Failure { kind: FailureKind::WriteRefused, chain, hint: failure.hint }
}

fn in_doubt(failure: Failure, doubt: Failure) -> Failure {
    let mut chain = vec!["not everything could be taken back".to_owned()];
    chain.extend(doubt.chain);
    chain.push("this followed".to_owned());
    chain.extend(failure.chain);
    Failure { kind: FailureKind::InDoubt, chain, hint: None }
        .hint("read the host before anything else is written to it")
}

/// The event of a mark about to be set or removed.
pub fn mark_intent(host: &PlannedHost, change: &Change, set: bool) -> Event {
    Event::MarkIntended { host: host.name.clone(), mark: change.path.to_string(), set }
}
