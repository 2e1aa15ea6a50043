//! Objects as PSRP carries them, serialised as CLIXML [MS-PSRP] 2.2.5.

use std::collections::BTreeMap;

/// A deserialised object, or a primitive one.
#[derive(Debug, Clone, PartialEq)]
pub enum PsObject {
    Null,
    Bool(bool),
    /// `I32`, `I64`, `By`, `SB`, `U16`, `I16`.
    Int(i64),
    /// `U32`, `U64`.
    Unsigned(u64),
    Double(f64),
    /// `S`, and as text: `C`, `DT`, `TS`, `G`, `URI`, `Version`, `SBK`, `XD`.
    Text(String),
    Bytes(Vec<u8>),
    /// `LST`, `IE`, `STK`, `QUE` without further properties.
    List(Vec<Self>),
    /// `DCT`.
    Dictionary(Vec<(Self, Self)>),
    Complex(Box<Complex>),
}

/// An `Obj` element.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Complex {
    pub type_names: Vec<String>,
    pub to_string: Option<String>,
    /// The primitive or container that the object wraps, if any.
    pub value: Option<PsObject>,
    /// `Props`, the adapted properties.
    pub properties: BTreeMap<String, PsObject>,
    /// `MS`, the extended properties.
    pub members: BTreeMap<String, PsObject>,
}

impl PsObject {
    /// A property by name, adapted before extended; names compare without case. Windows wraps what
    /// a cmdlet decorated in a second object, whose properties count too.
    pub fn property(&self, name: &str) -> Option<&Self> {
        let Self::Complex(object) = self else { return None };
        object
            .properties
            .iter()
            .chain(&object.members)
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .or_else(|| object.value.as_ref()?.property(name))
    }

    /// The text of a primitive, or of an object's `ToString`.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(if *value { "True" } else { "False" }.to_owned()),
            Self::Int(value) => Some(value.to_string()),
            Self::Unsigned(value) => Some(value.to_string()),
            Self::Double(value) => Some(value.to_string()),
            Self::Complex(object) => match (&object.value, &object.to_string) {
                (Some(value), _) if !matches!(value, Self::List(_) | Self::Dictionary(_)) => {
                    value.text()
                }
                (_, text) => text.clone(),
            },
            Self::Null | Self::Bytes(_) | Self::List(_) | Self::Dictionary(_) => None,
        }
    }

    /// A whole number, bare or wrapped in an object, as an enumeration's value is.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Unsigned(value) => i64::try_from(*value).ok(),
            Self::Complex(object) => object.value.as_ref()?.int(),
            Self::Null
            | Self::Bool(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::List(_)
            | Self::Dictionary(_) => None,
        }
    }

    /// An object's `ToString` where it has one, else its text: the name of an enumeration's value.
    pub fn to_text(&self) -> Option<String> {
        if let Self::Complex(object) = self
            && let Some(text) = &object.to_string
        {
            return Some(text.clone());
        }
        self.text()
    }

    pub fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Complex(object) => object.value.as_ref()?.bool(),
            Self::Null
            | Self::Int(_)
            | Self::Unsigned(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::List(_)
            | Self::Dictionary(_) => None,
        }
    }

    /// The members of a list, whether bare or wrapped in an object.
    pub fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Complex(object) => object.value.as_ref()?.list(),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Unsigned(_)
            | Self::Double(_)
            | Self::Text(_)
            | Self::Bytes(_)
            | Self::Dictionary(_) => None,
        }
    }
}
