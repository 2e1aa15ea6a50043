//! Faults as Windows writes them: `WSManFault`, nested in a `ProviderFault` where a provider speaks.

use std::fmt::Write as _;

use crate::lab::markup;
use crate::lab::markup::escape;
use crate::wire::namespace;

pub const RESOURCE_NOT_FOUND: u32 = 2_150_858_752;
pub const INVALID_HEADER: u32 = 2_150_858_767;
pub const MUST_UNDERSTAND: u32 = 2_150_858_768;
pub const HEADER_REQUIRED: u32 = 2_150_858_769;
pub const ACTION_NOT_SUPPORTED: u32 = 2_150_858_771;
pub const CANNOT_PROCESS_FILTER: u32 = 2_150_858_778;
pub const INVALID_ENUMERATION_CONTEXT: u32 = 2_150_858_779;
pub const ENVELOPE_TOO_LARGE: u32 = 2_150_858_790;
pub const TIMED_OUT: u32 = 2_150_858_793;
pub const CONCURRENCY: u32 = 2_150_858_802;
pub const ENCODING_LIMIT: u32 = 2_150_858_805;
pub const INVALID_RESOURCE_URI: u32 = 2_150_858_811;
pub const SCHEMA_VALIDATION: u32 = 2_150_858_817;
pub const UNSUPPORTED_FEATURE: u32 = 2_150_858_818;
pub const TYPE_MISMATCH: u32 = 2_150_858_836;
pub const NAMESPACE: u32 = 2_150_858_840;
pub const UNEXPECTED_SELECTORS: u32 = 2_150_858_843;
pub const PLUGIN_FAILED: u32 = 2_150_858_883;
pub const WMI_SINGLETON: u32 = 2_150_859_002;
pub const WMI_ENUM_WQL: u32 = 2_150_859_003;
pub const PROVIDER_NOT_CAPABLE: u32 = 2_150_859_010;
pub const PROVIDER_INVALID_PARAMETER: u32 = 2_150_859_038;
pub const QUOTA_MAX_SHELLS: u32 = 2_150_859_173;
pub const QUOTA_MAX_OPERATIONS: u32 = 2_150_859_174;
pub const PULL_PARAMS_NOT_SAME: u32 = 2_150_859_181;
pub const BAD_ID: u32 = 2_150_859_221;
pub const COMMAND_ID_CONFLICT: u32 = 2_150_859_222;
pub const SHELL_ID_CONFLICT: u32 = 2_150_859_223;
pub const ACCESS_DENIED: u32 = 5;
pub const INVALID_PARAMETER: u32 = 87;
pub const INTERNAL_ERROR: u32 = 1359;

/// Who inside the service refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Wmi,
    Shell,
}

/// A fault to be sent with HTTP 500.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabFault {
    pub code: u32,
    /// With the prefix that Windows uses: `w:TimedOut`.
    pub subcode: &'static str,
    pub text: String,
    /// Last part of the `FaultDetail` URI.
    pub detail: Option<&'static str>,
    pub provider: Option<Provider>,
    /// A header that was not understood: namespace and name, for `s:NotUnderstood`.
    pub header: Option<(String, String)>,
}

impl LabFault {
    pub fn new(code: u32, subcode: &'static str, text: impl Into<String>) -> Self {
        Self { code, subcode, text: text.into(), detail: None, provider: None, header: None }
    }

    #[must_use]
    pub fn detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    #[must_use]
    pub fn by(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The whole envelope; `machine` is the host's name.
    pub fn envelope(&self, machine: &str, message: &str, relates: &str) -> String {
        let header = self.header.as_ref().map_or_else(String::new, |(space, name)| {
            let (space, name) = (escape(space), escape(name));
            format!("<s:NotUnderstood qname=\"h:{name}\" xmlns:h=\"{space}\"/>")
        });
        markup::envelope(&self.action(), message, relates, &header, &self.body(machine))
    }

    fn body(&self, machine: &str) -> String {
        let text = escape(&self.text);
        let mut body = format!(
            "<s:Fault><s:Code><s:Value>{}</s:Value><s:Subcode><s:Value>{}</s:Value></s:Subcode>\
             </s:Code><s:Reason><s:Text xml:lang=\"en-US\">{text}</s:Text></s:Reason><s:Detail>",
            self.side(),
            self.subcode
        );
        if let Some(detail) = self.detail {
            let _ = write!(
                body,
                "<w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/{detail}\
                 </w:FaultDetail>"
            );
        }
        let own = |inner: &str| {
            format!(
                "<f:WSManFault xmlns:f=\"{}\" Code=\"{}\" Machine=\"{}\"><f:Message>{inner}\
                 </f:Message></f:WSManFault>",
                namespace::FAULT,
                self.code,
                escape(machine)
            )
        };
        let inner = match self.provider {
            None => text,
            Some(provider) => {
                let (name, path) = match provider {
                    Provider::Wmi => ("WMI Provider", r"%systemroot%\system32\WsmWmiPl.dll"),
                    Provider::Shell => {
                        ("microsoft.powershell", r"%windir%\system32\pwrshplugin.dll")
                    }
                };
                format!(
                    "<f:ProviderFault provider=\"{name}\" path=\"{path}\">{}</f:ProviderFault>",
                    own(&text)
                )
            }
        };
        body.push_str(&own(&inner));
        body.push_str("</s:Detail></s:Fault>");
        body
    }

    fn side(&self) -> &'static str {
        match (self.code, self.subcode) {
            (MUST_UNDERSTAND, _) => "s:MustUnderstand",
            (_, "w:TimedOut" | "w:InternalError" | "n:InvalidEnumerationContext") => "s:Receiver",
            (_, _) => "s:Sender",
        }
    }

    fn action(&self) -> String {
        match self.subcode.split(':').next() {
            Some("a" | "s") => format!("{}/fault", namespace::ADDRESSING),
            Some("x") => format!("{}/fault", namespace::TRANSFER),
            Some("n") => format!("{}/fault", namespace::ENUMERATION),
            Some(_) | None => "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml;

    fn code(root: &xml::Element) -> Option<&str> {
        root.descendant(namespace::FAULT, "WSManFault")?.attr("", "Code")
    }

    #[test]
    fn a_fault_carries_its_code_and_text() {
        let fault = LabFault::new(TIMED_OUT, "w:TimedOut", "nothing <came> in time");
        let text = fault.envelope("FS01", "uuid:1", "uuid:2");
        let root = xml::parse(text.as_bytes()).unwrap();
        assert_eq!(code(&root), Some("2150858793"));
        assert_eq!(root.descendant(namespace::SOAP, "Text").unwrap().text(), fault.text);
    }

    #[test]
    fn a_providers_fault_is_nested() {
        let fault = LabFault::new(NAMESPACE, "x:InvalidRepresentation", "wrong namespace")
            .detail("InvalidNamespace")
            .by(Provider::Wmi);
        let root = xml::parse(fault.envelope("FS01", "uuid:1", "uuid:2").as_bytes()).unwrap();
        let outer = root.descendant(namespace::FAULT, "WSManFault").unwrap();
        let inner = outer.elements().find_map(|e| e.descendant(namespace::FAULT, "WSManFault"));
        assert_eq!(inner.unwrap().attr("", "Machine"), Some("FS01"));
    }

    #[test]
    fn a_header_that_is_not_understood_is_named() {
        let mut fault = LabFault::new(MUST_UNDERSTAND, "w:NotUnderstood", "a header");
        fault.header = Some(("urn:x".to_owned(), "Strange".to_owned()));
        let root = xml::parse(fault.envelope("FS01", "uuid:1", "uuid:2").as_bytes()).unwrap();
        let header = root.descendant(namespace::SOAP, "NotUnderstood").unwrap();
        assert_eq!(header.attr("", "qname"), Some("h:Strange"));
    }
}
