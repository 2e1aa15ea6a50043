//! Single registry values: read, written and removed, with return codes put into words.

use crate::host::link::HostError;
use crate::host::link::Reader;
use crate::host::link::Writer;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::registry::KeyPath;
use crate::model::registry::Kind;
use crate::model::registry::Reading;
use crate::model::registry::State;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;
use crate::run::means::Trouble;
use crate::wire::operation::Answer;
use crate::wire::operation::Read;
use crate::wire::operation::Write;

/// Win32 `ERROR_FILE_NOT_FOUND`: no such key, or no such value.
const NOT_FOUND: u32 = 2;

/// Reads one value by name. What cannot be told is unreadable, never absent.
pub async fn state(link: &mut impl Reader, path: &ValuePath) -> Result<Reading, HostError> {
    let listed = match link.read(&Read::EnumValues(path.key.clone())).await? {
        Answer::Values { code: 0, values } => values,
        Answer::Values { code: NOT_FOUND, .. } => return Ok(Reading::Known(State::Absent)),
        Answer::Values { code, .. } => return Ok(unreadable("EnumValues", code)),
        other => return Err(unexpected("a list of values", &other)),
    };
    let number = listed
        .iter()
        .find(|(name, _)| ValueName::new(name.as_str()) == path.name)
        .map(|(_, number)| *number);
    let kind = match number.map(|number| (number, Kind::from_number(number))) {
        // A lone default value is not listed, so it is asked for by name all the same.
        None => Kind::Sz,
        Some((_, Some(Kind::ExpandSz))) => {
            return Ok(Reading::Unreadable("REG_EXPAND_SZ has no raw form to be read".to_owned()));
        }
        Some((_, Some(kind))) => kind,
        Some((number, None)) => {
            return Ok(Reading::Unreadable(format!("registry type {number}")));
        }
    };
    match link.read(&Read::Value { path: path.clone(), kind }).await? {
        Answer::Value { code: 0, value: Some(value) } => Ok(Reading::Known(State::Present(value))),
        Answer::Value { code: NOT_FOUND, .. } if number.is_none() => {
            Ok(Reading::Known(State::Absent))
        }
        Answer::Value { code: 1, value: None } if number.is_none() => {
            Ok(Reading::Known(State::Absent))
        }
        Answer::Value { code, .. } => Ok(unreadable("reading", code)),
        other => Err(unexpected("a value", &other)),
    }
}

/// Whether the value is exactly so, or in words what is there instead.
pub async fn compare(
    link: &mut impl Reader,
    path: &ValuePath,
    expected: &State,
) -> Result<Result<(), String>, HostError> {
    Ok(match state(link, path).await? {
        Reading::Known(found) if found == *expected => Ok(()),
        Reading::Known(found) => Err(format!("`{path}`: expected `{expected}`, found `{found}`")),
        Reading::Unreadable(why) => {
            Err(format!("`{path}`: expected `{expected}`, found it unreadable: {why}"))
        }
    })
}

/// Brings a value to a state, its key first. The keys that were missing are returned, leaf first.
pub async fn set(
    link: &mut impl Writer,
    path: &ValuePath,
    state: &State,
    created: &mut Vec<KeyPath>,
) -> Result<(), Trouble> {
    match state {
        State::Absent => {
            let what = format!("deleting `{path}`");
            match done(link, &Write::DeleteValue(path.clone())).await? {
                0 | NOT_FOUND => Ok(()),
                code => Err(refused(&what, code)),
            }
        }
        State::Present(value) => {
            let missing = missing_keys(link, &path.key).await?;
            if !missing.is_empty() {
                let what = format!("creating key `{}`", path.key);
                created.splice(0..0, missing);
                accept(&what, done(link, &Write::CreateKey(path.key.clone())).await?)?;
            }
            let write = Write::SetValue { path: path.clone(), value: value.clone() };
            accept(&format!("writing `{path}`"), done(link, &write).await?)
        }
    }
}

/// Deletes a key of ours if nothing is left in it; says why where it stays.
pub async fn drop_key(
    link: &mut impl Writer,
    key: &KeyPath,
) -> Result<Result<(), String>, HostError> {
    if !exists(link, key).await? {
        return Ok(Ok(()));
    }
    if !is_empty(link, key).await? {
        return Ok(Err(format!("key `{key}` is not empty")));
    }
    Ok(match done(link, &Write::DeleteKey(key.clone())).await? {
        0 | NOT_FOUND => Ok(()),
        code => Err(format!("key `{key}` could not be deleted: code {code}")),
    })
}

/// No subkey and no value, the default value included, which no list shows.
async fn is_empty(link: &mut impl Reader, key: &KeyPath) -> Result<bool, HostError> {
    match link.read(&Read::EnumKeys(key.clone())).await? {
        Answer::Keys { code: 0, names } if names.is_empty() => {}
        Answer::Keys { .. } => return Ok(false),
        other => return Err(unexpected("a list of keys", &other)),
    }
    match link.read(&Read::EnumValues(key.clone())).await? {
        Answer::Values { code: 0, values } if values.is_empty() => {}
        Answer::Values { .. } => return Ok(false),
        other => return Err(unexpected("a list of values", &other)),
    }
    let default = ValuePath { key: key.clone(), name: ValueName::default_value() };
    Ok(state(link, &default).await? == Reading::Known(State::Absent))
}

/// The key and those above it that are not there, leaf first.
async fn missing_keys(link: &mut impl Reader, key: &KeyPath) -> Result<Vec<KeyPath>, HostError> {
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

async fn exists(link: &mut impl Reader, key: &KeyPath) -> Result<bool, HostError> {
    match link.read(&Read::EnumValues(key.clone())).await? {
        Answer::Values { code, .. } => Ok(code != NOT_FOUND),
        other => Err(unexpected("a list of values", &other)),
    }
}

async fn done(link: &mut impl Writer, write: &Write) -> Result<u32, HostError> {
    match link.write(write).await? {
        Answer::Done { code } => Ok(code),
        other => Err(unexpected("a return code", &other)),
    }
}

fn accept(what: &str, code: u32) -> Result<(), Trouble> {
    if code == 0 { Ok(()) } else { Err(refused(what, code)) }
}

fn refused(what: &str, code: u32) -> Trouble {
    let words = if code == 5 { " (access denied)" } else { "" };
    let text = format!("{what}: expected code 0, host returned {code}{words}");
    Failure::new(FailureKind::WriteRefused, text).into()
}

fn unreadable(what: &str, code: u32) -> Reading {
    let words = if code == 5 { " (access denied)" } else { "" };
    Reading::Unreadable(format!("{what} returned code {code}{words}"))
}

fn unexpected(expected: &str, got: &Answer) -> HostError {
    HostError::Unexpected { expected: expected.to_owned(), got: format!("{got:?}") }
}
