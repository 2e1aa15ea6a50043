//! Methods of CIM classes: the shape that all of them share (`winrm.md` 1.5).

use crate::wire::instance;
use crate::wire::namespace;
use crate::wire::operation::CimValue;
use crate::wire::soap;
use crate::wire::soap::Request;
use crate::wire::soap::WsmanError;
use crate::wire::xml;
use crate::wire::xml::Element;

/// A method of a class, invoked on the class itself, or on the instance that selectors name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invoke {
    /// Namespace and class: `root/default/StdRegProv`.
    pub(crate) class: &'static str,
    pub(crate) method: &'static str,
    /// The keys of the instance; none for the class itself.
    pub(crate) selectors: Vec<(&'static str, String)>,
    /// Parameters by name, in the order of the class's declaration; an array repeats its name.
    pub(crate) parameters: Vec<(&'static str, CimValue)>,
}

/// The out parameters. Neither their order nor their presence is relied upon.
#[derive(Debug)]
pub(crate) struct Output {
    class: String,
    element: Element,
}

impl Invoke {
    /// Class and method, for errors and statistics.
    pub(crate) fn name(&self) -> String {
        let class = self.class.rsplit('/').next().unwrap_or(self.class);
        format!("{class}.{}", self.method)
    }

    fn resource(&self) -> String {
        format!("{}{}", namespace::WMI, self.class)
    }

    pub(crate) fn request(self) -> Request {
        let resource = self.resource();
        // An empty text is an empty element: to leave the element out would mean null.
        let parameters = self
            .parameters
            .iter()
            .flat_map(|(name, value)| instance::property(&resource, name, value));
        let body = Element::new(&resource, format!("{}_INPUT", self.method)).children(parameters);
        Request {
            action: format!("{resource}/{}", self.method),
            resource,
            selectors: self.selectors,
            body: Some(body),
            ..Request::default()
        }
    }

    pub(crate) fn decode(&self, message_id: &str, bytes: &[u8]) -> Result<Output, WsmanError> {
        let class = self.resource();
        let body = soap::decode(bytes, message_id, &format!("{class}/{}Response", self.method))?;
        let name = format!("{}_OUTPUT", self.method);
        // The method has been carried out by now: how a host spells the class decides nothing.
        let by_case = |element: &&Element| {
            element.name == name && element.namespace.eq_ignore_ascii_case(&class)
        };
        let element = match body.elements().find(by_case) {
            Some(element) => element.clone(),
            None => soap::only(&body, &class, &name)?.clone(),
        };
        Ok(Output { class: element.namespace.clone(), element })
    }
}

impl Output {
    /// `ReturnValue`: a Win32 code, or an HRESULT as an unsigned number.
    pub(crate) fn code(&self) -> Result<u32, WsmanError> {
        let texts = self.all("ReturnValue")?;
        let text = texts.first().ok_or_else(|| WsmanError::unexpected("a ReturnValue", "none"))?;
        number("ReturnValue", text)
    }

    /// The members of an out parameter; nil, missing and an empty array are all no members.
    pub(crate) fn all(&self, name: &str) -> Result<Vec<String>, WsmanError> {
        let members = || self.element.elements().filter(|child| child.is(&self.class, name));
        if members().count() > 1 && members().any(Element::is_nil) {
            return Err(WsmanError::unexpected(format!("{name} without null members"), "one"));
        }
        Ok(members().filter(|child| !child.is_nil()).map(Element::text).collect())
    }

    /// The members of all out parameters but one.
    pub(crate) fn others(&self, name: &str) -> Vec<String> {
        let others = self
            .element
            .elements()
            .filter(|child| child.namespace == self.class && child.name != name);
        others.filter(|child| !child.is_nil()).map(Element::text).collect()
    }

    /// An out parameter of true or false.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, WsmanError> {
        Ok(match self.one(name)? {
            None => None,
            Some(text) => Some(xml::boolean(&text).ok_or_else(|| {
                let got = format!("`{}`", soap::excerpt(&text));
                WsmanError::unexpected(format!("true or false in {name}"), got)
            })?),
        })
    }

    /// An out parameter that is an instance.
    pub(crate) fn embedded(&self, name: &str) -> Option<&Element> {
        self.element.elements().find(|child| child.is(&self.class, name) && !child.is_nil())
    }

    /// The only member of an out parameter that is not an array.
    pub(crate) fn one(&self, name: &str) -> Result<Option<String>, WsmanError> {
        let mut all = self.all(name)?;
        if all.len() > 1 {
            let got = format!("{} of them", all.len());
            return Err(WsmanError::unexpected(format!("one {name}"), got));
        }
        Ok(all.pop())
    }
}

/// Reads a number that stands in `name`.
pub(crate) fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, WsmanError> {
    text.trim().parse().map_err(|_| {
        let got = format!("`{}`", soap::excerpt(text));
        WsmanError::unexpected(format!("a number in {name}"), got)
    })
}
