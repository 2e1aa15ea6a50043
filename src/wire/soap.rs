//! SOAP envelopes as WS-Management frames them: headers out, headers and faults in.

use std::time::Duration;

use crate::wire::fault::Fault;
use crate::wire::namespace;
use crate::wire::xml;
use crate::wire::xml::Element;
use crate::wire::xml::Node;
use crate::wire::xml::XmlError;

/// What the caller decides about a request (`winrm.md` 1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `uuid:` and an upper-case GUID, new for every request; the reply relates to it.
    pub message_id: String,
    /// `uuid:` and a GUID, constant for the client's life.
    pub session_id: String,
    /// The endpoint's URL as the client sees it.
    pub to: String,
    /// How long the host may work on it; the HTTP read limit must exceed it.
    pub operation_timeout: Duration,
    /// Bytes of the largest reply that the host may send; 153600 is understood by every version.
    pub max_envelope: u32,
}

/// Why a request was not encoded or a reply not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WsmanError {
    /// The host refused, and said why.
    #[error("fault {}: {}", .0.code_text(), .0.reason)]
    Fault(Fault),
    /// The reply is not XML that we read.
    #[error("expected a SOAP envelope, host sent something else")]
    Xml(#[from] XmlError),
    /// XML, but not the reply to what was asked.
    #[error("expected {expected}, host sent {got}")]
    Unexpected { expected: String, got: String },
    /// Refused before anything is sent: XML or StdRegProv has no form for this.
    #[error("{0}")]
    Uncarriable(String),
}

impl WsmanError {
    /// A reply that is something else than what was expected.
    pub fn unexpected(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Unexpected { expected: expected.into(), got: got.into() }
    }
}

/// What the operation decides about a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) options: Vec<Choice>,
    pub(crate) selectors: Vec<(&'static str, String)>,
    pub(crate) body: Option<Element>,
}

/// One member of the `OptionSet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Whether the host must refuse the request if it does not know the option.
    pub(crate) must_comply: bool,
}

/// Writes an envelope with exactly the headers that Windows 2008 R2 to 2019 were seen to accept, in the
/// order of Windows's own client: OMI takes the class of a shell from whichever of Action and
/// ResourceURI comes last, and answers by it.
pub(crate) fn encode(request: Request, header: &Header) -> Result<Vec<u8>, WsmanError> {
    let mut headers = vec![
        Element::new(namespace::ADDRESSING, "To").text_node(&header.to),
        must(Element::new(namespace::WSMAN, "ResourceURI"), true).text_node(request.resource),
        Element::new(namespace::ADDRESSING, "ReplyTo").child(
            must(Element::new(namespace::ADDRESSING, "Address"), true)
                .text_node(namespace::ANONYMOUS),
        ),
        must(Element::new(namespace::ADDRESSING, "Action"), true).text_node(request.action),
        must(Element::new(namespace::WSMAN, "MaxEnvelopeSize"), true)
            .text_node(header.max_envelope.to_string()),
        Element::new(namespace::ADDRESSING, "MessageID").text_node(&header.message_id),
        Element::new(namespace::WSMAN, "OperationTimeout")
            .text_node(duration(header.operation_timeout)),
        english(namespace::WSMAN, "Locale"),
        english(namespace::MSWSMAN, "DataLocale"),
        must(Element::new(namespace::MSWSMAN, "SessionId"), false).text_node(&header.session_id),
    ];
    if !request.options.is_empty() {
        let options = request.options.into_iter().map(|option| {
            let element = Element::new(namespace::WSMAN, "Option")
                .attribute("", "Name", option.name)
                .text_node(option.value);
            if option.must_comply { element.attribute("", "MustComply", "true") } else { element }
        });
        headers.push(must(Element::new(namespace::WSMAN, "OptionSet"), true).children(options));
    }
    if !request.selectors.is_empty() {
        let selectors = request.selectors.into_iter().map(|(name, value)| {
            Element::new(namespace::WSMAN, "Selector").attribute("", "Name", name).text_node(value)
        });
        headers.push(Element::new(namespace::WSMAN, "SelectorSet").children(selectors));
    }
    write(headers, request.body)
}

/// Writes an envelope; without headers it is the form that Identify takes.
pub(crate) fn write(headers: Vec<Element>, body: Option<Element>) -> Result<Vec<u8>, WsmanError> {
    let envelope = Element::new(namespace::SOAP, "Envelope")
        .child(Element::new(namespace::SOAP, "Header").children(headers))
        .child(Element::new(namespace::SOAP, "Body").children(body));
    refuse_uncarriable(&envelope)?;
    Ok(envelope.to_xml().into_bytes())
}

/// What a reply relates to where the request's id is not known (WS-Addressing 2004/08, 3).
const UNSPECIFIED: [&str; 2] =
    ["", "http://schemas.xmlsoap.org/ws/2004/08/addressing/id/unspecified"];

/// Opens a reply and checks that it answers `message_id` with `action`; gives the SOAP body.
///
/// A fault is `Err(WsmanError::Fault)`. Some of Windows' faults relate to nothing, so there a
/// missing `RelatesTo` is let pass; in every other reply it must be there and must fit.
pub(crate) fn decode(bytes: &[u8], message_id: &str, action: &str) -> Result<Element, WsmanError> {
    let envelope = open(bytes)?;
    let relates_to = header_text(&envelope, "RelatesTo");
    let told = header_text(&envelope, "Action");
    let answered =
        |got: String| WsmanError::unexpected(format!("a reply to message {message_id}"), got);
    if let Some(other) = relates_to.as_deref().filter(|id| !id.eq_ignore_ascii_case(message_id)) {
        // Of a request whose id the host could not read, only a fault may come.
        if UNSPECIFIED.contains(&other) {
            body(envelope)?;
        }
        return Err(answered(format!("a reply to {}", excerpt(other))));
    }
    let body = body(envelope)?;
    if relates_to.is_none() {
        return Err(answered("a reply that relates to no message".to_owned()));
    }
    // OMI spells the last parts of a shell's actions by its own class names.
    if told.as_deref().is_some_and(|told| told.eq_ignore_ascii_case(action)) {
        return Ok(body);
    }
    let got = told.map_or_else(|| "none".to_owned(), |told| excerpt(&told));
    Err(WsmanError::unexpected(format!("action {action}"), format!("action {got}")))
}

/// Opens a reply that has no headers to check (Identify), faults included.
pub(crate) fn decode_bare(bytes: &[u8]) -> Result<Element, WsmanError> {
    body(open(bytes)?)
}

/// The one element of that name in a SOAP body, or an error that names what is there instead.
pub(crate) fn only<'a>(
    body: &'a Element,
    space: &str,
    name: &str,
) -> Result<&'a Element, WsmanError> {
    body.find(space, name).ok_or_else(|| {
        let got = body.elements().next().map_or_else(
            || "an empty SOAP body".to_owned(),
            |element| format!("{} in `{}`", excerpt(&element.name), excerpt(&element.namespace)),
        );
        WsmanError::unexpected(format!("{name} in `{space}`"), got)
    })
}

/// The beginning of what a host sent, for an error text.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn open(bytes: &[u8]) -> Result<Element, WsmanError> {
    let envelope = xml::parse(bytes)?;
    if envelope.is(namespace::SOAP, "Envelope") {
        return Ok(envelope);
    }
    let got = format!("{} in `{}`", excerpt(&envelope.name), excerpt(&envelope.namespace));
    Err(WsmanError::unexpected("a SOAP 1.2 envelope", got))
}

fn body(envelope: Element) -> Result<Element, WsmanError> {
    let body = envelope
        .children
        .into_iter()
        .find_map(|node| match node {
            Node::Element(element) if element.is(namespace::SOAP, "Body") => Some(element),
            Node::Element(_) | Node::Text(_) => None,
        })
        .unwrap_or_else(|| Element::new(namespace::SOAP, "Body"));
    match body.find(namespace::SOAP, "Fault") {
        Some(fault) => Err(WsmanError::Fault(Fault::read(fault))),
        None => Ok(body),
    }
}

fn header_text(envelope: &Element, name: &str) -> Option<String> {
    let header = envelope.find(namespace::SOAP, "Header")?;
    Some(header.find(namespace::ADDRESSING, name)?.text().trim().to_owned())
}

fn must(element: Element, understand: bool) -> Element {
    let text = if understand { "true" } else { "false" };
    element.attribute(namespace::SOAP, "mustUnderstand", text)
}

/// Fault texts come in this language; without it they come in the host's.
fn english(space: &str, name: &str) -> Element {
    must(Element::new(space, name), false).attribute(namespace::XML, "lang", "en-US")
}

/// `PT20S`, `PT0.5S`: an `xs:duration` in seconds.
fn duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("PT{}S", duration.as_secs()),
        millis => format!("PT{}.{millis:03}S", duration.as_secs()),
    }
}

fn refuse_uncarriable(element: &Element) -> Result<(), WsmanError> {
    let refuse = |place: &str| {
        let text = format!("`{place}` holds a control character, which XML cannot carry");
        Err(WsmanError::Uncarriable(text))
    };
    for (_, name, value) in &element.attributes {
        if !xml::is_carriable(value) {
            return refuse(name);
        }
    }
    for node in &element.children {
        match node {
            Node::Text(text) if !xml::is_carriable(text) => return refuse(&element.name),
            Node::Text(_) => {}
            Node::Element(child) => refuse_uncarriable(child)?,
        }
    }
    Ok(())
}
