//! From a judged request to the part of the host that answers it.

use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::lab::host::Call;
use crate::lab::host::LabHost;
use crate::lab::host::Outcome;
use crate::lab::markup;
use crate::lab::request::Request;
use crate::lab::shell;
use crate::lab::wmi;
use crate::wire::namespace;

/// Answers a request whose headers are in order.
pub fn route(host: &mut LabHost, request: &Request, call: &Call) -> Result<Outcome, LabFault> {
    if !call.admin {
        return Err(LabFault::new(fault::ACCESS_DENIED, "w:AccessDenied", "access is denied"));
    }
    let resource = request.resource.as_str();
    let powershell =
        strip_prefix(resource, namespace::POWERSHELL).and_then(|rest| rest.strip_prefix('/'));
    if let Some(configuration) = powershell {
        let exchange = configuration.eq_ignore_ascii_case("Microsoft.Exchange");
        if exchange != call.exchange_path {
            return Err(not_in_catalog(resource));
        }
        return shell::answer(host, request, call, configuration);
    }
    let class = strip_prefix(resource, namespace::WMI).filter(|_| !call.exchange_path);
    match class.and_then(|rest| rest.rsplit_once('/')) {
        Some((namespace, class)) => wmi::answer(host, request, call, namespace, class),
        None => Err(not_in_catalog(resource)),
    }
}

/// A reply with HTTP 200.
pub fn reply(request: &Request, call: &Call, action: &str, body: &str) -> Outcome {
    let envelope = markup::envelope(action, &call.message_id(), &request.message_id, "", body);
    Outcome::Reply { status: 200, envelope }
}

/// The reply does not fit into the client's MaxEnvelopeSize.
pub fn too_large() -> LabFault {
    let text = "the reply is larger than the request's MaxEnvelopeSize";
    LabFault::new(fault::ENVELOPE_TOO_LARGE, "w:EncodingLimit", text).detail("MaxEnvelopeSize")
}

pub fn action_not_supported(action: &str) -> LabFault {
    let text = format!("the action {action} is not supported");
    LabFault::new(fault::ACTION_NOT_SUPPORTED, "a:ActionNotSupported", text)
}

fn not_in_catalog(resource: &str) -> LabFault {
    let text = format!("the resource URI {resource} is not in the catalog");
    LabFault::new(fault::INVALID_RESOURCE_URI, "a:DestinationUnreachable", text)
        .detail("InvalidResourceURI")
}

/// Resource URIs compare without case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}
