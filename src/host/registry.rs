//! Registry recipes: reading without guessing, comparing, writing, cleaning up.

use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::model::change::Change;
use crate::model::facts::Access;
use crate::model::registry::KeyPath;
use crate::model::registry::Kind;
use crate::model::registry::Listing;
use crate::model::registry::RAW_UNTOLD;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::TYPE_UNTOLD;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;
use crate::wire::catalogue;
use crate::wire::operation::Answer;
use crate::wire::operation::CREATE_SUB_KEY;
use crate::wire::operation::Read;
use crate::wire::operation::SET_VALUE;
use crate::wire::operation::Write;

/// StdRegProv's return codes (`winrm.md` 1.6).
const DONE: u32 = 0;
const FAILED: u32 = 1;
const NOT_FOUND: u32 = 2;
const ACCESS_DENIED: u32 = 5;
const TYPE_MISMATCH: u32 = 2_147_749_893;

/// Why a step of a write did not end as planned.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The host holds something else than the step relies on; the step wrote nothing.
    #[error("expected `{path}` to be {}, the host holds {}", described(.expected), described(.found))]
    Drifted { path: ValuePath, expected: State, found: State },
    /// What the host holds could not be read: nobody knows whether it moved.
    #[error("expected `{path}` to be {}, and it cannot be read: {why}", described(.expected))]
    Unread { path: ValuePath, expected: State, why: String },
    /// The host answered the act with a return code; nothing was changed by it.
    #[error("{call} on `{target}` was refused with code {code} ({})", meaning(*.code))]
    Refused { call: &'static str, target: String, code: u32 },
    /// The call itself failed; `HostError::Lost` leaves open whether the act was carried out.
    #[error(transparent)]
    Link(#[from] HostError),
}

/// Reads one value by name, whatever its type.
pub async fn observe(link: &mut impl Reader, path: &ValuePath) -> Result<Reading, HostError> {
    match value(link, path, Kind::Sz).await? {
        (DONE, Some(state)) => Ok(Reading::Known(state)),
        (NOT_FOUND, _) => Ok(Reading::Known(State::Absent)),
        // Some getters say 1 for a value that is not there, but 1 is also a plain failure: only a
        // key that can be listed, without the value, proves its absence.
        (FAILED, None) => match values(link, &path.key).await? {
            (DONE, listed) => match type_of(&listed, path) {
                None => Ok(Reading::Known(State::Absent)),
                Some(number) if number == Kind::Sz.number() => Ok(unreadable(FAILED)),
                Some(number) => observe_as(link, path, number).await,
            },
            (NOT_FOUND, _) => Ok(Reading::Known(State::Absent)),
            (code, _) => Ok(unreadable(code)),
        },
        (TYPE_MISMATCH, _) => match values(link, &path.key).await? {
            (DONE, listed) => match type_of(&listed, path) {
                Some(number) => observe_as(link, path, number).await,
                None => Ok(Reading::Unreadable(TYPE_UNTOLD.to_owned())),
            },
            (code, _) => Ok(unreadable(code)),
        },
        (DONE, None) => Ok(no_data()),
        (code, _) => Ok(unreadable(code)),
    }
}

/// Reads every value of a key with the getter of its type.
pub async fn observe_listing(link: &mut impl Reader, key: &KeyPath) -> Result<Listing, HostError> {
    let listed = match values(link, key).await? {
        (DONE, listed) => listed,
        (NOT_FOUND, _) => return Ok(Listing::NoKey),
        (code, _) => return Ok(Listing::Unreadable(meaning(code))),
    };
    let mut readings = Vec::with_capacity(listed.len() + 1);
    for (name, number) in &listed {
        let path = ValuePath::new(key.as_str(), name);
        let reading = match observe_as(link, &path, *number).await? {
            Reading::Known(State::Absent) => {
                Reading::Unreadable("listed, but not found by its name".to_owned())
            }
            reading => reading,
        };
        readings.push((path.name, reading));
    }
    // EnumValues does not tell of a default value that stands alone.
    if !readings.iter().any(|(name, _)| name.is_default()) {
        let path = ValuePath::new(key.as_str(), "");
        match observe(link, &path).await? {
            Reading::Known(State::Absent) => {}
            reading => readings.push((ValueName::default_value(), reading)),
        }
    }
    Ok(Listing::Known(readings))
}

/// Reads the values of a key whose names begin so; one that went away meanwhile is absent. Without
/// the key there are none.
pub async fn observe_prefixed(
    link: &mut impl Reader,
    key: &KeyPath,
    prefix: &str,
) -> Result<Vec<(ValueName, Reading)>, HostError> {
    let listed = match values(link, key).await? {
        (DONE, listed) => listed,
        (NOT_FOUND, _) => return Ok(Vec::new()),
        (code, _) => {
            return Err(HostError::Unexpected {
                expected: format!("the values of `{key}`"),
                got: meaning(code),
            });
        }
    };
    let mut readings = Vec::new();
    for (name, number) in listed.iter().filter(|(name, _)| name.starts_with(prefix)) {
        let path = ValuePath::new(key.as_str(), name);
        let reading = observe_as(link, &path, *number).await?;
        readings.push((path.name, reading));
    }
    Ok(readings)
}

/// Asks whether values can be set and subkeys created here.
///
/// If the key is not there, the nearest ancestor that is decides whether it can be created; so
/// [`Access::NoKey`] comes only where not even an ancestor is there.
pub async fn observe_access(link: &mut impl Reader, key: &KeyPath) -> Result<Access, HostError> {
    let mut key = key.clone();
    let mut required = SET_VALUE | CREATE_SUB_KEY;
    loop {
        let read = Read::CheckAccess { key: key.clone(), required };
        match link.read(&read).await? {
            Answer::Access { code: DONE, granted: Some(true) } => return Ok(Access::Granted),
            Answer::Access { code: DONE, granted: Some(false) }
            | Answer::Access { code: ACCESS_DENIED, .. } => return Ok(Access::Denied),
            Answer::Access { code: NOT_FOUND, .. } => match key.parent() {
                Some(parent) => {
                    key = parent;
                    required = CREATE_SUB_KEY;
                }
                None => return Ok(Access::NoKey),
            },
            Answer::Access { code: DONE, granted: None } => {
                return Ok(Access::Unreadable("the host says neither yes nor no".to_owned()));
            }
            Answer::Access { code, .. } => return Ok(Access::Unreadable(meaning(code))),
            other => return Err(unexpected("an access check's result", &other)),
        }
    }
}

/// Holds if the host's value is exactly `expected`; unreadable is not equal to anything.
pub async fn expect(
    link: &mut impl Reader,
    path: &ValuePath,
    expected: &State,
) -> Result<(), WriteError> {
    let (path, expected) = (path.clone(), expected.clone());
    match observe(link, &path).await? {
        Reading::Known(found) if found == expected => Ok(()),
        Reading::Known(found) => Err(WriteError::Drifted { path, expected, found }),
        Reading::Unreadable(why) => Err(WriteError::Unread { path, expected, why }),
    }
}

/// Brings a value to `change.after`. The caller has compared before and reads back afterwards.
pub async fn write(link: &mut impl Writer, change: &Change) -> Result<(), WriteError> {
    let path = &change.path;
    match &change.after {
        State::Absent => {
            let act = Write::DeleteValue(path.clone());
            // Gone already is gone.
            done(link, &act, "DeleteValue", path, &[DONE, NOT_FOUND]).await
        }
        State::Present(value) => {
            if change.before == State::Absent && !exists(link, &path.key).await? {
                let act = Write::CreateKey(path.key.clone());
                done(link, &act, "CreateKey", &path.key, &[DONE]).await?;
            }
            let act = Write::SetValue { path: path.clone(), value: value.clone() };
            done(link, &act, "SetValue", path, &[DONE]).await
        }
    }
}

/// Creates a key and those above it.
pub async fn create_key(link: &mut impl Writer, key: &KeyPath) -> Result<(), WriteError> {
    done(link, &Write::CreateKey(key.clone()), "CreateKey", key, &[DONE]).await
}

/// Compares, writes and reads back.
pub async fn apply(link: &mut impl Writer, change: &Change) -> Result<(), WriteError> {
    expect(link, &change.path, &change.before).await?;
    write(link, change).await?;
    expect(link, &change.path, &change.after).await
}

/// The keys that a write below `key` would create, `key` itself first, then upwards.
pub async fn missing_ancestors(
    link: &mut impl Reader,
    key: &KeyPath,
) -> Result<Vec<KeyPath>, HostError> {
    let mut missing = Vec::new();
    let mut next = Some(key.clone());
    while let Some(key) = next {
        if exists(link, &key).await? {
            break;
        }
        next = key.parent();
        missing.push(key);
    }
    Ok(missing)
}

/// Deletes those of `keys` that hold nothing, in the order given (deepest first), and tells which.
/// A key with anything in it stays, as do the keys above it.
pub async fn delete_empty_keys(
    link: &mut impl Writer,
    keys: &[KeyPath],
) -> Result<Vec<KeyPath>, WriteError> {
    let mut deleted = Vec::new();
    for key in keys {
        if is_empty(link, key).await? {
            let act = Write::DeleteKey(key.clone());
            done(link, &act, "DeleteKey", key, &[DONE, NOT_FOUND]).await?;
            deleted.push(key.clone());
        }
    }
    Ok(deleted)
}

/// What a return code means, for people.
pub(crate) fn meaning(code: u32) -> String {
    match code {
        FAILED => "the provider failed and says no more".to_owned(),
        NOT_FOUND => "no such key or value".to_owned(),
        ACCESS_DENIED => "access denied".to_owned(),
        6 => "no such hive".to_owned(),
        1018 => "the key is marked for deletion".to_owned(),
        code => catalogue::explain(code)
            .map_or_else(|| format!("return code {code}"), |entry| entry.meaning.to_owned()),
    }
}

async fn observe_as(
    link: &mut impl Reader,
    path: &ValuePath,
    number: u32,
) -> Result<Reading, HostError> {
    let kind = match Kind::from_number(number) {
        None => return Ok(Reading::Unreadable(format!("registry type {number} has no getter"))),
        Some(Kind::ExpandSz) => {
            return Ok(Reading::Unreadable(RAW_UNTOLD.to_owned()));
        }
        Some(kind) => kind,
    };
    Ok(match value(link, path, kind).await? {
        (DONE, Some(state)) => Reading::Known(state),
        (DONE, None) => no_data(),
        (NOT_FOUND, _) => Reading::Known(State::Absent),
        (code, _) => unreadable(code),
    })
}

async fn value(
    link: &mut impl Reader,
    path: &ValuePath,
    kind: Kind,
) -> Result<(u32, Option<State>), HostError> {
    match link.read(&Read::Value { path: path.clone(), kind }).await? {
        Answer::Value { code, value } => Ok((code, value.map(State::Present))),
        other => Err(unexpected("a value", &other)),
    }
}

async fn values(
    link: &mut impl Reader,
    key: &KeyPath,
) -> Result<(u32, Vec<(String, u32)>), HostError> {
    match link.read(&Read::EnumValues(key.clone())).await? {
        Answer::Values { code, values } => Ok((code, values)),
        other => Err(unexpected("a list of values", &other)),
    }
}

fn type_of(listed: &[(String, u32)], path: &ValuePath) -> Option<u32> {
    listed.iter().find(|(name, _)| ValueName::new(name) == path.name).map(|(_, number)| *number)
}

/// A key that may not be read may be there or not, and nothing is created on a guess.
async fn exists(link: &mut impl Reader, key: &KeyPath) -> Result<bool, HostError> {
    match values(link, key).await?.0 {
        DONE => Ok(true),
        NOT_FOUND => Ok(false),
        code => Err(HostError::Unexpected {
            expected: format!("whether `{key}` is there"),
            got: meaning(code),
        }),
    }
}

/// Whether a key is there with nothing in it. What cannot be read is no answer.
pub async fn is_empty(link: &mut impl Reader, key: &KeyPath) -> Result<bool, HostError> {
    let unknown = |got: String| HostError::Unexpected {
        expected: format!("whether `{key}` holds anything"),
        got,
    };
    match link.read(&Read::EnumKeys(key.clone())).await? {
        Answer::Keys { code: DONE, names } if names.is_empty() => {}
        Answer::Keys { code: DONE | NOT_FOUND, .. } => return Ok(false),
        Answer::Keys { code, .. } => return Err(unknown(meaning(code))),
        other => return Err(unexpected("a list of keys", &other)),
    }
    match observe_listing(link, key).await? {
        Listing::NoKey => Ok(false),
        Listing::Unreadable(why) => Err(unknown(why)),
        Listing::Known(values) => match values.as_slice() {
            [] => Ok(true),
            // It was asked for by name, and nobody has said that it is there.
            [(name, Reading::Unreadable(why))] if name.is_default() => Err(unknown(why.clone())),
            [..] => Ok(false),
        },
    }
}

async fn done(
    link: &mut impl Writer,
    act: &Write,
    call: &'static str,
    target: &impl ToString,
    welcome: &[u32],
) -> Result<(), WriteError> {
    match link.write(act).await? {
        Answer::Done { code } if welcome.contains(&code) => Ok(()),
        Answer::Done { code } => {
            Err(WriteError::Refused { call, target: target.to_string(), code })
        }
        other => Err(unexpected("a return code", &other).into()),
    }
}

fn unreadable(code: u32) -> Reading {
    Reading::Unreadable(meaning(code))
}

fn no_data() -> Reading {
    Reading::Unreadable("the host says that the value is there and sends no data".to_owned())
}

fn described(state: &State) -> String {
    match state {
        State::Absent => "absent".to_owned(),
        State::Present(value) => format!("{} `{value}`", value.kind()),
    }
}

/// An answer to another question than the one asked: a fault of the link, never of the host.
pub(crate) fn unexpected(expected: &str, got: &Answer) -> HostError {
    let got = match got {
        Answer::Identity { .. } => "an identity",
        Answer::Value { .. } => "a value",
        Answer::Values { .. } => "a list of values",
        Answer::Keys { .. } => "a list of keys",
        Answer::Access { .. } => "an access check's result",
        Answer::AccessList { .. } => "an access list",
        Answer::ClientRestart { .. } => "whether a restart is pending",
        Answer::Instances(_) => "instances",
        Answer::Settings(_) => "settings",
        Answer::Templates { .. } => "templates",
        Answer::Done { .. } => "a return code",
    };
    HostError::Unexpected { expected: expected.to_owned(), got: got.to_owned() }
}

#[cfg(test)]
mod tests;
