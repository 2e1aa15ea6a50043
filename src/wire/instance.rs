//! Instances of CIM classes, made and removed: WS-Transfer Create and Delete ([MS-WSMV] 3.1.4.1,
//! DSP0227 for the shape of an instance).

use crate::wire::namespace;
use crate::wire::operation::CimValue;
use crate::wire::soap;
use crate::wire::soap::Request;
use crate::wire::soap::WsmanError;
use crate::wire::xml::Element;

/// What is done with an instance of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transfer<'a> {
    Create { class: &'static str, properties: &'a [(&'static str, CimValue)] },
    Delete { class: &'static str, key: (&'static str, &'a str) },
}

impl Transfer<'_> {
    fn class(&self) -> &'static str {
        match self {
            Self::Create { class, .. } | Self::Delete { class, .. } => class,
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "Create",
            Self::Delete { .. } => "Delete",
        }
    }

    /// Class and verb, for errors and statistics.
    pub(crate) fn name(&self) -> String {
        let class = self.class();
        format!("{}.{}", class.rsplit('/').next().unwrap_or(class), self.verb())
    }

    pub(crate) fn request(&self) -> Request {
        let resource = format!("{}{}", namespace::WMI, self.class());
        let action = format!("{}/{}", namespace::TRANSFER, self.verb());
        match self {
            Self::Create { class, properties } => Request {
                action,
                resource,
                body: Some(instance(class, properties)),
                ..Request::default()
            },
            Self::Delete { key: (name, value), .. } => Request {
                action,
                resource,
                selectors: vec![(name, (*value).to_owned())],
                ..Request::default()
            },
        }
    }

    /// What comes back names the new instance, or nothing: only that it came is looked at.
    pub(crate) fn decode(&self, message_id: &str, bytes: &[u8]) -> Result<(), WsmanError> {
        let action = format!("{}/{}Response", namespace::TRANSFER, self.verb());
        soap::decode(bytes, message_id, &action).map(drop)
    }
}

/// The instance's element, its properties in alphabetical order as Windows has them.
fn instance(class: &str, properties: &[(&'static str, CimValue)]) -> Element {
    let space = format!("{}{class}", namespace::WMI);
    let name = class.rsplit('/').next().unwrap_or(class);
    Element::new(&space, name).children(elements(&space, properties))
}

fn elements(space: &str, properties: &[(&'static str, CimValue)]) -> Vec<Element> {
    let mut sorted: Vec<&(&'static str, CimValue)> = properties.iter().collect();
    sorted.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    sorted.into_iter().flat_map(|(name, value)| property(space, name, value)).collect()
}

/// A property, or a method's parameter. An array repeats the element; an embedded instance stands
/// below it with its type.
pub(super) fn property(space: &str, name: &str, value: &CimValue) -> Vec<Element> {
    let element = Element::new(space, name);
    vec![match value {
        CimValue::Many(items) => {
            return items.iter().flat_map(|item| property(space, name, item)).collect();
        }
        CimValue::Text(text) => element.text_node(text),
        CimValue::Number(number) => element.text_node(number.to_string()),
        CimValue::Bool(value) => element.text_node(value.to_string()),
        CimValue::Moment(text) => {
            element.child(Element::new(namespace::CIM, "Datetime").text_node(text))
        }
        CimValue::Embedded { class, properties } => {
            let inner = format!("{}{class}", namespace::WMI);
            let name = class.rsplit('/').next().unwrap_or(class);
            element
                .attribute(namespace::XSI, "type", format!("{{{inner}}}{name}_Type"))
                .children(elements(&inner, properties))
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_within_an_instance_carries_its_type() {
        const JOB: &str = "root/x/Job";
        let properties = [
            ("Name", CimValue::Text("a & b".to_owned())),
            (
                "Action",
                CimValue::Embedded {
                    class: "root/x/Action",
                    properties: vec![("Type", CimValue::Number(3))],
                },
            ),
            ("Namespace", CimValue::Many(vec![CimValue::Text(r"D:\a".into()); 2])),
            ("Time", CimValue::Moment("2026-12-01T01:00:00Z".to_owned())),
        ];
        let transfer = Transfer::Create { class: JOB, properties: &properties };
        assert_eq!(transfer.name(), "Job.Create");
        let body = transfer.request().body.unwrap();
        let text = body.to_xml();
        let parts = [
            "<n1:Action xsi:type=\"n0:Action_Type\"><n0:Type>3</n0:Type></n1:Action>",
            "<n1:Name>a &amp; b</n1:Name>",
            r"<n1:Namespace>D:\a</n1:Namespace><n1:Namespace>D:\a</n1:Namespace>",
            "<n1:Time><cim:Datetime>2026-12-01T01:00:00Z</cim:Datetime></n1:Time>",
        ];
        // Which prefix a namespace gets is nobody's business, that it is one and the same is.
        let plain = |text: &str| {
            (0..10).fold(text.to_owned(), |text, digit| text.replace(&format!("n{digit}:"), "?:"))
        };
        for part in parts {
            assert!(plain(&text).contains(&plain(part)), "{part} in {text}");
        }
        let again = crate::wire::xml::parse(text.as_bytes()).unwrap();
        assert_eq!(again.elements().count(), 5);
    }
}
