//! The methods of `StdRegProv`: names, parameters, and what a refused call carries (`winrm.md` 1.6).

use crate::lab::cim::Property;
use crate::model::registry::Kind;

pub const OK: u32 = 0;
/// A getter did not find the value.
pub const FAILED: u32 = 1;
pub const NOT_FOUND: u32 = 2;
pub const ACCESS_DENIED: u32 = 5;
pub const BAD_HIVE: u32 = 6;
pub const BAD_PARAMETER: u32 = 87;
/// `WBEM_E_TYPE_MISMATCH`: the value has another type.
pub const OTHER_TYPE: u32 = 2_147_749_893;
/// `WBEM_E_INVALID_PARAMETER`: a parameter is null.
pub const NULL_PARAMETER: u32 = 2_147_749_896;

/// A method's parameters as they came: `None` is nil, an array repeats.
pub type Parameters = Vec<(String, Vec<Option<String>>)>;

/// Out parameters and the return value.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub out: Vec<(&'static str, Property)>,
    pub code: u32,
}

/// What a method is for, so that the lab can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Reads,
    Writes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    CreateKey,
    DeleteKey,
    EnumKey,
    EnumValues,
    DeleteValue,
    CheckAccess,
    Get(Kind),
    Set(Kind),
    GetSecurityDescriptor,
    SetSecurityDescriptor,
}

impl Method {
    /// Names are case-sensitive.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "CreateKey" => Self::CreateKey,
            "DeleteKey" => Self::DeleteKey,
            "EnumKey" => Self::EnumKey,
            "EnumValues" => Self::EnumValues,
            "DeleteValue" => Self::DeleteValue,
            "CheckAccess" => Self::CheckAccess,
            "GetSecurityDescriptor" => Self::GetSecurityDescriptor,
            "SetSecurityDescriptor" => Self::SetSecurityDescriptor,
            _ => {
                let (verb, rest) = name.split_at_checked(3)?;
                let kind = kind_named(rest.strip_suffix("Value")?)?;
                match verb {
                    "Get" => Self::Get(kind),
                    "Set" => Self::Set(kind),
                    _ => return None,
                }
            }
        })
    }

    pub fn effect(self) -> Effect {
        match self {
            Self::CreateKey
            | Self::DeleteKey
            | Self::DeleteValue
            | Self::Set(_)
            | Self::SetSecurityDescriptor => Effect::Writes,
            Self::EnumKey
            | Self::EnumValues
            | Self::CheckAccess
            | Self::Get(_)
            | Self::GetSecurityDescriptor => Effect::Reads,
        }
    }

    /// Whether the method has an in parameter of that name.
    pub fn takes(self, parameter: &str) -> bool {
        match parameter {
            "hDefKey" | "sSubKeyName" => true,
            "sValueName" => matches!(self, Self::DeleteValue | Self::Get(_) | Self::Set(_)),
            "uRequired" => self == Self::CheckAccess,
            "sValue" | "uValue" => {
                matches!(self, Self::Set(kind) if data_parameter(kind) == parameter)
            }
            "Descriptor" => self == Self::SetSecurityDescriptor,
            _ => false,
        }
    }

    /// The out parameters of a refused call: nil, but for `bGranted`.
    pub(super) fn refused(self, code: u32) -> Output {
        let out = match self {
            Self::EnumKey => vec![("sNames", Property::Null)],
            Self::EnumValues => vec![("sNames", Property::Null), ("Types", Property::Null)],
            Self::CheckAccess => vec![("bGranted", Property::Bool(false))],
            Self::Get(kind) => vec![(data_parameter(kind), Property::Null)],
            Self::GetSecurityDescriptor => vec![("Descriptor", Property::Null)],
            Self::CreateKey
            | Self::DeleteKey
            | Self::DeleteValue
            | Self::Set(_)
            | Self::SetSecurityDescriptor => Vec::new(),
        };
        Output { out, code }
    }
}

fn kind_named(name: &str) -> Option<Kind> {
    Some(match name {
        "String" => Kind::Sz,
        "ExpandedString" => Kind::ExpandSz,
        "Binary" => Kind::Binary,
        "DWORD" => Kind::Dword,
        "MultiString" => Kind::MultiSz,
        "QWORD" => Kind::Qword,
        _ => return None,
    })
}

pub(super) fn data_parameter(kind: Kind) -> &'static str {
    match kind {
        Kind::Sz | Kind::ExpandSz | Kind::MultiSz => "sValue",
        Kind::Binary | Kind::Dword | Kind::Qword => "uValue",
    }
}
