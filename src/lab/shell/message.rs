//! Pieces of what both kinds of shells are told and say: ids, bodies, refusals.

use std::fmt::Write as _;

use jiff::SignedDuration;
use uuid::Uuid;

use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::fault::Provider;
use crate::lab::host::Call;
use crate::lab::host::Outcome;
use crate::lab::markup::escape;
use crate::lab::request::Request;
use crate::lab::wsman;
use crate::wire::namespace;
use crate::wire::xml::Element;

/// The body that tells of a new shell.
pub(in crate::lab) fn created(
    request: &Request,
    call: &Call,
    id: Uuid,
    input: &str,
    output: &str,
) -> String {
    let id = upper(id);
    let resource = escape(&request.resource);
    let mut body = format!(
        "<x:ResourceCreated><a:Address>{}</a:Address><a:ReferenceParameters><w:ResourceURI>\
         {resource}</w:ResourceURI><w:SelectorSet><w:Selector Name=\"ShellId\">{id}</w:Selector>\
         </w:SelectorSet></a:ReferenceParameters></x:ResourceCreated><rsp:Shell>",
        escape(&request.to)
    );
    for (name, value) in [
        ("ShellId", id.as_str()),
        ("ResourceUri", &resource),
        ("Owner", &escape(&call.account)),
        ("ClientIP", "127.0.0.1"),
        ("IdleTimeOut", "PT7200.000S"),
        ("InputStreams", input),
        ("OutputStreams", output),
        ("MaxIdleTimeOut", "PT2147483.647S"),
        ("Locale", "en-US"),
        ("DataLocale", "en-US"),
        ("CompressionMode", "NoCompression"),
        ("BufferMode", "Block"),
        ("State", "Connected"),
        ("ShellRunTime", "P0DT0H0M0S"),
        ("ShellInactivity", "P0DT0H0M0S"),
    ] {
        let _ = write!(body, "<rsp:{name}>{value}</rsp:{name}>");
    }
    body.push_str("</rsp:Shell>");
    body
}

/// A Receive waits for as long as its OperationTimeout says, and is then told so.
pub(in crate::lab) fn nothing_yet(request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    let lasts = SignedDuration::try_from(request.timeout).unwrap_or_default();
    let until = call.arrived.saturating_add(lasts).unwrap_or(call.now);
    if call.now < until {
        return Ok(Outcome::Wait(until));
    }
    let text = "nothing happened within the OperationTimeout";
    Err(LabFault::new(fault::TIMED_OUT, "w:TimedOut", text))
}

pub(in crate::lab) fn body_element<'a>(
    request: &'a Request,
    name: &str,
) -> Result<&'a Element, LabFault> {
    let found = request.body.find(namespace::SHELL, name);
    found.ok_or_else(|| invalid(&format!("expected a {name} element")))
}

pub(in crate::lab) fn reply(request: &Request, call: &Call, verb: &str, body: &str) -> Outcome {
    wsman::reply(request, call, &format!("{}/{verb}", namespace::SHELL), body)
}

pub(in crate::lab) fn guid(text: &str) -> Result<Uuid, LabFault> {
    Uuid::try_parse(text.trim()).map_err(|_| {
        let text = format!("expected a GUID, got `{text}`");
        LabFault::new(fault::BAD_ID, "w:SchemaValidationError", text)
    })
}

pub(in crate::lab) fn upper(id: Uuid) -> String {
    id.to_string().to_uppercase()
}

pub(in crate::lab) fn invalid(text: &str) -> LabFault {
    LabFault::new(fault::SCHEMA_VALIDATION, "w:SchemaValidationError", text)
}

pub(in crate::lab) fn plugin(text: &str) -> LabFault {
    LabFault::new(fault::PLUGIN_FAILED, "w:InternalError", text).by(Provider::Shell)
}

pub(in crate::lab) fn no_shell() -> LabFault {
    let text = "no shell has this id: deleted, timed out or never there";
    LabFault::new(fault::UNEXPECTED_SELECTORS, "w:InvalidSelectors", text)
        .detail("UnexpectedSelectors")
}
