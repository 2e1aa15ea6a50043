//! CLIXML to [`PsObject`]. Bounded, references included: what they would copy is counted too.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::namespace;
use crate::wire::psrp::clixml::escape::unescape;
use crate::wire::psrp::object::Complex;
use crate::wire::psrp::object::PsObject;
use crate::wire::xml;
use crate::wire::xml::Element;
use crate::wire::xml::XmlError;

/// Most memory that one document's objects may take, in bytes as [`Reader::spend`] counts them.
const MAX_COST: usize = 96 * 1024 * 1024;
/// What an object costs beside its text.
const NODE_COST: usize = 96;

/// Why bytes are not CLIXML that we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClixmlError {
    #[error("the object is not readable XML")]
    Xml(#[from] XmlError),
    #[error("expected an element of CLIXML, got `{0}`")]
    Element(String),
    #[error("expected the value of `{element}`, got `{text}`")]
    Value { element: String, text: String },
    #[error("expected the number of an object or type seen before, got `{0}`")]
    Reference(String),
    #[error("the object takes more memory than the limit")]
    TooLarge,
}

/// Reads one object; `Objs` is read as a list. A reference to an object that is not finished yet
/// (a circle) is read as [`PsObject::Null`].
pub fn decode(bytes: &[u8]) -> Result<PsObject, ClixmlError> {
    let root = xml::parse(bytes)?;
    let mut reader = Reader::default();
    collect_references(&root, &mut reader.wanted);
    if is(&root, "Objs") {
        return root
            .elements()
            .map(|child| reader.object(child))
            .collect::<Result<_, _>>()
            .map(PsObject::List);
    }
    reader.object(&root)
}

#[derive(Default)]
struct Reader {
    /// Objects that something refers to; only these are kept.
    wanted: BTreeSet<String>,
    objects: BTreeMap<String, Known>,
    types: BTreeMap<String, Vec<String>>,
    spent: usize,
}

enum Known {
    Unfinished,
    Finished { object: PsObject, cost: usize },
}

impl Reader {
    fn spend(&mut self, bytes: usize) -> Result<(), ClixmlError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > MAX_COST { Err(ClixmlError::TooLarge) } else { Ok(()) }
    }

    fn object(&mut self, element: &Element) -> Result<PsObject, ClixmlError> {
        if !matches!(element.namespace.as_str(), "" | namespace::CLIXML) {
            return Err(ClixmlError::Element(element.name.clone()));
        }
        match element.name.as_str() {
            "Obj" => self.complex(element),
            "Ref" => self.reference(element),
            "LST" | "IE" | "STK" | "QUE" => self.list(element),
            "DCT" => self.dictionary(element),
            _ => self.primitive(element),
        }
    }

    fn complex(&mut self, element: &Element) -> Result<PsObject, ClixmlError> {
        let before = self.spent;
        self.spend(NODE_COST)?;
        let id = element.attr("", "RefId").filter(|id| self.wanted.contains(*id));
        if let Some(id) = id {
            self.objects.insert(id.to_owned(), Known::Unfinished);
        }
        let mut object = Complex::default();
        for child in element.elements() {
            match child.name.as_str() {
                "TN" => object.type_names = self.type_names(child)?,
                "TNRef" => object.type_names = self.known_type(child)?,
                "ToString" => {
                    let text = child.text();
                    self.spend(text.len())?;
                    object.to_string = Some(unescape(&text));
                }
                "Props" => self.members(child, &mut object.properties)?,
                "MS" => self.members(child, &mut object.members)?,
                _ => {
                    let value = self.object(child)?;
                    // Windows writes the value once; a document that has two keeps the first.
                    object.value.get_or_insert(value);
                }
            }
        }
        let object = PsObject::Complex(Box::new(object));
        if let Some(id) = id {
            let cost = self.spent - before;
            self.spend(cost)?;
            self.objects.insert(id.to_owned(), Known::Finished { object: object.clone(), cost });
        }
        Ok(object)
    }

    fn reference(&mut self, element: &Element) -> Result<PsObject, ClixmlError> {
        let id = element.attr("", "RefId").unwrap_or_default();
        let (object, cost) = match self.objects.get(id) {
            Some(Known::Finished { object, cost }) => (object, *cost),
            Some(Known::Unfinished) => return Ok(PsObject::Null),
            None => return Err(ClixmlError::Reference(id.to_owned())),
        };
        // Counted before it is copied: references to references double with every line.
        self.spent = self.spent.saturating_add(cost);
        if self.spent > MAX_COST {
            return Err(ClixmlError::TooLarge);
        }
        Ok(object.clone())
    }

    fn type_names(&mut self, element: &Element) -> Result<Vec<String>, ClixmlError> {
        let names: Vec<String> = element.elements().map(|name| unescape(&name.text())).collect();
        self.spend(names.iter().map(|name| name.len() + NODE_COST).sum())?;
        if let Some(id) = element.attr("", "RefId") {
            self.types.insert(id.to_owned(), names.clone());
        }
        Ok(names)
    }

    fn known_type(&mut self, element: &Element) -> Result<Vec<String>, ClixmlError> {
        let id = element.attr("", "RefId").unwrap_or_default();
        let names = self.types.get(id).ok_or_else(|| ClixmlError::Reference(id.to_owned()))?;
        self.spent = names
            .iter()
            .fold(self.spent, |spent, name| spent.saturating_add(name.len() + NODE_COST));
        if self.spent > MAX_COST {
            return Err(ClixmlError::TooLarge);
        }
        Ok(names.clone())
    }

    fn members(
        &mut self,
        element: &Element,
        members: &mut BTreeMap<String, PsObject>,
    ) -> Result<(), ClixmlError> {
        for child in element.elements() {
            let name = unescape(child.attr("", "N").unwrap_or_default());
            self.spend(name.len())?;
            let value = self.object(child)?;
            members.insert(name, value);
        }
        Ok(())
    }

    fn list(&mut self, element: &Element) -> Result<PsObject, ClixmlError> {
        self.spend(NODE_COST)?;
        element
            .elements()
            .map(|item| self.object(item))
            .collect::<Result<_, _>>()
            .map(PsObject::List)
    }

    fn dictionary(&mut self, element: &Element) -> Result<PsObject, ClixmlError> {
        self.spend(NODE_COST)?;
        let mut entries = Vec::new();
        for entry in element.elements() {
            let (mut key, mut value) = (PsObject::Null, PsObject::Null);
            for half in entry.elements() {
                match half.attr("", "N") {
                    Some("Key") => key = self.object(half)?,
                    Some("Value") => value = self.object(half)?,
                    Some(_) | None => return Err(ClixmlError::Element(half.name.clone())),
                }
            }
            entries.push((key, value));
        }
        Ok(PsObject::Dictionary(entries))
    }

    fn primitive(&mut self, element: &Element) -> Result<PsObject, ClixmlError> {
        let text = element.text();
        self.spend(NODE_COST + text.len())?;
        let name = element.name.as_str();
        let bad = || ClixmlError::Value { element: name.to_owned(), text: shortened(&text) };
        let trimmed = text.trim();
        Ok(match name {
            // `PR` is a progress record: nobody here looks into it.
            "Nil" | "PR" => PsObject::Null,
            "B" => match trimmed {
                "true" | "True" | "1" => PsObject::Bool(true),
                "false" | "False" | "0" => PsObject::Bool(false),
                _ => return Err(bad()),
            },
            "I16" | "I32" | "I64" | "SB" | "By" | "U16" => {
                PsObject::Int(trimmed.parse().map_err(|_| bad())?)
            }
            "U32" | "U64" => PsObject::Unsigned(trimmed.parse().map_err(|_| bad())?),
            "Sg" | "Db" => PsObject::Double(match trimmed {
                "INF" => f64::INFINITY,
                "-INF" => f64::NEG_INFINITY,
                number => number.parse().map_err(|_| bad())?,
            }),
            "C" => {
                let unit: u16 = trimmed.parse().map_err(|_| bad())?;
                PsObject::Text(String::from_utf16_lossy(&[unit]))
            }
            "BA" => PsObject::Bytes(STANDARD.decode(trimmed).map_err(|_| bad())?),
            "S" | "URI" | "XD" | "SBK" => PsObject::Text(unescape(&text)),
            "DT" | "TS" | "D" | "G" | "Version" | "SS" => PsObject::Text(trimmed.to_owned()),
            _ => return Err(ClixmlError::Element(name.to_owned())),
        })
    }
}

fn is(element: &Element, name: &str) -> bool {
    element.name == name && matches!(element.namespace.as_str(), "" | namespace::CLIXML)
}

fn collect_references(element: &Element, wanted: &mut BTreeSet<String>) {
    if element.name == "Ref"
        && let Some(id) = element.attr("", "RefId")
    {
        wanted.insert(id.to_owned());
    }
    for child in element.elements() {
        collect_references(child, wanted);
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn check(xml: &str, expected: PsObject) {
        assert_eq!(decode(xml.as_bytes()), Ok(expected));
    }

    #[test]
    fn primitives_keep_their_meaning() {
        check("<Nil />", PsObject::Null);
        check("<B>true</B>", PsObject::Bool(true));
        check("<I32>-5</I32>", PsObject::Int(-5));
        check("<I64>-9223372036854775808</I64>", PsObject::Int(i64::MIN));
        check("<U64>18446744073709551615</U64>", PsObject::Unsigned(u64::MAX));
        check("<Db>-INF</Db>", PsObject::Double(f64::NEG_INFINITY));
        check("<C>97</C>", PsObject::Text("a".into()));
        check("<BA>AQID</BA>", PsObject::Bytes(vec![1, 2, 3]));
        check("<S> a_x000A_ </S>", PsObject::Text(" a\n ".into()));
        check("<S></S>", PsObject::Text(String::new()));
        check("<Version>5.1.17763.1</Version>", PsObject::Text("5.1.17763.1".into()));
        check("<URI>https://a.example/_x005F_</URI>", PsObject::Text("https://a.example/_".into()));
        check("<TS>PT9.0269026S</TS>", PsObject::Text("PT9.0269026S".into()));
    }

    /// Every type of [MS-PSRP] 2.2.5.1 and each container of 2.2.5.2.6.
    #[test]
    fn every_type_of_the_specification_is_read() {
        let text = |text: &str| PsObject::Text(text.to_owned());
        check("<I16>-1</I16>", PsObject::Int(-1));
        check("<SB>-127</SB>", PsObject::Int(-127));
        check("<By>254</By>", PsObject::Int(254));
        check("<U16>65535</U16>", PsObject::Int(65535));
        check("<U32>4294967295</U32>", PsObject::Unsigned(u32::MAX.into()));
        check("<Sg>12.34</Sg>", PsObject::Double(12.34));
        check("<D>12345678901234567890.12</D>", text("12345678901234567890.12"));
        check("<DT>2013-04-15T16:28:43.488171Z</DT>", text("2013-04-15T16:28:43.488171Z"));
        check(
            "<G>792e5b37-4505-47ef-b7d2-8711bb7affa8</G>",
            text("792e5b37-4505-47ef-b7d2-8711bb7affa8"),
        );
        check("<XD>&lt;a/&gt;</XD>", text("<a/>"));
        check("<SBK>Get-Date</SBK>", text("Get-Date"));
        check("<SS>AAEC</SS>", text("AAEC"));
        check(r#"<PR N="x"><S>noise</S></PR>"#, PsObject::Null);
        let both = PsObject::List(vec![PsObject::Int(1), PsObject::Null]);
        for name in ["LST", "IE", "STK", "QUE"] {
            check(&format!("<{name}><I32>1</I32><Nil/></{name}>"), both.clone());
        }
        check(
            r#"<DCT><En><S N="Key">k</S><B N="Value">true</B></En></DCT>"#,
            PsObject::Dictionary(vec![(text("k"), PsObject::Bool(true))]),
        );
    }

    #[test]
    fn a_reference_brings_the_object_again() {
        let xml = r#"<Obj RefId="0"><MS><Obj N="a" RefId="1"><S>x</S></Obj><Ref N="b" RefId="1" />
            </MS></Obj>"#;
        let object = decode(xml.as_bytes()).unwrap();
        assert_eq!(object.property("a"), object.property("b"));
        assert_eq!(object.property("b").and_then(PsObject::text).as_deref(), Some("x"));
    }

    #[test]
    fn a_circle_ends() {
        let xml = r#"<Obj RefId="0"><MS><Ref N="self" RefId="0" /></MS></Obj>"#;
        let object = decode(xml.as_bytes()).unwrap();
        assert_eq!(object.property("self"), Some(&PsObject::Null));
    }

    #[test]
    fn references_that_double_are_refused() {
        let mut xml = r#"<Obj RefId="0"><LST><Obj RefId="1"><S>x</S></Obj>"#.to_owned();
        for n in 2..60 {
            let _ = write!(
                xml,
                r#"<Obj RefId="{n}"><LST><Ref RefId="{0}" /><Ref RefId="{0}" /></LST></Obj>"#,
                n - 1
            );
        }
        xml.push_str("</LST></Obj>");
        assert_eq!(decode(xml.as_bytes()), Err(ClixmlError::TooLarge));
    }

    #[test]
    fn what_is_not_clixml_is_said() {
        let check = |xml: &str, text: &str| {
            assert_eq!(decode(xml.as_bytes()).unwrap_err().to_string(), text);
        };
        check("<Nope />", "expected an element of CLIXML, got `Nope`");
        check("<I32>x</I32>", "expected the value of `I32`, got `x`");
        check(
            r#"<Ref RefId="7" />"#,
            "expected the number of an object or type seen before, got `7`",
        );
        check("<S", "the object is not readable XML");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text: String) {
            let _ = decode(text.as_bytes());
        }

        #[test]
        fn any_soup_of_elements_is_survived(words in proptest::collection::vec(
            prop::sample::select(vec![
                r#"<Obj RefId="0">"#, "</Obj>", "<MS>", "</MS>", r#"<Ref RefId="0" N="a"/>"#, "<LST>",
                "</LST>", "<DCT>", "</DCT>", "<En>", "</En>", r#"<S N="Key">k</S>"#, "<I32>1</I32>",
                r#"<TN RefId="0"><T>x</T></TN>"#, r#"<TNRef RefId="0"/>"#, "<Nil/>",
            ]), 0..40,
        )) {
            let _ = decode(words.concat().as_bytes());
        }
    }
}
