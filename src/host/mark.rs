//! The mark on a host that says a restart is owed, for whoever comes next.

use jiff::Timestamp;

use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::host::registry;
use crate::host::registry::WriteError;
use crate::model::change::Change;
use crate::model::lease::MARKS_KEY;
use crate::model::registry::KeyPath;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;

const NAME: &str = "RestartOwed";

/// A restart that a run left owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    pub run: String,
    pub since: Timestamp,
}

/// Where the mark stands; under one key, with nothing else of ours beside it.
pub fn path() -> ValuePath {
    ValuePath::new(MARKS_KEY, NAME)
}

/// Reads the mark out of a reading of [`path`]. `Err` says why it cannot be told.
pub fn parse(reading: &Reading) -> Result<Option<Owed>, String> {
    let text = match reading {
        Reading::Known(State::Absent) => return Ok(None),
        Reading::Known(State::Present(Value::Sz(text))) => text,
        Reading::Known(State::Present(value)) => {
            return Err(format!("expected a REG_SZ in `{}`, it holds {}", path(), value.kind()));
        }
        Reading::Unreadable(why) => return Err(format!("`{}` is unreadable: {why}", path())),
    };
    text.split_once(' ')
        .and_then(|(run, since)| Some(Owed { run: run.to_owned(), since: since.parse().ok()? }))
        .map(Some)
        .ok_or_else(|| format!("expected run and time in `{}`, it holds `{text}`", path()))
}

/// Reads the mark.
pub async fn read(link: &mut impl Reader) -> Result<Option<Owed>, HostError> {
    let reading = registry::observe(link, &path()).await?;
    parse(&reading).map_err(|text| HostError::Unexpected {
        expected: "a restart mark or none".to_owned(),
        got: text,
    })
}

/// Sets the mark and reads it back. An older mark is replaced: the debt is one either way.
pub async fn set(link: &mut impl Writer, owed: &Owed) -> Result<(), WriteError> {
    let after = State::Present(Value::Sz(format!("{} {}", owed.run, owed.since)));
    let change = mark_change(after);
    registry::write(link, &change).await?;
    registry::expect(link, &change.path, &change.after).await
}

/// Removes the mark, and the key if nothing else is in it.
pub async fn remove(link: &mut impl Writer) -> Result<(), WriteError> {
    let change = mark_change(State::Absent);
    registry::write(link, &change).await?;
    registry::expect(link, &change.path, &change.after).await?;
    registry::delete_empty_keys(link, &[KeyPath::new(MARKS_KEY)]).await?;
    Ok(())
}

fn mark_change(after: State) -> Change {
    Change { path: path(), before: State::Absent, after, rule: "mark".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::host::imagined::Imagined;

    fn owed() -> Owed {
        Owed { run: "r-2026".to_owned(), since: "2026-01-05T03:04:05Z".parse().unwrap() }
    }

    #[tokio::test]
    async fn a_mark_is_set_read_and_leaves_nothing_behind() {
        let mut host = Imagined::new();
        assert_eq!(read(&mut host).await.unwrap(), None);
        set(&mut host, &owed()).await.unwrap();
        assert_eq!(read(&mut host).await.unwrap(), Some(owed()));
        remove(&mut host).await.unwrap();
        assert_eq!(read(&mut host).await.unwrap(), None);
        assert!(!host.has_key(MARKS_KEY));
        remove(&mut host).await.unwrap();
    }

    #[tokio::test]
    async fn a_key_with_other_marks_stays() {
        let mut host = Imagined::new().with_value(MARKS_KEY, "Lease", Value::Dword(1));
        set(&mut host, &owed()).await.unwrap();
        remove(&mut host).await.unwrap();
        assert!(host.has_key(MARKS_KEY));
    }

    #[tokio::test]
    async fn a_mark_that_cannot_be_told_is_not_taken_as_none() {
        for value in [Value::Sz("nonsense".to_owned()), Value::Dword(1)] {
            let mut host = Imagined::new().with_value(MARKS_KEY, NAME, value);
            assert!(read(&mut host).await.is_err());
        }
    }
}
