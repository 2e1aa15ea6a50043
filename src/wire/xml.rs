//! A small XML tree over quick-xml's namespace reader, bounded in depth and size.

mod write;

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::escape::unescape;
use quick_xml::events::BytesStart;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

use crate::wire::namespace;

/// Deepest nesting that a document may have; Windows' replies stay below 40.
const MAX_DEPTH: usize = 128;
/// Most elements that a document may have.
const MAX_ELEMENTS: usize = 400_000;
/// Most attributes of one element: each is compared with all before it.
const MAX_ATTRIBUTES: usize = 256;
/// Most bytes of namespaces that are copied into one tree.
const MAX_COPIED: usize = 2 * MAX_BYTES;
/// Largest document, in bytes; Windows' envelopes stay below 500 KiB, several times that is ours.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// An element with its names resolved to namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    pub namespace: String,
    pub name: String,
    /// Namespace (empty for none), local name, value. Namespace declarations are left out.
    pub attributes: Vec<(String, String, String)>,
    pub children: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Element(Element),
    Text(String),
}

/// Why bytes are not a document that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    #[error("not well-formed XML at byte {at}: {detail}")]
    Malformed { at: u64, detail: String },
    #[error("XML namespace prefix `{0}` is not declared")]
    Prefix(String),
    #[error("XML is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("XML is larger than the limit")]
    TooLarge,
    #[error("a document type declaration is not accepted")]
    Doctype,
    #[error("entity `{0}` is not known")]
    Entity(String),
    #[error("no root element")]
    Empty,
}

impl Element {
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into(), ..Self::default() }
    }

    #[must_use]
    pub fn text_node(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Adds an attribute; an empty namespace means none.
    #[must_use]
    pub fn attribute(
        mut self,
        namespace: impl Into<String>,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.attributes.push((namespace.into(), name.into(), value.into()));
        self
    }

    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child element of that name.
    pub fn find(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.is(namespace, name))
    }

    /// The first descendant of that name, this element included, in document order.
    pub fn descendant(&self, namespace: &str, name: &str) -> Option<&Self> {
        if self.is(namespace, name) {
            return Some(self);
        }
        self.elements().find_map(|element| element.descendant(namespace, name))
    }

    /// The attribute's value; an empty namespace means none.
    pub fn attr(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(space, own, _)| space == namespace && own == name)
            .map(|(_, _, value)| value.as_str())
    }

    /// The element's own text, children's text left out.
    pub fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) => None,
            })
            .collect()
    }

    /// Whether `xsi:nil` says that there is no value.
    pub fn is_nil(&self) -> bool {
        matches!(self.attr(namespace::XSI, "nil"), Some("true" | "1"))
    }
}

/// A boolean of XML Schema; some hosts write it in capitals.
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether XML 1.0 can carry the text at all: no control characters but TAB, LF and CR, no
/// non-characters.
pub fn is_carriable(text: &str) -> bool {
    text.chars().all(|c| {
        !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
    })
}

/// Reads one document. A byte order mark is skipped, as is what stands around the root.
pub fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    if bytes.len() > MAX_BYTES {
        return Err(XmlError::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| XmlError::Malformed {
        at: u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX),
        detail: "not UTF-8".to_owned(),
    })?;
    let mut reader = NsReader::from_str(text);
    let mut stack: Vec<Element> = Vec::new();
    let mut tally = Tally::default();
    loop {
        let event = reader.read_event().map_err(|error| malformed(&reader, &error))?;
        match event {
            Event::Start(start) => {
                if stack.len() >= MAX_DEPTH {
                    return Err(XmlError::TooDeep);
                }
                stack.push(tally.open(&reader, &start)?);
            }
            Event::Empty(start) => {
                let element = tally.open(&reader, &start)?;
                match stack.last_mut() {
                    Some(parent) => parent.children.push(Node::Element(element)),
                    None => return Ok(element),
                }
            }
            Event::End(_) => {
                let Some(element) = stack.pop() else { return Err(XmlError::Empty) };
                match stack.last_mut() {
                    Some(parent) => parent.children.push(Node::Element(element)),
                    None => return Ok(element),
                }
            }
            Event::Text(text) => {
                push_text(&mut stack, &text.xml10_content());
            }
            Event::CData(data) => {
                push_text(&mut stack, &data);
            }
            Event::GeneralRef(reference) => {
                let resolved = reference
                    .resolve_char_ref()
                    .map_err(|error| malformed(&reader, &error))?
                    .map(String::from);
                let text = match resolved {
                    Some(text) => text,
                    None => resolve_predefined_entity(&reference)
                        .ok_or_else(|| XmlError::Entity(reference.to_string()))?
                        .to_owned(),
                };
                push_text(&mut stack, &text);
            }
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return Err(XmlError::Empty),
        }
    }
}

fn push_text(stack: &mut [Element], text: &str) {
    if let Some(parent) = stack.last_mut() {
        match parent.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            Some(Node::Element(_)) | None => parent.children.push(Node::Text(text.to_owned())),
        }
    }
}

fn malformed(reader: &NsReader<&[u8]>, error: &dyn std::fmt::Display) -> XmlError {
    XmlError::Malformed { at: reader.buffer_position(), detail: error.to_string() }
}

/// What the tree holds that its text does not show: every element has its own copy of its namespace.
#[derive(Default)]
struct Tally {
    elements: usize,
    copied: usize,
}

impl Tally {
    fn open(
        &mut self,
        reader: &NsReader<&[u8]>,
        start: &BytesStart<'_>,
    ) -> Result<Element, XmlError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(XmlError::TooLarge);
        }
        let (space, local) = reader.resolver().resolve_element(start.name());
        let name = local.as_ref().to_owned();
        let mut element = Element::new(self.resolved(reader, space)?, name);
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| malformed(reader, &error))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (space, local) = reader.resolver().resolve_attribute(attribute.key);
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| malformed(reader, &error))?
                .into_owned();
            let (space, name) = (self.resolved(reader, space)?, local.as_ref().to_owned());
            if element.attributes.len() >= MAX_ATTRIBUTES {
                return Err(XmlError::TooLarge);
            }
            // The package compares names as they are spelled; prefixes may differ and mean the same.
            if !space.is_empty() && element.attr(&space, &name).is_some() {
                return Err(malformed(reader, &format!("attribute `{name}` stands twice")));
            }
            element.attributes.push((space, name, value));
        }
        Ok(element)
    }

    /// The namespace; the package hands it out as it stands in the text.
    fn resolved(
        &mut self,
        reader: &NsReader<&[u8]>,
        space: ResolveResult<'_>,
    ) -> Result<String, XmlError> {
        match space {
            ResolveResult::Bound(space) => {
                self.copied += space.as_ref().len();
                if self.copied > MAX_COPIED {
                    return Err(XmlError::TooLarge);
                }
                let text = unescape(space.as_ref()).map_err(|error| malformed(reader, &error))?;
                Ok(text.into_owned())
            }
            ResolveResult::Unbound => Ok(String::new()),
            ResolveResult::Unknown(prefix) => Err(XmlError::Prefix(prefix.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_survives_writing_and_reading() {
        let tree = Element::new(namespace::SOAP, "Envelope").child(
            Element::new("urn:own", "x")
                .attribute(namespace::XSI, "nil", "a\"<&>\n\t\r")
                .text_node(" a & b < c \r\n é 😀 "),
        );
        assert_eq!(parse(tree.to_xml().as_bytes()), Ok(tree));
    }

    #[test]
    fn a_prefix_that_means_two_things_is_read_by_namespace() {
        let text = r#"<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"/></p:a>"#;
        let tree = parse(text.as_bytes()).unwrap();
        assert!(tree.is("urn:1", "a"));
        assert!(tree.find("urn:2", "b").is_some());
    }

    #[test]
    fn a_bomb_is_refused() {
        assert_eq!(parse(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), Err(XmlError::Doctype));
        assert_eq!(parse(b"<a>&b;</a>"), Err(XmlError::Entity("b".into())));
        assert_eq!(parse("<a>".repeat(200).as_bytes()), Err(XmlError::TooDeep));
    }

    #[test]
    fn half_a_document_is_no_document() {
        assert_eq!(parse(b""), Err(XmlError::Empty));
        assert!(parse(b"<a><b></a>").is_err());
        assert!(parse(b"<p:a/>").is_err());
    }
    #[test]
    fn a_namespace_is_read_as_it_was_meant() {
        let tree = parse(b"<p:a xmlns:p='urn:a&amp;b' p:x='1'/>").unwrap();
        assert!(tree.is("urn:a&b", "a"));
        assert_eq!(parse(tree.to_xml().as_bytes()), Ok(tree));
        assert!(parse(b"<a xmlns='urn:&b;'/>").is_err());
    }

    #[test]
    fn a_long_namespace_does_not_multiply() {
        let long = "u".repeat(1 << 20);
        let text = format!("<a xmlns='{long}'>{}</a>", "<b/>".repeat(100));
        assert_eq!(parse(text.as_bytes()), Err(XmlError::TooLarge));
    }

    #[test]
    fn an_attribute_stands_once_whatever_its_prefix() {
        assert!(parse(b"<a xmlns:p='urn:1' xmlns:q='urn:1' p:x='' q:x=''/>").is_err());
        assert!(parse(b"<a xmlns:p='urn:1' xmlns:q='urn:2' p:x='' q:x='' x=''/>").is_ok());
    }
}
