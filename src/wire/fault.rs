//! WS-Man faults as typed values (`winrm.md` 5.2 and 5.3).

use crate::wire::catalogue;
use crate::wire::catalogue::FaultEntry;
use crate::wire::namespace;
use crate::wire::xml;
use crate::wire::xml::Element;

/// "The operation did not end in time".
pub const TIMED_OUT: u32 = 2_150_858_793;

/// A fault, in either of the two forms that Windows sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// `WSManFault/@Code` or `MSFT_WmiError/error_Code`; innermost wins. `None` if there is none.
    pub code: Option<u32>,
    /// Local name of the SOAP subcode, e.g. `TimedOut`.
    pub subcode: Option<String>,
    /// `WSManFault/@Machine`.
    pub machine: Option<String>,
    /// The most telling text: innermost message, else the SOAP reason.
    pub reason: String,
    /// `ProviderFault/@provider`.
    pub provider: Option<String>,
    /// `CIMStatusCode` (DSP0004) of a provider's own error class, where no code of WS-Man is told.
    pub cim_status: Option<u32>,
}

/// The error class of Windows itself, which has a code of WS-Man.
const WMI_ERROR: &str = "MSFT_WmiError";
/// `CIM_ERR_NOT_FOUND` (DSP0200 5.4.6).
pub const CIM_NOT_FOUND: u32 = 6;

impl Fault {
    /// Reads a SOAP `Fault` element. Never fails: what is missing stays empty.
    pub(crate) fn read(fault: &Element) -> Self {
        let mut read = Self { subcode: subcode(fault), reason: reason(fault), ..Self::default() };
        if let Some(detail) = fault.find(namespace::SOAP, "Detail") {
            read.descend(detail);
            if let Some(error) = detail.elements().find(|child| is_cim(child)) {
                read.read_cim(error);
            }
        }
        read
    }

    /// What the code means, if it is one that is known.
    pub fn meaning(&self) -> Option<&'static FaultEntry> {
        catalogue::explain(self.code?)
    }

    /// Whether the operation did not end within its time (DSP0226 7.8, wsman:TimedOut): by its code,
    /// or by its subcode, whatever a provider's own code below says.
    pub fn is_time_out(&self) -> bool {
        self.code == Some(TIMED_OUT) || self.subcode.as_deref() == Some("TimedOut")
    }

    pub fn code_text(&self) -> String {
        self.code.map_or_else(|| "without a code".to_owned(), |code| code.to_string())
    }

    /// Goes down through `WSManFault`, `Message`, `ProviderFault` and `ExtendedError`; the deeper
    /// one says more and wins.
    fn descend(&mut self, element: &Element) {
        if element.is(namespace::FAULT, "WSManFault") {
            if let Some(code) = element.attr("", "Code").and_then(|code| code.trim().parse().ok()) {
                self.code = Some(code);
            }
            if let Some(machine) = element.attr("", "Machine") {
                self.machine = Some(machine.to_owned());
            }
        }
        if element.is(namespace::FAULT, "ProviderFault")
            && let Some(provider) = element.attr("", "provider")
        {
            self.provider = Some(provider.to_owned());
        }
        let telling = element.is(namespace::FAULT, "Message")
            || element.is(namespace::FAULT, "ProviderFault")
            || (element.name == "Description" && !element.is_nil());
        if telling {
            self.tell(&element.text());
        }
        for child in element.elements() {
            self.descend(child);
        }
    }

    /// The CIM form. Its `error_Code` is the WS-Man code; `CIMStatusCode` is a class of errors.
    fn read_cim(&mut self, error: &Element) {
        for child in error.elements().filter(|child| !child.is_nil()) {
            let text = child.text();
            match child.name.as_str() {
                "error_Code" => self.code = text.trim().parse().ok().or(self.code),
                // A class of errors, where it is all there is.
                "CIMStatusCode" if error.name != WMI_ERROR => {
                    self.cim_status = text.trim().parse().ok();
                }
                "Message" => self.tell(&text),
                _ => {}
            }
        }
    }

    fn tell(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            text.clone_into(&mut self.reason);
        }
    }
}

/// `CIM_Error` and every class below it: by their mark (DSP0227), or by what only they have.
fn is_cim(error: &Element) -> bool {
    let marked = error.attr(namespace::CIM_BINDING, "IsCIM_Error");
    error.name == WMI_ERROR
        || marked.and_then(xml::boolean) == Some(true)
        || error.elements().any(|child| child.name == "CIMStatusCode")
}

fn subcode(fault: &Element) -> Option<String> {
    let code = fault.find(namespace::SOAP, "Code")?;
    let value = |element: &Element| {
        let text = element.find(namespace::SOAP, "Value")?.text();
        let local = text.trim().rsplit(':').next().unwrap_or_default().to_owned();
        Some(local).filter(|local| !local.is_empty())
    };
    match code.find(namespace::SOAP, "Subcode") {
        Some(subcode) => value(subcode),
        // MustUnderstand and the like have no subcode; the code itself is then all there is.
        None => value(code),
    }
}

fn reason(fault: &Element) -> String {
    fault
        .find(namespace::SOAP, "Reason")
        .and_then(|reason| reason.find(namespace::SOAP, "Text"))
        .map(|text| text.text().trim().to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| subcode(fault))
        .unwrap_or_else(|| "no reason given".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inner: &str, expected: &Fault) {
        let text = format!(
            "<s:Fault xmlns:s='{}' xmlns:f='{}'>{inner}</s:Fault>",
            namespace::SOAP,
            namespace::FAULT
        );
        assert_eq!(Fault::read(&xml::parse(text.as_bytes()).unwrap()), *expected, "{inner}");
    }

    #[test]
    fn the_innermost_fault_is_the_one_that_counts() {
        check(
            "<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>q:Outer</s:Value></s:Subcode>\
             </s:Code><s:Reason><s:Text>outer</s:Text></s:Reason><s:Detail>\
             <f:WSManFault Code='1' Machine='a'><f:Message><f:ProviderFault provider='P'>\
             <f:WSManFault Code='2150858843' Machine='b'><f:Message> inner </f:Message>\
             </f:WSManFault></f:ProviderFault></f:Message></f:WSManFault></s:Detail>",
            &Fault {
                code: Some(2_150_858_843),
                subcode: Some("Outer".to_owned()),
                machine: Some("b".to_owned()),
                reason: "inner".to_owned(),
                provider: Some("P".to_owned()),
                cim_status: None,
            },
        );
    }

    #[test]
    fn the_cim_form_has_its_code_in_an_element() {
        let fault =
            Fault { code: Some(2_150_859_173), reason: "too many".to_owned(), ..Fault::default() };
        check(
            "<s:Detail><p:MSFT_WmiError xmlns:p='urn:p'><p:CIMStatusCode>27</p:CIMStatusCode>\
             <p:Message>too many</p:Message><p:error_Code>2150859173</p:error_Code>\
             </p:MSFT_WmiError></s:Detail>",
            &fault,
        );
        assert_eq!(fault.meaning().map(|entry| entry.name), Some("QUOTA_MAX_SHELLS"));
    }

    #[test]
    fn an_error_class_of_a_provider_tells_what_it_means() {
        check(
            "<s:Detail><p:ACME_Error xmlns:p='urn:p' xmlns:b=\
             'http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd' b:IsCIM_Error='TRUE'>\
             <p:Message>no such disk</p:Message></p:ACME_Error></s:Detail>",
            &Fault { reason: "no such disk".to_owned(), ..Fault::default() },
        );
    }

    #[test]
    fn omi_tells_a_class_of_errors_and_no_code() {
        check(
            "<s:Detail><p:OMI_Error xmlns:p='urn:p'><p:CIMStatusCode>6</p:CIMStatusCode>\
             <p:Message>no such shell</p:Message></p:OMI_Error></s:Detail>",
            &Fault {
                reason: "no such shell".to_owned(),
                cim_status: Some(CIM_NOT_FOUND),
                ..Fault::default()
            },
        );
    }

    #[test]
    fn a_fault_that_says_nothing_is_a_fault() {
        check("", &Fault { reason: "no reason given".to_owned(), ..Fault::default() });
        check(
            "<s:Detail><f:WSManFault Code='-1'><f:Message/></f:WSManFault></s:Detail>",
            &Fault { reason: "no reason given".to_owned(), ..Fault::default() },
        );
    }
}
