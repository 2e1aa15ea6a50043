//! A tree as text: prefixes that Windows itself writes, and nothing that a reader would change.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::wire::namespace;
use crate::wire::xml::Element;
use crate::wire::xml::Node;

impl Element {
    /// Writes the document: no declaration, no white space added, CR escaped so that it survives.
    pub fn to_xml(&self) -> String {
        let mut prefixes = BTreeMap::new();
        self.collect_namespaces(&mut prefixes);
        let mut out = String::new();
        self.write(&mut out, &prefixes, true);
        out
    }

    fn collect_namespaces<'a>(&'a self, prefixes: &mut BTreeMap<&'a str, String>) {
        let attributes = self.attributes.iter().map(|(space, _, _)| space.as_str());
        let own = Some(self.namespace.as_str()).filter(|space| !unprefixed(space));
        let types = self.attributes.iter().filter_map(qualified).map(|(space, _)| space);
        for space in own.into_iter().chain(attributes).chain(types) {
            if space.is_empty() || space == namespace::XML || prefixes.contains_key(space) {
                continue;
            }
            let prefix =
                well_known(space).map_or_else(|| format!("n{}", prefixes.len()), str::to_owned);
            prefixes.insert(space, prefix);
        }
        for child in self.elements() {
            child.collect_namespaces(prefixes);
        }
    }

    fn write(&self, out: &mut String, prefixes: &BTreeMap<&str, String>, root: bool) {
        let tag = match prefixes.get(self.namespace.as_str()) {
            Some(prefix) if !unprefixed(&self.namespace) => format!("{prefix}:{}", self.name),
            Some(_) | None => self.name.clone(),
        };
        out.push('<');
        out.push_str(&tag);
        if root {
            for (space, prefix) in prefixes {
                let _ = write!(out, " xmlns:{prefix}=\"{}\"", escape(space, true));
            }
        }
        if unprefixed(&self.namespace) {
            let _ = write!(out, " xmlns=\"{}\"", escape(&self.namespace, true));
        }
        for attribute in &self.attributes {
            let (space, name, value) = attribute;
            let value = match qualified(attribute) {
                Some((of, local)) => {
                    let prefix = prefixes.get(of).map_or("", String::as_str);
                    escape(&format!("{prefix}:{local}"), true)
                }
                None => escape(value, true),
            };
            let _ = match prefixes.get(space.as_str()) {
                Some(prefix) => write!(out, " {prefix}:{name}=\"{value}\""),
                None if space == namespace::XML => write!(out, " xml:{name}=\"{value}\""),
                None => write!(out, " {name}=\"{value}\""),
            };
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for node in &self.children {
            match node {
                Node::Element(element) => element.write(out, prefixes, false),
                Node::Text(text) => out.push_str(&escape(text, false)),
            }
        }
        let _ = write!(out, "</{tag}>");
    }
}

/// Namespace and name of an `xsi:type` that is given as `{namespace}name`: only whoever writes the
/// document knows the prefix.
fn qualified((space, name, value): &(String, String, String)) -> Option<(&str, &str)> {
    if space != namespace::XSI || name != "type" {
        return None;
    }
    value.strip_prefix('{')?.split_once('}')
}

/// Namespaces that Windows' own clients write as a default namespace on the element itself.
fn unprefixed(space: &str) -> bool {
    space == namespace::POWERSHELL || space == namespace::CLIXML
}

fn well_known(space: &str) -> Option<&'static str> {
    Some(match space {
        namespace::SOAP => "s",
        namespace::ADDRESSING => "a",
        namespace::WSMAN => "w",
        namespace::MSWSMAN => "p",
        namespace::TRANSFER => "x",
        namespace::ENUMERATION => "n",
        namespace::SHELL => "rsp",
        namespace::FAULT => "f",
        namespace::CIM => "cim",
        namespace::IDENTIFY => "wsmid",
        namespace::XSI => "xsi",
        _ => return None,
    })
}

fn escape(text: &str, attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '"' if attribute => out.push_str("&quot;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#9;"),
            other => out.push(other),
        }
    }
    out
}
