//! Questions and acts as WS-Management messages, and replies as answers.

use crate::model::registry::Kind;
use crate::wire::instance::Transfer;
use crate::wire::invoke::Invoke;
use crate::wire::invoke::Output;
use crate::wire::namespace;
use crate::wire::operation::Answer;
use crate::wire::operation::CimValue;
use crate::wire::operation::Read;
use crate::wire::operation::Write;
use crate::wire::regprov;
use crate::wire::settings;
use crate::wire::soap;
use crate::wire::soap::Header;
use crate::wire::soap::WsmanError;
use crate::wire::wmi;
use crate::wire::wmi::Page;
use crate::wire::xml::Element;

/// The class whose method restarts the host; it is a singleton, so no instance is named.
/// Its out parameter's name is in no page that was found, so that whatever comes is taken.
const FILE_MANAGEMENT: &str = "root/Microsoft/Windows/FSRM/MSFT_FSRMFMJAction";
const SERVICE: &str = "root/cimv2/Win32_Service";
const OPERATING_SYSTEM: &str = "root/cimv2/Win32_OperatingSystem";
/// `SHTDN_REASON_FLAG_PLANNED | SHTDN_REASON_MAJOR_APPLICATION | SHTDN_REASON_MINOR_MAINTENANCE`.
const PLANNED: u32 = 0x8004_0001;
/// Where Configuration Manager's client answers for itself.
const CLIENT_UTILITIES: &str = "root/ccm/ClientSDK/CCM_ClientUtilities";
/// Reboot, without killing what does not want to end.
const REBOOT: u32 = 2;

/// What was sent, as far as a reply must fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent<'a> {
    Read(&'a Read),
    Write(&'a Write),
    /// The rest of a [`Read::Query`].
    Pull {
        context: &'a str,
    },
}

impl Sent<'_> {
    /// The call's name for errors and statistics: `StdRegProv.GetStringValue`.
    pub fn name(self) -> String {
        match self {
            Self::Pull { .. } => "Pull".to_owned(),
            Self::Read(read) => match form(read) {
                Form::Identify => "Identify".to_owned(),
                Form::Settings | Form::Instance { .. } => "Get".to_owned(),
                Form::Query { .. } => "Enumerate".to_owned(),
                Form::Invoke(invoke, _) => invoke.name(),
            },
            // Named even where the act cannot be encoded.
            Self::Write(write) => match act(write) {
                Ok(Deed::Invoke(invoke)) => invoke.name(),
                Ok(Deed::Transfer(transfer)) => transfer.name(),
                Err(_) => "StdRegProv".to_owned(),
            },
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Answer(Answer),
    /// Instances of a [`Read::Query`]; the caller pulls until there is no `next`.
    Page(Page),
}

/// Encodes a question. Identify goes without headers, as its schema says.
pub fn encode_read(read: &Read, header: &Header) -> Result<Vec<u8>, WsmanError> {
    match form(read) {
        Form::Identify => encode_identify(),
        Form::Settings => soap::encode(settings::get(), header),
        Form::Instance { class, keys } => soap::encode(wmi::get(class, keys), header),
        Form::Query { namespace, wql } => soap::encode(wmi::enumerate(namespace, wql), header),
        Form::Invoke(invoke, _) => soap::encode(invoke.request(), header),
    }
}

/// Encodes Identify; it needs nothing of the caller.
pub fn encode_identify() -> Result<Vec<u8>, WsmanError> {
    soap::write(Vec::new(), Some(Element::new(namespace::IDENTIFY, "Identify")))
}

/// Encodes an act. What XML or StdRegProv cannot carry is refused here, before anything is sent.
pub fn encode_write(write: &Write, header: &Header) -> Result<Vec<u8>, WsmanError> {
    let request = match act(write)? {
        Deed::Invoke(invoke) => invoke.request(),
        Deed::Transfer(transfer) => transfer.request(),
    };
    soap::encode(request, header)
}

/// Encodes the Pull that follows a page; `wmi_namespace` is the query's.
pub fn encode_pull(
    wmi_namespace: &str,
    context: &str,
    header: &Header,
) -> Result<Vec<u8>, WsmanError> {
    soap::encode(wmi::pull(wmi_namespace, context), header)
}

/// Decodes the reply to what was sent with `header`; a fault is `Err(WsmanError::Fault)`.
pub fn decode(sent: Sent<'_>, header: &Header, bytes: &[u8]) -> Result<Reply, WsmanError> {
    let id = header.message_id.as_str();
    let answer = match sent {
        Sent::Pull { context } => return Ok(Reply::Page(wmi::page(Some(context), id, bytes)?)),
        Sent::Write(write) => match act(write)? {
            Deed::Invoke(invoke) => Answer::Done { code: invoke.decode(id, bytes)?.code()? },
            Deed::Transfer(transfer) => {
                transfer.decode(id, bytes)?;
                Answer::Done { code: 0 }
            }
        },
        Sent::Read(read) => match form(read) {
            Form::Identify => decode_identify(bytes)?,
            Form::Settings => settings::decode(id, bytes)?,
            Form::Instance { .. } => Answer::Instances(vec![wmi::one(id, bytes)?]),
            Form::Query { .. } => return Ok(Reply::Page(wmi::page(None, id, bytes)?)),
            Form::Invoke(invoke, out) => {
                let output = invoke.decode(id, bytes)?;
                match out {
                    Out::Value(kind) => regprov::value(kind, &output)?,
                    Out::Values => regprov::values(&output)?,
                    Out::Keys => regprov::keys(&output)?,
                    Out::Access => regprov::access(&output)?,
                    Out::Templates => Answer::Templates {
                        code: output.code()?,
                        names: output.others("ReturnValue"),
                    },
                    Out::AccessList => regprov::access_list(&output)?,
                    Out::ClientRestart => client_restart(&output)?,
                }
            }
        },
    };
    Ok(Reply::Answer(answer))
}

/// Decodes the reply to Identify, which has no headers to check.
pub fn decode_identify(bytes: &[u8]) -> Result<Answer, WsmanError> {
    let body = soap::decode_bare(bytes)?;
    // OMI puts the element into SOAP's namespace, and what is in it where it belongs.
    let reply = match body.find(namespace::SOAP, "IdentifyResponse") {
        Some(reply) => reply,
        None => soap::only(&body, namespace::IDENTIFY, "IdentifyResponse")?,
    };
    let text = |name| {
        reply.find(namespace::IDENTIFY, name).map(|element| element.text().trim().to_owned())
    };
    Ok(Answer::Identity {
        vendor: text("ProductVendor").unwrap_or_default(),
        version: text("ProductVersion").unwrap_or_default(),
    })
}

/// How a question travels.
enum Form<'a> {
    Identify,
    Settings,
    Instance { class: &'static str, keys: &'a [(&'static str, String)] },
    Query { namespace: &'a str, wql: &'a str },
    Invoke(Invoke, Out),
}

/// What the out parameters of a method are read as.
enum Out {
    Value(Kind),
    Values,
    Keys,
    Access,
    Templates,
    AccessList,
    ClientRestart,
}

fn form(read: &Read) -> Form<'_> {
    match read {
        Read::Identify => Form::Identify,
        Read::Settings => Form::Settings,
        Read::Instance { class, keys } => Form::Instance { class, keys },
        Read::Query { namespace, wql } => Form::Query { namespace, wql },
        Read::Value { path, kind } => Form::Invoke(regprov::get(path, *kind), Out::Value(*kind)),
        Read::EnumValues(key) => Form::Invoke(regprov::on_key("EnumValues", key), Out::Values),
        Read::EnumKeys(key) => Form::Invoke(regprov::on_key("EnumKey", key), Out::Keys),
        Read::RmsTemplates => Form::Invoke(
            Invoke {
                class: FILE_MANAGEMENT,
                method: "EnumRmsTemplates",
                selectors: Vec::new(),
                parameters: Vec::new(),
            },
            Out::Templates,
        ),
        Read::CheckAccess { key, required } => {
            Form::Invoke(regprov::check_access(key, *required), Out::Access)
        }
        Read::AccessList(key) => {
            Form::Invoke(regprov::on_key("GetSecurityDescriptor", key), Out::AccessList)
        }
        Read::ClientRestart => Form::Invoke(
            Invoke {
                class: CLIENT_UTILITIES,
                method: "DetermineIfRebootPending",
                selectors: Vec::new(),
                parameters: Vec::new(),
            },
            Out::ClientRestart,
        ),
    }
}

/// Either kind of restart that the client waits for.
fn client_restart(output: &Output) -> Result<Answer, WsmanError> {
    let code = output.code()?;
    let told = [output.flag("RebootPending")?, output.flag("IsHardRebootPending")?];
    let pending = told.iter().flatten().copied().reduce(|one, other| one || other);
    Ok(Answer::ClientRestart { code, pending })
}

/// How an act travels.
enum Deed<'a> {
    Invoke(Invoke),
    Transfer(Transfer<'a>),
}

fn act(write: &Write) -> Result<Deed<'_>, WsmanError> {
    Ok(Deed::Invoke(match write {
        Write::CreateInstance { class, properties } => {
            return Ok(Deed::Transfer(Transfer::Create { class, properties }));
        }
        Write::DeleteInstance { class, key: (name, value) } => {
            return Ok(Deed::Transfer(Transfer::Delete { class, key: (name, value) }));
        }
        Write::CreateKey(key) => regprov::on_key("CreateKey", key),
        Write::DeleteKey(key) if key.as_str().is_empty() => {
            return Err(WsmanError::Uncarriable("a hive is not a key to delete".to_owned()));
        }
        Write::DeleteKey(key) => regprov::on_key("DeleteKey", key),
        Write::SetValue { path, value } => regprov::set(path, value)?,
        Write::DeleteValue(path) => regprov::delete_value(path),
        Write::SetAccessList { key, entries } => regprov::set_access_list(key, entries)?,
        Write::Restart { delay_seconds, comment } => Invoke {
            class: OPERATING_SYSTEM,
            method: "Win32ShutdownTracker",
            selectors: Vec::new(),
            parameters: vec![
                ("Timeout", CimValue::Number((*delay_seconds).into())),
                ("Comment", CimValue::Text(comment.clone())),
                ("ReasonCode", CimValue::Number(PLANNED.into())),
                ("Flags", CimValue::Number(REBOOT.into())),
            ],
        },
        Write::StartService(name) => service("StartService", name),
        Write::StopService(name) => service("StopService", name),
    }))
}

/// A method of one service, which its key selects.
fn service(method: &'static str, name: &str) -> Invoke {
    let selectors = vec![("Name", name.to_owned())];
    Invoke { class: SERVICE, method, selectors, parameters: Vec::new() }
}

#[cfg(test)]
mod tests;
