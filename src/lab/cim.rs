//! CIM instances: their properties, how they compare with WQL literals, and how Windows writes them.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::lab::markup::escape;
use crate::lab::wql::Literal;
use crate::wire::namespace;

#[derive(Debug, Clone, PartialEq)]
pub enum Property {
    Null,
    Text(String),
    Number(u64),
    Bool(bool),
    Moment(Timestamp),
    Many(Vec<Self>),
    /// An instance of another class inside this one.
    Embedded(Vec<(&'static str, Self)>),
}

impl Property {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether the property equals a literal; texts compare without case.
    pub fn equals(&self, literal: &Literal) -> bool {
        match (self, literal) {
            (Self::Text(own), Literal::Text(other)) => own.eq_ignore_ascii_case(other),
            (Self::Number(own), Literal::Number(other)) => u64::try_from(*other) == Ok(*own),
            (Self::Number(own), Literal::Text(other)) => own.to_string() == *other,
            (Self::Bool(own), Literal::Bool(other)) => own == other,
            (Self::Null, Literal::Null) => true,
            (
                Self::Text(_)
                | Self::Number(_)
                | Self::Bool(_)
                | Self::Null
                | Self::Moment(_)
                | Self::Many(_)
                | Self::Embedded(_),
                _,
            ) => false,
        }
    }

    /// Appends the property's elements; nil is an element too, an array repeats it.
    pub fn write(&self, out: &mut String, prefix: &str, name: &str) {
        let text = match self {
            Self::Null => {
                let _ = write!(out, "<{prefix}{name} xsi:nil=\"true\"/>");
                return;
            }
            Self::Many(items) if items.is_empty() => return Self::Null.write(out, prefix, name),
            Self::Many(items) => {
                for item in items {
                    item.write(out, prefix, name);
                }
                return;
            }
            Self::Embedded(parts) => {
                let mut inner = String::new();
                for (name, part) in parts {
                    part.write(&mut inner, prefix, name);
                }
                inner
            }
            Self::Text(text) => escape(text),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Moment(moment) => {
                // As seen of Windows: what stands in a fragment has no namespace, wrappers included.
                let own = if prefix.is_empty() { "" } else { "cim:" };
                let moment = moment.strftime("%Y-%m-%dT%H:%M:%S%.fZ");
                format!("<{own}Datetime>{moment}</{own}Datetime>")
            }
        };
        let _ = write!(out, "<{prefix}{name}>{text}</{prefix}{name}>");
    }
}

/// A class of the simulated repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// `root/cimv2`.
    pub namespace: &'static str,
    pub name: &'static str,
    /// The key properties; none for a singleton and for a class without instances.
    pub keys: &'static [&'static str],
    pub instances: Instances,
}

/// How many instances a class can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    One,
    Keyed,
    /// Static methods only.
    None,
}

impl Class {
    /// The resource URI, which is the namespace of the class's elements too.
    pub fn uri(&self) -> String {
        format!("{}{}/{}", namespace::WMI, self.namespace, self.name)
    }
}

/// One instance: its properties in alphabetical order without regard to case, as Windows sends them.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<(&'static str, Property)>);

impl Row {
    pub fn new(mut properties: Vec<(&'static str, Property)>) -> Self {
        properties.sort_by_key(|(name, _)| name.to_ascii_lowercase());
        Self(properties)
    }

    pub fn property(&self, name: &str) -> Option<&Property> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The class's own element, for `select *` and Get.
    pub fn element(&self, class: &Class) -> String {
        let name = class.name;
        let mut out = format!(
            "<p:{name} xmlns:xsi=\"{}\" xmlns:p=\"{}\" xmlns:cim=\"{}\" xsi:type=\"p:{name}_Type\">",
            namespace::XSI,
            class.uri(),
            namespace::CIM
        );
        for (name, value) in &self.0 {
            value.write(&mut out, "p:", name);
        }
        let _ = write!(out, "</p:{name}>");
        out
    }

    /// The chosen properties without a namespace, for a query with a list of properties.
    pub fn fragment(&self, names: &[String]) -> String {
        let mut out = format!("<w:XmlFragment xmlns:xsi=\"{}\">", namespace::XSI);
        for (name, value) in &self.0 {
            if names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
                value.write(&mut out, "", name);
            }
        }
        out.push_str("</w:XmlFragment>");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_written_as_windows_writes_them() {
        let mut out = String::new();
        Property::Null.write(&mut out, "p:", "A");
        Property::text("").write(&mut out, "p:", "B");
        Property::Many(vec![Property::Number(1), Property::Number(2)]).write(&mut out, "", "C");
        let moment = "2013-04-15T16:28:43.488171Z".parse().unwrap();
        Property::Moment(moment).write(&mut out, "p:", "D");
        let whole = "2013-04-15T16:28:43Z".parse().unwrap();
        Property::Moment(whole).write(&mut out, "p:", "E");
        Property::Moment(whole).write(&mut out, "", "F");
        assert_eq!(
            out,
            "<p:A xsi:nil=\"true\"/><p:B></p:B><C>1</C><C>2</C>\
             <p:D><cim:Datetime>2013-04-15T16:28:43.488171Z</cim:Datetime></p:D>\
             <p:E><cim:Datetime>2013-04-15T16:28:43Z</cim:Datetime></p:E>\
             <F><Datetime>2013-04-15T16:28:43Z</Datetime></F>"
        );
    }

    #[test]
    fn a_fragment_is_in_alphabetical_order_whatever_was_asked_first() {
        let row = Row::new(vec![
            ("Version", Property::text("1")),
            ("CSName", Property::text("A")),
            ("Other", Property::Null),
        ]);
        let text = row.fragment(&["version".to_owned(), "CSName".to_owned()]);
        assert!(text.contains("><CSName>A</CSName><Version>1</Version></"), "{text}");
    }
}
