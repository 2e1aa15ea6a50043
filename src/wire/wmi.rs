//! Instances by WQL: Enumerate and Pull (`winrm.md` 1.4, DSP0226 8).

use crate::wire::namespace;
use crate::wire::operation::Instance;
use crate::wire::soap;
use crate::wire::soap::Request;
use crate::wire::soap::WsmanError;
use crate::wire::xml::Element;

const WQL: &str = "http://schemas.microsoft.com/wbem/wsman/1/WQL";
/// As many as any version gives at once; an Enumerate and its Pulls must name the same number.
const MAX_ELEMENTS: &str = "32000";

/// Instances, and how to ask for the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub instances: Vec<Instance>,
    /// The enumeration context of the next Pull; `None` at the end of the sequence.
    pub next: Option<String>,
}

/// Enumerate with a WQL filter; the reply already holds instances.
pub(crate) fn enumerate(wmi_namespace: &str, wql: &str) -> Request {
    let body = Element::new(namespace::ENUMERATION, "Enumerate")
        .child(Element::new(namespace::WSMAN, "OptimizeEnumeration"))
        .child(Element::new(namespace::WSMAN, "MaxElements").text_node(MAX_ELEMENTS))
        .child(
            Element::new(namespace::WSMAN, "Filter").attribute("", "Dialect", WQL).text_node(wql),
        );
    request("Enumerate", wmi_namespace, body)
}

/// Pull with the context that the last reply gave.
pub(crate) fn pull(wmi_namespace: &str, context: &str) -> Request {
    let body = Element::new(namespace::ENUMERATION, "Pull")
        .child(Element::new(namespace::ENUMERATION, "EnumerationContext").text_node(context))
        .child(Element::new(namespace::ENUMERATION, "MaxElements").text_node(MAX_ELEMENTS));
    request("Pull", wmi_namespace, body)
}

/// Get of one instance, by its keys (`winrm.md` 1.4, [MS-WSMV] 3.1.4.1).
pub(crate) fn get(class: &str, keys: &[(&'static str, String)]) -> Request {
    Request {
        action: format!("{}/Get", namespace::TRANSFER),
        resource: format!("{}{class}", namespace::WMI),
        selectors: keys.to_vec(),
        ..Request::default()
    }
}

/// Decodes the reply to a Get: one instance. An instance that is not there is a fault.
pub(crate) fn one(message_id: &str, bytes: &[u8]) -> Result<Instance, WsmanError> {
    let body = soap::decode(bytes, message_id, &format!("{}/GetResponse", namespace::TRANSFER))?;
    let mut items = body.elements();
    match (items.next(), items.next()) {
        (Some(item), None) => Ok(instance(item)),
        (Some(_), Some(_)) => Err(WsmanError::unexpected("one instance", "several")),
        (None, _) => Err(WsmanError::unexpected("one instance", "an empty body")),
    }
}

/// Decodes an `EnumerateResponse`, or a `PullResponse` if there was a `context` to pull with.
pub(crate) fn page(
    context: Option<&str>,
    message_id: &str,
    bytes: &[u8],
) -> Result<Page, WsmanError> {
    let name = if context.is_some() { "PullResponse" } else { "EnumerateResponse" };
    let body = soap::decode(bytes, message_id, &format!("{}/{name}", namespace::ENUMERATION))?;
    let reply = soap::only(&body, namespace::ENUMERATION, name)?;
    let instances = reply
        .elements()
        .filter(|child| either(child, "Items"))
        .flat_map(Element::elements)
        .map(instance)
        .collect();
    if reply.elements().any(|child| either(child, "EndOfSequence")) {
        return Ok(Page { instances, next: None });
    }
    let told = reply
        .find(namespace::ENUMERATION, "EnumerationContext")
        .map(|element| element.text().trim().to_owned())
        .filter(|text| !text.is_empty());
    // A PullResponse without a context leaves the old one valid.
    match told.or_else(|| context.map(str::to_owned)) {
        Some(next) => Ok(Page { instances, next: Some(next) }),
        None => Err(WsmanError::unexpected("an enumeration context or the end", "neither of them")),
    }
}

fn request(verb: &str, wmi_namespace: &str, body: Element) -> Request {
    let wmi_namespace = wmi_namespace.replace('\\', "/");
    Request {
        action: format!("{}/{verb}", namespace::ENUMERATION),
        resource: format!("{}{wmi_namespace}/*", namespace::WMI),
        body: Some(body),
        ..Request::default()
    }
}

/// Windows puts these into WS-Man's namespace in one reply and into WS-Enumeration's in the next.
fn either(element: &Element, name: &str) -> bool {
    element.is(namespace::WSMAN, name) || element.is(namespace::ENUMERATION, name)
}

/// A class element, or the `XmlFragment` that a query for some properties brings, without a class.
fn instance(item: &Element) -> Instance {
    let mut instance = Instance::default();
    if !item.is(namespace::WSMAN, "XmlFragment") {
        instance.class.clone_from(&item.name);
    }
    for property in item.elements() {
        instance.properties.entry(property.name.clone()).or_default().push(text(property));
        // `Action.Type` of an instance that is embedded in `Action`.
        for inner in property.elements().filter(|inner| !is_date(property, inner)) {
            let name = format!("{}.{}", property.name, inner.name);
            instance.properties.entry(name).or_default().push(text(inner));
        }
    }
    instance
}

/// Dates stand in an element of their own, everything else is plain text.
fn text(property: &Element) -> Option<String> {
    if property.is_nil() {
        return None;
    }
    let wrapped = property.elements().find(|child| is_date(property, child));
    Some(wrapped.unwrap_or(property).text())
}

/// `cim:Datetime` and its like (DSP0230 5.2). In an `XmlFragment`, whose properties have no namespace,
/// the wrapper has been seen without one too; it is then the property's only element.
fn is_date(property: &Element, child: &Element) -> bool {
    if child.namespace == namespace::CIM {
        return true;
    }
    let is_wrapper =
        ["Datetime", "Date", "Time", "Interval", "CIM_DateTime"].contains(&&*child.name);
    is_wrapper && child.namespace.is_empty() && property.elements().count() == 1
}
