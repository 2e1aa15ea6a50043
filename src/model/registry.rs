//! Registry keys, values and what a read of one can tell.

use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::visible::Visible;

/// A key below `HKEY_LOCAL_MACHINE`, without the hive: `SOFTWARE\Microsoft\MSDRM`.
///
/// Names compare without regard to ASCII case, as the registry's do; the spelling is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyPath(String);

impl KeyPath {
    /// Takes a path below HKLM; leading and trailing backslashes are dropped.
    pub fn new(path: impl AsRef<str>) -> Self {
        Self(path.as_ref().trim_matches('\\').to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key this one stands in; `None` for a top-level key such as `SOFTWARE`.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('\\').map(|(parent, _)| Self(parent.to_owned()))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HKLM\\{}", self.0)
    }
}

/// The name of a value within its key; the empty name is the key's default value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ValueName(String);

impl ValueName {
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The unnamed default value, shown as `(Default)`.
    pub fn default_value() -> Self {
        Self(String::new())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ValueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Visible(if self.is_default() { "(Default)" } else { &self.0 }).fmt(f)
    }
}

fn fold_case(left: &str, right: &str) -> Ordering {
    left.bytes()
        .map(|byte| byte.to_ascii_lowercase())
        .cmp(right.bytes().map(|byte| byte.to_ascii_lowercase()))
}

macro_rules! case_insensitive {
    ($name:ident) => {
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                fold_case(&self.0, &other.0)
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }
        impl Eq for $name {}
    };
}

case_insensitive!(KeyPath);
case_insensitive!(ValueName);

/// Where one value stands: key and name, always in the 64-bit view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ValuePath {
    pub key: KeyPath,
    pub name: ValueName,
}

impl ValuePath {
    pub fn new(key: impl AsRef<str>, name: impl Into<String>) -> Self {
        Self { key: KeyPath::new(key), name: ValueName::new(name) }
    }
}

impl fmt::Display for ValuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\{}", self.key, self.name)
    }
}

/// A registry type, with the number that `EnumValues` gives for it (`winrm.md` 1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "REG_SZ")]
    Sz,
    #[serde(rename = "REG_EXPAND_SZ")]
    ExpandSz,
    #[serde(rename = "REG_BINARY")]
    Binary,
    #[serde(rename = "REG_DWORD")]
    Dword,
    #[serde(rename = "REG_MULTI_SZ")]
    MultiSz,
    #[serde(rename = "REG_QWORD")]
    Qword,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Sz, Self::ExpandSz, Self::Binary, Self::Dword, Self::MultiSz, Self::Qword];

    /// The number in `EnumValues`' `Types`.
    pub fn number(self) -> u32 {
        match self {
            Self::Sz => 1,
            Self::ExpandSz => 2,
            Self::Binary => 3,
            Self::Dword => 4,
            Self::MultiSz => 7,
            Self::Qword => 11,
        }
    }

    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sz => "REG_SZ",
            Self::ExpandSz => "REG_EXPAND_SZ",
            Self::Binary => "REG_BINARY",
            Self::Dword => "REG_DWORD",
            Self::MultiSz => "REG_MULTI_SZ",
            Self::Qword => "REG_QWORD",
        })
    }
}

/// A typed value. `ExpandSz` holds the raw text, which StdRegProv can write but not read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Value {
    #[serde(rename = "REG_SZ")]
    Sz(String),
    #[serde(rename = "REG_EXPAND_SZ")]
    ExpandSz(String),
    #[serde(rename = "REG_BINARY")]
    Binary(Vec<u8>),
    #[serde(rename = "REG_DWORD")]
    Dword(u32),
    #[serde(rename = "REG_MULTI_SZ")]
    MultiSz(Vec<String>),
    #[serde(rename = "REG_QWORD")]
    Qword(u64),
}

impl Value {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Sz(_) => Kind::Sz,
            Self::ExpandSz(_) => Kind::ExpandSz,
            Self::Binary(_) => Kind::Binary,
            Self::Dword(_) => Kind::Dword,
            Self::MultiSz(_) => Kind::MultiSz,
            Self::Qword(_) => Kind::Qword,
        }
    }

    /// The text of a `REG_SZ`; `None` for every other type.
    pub fn as_sz(&self) -> Option<&str> {
        match self {
            Self::Sz(text) => Some(text),
            Self::ExpandSz(_)
            | Self::Binary(_)
            | Self::Dword(_)
            | Self::MultiSz(_)
            | Self::Qword(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sz(text) | Self::ExpandSz(text) => Visible(text).fmt(f),
            Self::Binary(bytes) => {
                for (place, byte) in bytes.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{byte:02x}")?;
                }
                Ok(())
            }
            Self::Dword(number) => write!(f, "{number} (0x{number:08x})"),
            Self::Qword(number) => write!(f, "{number} (0x{number:016x})"),
            Self::MultiSz(texts) => Visible(&texts.join(" | ")).fmt(f),
        }
    }
}

/// What stands at a path: nothing, or a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Absent,
    Present(Value),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Present(value) => value.fmt(f),
        }
    }
}

/// Why a value cannot be read that is there, of another type than the text that was asked for.
pub const TYPE_UNTOLD: &str = "not a REG_SZ, and its type is not told";
/// Why a text with variables in it cannot be read.
pub const RAW_UNTOLD: &str = "REG_EXPAND_SZ, whose raw text cannot be read back";

/// What one read told us. There is no third case "probably absent": silence is not evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    Known(State),
    /// The host answered, but not with the value: access denied, or no raw form to be had.
    Unreadable(String),
}

/// All values of one key, as far as they could be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listing {
    /// The key is there; its default value is among the values only if it is set.
    Known(Vec<(ValueName, Reading)>),
    NoKey,
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_within_its_line() {
        let odd = Value::Sz("https://a\nFAKE\u{9b}31m\u{1b}[2J\u{202e}b".to_owned());
        assert_eq!(odd.to_string(), r"https://a\u{a}FAKE\u{9b}31m\u{1b}[2J\u{202e}b");
        assert_eq!(ValueName::new("a\rb").to_string(), r"a\u{d}b");
        let plain = r"\\server\share für 日本";
        assert_eq!(Value::Sz(plain.to_owned()).to_string(), plain);
    }
}
