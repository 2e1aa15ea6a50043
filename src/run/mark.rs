//! The mark of a restart that is owed: set before the first write, removed after the proof.

use crate::event::Event;
use crate::host::link::Clock;
use crate::host::link::Connect;
use crate::host::link::Writer;
use crate::model::change::Change;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::plan::PlannedHost;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::run::means::Means;
use crate::run::means::Trouble;
use crate::run::restore::Ledger;
use crate::run::values;

/// The one key of ours on a host. It goes when its last mark goes.
const MARK_KEY: &str = r"SOFTWARE\rmsfleet";

/// A `REG_SZ` that names run and time.
pub fn restart_mark() -> ValuePath {
    ValuePath::new(MARK_KEY, "RestartOwed")
}

/// Sets the mark; a mark that an earlier run left is replaced, and put back if this one fails.
pub async fn set<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
    ledger: &mut Ledger,
) -> Result<(), Trouble> {
    let path = restart_mark();
    let before = match values::state(link, &path).await? {
        Reading::Known(state) => state,
        Reading::Unreadable(why) => return Err(unreadable(&path, &why)),
    };
    let text = format!("run {} at {}", means.run, means.clock.now());
    let after = State::Present(Value::Sz(text));
    let change = Change { path, before, after, rule: "restart-owed".to_owned() };
    means.emit(intent(host, &change.path, true))?;
    means.touch(&host.name);
    ledger.mark = Some(change.clone());
    values::set(link, &change.path, &change.after, &mut ledger.created).await?;
    values::compare(link, &change.path, &change.after).await?.map_err(not_kept)
}

/// Removes the mark, and the key if nothing else is in it.
pub async fn clear<C: Connect, K: Clock>(
    means: &Means<'_, C, K>,
    host: &PlannedHost,
    link: &mut impl Writer,
) -> Result<(), Trouble> {
    let path = restart_mark();
    if values::state(link, &path).await? == Reading::Known(State::Absent) {
        return Ok(());
    }
    means.emit(intent(host, &path, false))?;
    values::set(link, &path, &State::Absent, &mut Vec::new()).await?;
    values::compare(link, &path, &State::Absent).await?.map_err(not_kept)?;
    // Another run's mark may stand beside ours; then the key stays with it.
    let _stays: Result<(), String> = values::drop_key(link, &KeyPath::new(MARK_KEY)).await?;
    Ok(())
}

/// The event of a mark about to be set or removed.
pub fn intent(host: &PlannedHost, path: &ValuePath, set: bool) -> Event {
    Event::MarkIntended { host: host.name.clone(), mark: path.to_string(), set }
}

fn unreadable(path: &ValuePath, why: &str) -> Trouble {
    Failure::new(FailureKind::WriteRefused, format!("`{path}` is unreadable: {why}")).into()
}

fn not_kept(text: String) -> Trouble {
    Failure::new(FailureKind::WriteRefused, format!("the mark was not kept: {text}")).into()
}
