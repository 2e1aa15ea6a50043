//! `StdRegProv` with its traps (`winrm.md` 1.6): refusals are return values, not faults.

use crate::lab::access;
use crate::lab::act::Act;
use crate::lab::cim::Property;
use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::registry::Refusal;
use crate::lab::registry::Registry;
use crate::lab::regmethod::ACCESS_DENIED;
use crate::lab::regmethod::BAD_HIVE;
use crate::lab::regmethod::BAD_PARAMETER;
use crate::lab::regmethod::Effect;
use crate::lab::regmethod::FAILED;
use crate::lab::regmethod::Method;
use crate::lab::regmethod::NOT_FOUND;
use crate::lab::regmethod::NULL_PARAMETER;
use crate::lab::regmethod::OK;
use crate::lab::regmethod::OTHER_TYPE;
use crate::lab::regmethod::Output;
use crate::lab::regmethod::Parameters;
use crate::lab::regmethod::data_parameter;
use crate::model::registry::KeyPath;
use crate::model::registry::Kind;
use crate::model::registry::Value;
use crate::model::registry::ValueName;
use crate::model::registry::ValuePath;
use crate::wire::xml::Element;

const LOCAL_MACHINE: u32 = 2_147_483_650;
/// `HKEY_CLASSES_ROOT`, `HKEY_CURRENT_USER`, `HKEY_USERS`, `HKEY_CURRENT_CONFIG`: empty here.
const OTHER_HIVES: [u32; 4] = [2_147_483_648, 2_147_483_649, 2_147_483_651, 2_147_483_653];
/// Access rights that only read: query, enumerate, notify, read control.
const READING: u32 = 1 | 8 | 16 | 131_072;

/// Carries a method out. A parameter of the wrong type is a fault; every other refusal a code.
pub fn invoke(
    registry: &mut Registry,
    method: Method,
    input: &Element,
    parameters: &Parameters,
) -> Result<Output, LabFault> {
    let hive = match first(parameters, "hDefKey") {
        Some(text) => number(text, u64::from(u32::MAX))?,
        None => u64::from(LOCAL_MACHINE),
    };
    let other = OTHER_HIVES.iter().any(|number| u64::from(*number) == hive);
    if hive != u64::from(LOCAL_MACHINE) && !other {
        return Ok(method.refused(BAD_HIVE));
    }
    let Some(path) = first(parameters, "sSubKeyName") else {
        return Ok(method.refused(NULL_PARAMETER));
    };
    if other {
        return Ok(method.refused(match method.effect() {
            Effect::Reads => NOT_FOUND,
            Effect::Writes => ACCESS_DENIED,
        }));
    }
    let key = KeyPath::new(path);
    let name = ValueName::new(first(parameters, "sValueName").unwrap_or_default());
    let value_path = ValuePath { key: key.clone(), name };
    let done = |result: Result<(), Refusal>| match result {
        Ok(()) => Output { out: Vec::new(), code: OK },
        Err(refusal) => method.refused(code(refusal)),
    };
    Ok(match method {
        Method::CreateKey => done(registry.create(&key)),
        Method::DeleteKey => done(registry.delete_key(&key)),
        Method::DeleteValue => done(registry.delete_value(&value_path)),
        Method::EnumKey => match registry.subkeys(&key) {
            Ok(names) => {
                let names = names.into_iter().map(Property::Text).collect();
                Output { out: vec![("sNames", Property::Many(names))], code: OK }
            }
            Err(refusal) => method.refused(code(refusal)),
        },
        Method::EnumValues => enum_values(registry, &key),
        Method::CheckAccess => {
            let required = match first(parameters, "uRequired") {
                Some(text) => u32::try_from(number(text, u64::from(u32::MAX))?).unwrap_or(u32::MAX),
                None => 3,
            };
            check_access(registry, &key, required)
        }
        Method::Get(kind) => get(registry, &value_path, kind),
        Method::Set(kind) => match given(parameters, kind)? {
            Some(value) => done(registry.set(value_path, value)),
            None => method.refused(NULL_PARAMETER),
        },
        Method::GetSecurityDescriptor => access::descriptor(registry, &key),
        Method::SetSecurityDescriptor => match input.find(&input.namespace, "Descriptor") {
            Some(descriptor) => done(registry.set_access(&key, access::entries(descriptor)?)),
            None => method.refused(NULL_PARAMETER),
        },
    })
}

/// What a method does to the registry, if it does anything.
pub fn act(method: Method, parameters: &Parameters) -> Option<Act> {
    let key = KeyPath::new(first(parameters, "sSubKeyName").unwrap_or_default());
    let name = ValueName::new(first(parameters, "sValueName").unwrap_or_default());
    let value = |key: KeyPath| ValuePath { key, name };
    match method {
        Method::CreateKey => Some(Act::CreateKey(key)),
        Method::DeleteKey => Some(Act::DeleteKey(key)),
        Method::DeleteValue => Some(Act::DeleteValue(value(key))),
        Method::Set(_) => Some(Act::Set(value(key))),
        Method::SetSecurityDescriptor => Some(Act::SetAccess(key)),
        Method::EnumKey
        | Method::EnumValues
        | Method::CheckAccess
        | Method::Get(_)
        | Method::GetSecurityDescriptor => None,
    }
}

fn code(refusal: Refusal) -> u32 {
    match refusal {
        Refusal::NoKey | Refusal::NoValue => NOT_FOUND,
        Refusal::Denied | Refusal::HasSubkeys => ACCESS_DENIED,
        Refusal::BadName => BAD_PARAMETER,
    }
}

/// A default value that is the key's only value is not listed.
fn enum_values(registry: &Registry, key: &KeyPath) -> Output {
    let values = match registry.values(key) {
        Ok(values) => values,
        Err(refusal) => return Method::EnumValues.refused(code(refusal)),
    };
    let lone_default = values.len() == 1 && values.keys().all(ValueName::is_default);
    let listed = values.iter().filter(|_| !lone_default);
    let names = listed.clone().map(|(name, _)| Property::text(name.as_str())).collect();
    let types = listed.map(|(_, value)| Property::Number(value.kind().number().into())).collect();
    Output {
        out: vec![("sNames", Property::Many(names)), ("Types", Property::Many(types))],
        code: OK,
    }
}

fn check_access(registry: &Registry, key: &KeyPath, required: u32) -> Output {
    if !registry.may_read(key) {
        return Method::CheckAccess.refused(ACCESS_DENIED);
    }
    if !registry.has_key(key) {
        return Method::CheckAccess.refused(NOT_FOUND);
    }
    if required & !READING != 0 && !registry.may_write(key) {
        return Method::CheckAccess.refused(ACCESS_DENIED);
    }
    Output { out: vec![("bGranted", Property::Bool(true))], code: OK }
}

fn get(registry: &Registry, path: &ValuePath, kind: Kind) -> Output {
    let method = Method::Get(kind);
    let value = match registry.value(path) {
        Ok(value) => value,
        // Which of the two codes Windows gives depends on the getter; clients must take both.
        Err(Refusal::NoValue) if !matches!(kind, Kind::Binary | Kind::MultiSz) => {
            return method.refused(FAILED);
        }
        Err(refusal) => return method.refused(code(refusal)),
    };
    if value.kind() != kind {
        return method.refused(OTHER_TYPE);
    }
    let data = match value {
        Value::Sz(text) => Property::text(text),
        Value::ExpandSz(text) => Property::Text(expand(text)),
        Value::Binary(bytes) => {
            Property::Many(bytes.iter().map(|byte| Property::Number((*byte).into())).collect())
        }
        Value::Dword(number) => Property::Number((*number).into()),
        Value::Qword(number) => Property::Number(*number),
        Value::MultiSz(texts) => Property::Many(texts.iter().map(Property::text).collect()),
    };
    Output { out: vec![(data_parameter(kind), data)], code: OK }
}

/// The value to set; `None` for nil, and for an empty array, which looks the same on the wire.
fn given(parameters: &Parameters, kind: Kind) -> Result<Option<Value>, LabFault> {
    let name = data_parameter(kind);
    let items = parameters.iter().find(|(own, _)| own == name).map(|(_, items)| items.as_slice());
    let Some(items) = items.filter(|items| items.iter().any(Option::is_some)) else {
        return Ok(None);
    };
    let first = items.first().cloned().flatten().unwrap_or_default();
    Ok(Some(match kind {
        Kind::Sz => Value::Sz(first),
        Kind::ExpandSz => Value::ExpandSz(first),
        Kind::MultiSz => {
            Value::MultiSz(items.iter().map(|item| item.clone().unwrap_or_default()).collect())
        }
        Kind::Dword => {
            let number = number(&first, u64::from(u32::MAX))?;
            Value::Dword(u32::try_from(number).unwrap_or(u32::MAX))
        }
        Kind::Qword => Value::Qword(number(&first, u64::MAX)?),
        Kind::Binary => {
            let mut bytes = Vec::new();
            for item in items {
                let byte = number(item.as_deref().unwrap_or_default(), 255)?;
                bytes.push(u8::try_from(byte).unwrap_or(u8::MAX));
            }
            Value::Binary(bytes)
        }
    }))
}

fn first<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.iter().find(|(own, _)| own == name)?.1.first()?.as_deref()
}

fn number(text: &str, limit: u64) -> Result<u64, LabFault> {
    let number = text.trim().parse().ok().filter(|number| *number <= limit);
    number.ok_or_else(|| {
        let text = format!("expected a number up to {limit}, got `{text}`");
        LabFault::new(fault::TYPE_MISMATCH, "w:SchemaValidationError", text).by(Provider::Wmi)
    })
}

/// `%SystemRoot%` and its kind, replaced; unknown names stay.
fn expand(text: &str) -> String {
    const KNOWN: [(&str, &str); 6] = [
        ("systemroot", r"C:\Windows"),
        ("windir", r"C:\Windows"),
        ("systemdrive", "C:"),
        ("programfiles", r"C:\Program Files"),
        ("programdata", r"C:\ProgramData"),
        ("public", r"C:\Users\Public"),
    ];
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let known = after.split_once('%').and_then(|(name, after)| {
            let found = KNOWN.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
            Some((found.1, after))
        });
        let (data, after) = known.unwrap_or(("%", after));
        out.push_str(data);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r"SOFTWARE\Contoso";

    fn bare() -> Element {
        Element::new("urn:x", "INPUT")
    }

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let mut put = |name: &str, value| registry.plant(ValuePath::new(KEY, name), value);
        put("Text", Value::Sz("x".to_owned()));
        put("Expand", Value::ExpandSz(r"%SystemRoot%\a %b% 5%".to_owned()));
        put("Bytes", Value::Binary(vec![1, 255]));
        registry.plant(ValuePath::new(r"SOFTWARE\Lone", ""), Value::Sz("d".to_owned()));
        registry.plant(ValuePath::new(r"SOFTWARE\Guarded", "v"), Value::Dword(1));
        registry.deny_write(KeyPath::new(r"SOFTWARE\Guarded"));
        registry.plant(ValuePath::new(r"SOFTWARE\Hidden", "v"), Value::Dword(1));
        registry.deny_read(KeyPath::new(r"SOFTWARE\Hidden"));
        registry
    }

    /// `expected` is the return value, and the out parameters as they are written.
    #[track_caller]
    fn check(method: &str, parameters: &[(&str, &str)], expected: (u32, &str)) {
        let parsed = Method::parse(method).unwrap();
        let parameters = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), vec![Some((*value).to_owned())]))
            .collect();
        let output = invoke(&mut registry(), parsed, &bare(), &parameters).unwrap();
        let mut text = String::new();
        for (name, value) in &output.out {
            value.write(&mut text, "", name);
        }
        assert_eq!((output.code, text.as_str()), expected, "{method} {parameters:?}");
    }

    fn at<'a>(key: &'a str, name: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![("sSubKeyName", key), ("sValueName", name)]
    }

    #[test]
    fn getters_answer_with_data_or_nil() {
        check("GetStringValue", &at(KEY, "TEXT"), (0, "<sValue>x</sValue>"));
        check("GetStringValue", &at(KEY, "Nope"), (1, "<sValue xsi:nil=\"true\"/>"));
        check("GetMultiStringValue", &at(KEY, "Nope"), (2, "<sValue xsi:nil=\"true\"/>"));
        check("GetStringValue", &at(r"SOFTWARE\No", "x"), (2, "<sValue xsi:nil=\"true\"/>"));
        check("GetDWORDValue", &at(KEY, "Text"), (OTHER_TYPE, "<uValue xsi:nil=\"true\"/>"));
        check("GetDWORDValue", &at(r"SOFTWARE\Hidden", "v"), (5, "<uValue xsi:nil=\"true\"/>"));
        check("GetBinaryValue", &at(KEY, "Bytes"), (0, "<uValue>1</uValue><uValue>255</uValue>"));
    }

    #[test]
    fn an_expanded_string_is_read_expanded() {
        let expected = r"<sValue>C:\Windows\a %b% 5%</sValue>";
        check("GetExpandedStringValue", &at(KEY, "Expand"), (0, expected));
    }

    #[test]
    fn a_lone_default_value_is_not_listed_but_read_by_name() {
        let nothing = "<sNames xsi:nil=\"true\"/><Types xsi:nil=\"true\"/>";
        check("EnumValues", &[("sSubKeyName", r"SOFTWARE\Lone")], (0, nothing));
        check("GetStringValue", &at(r"SOFTWARE\Lone", ""), (0, "<sValue>d</sValue>"));
    }

    #[test]
    fn enumerations_list_names_and_types() {
        let expected = "<sNames>Bytes</sNames><sNames>Expand</sNames><sNames>Text</sNames>\
                        <Types>3</Types><Types>2</Types><Types>1</Types>";
        check("EnumValues", &[("sSubKeyName", KEY)], (0, expected));
        check("EnumKey", &[("sSubKeyName", KEY)], (0, "<sNames xsi:nil=\"true\"/>"));
        check("EnumKey", &[("sSubKeyName", "Nope")], (2, "<sNames xsi:nil=\"true\"/>"));
    }

    #[test]
    fn rights_are_told() {
        let ask = |key, required| vec![("sSubKeyName", key), ("uRequired", required)];
        let (granted, denied) = ("<bGranted>true</bGranted>", "<bGranted>false</bGranted>");
        check("CheckAccess", &ask(KEY, "6"), (0, granted));
        check("CheckAccess", &ask(r"SOFTWARE\Guarded", "9"), (0, granted));
        check("CheckAccess", &ask(r"SOFTWARE\Guarded", "2"), (5, denied));
        check("CheckAccess", &ask(r"SOFTWARE\No", "2"), (2, denied));
    }

    #[test]
    fn hives_and_nulls_are_refused_by_code() {
        check(
            "EnumKey",
            &[("hDefKey", "5"), ("sSubKeyName", "")],
            (6, "<sNames xsi:nil=\"true\"/>"),
        );
        check("SetStringValue", &at(KEY, "a"), (NULL_PARAMETER, ""));
        check("CreateKey", &[], (NULL_PARAMETER, ""));
        check("CreateKey", &[("hDefKey", "2147483649"), ("sSubKeyName", "A")], (5, ""));
        check("DeleteValue", &at(KEY, "Nope"), (2, ""));
        check("DeleteKey", &[("sSubKeyName", "SOFTWARE")], (5, ""));
    }

    #[test]
    fn a_number_of_the_wrong_kind_is_a_fault() {
        let set = |value: &str| {
            let parameters = vec![
                ("sSubKeyName".to_owned(), vec![Some(KEY.to_owned())]),
                ("uValue".to_owned(), vec![Some(value.to_owned())]),
            ];
            invoke(&mut registry(), Method::Set(Kind::Dword), &bare(), &parameters)
                .map_err(|f| f.code)
        };
        assert_eq!(set("4294967296"), Err(fault::TYPE_MISMATCH));
        assert_eq!(set("-1"), Err(fault::TYPE_MISMATCH));
        assert_eq!(set("4294967295").map(|output| output.code), Ok(0));
    }

    #[test]
    fn unknown_methods_and_parameters_are_known_as_such() {
        assert_eq!(Method::parse("enumkey"), None);
        assert_eq!(Method::parse("GetFooValue"), None);
        assert_eq!(Method::parse("ééé"), None);
        assert!(!Method::EnumKey.takes("sKey"));
        assert!(!Method::Set(Kind::Sz).takes("uValue"));
    }
}
