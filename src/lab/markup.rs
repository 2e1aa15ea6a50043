//! XML text as Windows writes it: its prefixes, `p:` reused within bodies, no white space added.
//!
//! The reader is `wire::xml`; the writer is the lab's own, so that replies have Windows' shape and
//! not the shape that our own client happens to write.

use std::fmt::Write as _;

use crate::wire::namespace;

/// The prefixes that every envelope declares, as Windows' do.
const PREFIXES: [(&str, &str); 7] = [
    ("s", namespace::SOAP),
    ("a", namespace::ADDRESSING),
    ("x", namespace::TRANSFER),
    ("n", namespace::ENUMERATION),
    ("w", namespace::WSMAN),
    ("rsp", namespace::SHELL),
    ("p", namespace::MSWSMAN),
];

/// Text for an element or an attribute in double quotes. What XML cannot carry becomes `?`, as
/// Windows does.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            other => out.push(other),
        }
    }
    out
}

/// A reply envelope; `message` and `relates` are message ids with their `uuid:`.
pub fn envelope(action: &str, message: &str, relates: &str, header: &str, body: &str) -> String {
    let mut out = String::from("<s:Envelope xml:lang=\"en-US\"");
    for (prefix, space) in PREFIXES {
        let _ = write!(out, " xmlns:{prefix}=\"{space}\"");
    }
    let _ = write!(
        out,
        "><s:Header><a:Action>{}</a:Action><a:MessageID>{}</a:MessageID>{header}<a:To>{}</a:To>\
         <a:RelatesTo>{}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>",
        escape(action),
        escape(message),
        namespace::ANONYMOUS,
        escape(relates)
    );
    out
}

/// The reply to Identify, which has neither headers nor an action.
pub fn identity(version: &str) -> String {
    format!(
        "<s:Envelope xml:lang=\"en-US\" xmlns:s=\"{}\"><s:Header/><s:Body>\
         <wsmid:IdentifyResponse xmlns:wsmid=\"{}\"><wsmid:ProtocolVersion>{}\
         </wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation\
         </wsmid:ProductVendor><wsmid:ProductVersion>OS: {} SP: 0.0 Stack: 3.0\
         </wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>",
        namespace::SOAP,
        namespace::IDENTIFY,
        namespace::WSMAN,
        escape(version)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xml;

    #[test]
    fn an_envelope_reads_back() {
        let text = envelope("urn:a&b", "uuid:1", "uuid:2", "", "<p:x xmlns:p=\"urn:x\">y</p:x>");
        let root = xml::parse(text.as_bytes()).unwrap();
        assert!(root.is(namespace::SOAP, "Envelope"));
        let action = root.descendant(namespace::ADDRESSING, "Action").unwrap();
        assert_eq!(action.text(), "urn:a&b");
        assert_eq!(root.descendant("urn:x", "x").unwrap().text(), "y");
    }

    #[test]
    fn what_xml_cannot_carry_becomes_a_question_mark() {
        assert_eq!(escape("a\u{1}\r\n<\"&"), "a?&#13;\n&lt;&quot;&amp;");
    }

    #[test]
    fn identity_reads_back() {
        let root = xml::parse(identity("10.0.17763").as_bytes()).unwrap();
        let version = root.descendant(namespace::IDENTIFY, "ProductVersion").unwrap().text();
        assert_eq!(version, "OS: 10.0.17763 SP: 0.0 Stack: 3.0");
    }
}
