//! The registry as `StdRegProv` serves it (`winrm.md` 1.6).

use crate::model::particulars::AccessEntry;
use crate::model::registry::KeyPath;
use crate::model::registry::Kind;
use crate::model::registry::Value;
use crate::model::registry::ValuePath;
use crate::wire::invoke::Invoke;
use crate::wire::invoke::Output;
use crate::wire::invoke::number;
use crate::wire::operation::Answer;
use crate::wire::operation::CimValue;
use crate::wire::soap::WsmanError;
use crate::wire::xml::Element;

/// The class in its oldest place; `root/cimv2` has a copy since Vista.
pub(crate) const CLASS: &str = "root/default/StdRegProv";
/// `HKEY_LOCAL_MACHINE`, as `hDefKey`.
const HKLM: u32 = 2_147_483_650;
/// `ACCESS_ALLOWED_ACE_TYPE`, `ACCESS_DENIED_ACE_TYPE` and `CONTAINER_INHERIT_ACE` ([MS-DTYP]
/// 2.4.4.1).
const ALLOWS: u32 = 0;
const DENIES: u32 = 1;
const CONTAINER_INHERIT: u32 = 2;
/// `SE_DACL_PRESENT` ([MS-DTYP] 2.4.6): the descriptor says who may what, and nothing else.
const DACL_PRESENT: u32 = 4;
const DESCRIPTOR: &str = "root/default/__SecurityDescriptor";
const ACE: &str = "root/default/__ACE";
const TRUSTEE: &str = "root/default/__Trustee";

/// `Get<Kind>Value`. An empty name asks for the default value.
pub(crate) fn get(path: &ValuePath, kind: Kind) -> Invoke {
    let method = match kind {
        Kind::Sz => "GetStringValue",
        Kind::ExpandSz => "GetExpandedStringValue",
        Kind::Binary => "GetBinaryValue",
        Kind::Dword => "GetDWORDValue",
        Kind::MultiSz => "GetMultiStringValue",
        Kind::Qword => "GetQWORDValue",
    };
    on_value(method, path, Vec::new())
}

/// `Set<Kind>Value`. An empty array cannot be told from null on this wire, so it is refused.
pub(crate) fn set(path: &ValuePath, value: &Value) -> Result<Invoke, WsmanError> {
    let (method, data) = match value {
        Value::Sz(text) => ("SetStringValue", CimValue::Text(text.clone())),
        Value::ExpandSz(text) => ("SetExpandedStringValue", CimValue::Text(text.clone())),
        Value::Binary(bytes) => ("SetBinaryValue", many(bytes, |byte| unsigned(u32::from(*byte)))),
        Value::Dword(number) => ("SetDWORDValue", unsigned(*number)),
        Value::MultiSz(texts) => {
            ("SetMultiStringValue", many(texts, |text| CimValue::Text(text.clone())))
        }
        // Wider than the numbers of instances are here.
        Value::Qword(number) => ("SetQWORDValue", CimValue::Text(number.to_string())),
    };
    if matches!(&data, CimValue::Many(items) if items.is_empty()) {
        let text = format!("an empty {} cannot be written by way of StdRegProv", value.kind());
        return Err(WsmanError::Uncarriable(text));
    }
    if matches!(value, Value::MultiSz(texts) if texts.iter().any(String::is_empty)) {
        let text = "a REG_MULTI_SZ cannot hold an empty text, which would end it";
        return Err(WsmanError::Uncarriable(text.to_owned()));
    }
    let name = data_name(value.kind());
    Ok(on_value(method, path, vec![(name, data)]))
}

/// `DeleteValue`.
pub(crate) fn delete_value(path: &ValuePath) -> Invoke {
    on_value("DeleteValue", path, Vec::new())
}

/// `EnumValues`, `EnumKey`, `CreateKey` and `DeleteKey`.
pub(crate) fn on_key(method: &'static str, key: &KeyPath) -> Invoke {
    Invoke { class: CLASS, method, selectors: Vec::new(), parameters: key_parameters(key) }
}

/// `CheckAccess`.
pub(crate) fn check_access(key: &KeyPath, required: u32) -> Invoke {
    let mut invoke = on_key("CheckAccess", key);
    invoke.parameters.push(("uRequired", unsigned(required)));
    invoke
}

/// `SetSecurityDescriptor` with an access list alone. An empty list would shut everybody out, and
/// cannot be told from none on this wire: it is refused.
pub(crate) fn set_access_list(
    key: &KeyPath,
    entries: &[AccessEntry],
) -> Result<Invoke, WsmanError> {
    if entries.is_empty() {
        return Err(WsmanError::Uncarriable("an access list must name somebody".to_owned()));
    }
    let embedded = |class, properties| CimValue::Embedded { class, properties };
    let entry = |entry: &AccessEntry| {
        let flags = if entry.inherited_below { CONTAINER_INHERIT } else { 0 };
        let sid = vec![("SIDString", CimValue::Text(entry.sid.clone()))];
        embedded(
            ACE,
            vec![
                ("AccessMask", unsigned(entry.mask)),
                ("AceFlags", unsigned(flags)),
                ("AceType", unsigned(if entry.allows { ALLOWS } else { DENIES })),
                ("Trustee", embedded(TRUSTEE, sid)),
            ],
        )
    };
    let properties = vec![("ControlFlags", unsigned(DACL_PRESENT)), ("DACL", many(entries, entry))];
    let mut invoke = on_key("SetSecurityDescriptor", key);
    invoke.parameters.push(("Descriptor", embedded(DESCRIPTOR, properties)));
    Ok(invoke)
}

/// The data, where the code is 0 and the data is there. A `REG_EXPAND_SZ` comes back expanded.
pub(crate) fn value(kind: Kind, output: &Output) -> Result<Answer, WsmanError> {
    let code = output.code()?;
    let value = if code == 0 { data(kind, output)? } else { None };
    Ok(Answer::Value { code, value })
}

/// Names and type numbers, two parallel arrays.
pub(crate) fn values(output: &Output) -> Result<Answer, WsmanError> {
    let code = output.code()?;
    if code != 0 {
        return Ok(Answer::Values { code, values: Vec::new() });
    }
    let names = output.all("sNames")?;
    let types = output.all("Types")?;
    if names.len() != types.len() {
        let got = format!("{} names and {} types", names.len(), types.len());
        return Err(WsmanError::unexpected("as many names as types", got));
    }
    let types = types.iter().map(|text| kind(text)).collect::<Result<Vec<u32>, _>>()?;
    Ok(Answer::Values { code, values: names.into_iter().zip(types).collect() })
}

/// A type's number: sint32 on the wire, and its bits are what counts.
fn kind(text: &str) -> Result<u32, WsmanError> {
    match text.trim().parse::<i32>() {
        Ok(signed) => Ok(u32::from_ne_bytes(signed.to_ne_bytes())),
        Err(_) => number("Types", text),
    }
}

/// Names of subkeys.
pub(crate) fn keys(output: &Output) -> Result<Answer, WsmanError> {
    let code = output.code()?;
    let names = if code == 0 { output.all("sNames")? } else { Vec::new() };
    Ok(Answer::Keys { code, names })
}

/// Whether the access is granted; a refusal may come as a code instead.
pub(crate) fn access(output: &Output) -> Result<Answer, WsmanError> {
    Ok(Answer::Access { code: output.code()?, granted: output.flag("bGranted")? })
}

/// The access list of a `__SecurityDescriptor`, whose parts are read by their names alone: nobody
/// has recorded in which namespace Windows puts them.
pub(crate) fn access_list(output: &Output) -> Result<Answer, WsmanError> {
    let code = output.code()?;
    let Some(descriptor) = output.embedded("Descriptor").filter(|_| code == 0) else {
        return Ok(Answer::AccessList { code, entries: None });
    };
    let mut entries = Vec::new();
    for entry in parts(descriptor, "DACL") {
        let of = |name: &'static str| parts(entry, name).next().map(Element::text);
        let bits = |name: &'static str| of(name).map(|text| number::<u32>(name, &text)).transpose();
        let sid = parts(entry, "Trustee")
            .find_map(|trustee| parts(trustee, "SIDString").next())
            .map(|sid| sid.text().trim().to_owned());
        let (Some(sid), Some(mask), Some(kind)) = (sid, bits("AccessMask")?, bits("AceType")?)
        else {
            return Err(WsmanError::unexpected(
                "SIDString, AccessMask and AceType in DACL",
                "less",
            ));
        };
        entries.push(AccessEntry {
            sid,
            allows: kind == ALLOWS,
            mask,
            inherited_below: bits("AceFlags")?.unwrap_or_default() & CONTAINER_INHERIT != 0,
        });
    }
    Ok(Answer::AccessList { code, entries: Some(entries) })
}

fn parts<'e>(element: &'e Element, name: &'static str) -> impl Iterator<Item = &'e Element> {
    element.elements().filter(move |part| part.name == name && !part.is_nil())
}

fn data(kind: Kind, output: &Output) -> Result<Option<Value>, WsmanError> {
    let name = data_name(kind);
    Ok(match kind {
        Kind::Sz => output.one(name)?.map(Value::Sz),
        Kind::ExpandSz => output.one(name)?.map(Value::ExpandSz),
        Kind::Dword => match output.one(name)? {
            Some(text) => Some(Value::Dword(number(name, &text)?)),
            None => None,
        },
        Kind::Qword => match output.one(name)? {
            Some(text) => Some(Value::Qword(number(name, &text)?)),
            None => None,
        },
        Kind::MultiSz => Some(output.all(name)?).filter(|all| !all.is_empty()).map(Value::MultiSz),
        Kind::Binary => {
            let bytes = output
                .all(name)?
                .iter()
                .map(|text| number::<u8>(name, text))
                .collect::<Result<Vec<u8>, _>>()?;
            Some(bytes).filter(|bytes| !bytes.is_empty()).map(Value::Binary)
        }
    })
}

fn data_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Sz | Kind::ExpandSz | Kind::MultiSz => "sValue",
        Kind::Binary | Kind::Dword | Kind::Qword => "uValue",
    }
}

fn on_value(method: &'static str, path: &ValuePath, data: Vec<(&'static str, CimValue)>) -> Invoke {
    let mut parameters = key_parameters(&path.key);
    parameters.push(("sValueName", CimValue::Text(path.name.as_str().to_owned())));
    parameters.extend(data);
    Invoke { class: CLASS, method, selectors: Vec::new(), parameters }
}

fn key_parameters(key: &KeyPath) -> Vec<(&'static str, CimValue)> {
    let name = CimValue::Text(key.as_str().to_owned());
    vec![("hDefKey", unsigned(HKLM)), ("sSubKeyName", name)]
}

fn unsigned(number: u32) -> CimValue {
    CimValue::Number(number.into())
}

fn many<T>(items: &[T], one: impl Fn(&T) -> CimValue) -> CimValue {
    CimValue::Many(items.iter().map(one).collect())
}
