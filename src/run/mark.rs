//! The mark of a restart that is owed: set before the first write, removed after the proof.

use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Writer;
use crate::host::mark;
use crate::host::registry;
use crate::model::change::Change;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::run::means::Means;
use crate::run::restore::Ledger;
use crate::run::restore::create_keys;
use crate::run::restore::delete_keys;
use crate::run::restore::mark_intent;
use crate::run::trouble::Trouble;

/// Sets the mark; one that an earlier run left is replaced, and put back if this run fails.
pub async fn set<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
    ledger: &mut Ledger,
) -> Result<(), Trouble> {
    let path = mark::path();
    let before = match registry::observe(link, &path).await? {
        Reading::Known(state) => state,
        Reading::Unreadable(why) => {
            let text = format!("the mark `{path}` is unreadable: {why}");
            return Err(Failure::new(FailureKind::WriteRefused, text).into());
        }
    };
    if let State::Present(own) = &before
        && own.as_sz().is_some_and(|text| text.split(' ').next() == Some(means.run))
    {
        // An earlier process of this run has set it over what the plan saw.
        let seen = host.restart_owed.clone().map(Value::Sz).map_or(State::Absent, State::Present);
        let rule = "mark".to_owned();
        ledger.mark = Some(Change { path, before: seen, after: before, rule });
        return Ok(());
    }
    // INVARIANT: a debt that came after the plan is another run's, and not overwritten.
    let came_after =
        matches!(&before, State::Present(value) if Some(value.to_string()) != host.restart_owed);
    if came_after {
        let text = format!("`{path}` has the mark of another run since the plan: {before}");
        return Err(Failure::new(FailureKind::Drifted, text).hint("plan again").into());
    }
    // INVARIANT: nobody restarts for a debt that was paid since the plan.
    if before == State::Absent && host.restart_owed.is_some() && host.changes.is_empty() {
        let text = "the restart that was owed when the plan was made is not owed any more: \
                    somebody has restarted the host and taken the mark away";
        return Err(Failure::new(FailureKind::Drifted, text).hint("plan again").into());
    }
    // As `host::mark::parse` reads it.
    let after = State::Present(Value::Sz(format!("{} {}", means.run, means.clock.now())));
    let change = Change { path, before, after, rule: "mark".to_owned() };
    create_keys(means, host, link, &change.path.key, ledger).await?;
    means.emit(mark_intent(host, &change, true))?;
    means.touch(&host.name);
    ledger.mark = Some(change.clone());
    registry::write(link, &change).await?;
    registry::expect(link, &change.path, &change.after).await?;
    Ok(())
}

/// Removes a mark whose restart has happened since, if it is still the one that the plan saw.
pub async fn settle<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), Trouble> {
    let path = mark::path();
    let found = registry::observe(link, &path).await?;
    // INVARIANT: a debt that came after the plan is nobody's to strike out.
    let same = match &found {
        Reading::Known(State::Absent) => return delete_keys(means, host, link, &[path.key]).await,
        Reading::Known(State::Present(mark)) => Some(mark.to_string()) == host.restart_owed,
        Reading::Unreadable(_) => false,
    };
    if !same {
        let text = format!("the mark `{path}` is not the one that the plan saw");
        return Err(Failure::new(FailureKind::Drifted, text)
            .hint("plan again: another run may have worked on the host")
            .into());
    }
    means.touch(&host.name);
    clear(means, host, link).await
}

/// Removes the mark, and the key if nothing else is in it.
pub async fn clear<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), Trouble> {
    let path = mark::path();
    let before = match registry::observe(link, &path).await? {
        // Gone already; an earlier process may have died before it took the key away.
        Reading::Known(State::Absent) => return delete_keys(means, host, link, &[path.key]).await,
        Reading::Known(state) => state,
        Reading::Unreadable(_) => State::Absent,
    };
    let change = Change { path, before, after: State::Absent, rule: "mark".to_owned() };
    means.emit(mark_intent(host, &change, false))?;
    registry::write(link, &change).await?;
    registry::expect(link, &change.path, &change.after).await?;
    delete_keys(means, host, link, &[change.path.key]).await
}
