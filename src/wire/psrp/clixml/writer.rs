//! What is to be written as CLIXML. Unlike [`PsObject`] it keeps the order of members and the
//! exact element of a primitive, because the peer that reads it is not ours.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::psrp::clixml::escape::escape;
use crate::wire::psrp::object::PsObject;
use crate::wire::xml::Element;

/// One value on its way out.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Nil,
    /// Element name and text, e.g. `Version` and `2.3`.
    Primitive(&'static str, String),
    Object(Object),
}

/// An `Obj` element on its way out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object {
    pub type_names: Vec<String>,
    pub to_string: Option<String>,
    pub content: Content,
    pub properties: Vec<(String, Item)>,
    pub members: Vec<(String, Item)>,
}

/// What an object wraps.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Content {
    #[default]
    Nothing,
    Value(Box<Item>),
    List(Vec<Item>),
    Dictionary(Vec<(Item, Item)>),
}

impl Item {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Primitive("S", text.into())
    }

    pub fn bool(value: bool) -> Self {
        Self::Primitive("B", value.to_string())
    }

    pub fn i32(value: i32) -> Self {
        Self::Primitive("I32", value.to_string())
    }

    pub fn version(text: impl Into<String>) -> Self {
        Self::Primitive("Version", text.into())
    }

    /// An object that is nothing but its extended properties.
    pub fn bag(members: Vec<(&str, Self)>) -> Self {
        Self::Object(Object { members: named(members), ..Object::default() })
    }

    /// An object with a type, a text form and extended properties.
    pub fn record(type_names: &[&str], to_string: &str, members: Vec<(&str, Self)>) -> Self {
        Self::Object(Object {
            type_names: types(type_names),
            to_string: Some(to_string.to_owned()),
            members: named(members),
            ..Object::default()
        })
    }

    /// A .NET enumeration: its type, the name of the value and the number.
    pub fn enumeration(type_name: &str, text: &str, number: i32) -> Self {
        Self::Object(Object {
            type_names: types(&[type_name, "System.Enum", "System.ValueType", "System.Object"]),
            to_string: Some(text.to_owned()),
            content: Content::Value(Box::new(Self::i32(number))),
            ..Object::default()
        })
    }

    pub fn list(type_names: &[&str], items: Vec<Self>) -> Self {
        Self::Object(Object {
            type_names: types(type_names),
            content: Content::List(items),
            ..Object::default()
        })
    }

    pub fn dictionary(type_names: &[&str], entries: Vec<(Self, Self)>) -> Self {
        Self::Object(Object {
            type_names: types(type_names),
            content: Content::Dictionary(entries),
            ..Object::default()
        })
    }
}

fn named(members: Vec<(&str, Item)>) -> Vec<(String, Item)> {
    members.into_iter().map(|(name, item)| (name.to_owned(), item)).collect()
}

fn types(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

impl From<&PsObject> for Item {
    fn from(object: &PsObject) -> Self {
        match object {
            PsObject::Null => Self::Nil,
            PsObject::Bool(value) => Self::bool(*value),
            PsObject::Int(value) => match i32::try_from(*value) {
                Ok(value) => Self::i32(value),
                Err(_) => Self::Primitive("I64", value.to_string()),
            },
            PsObject::Unsigned(value) => match u32::try_from(*value) {
                Ok(value) => Self::Primitive("U32", value.to_string()),
                Err(_) => Self::Primitive("U64", value.to_string()),
            },
            PsObject::Double(value) => Self::Primitive("Db", double(*value)),
            PsObject::Text(text) => Self::text(text.as_str()),
            PsObject::Bytes(bytes) => Self::Primitive("BA", STANDARD.encode(bytes)),
            PsObject::List(items) => Self::list(
                &["System.Collections.ArrayList", "System.Object"],
                items.iter().map(Self::from).collect(),
            ),
            PsObject::Dictionary(entries) => Self::dictionary(
                &["System.Collections.Hashtable", "System.Object"],
                entries.iter().map(|(key, value)| (key.into(), value.into())).collect(),
            ),
            PsObject::Complex(object) => {
                let all = |members: &BTreeMap<String, PsObject>| {
                    members.iter().map(|(name, value)| (name.clone(), value.into())).collect()
                };
                Self::Object(Object {
                    type_names: object.type_names.clone(),
                    to_string: object.to_string.clone(),
                    content: match &object.value {
                        None => Content::Nothing,
                        Some(PsObject::List(items)) => {
                            Content::List(items.iter().map(Self::from).collect())
                        }
                        Some(PsObject::Dictionary(entries)) => Content::Dictionary(
                            entries.iter().map(|(key, value)| (key.into(), value.into())).collect(),
                        ),
                        Some(value) => Content::Value(Box::new(value.into())),
                    },
                    properties: all(&object.properties),
                    members: all(&object.members),
                })
            }
        }
    }
}

fn double(value: f64) -> String {
    if value == f64::INFINITY {
        "INF".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-INF".to_owned()
    } else {
        value.to_string()
    }
}

/// Writes one object as a document.
pub fn encode(item: &Item) -> String {
    Writer::default().element(None, item).to_xml()
}

#[derive(Default)]
struct Writer<'a> {
    objects: usize,
    types: BTreeMap<&'a [String], usize>,
}

impl<'a> Writer<'a> {
    fn element(&mut self, name: Option<&str>, item: &'a Item) -> Element {
        let tag = match item {
            Item::Nil => "Nil",
            Item::Primitive(tag, _) => tag,
            Item::Object(_) => "Obj",
        };
        let mut element = Element::new("", tag);
        if let Some(name) = name {
            element = element.attribute("", "N", escape(name));
        }
        match item {
            Item::Nil => element,
            Item::Primitive(_, text) if text.is_empty() => element,
            Item::Primitive(_, text) => element.text_node(escape(text)),
            Item::Object(object) => self.object(element, object),
        }
    }

    fn object(&mut self, element: Element, object: &'a Object) -> Element {
        let mut element = element.attribute("", "RefId", self.objects.to_string());
        self.objects += 1;
        if !object.type_names.is_empty() {
            element = element.child(self.type_names(&object.type_names));
        }
        if let Some(text) = &object.to_string {
            element = element.child(Element::new("", "ToString").text_node(escape(text)));
        }
        element = match &object.content {
            Content::Nothing => element,
            Content::Value(value) => element.child(self.element(None, value)),
            Content::List(items) => element.child(
                Element::new("", "LST").children(items.iter().map(|item| self.element(None, item))),
            ),
            Content::Dictionary(entries) => element.child(Element::new("", "DCT").children(
                entries.iter().map(|(key, value)| {
                    Element::new("", "En")
                        .child(self.element(Some("Key"), key))
                        .child(self.element(Some("Value"), value))
                }),
            )),
        };
        for (tag, members) in [("Props", &object.properties), ("MS", &object.members)] {
            if !members.is_empty() {
                let members = members.iter().map(|(name, item)| self.element(Some(name), item));
                element = element.child(Element::new("", tag).children(members));
            }
        }
        element
    }

    fn type_names(&mut self, names: &'a [String]) -> Element {
        let next = self.types.len();
        if let Some(id) = self.types.get(names) {
            return Element::new("", "TNRef").attribute("", "RefId", id.to_string());
        }
        self.types.insert(names, next);
        Element::new("", "TN")
            .attribute("", "RefId", next.to_string())
            .children(names.iter().map(|name| Element::new("", "T").text_node(escape(name))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::psrp::clixml::decode;
    use crate::wire::psrp::object::Complex;

    #[test]
    fn a_type_is_written_once_and_referred_to() {
        let off = Item::enumeration("T", "None", 0);
        let xml = encode(&Item::bag(vec![("a", off.clone()), ("b", off)]));
        assert_eq!(
            xml,
            concat!(
                r#"<Obj RefId="0"><MS><Obj N="a" RefId="1"><TN RefId="0"><T>T</T>"#,
                "<T>System.Enum</T><T>System.ValueType</T><T>System.Object</T></TN>",
                "<ToString>None</ToString><I32>0</I32></Obj>",
                r#"<Obj N="b" RefId="2"><TNRef RefId="0"/><ToString>None</ToString><I32>0</I32>"#,
                "</Obj></MS></Obj>"
            )
        );
    }

    fn objects() -> impl Strategy<Value = PsObject> {
        let leaf = prop_oneof![
            Just(PsObject::Null),
            any::<bool>().prop_map(PsObject::Bool),
            any::<i64>().prop_map(PsObject::Int),
            any::<u64>().prop_map(PsObject::Unsigned),
            (-1e300..1e300).prop_map(PsObject::Double),
            any::<String>().prop_map(PsObject::Text),
            any::<Vec<u8>>().prop_map(PsObject::Bytes),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let named = prop::collection::btree_map(any::<String>(), inner.clone(), 0..3);
            let value = prop_oneof![
                inner.clone().prop_map(Some).prop_filter("an object wraps a bare value", |value| {
                    !matches!(value, Some(PsObject::List(_) | PsObject::Dictionary(_)))
                }),
                prop::collection::vec(inner.clone(), 0..3).prop_map(PsObject::List).prop_map(Some),
                prop::collection::vec((inner.clone(), inner), 0..3)
                    .prop_map(PsObject::Dictionary)
                    .prop_map(Some),
                Just(None),
            ];
            (prop::collection::vec(any::<String>(), 0..3), any::<Option<String>>(), value, named)
                .prop_map(|(type_names, to_string, value, members)| {
                    PsObject::Complex(Box::new(Complex {
                        type_names,
                        to_string,
                        value,
                        properties: members.clone(),
                        members,
                    }))
                })
        })
    }

    proptest! {
        #[test]
        fn every_object_survives(object in objects()) {
            prop_assert_eq!(decode(encode(&Item::from(&object)).as_bytes()), Ok(object));
        }
    }
}
