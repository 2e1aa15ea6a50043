//! One WS-Management request: its headers read and judged as Windows judges them (`winrm.md` 1.2).

use std::time::Duration;

use crate::lab::fault;
use crate::lab::fault::LabFault;
use crate::wire::namespace;
use crate::wire::xml;
use crate::wire::xml::Element;

/// Windows' `MaxTimeoutms`: a longer OperationTimeout is cut to this.
pub const MAX_TIMEOUT: Duration = Duration::from_mins(1);
/// Smallest `MaxEnvelopeSize` that is taken.
const MIN_ENVELOPE: usize = 8192;
/// What is assumed where the header is missing.
const DEFAULT_ENVELOPE: usize = 153_600;

/// A SOAP envelope with a body; nothing is judged yet but that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub action: String,
    pub message_id: String,
    pub to: String,
    pub resource: String,
    pub selectors: Vec<(String, String)>,
    pub options: Vec<(String, String)>,
    pub max_envelope: usize,
    pub timeout: Duration,
    pub header: Element,
    pub body: Element,
}

/// The bytes are no SOAP 1.2 envelope: HTTP 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEnvelope {
    #[error("the body is no XML document")]
    Xml(#[from] xml::XmlError),
    #[error("expected a SOAP 1.2 envelope with a body, got `{0}`")]
    Shape(String),
}

impl Request {
    pub fn read(bytes: &[u8]) -> Result<Self, NoEnvelope> {
        let root = xml::parse(bytes)?;
        let body = root.find(namespace::SOAP, "Body");
        let (true, Some(body)) = (root.is(namespace::SOAP, "Envelope"), body) else {
            return Err(NoEnvelope::Shape(root.name));
        };
        let header = root.find(namespace::SOAP, "Header").cloned().unwrap_or_default();
        let text = |space, name| {
            header.find(space, name).map(|e| e.text().trim().to_owned()).unwrap_or_default()
        };
        let named = |set, item| {
            let items = header.find(namespace::WSMAN, set).into_iter().flat_map(Element::elements);
            items
                .filter(|e| e.is(namespace::WSMAN, item))
                .map(|e| (e.attr("", "Name").unwrap_or_default().to_owned(), e.text()))
                .collect()
        };
        Ok(Self {
            action: text(namespace::ADDRESSING, "Action"),
            message_id: text(namespace::ADDRESSING, "MessageID"),
            to: text(namespace::ADDRESSING, "To"),
            resource: text(namespace::WSMAN, "ResourceURI"),
            selectors: named("SelectorSet", "Selector"),
            options: named("OptionSet", "Option"),
            max_envelope: DEFAULT_ENVELOPE,
            timeout: MAX_TIMEOUT,
            body: body.clone(),
            header,
        })
    }

    pub fn is_identify(&self) -> bool {
        self.body.find(namespace::IDENTIFY, "Identify").is_some()
    }

    pub fn selector(&self, name: &str) -> Option<&str> {
        let found = self.selectors.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Judges the headers, and takes the limits that they set.
    pub fn judge(&mut self) -> Result<(), LabFault> {
        self.understand()?;
        let reply_to = self.header.find(namespace::ADDRESSING, "ReplyTo");
        let missing = [
            ("Action", self.action.is_empty()),
            ("MessageID", self.message_id.is_empty()),
            ("ReplyTo", reply_to.is_none()),
        ];
        if let Some((name, _)) = missing.into_iter().find(|(_, missing)| *missing) {
            let text = format!("the required header {name} is missing");
            return Err(LabFault::new(
                fault::HEADER_REQUIRED,
                "a:MessageInformationHeaderRequired",
                text,
            ));
        }
        let anonymous = reply_to
            .and_then(|reply| reply.find(namespace::ADDRESSING, "Address"))
            .is_some_and(|address| address.text().trim() == namespace::ANONYMOUS);
        if !anonymous {
            return Err(bad_header("ReplyTo must be the anonymous role"));
        }
        self.judge_locale()?;
        self.judge_limits()
    }

    /// Headers that must be understood and are not: 2150858768.
    fn understand(&self) -> Result<(), LabFault> {
        for header in self.header.elements() {
            let must = header.attr(namespace::SOAP, "mustUnderstand");
            if !matches!(must, Some("true" | "1")) || known(header) {
                continue;
            }
            let text = format!("the header {} must be understood and is not known", header.name);
            let mut fault = LabFault::new(fault::MUST_UNDERSTAND, "w:NotUnderstood", text);
            fault.header = Some((header.namespace.clone(), header.name.clone()));
            return Err(fault);
        }
        Ok(())
    }

    fn judge_locale(&self) -> Result<(), LabFault> {
        for (space, name) in [(namespace::WSMAN, "Locale"), (namespace::MSWSMAN, "DataLocale")] {
            let Some(header) = self.header.find(space, name) else { continue };
            if matches!(header.attr(namespace::SOAP, "mustUnderstand"), Some("true" | "1")) {
                let text = format!("{name} cannot be guaranteed");
                return Err(LabFault::new(
                    fault::UNSUPPORTED_FEATURE,
                    "w:UnsupportedFeature",
                    text,
                )
                .detail("Locale"));
            }
            if header.attr(namespace::XML, "lang").is_none_or(str::is_empty) {
                return Err(bad_header(&format!("{name} has no xml:lang")));
            }
        }
        Ok(())
    }

    fn judge_limits(&mut self) -> Result<(), LabFault> {
        if let Some(size) = self.header.find(namespace::WSMAN, "MaxEnvelopeSize") {
            let size = size.text();
            self.max_envelope = size
                .trim()
                .parse()
                .map_err(|_| bad_header(&format!("MaxEnvelopeSize is no number: {size}")))?;
            if self.max_envelope < MIN_ENVELOPE {
                let text = format!("MaxEnvelopeSize must be at least {MIN_ENVELOPE}, got {size}");
                return Err(LabFault::new(fault::ENCODING_LIMIT, "w:EncodingLimit", text)
                    .detail("MinimumEnvelopeLimit"));
            }
        }
        if let Some(timeout) = self.header.find(namespace::WSMAN, "OperationTimeout") {
            let text = timeout.text();
            self.timeout = duration(text.trim())
                .ok_or_else(|| bad_header(&format!("OperationTimeout is no duration: {text}")))?
                .min(MAX_TIMEOUT);
        }
        Ok(())
    }
}

fn bad_header(text: &str) -> LabFault {
    LabFault::new(fault::INVALID_HEADER, "a:InvalidMessageInformationHeader", text)
}

fn known(header: &Element) -> bool {
    let names: &[&str] = match header.namespace.as_str() {
        namespace::ADDRESSING => {
            &["Action", "To", "ReplyTo", "MessageID", "From", "FaultTo", "RelatesTo"]
        }
        namespace::WSMAN => &[
            "ResourceURI",
            "SelectorSet",
            "OptionSet",
            "MaxEnvelopeSize",
            "OperationTimeout",
            "Locale",
        ],
        namespace::MSWSMAN => &["DataLocale", "SessionId", "OperationID", "SequenceId"],
        namespace::SHELL => &["CompressionType"],
        _ => &[],
    };
    names.contains(&header.name.as_str())
}

/// An `xs:duration` of days and smaller, not negative: `PT20S`, `P1DT2H3M4.5S`.
fn duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    let mut left = days;
    seconds += part(&mut left, 'D')? * 86_400.0;
    if !left.is_empty() {
        return None;
    }
    let mut left = time;
    seconds += part(&mut left, 'H')? * 3600.0;
    seconds += part(&mut left, 'M')? * 60.0;
    seconds += part(&mut left, 'S')?;
    if left.is_empty() { Duration::try_from_secs_f64(seconds).ok() } else { None }
}

/// The number before `unit`, 0 if the unit is not there; `None` if it is no number.
fn part(text: &mut &str, unit: char) -> Option<f64> {
    let Some((number, rest)) = text.split_once(unit) else { return Some(0.0) };
    *text = rest;
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCALE: &str = r#"<w:Locale xml:lang="en-US" s:mustUnderstand="false"/>"#;

    fn request(headers: &str) -> Request {
        let text = format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:w='{}'><s:Header>{headers}</s:Header>\
             <s:Body/></s:Envelope>",
            namespace::SOAP,
            namespace::ADDRESSING,
            namespace::WSMAN
        );
        Request::read(text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(extra: &str, expected: Result<(), u32>) {
        let usual = format!(
            "<a:Action s:mustUnderstand='true'>urn:x</a:Action><a:MessageID>uuid:1</a:MessageID>\
             <a:ReplyTo><a:Address>{}</a:Address></a:ReplyTo>{extra}",
            namespace::ANONYMOUS
        );
        assert_eq!(request(&usual).judge().map_err(|fault| fault.code), expected, "{extra}");
    }

    #[test]
    fn usual_headers_pass() {
        check("", Ok(()));
        check(LOCALE, Ok(()));
        check("<w:OperationTimeout>PT60.5S</w:OperationTimeout>", Ok(()));
        check("<q:Odd xmlns:q='urn:q'/>", Ok(()));
    }

    #[test]
    fn a_header_that_must_be_understood_is_refused() {
        check("<q:Odd xmlns:q='urn:q' s:mustUnderstand='true'/>", Err(fault::MUST_UNDERSTAND));
        check("<w:Odd s:mustUnderstand='1'/>", Err(fault::MUST_UNDERSTAND));
    }

    #[test]
    fn locale_is_a_wish_with_a_language() {
        check(&LOCALE.replace("false", "true"), Err(fault::UNSUPPORTED_FEATURE));
        check("<w:Locale/>", Err(fault::INVALID_HEADER));
    }

    #[test]
    fn limits_have_limits() {
        let size = |n: &str| format!("<w:MaxEnvelopeSize>{n}</w:MaxEnvelopeSize>");
        check(&size("8191"), Err(fault::ENCODING_LIMIT));
        check(&size("8192"), Ok(()));
        check(&size("many"), Err(fault::INVALID_HEADER));
        for bad in ["PT-1S", "20", "P", "PT", "PTS", "PT1S2M", "P1Y", "PTinfS", "PT1e3S"] {
            let header = format!("<w:OperationTimeout>{bad}</w:OperationTimeout>");
            check(&header, Err(fault::INVALID_HEADER));
        }
        assert_eq!(duration("P1DT2H3M4.5S"), Some(Duration::from_millis(93_784_500)));
    }

    #[test]
    fn a_missing_reply_to_is_asked_for() {
        let mut request = request("<a:Action>urn:x</a:Action><a:MessageID>uuid:1</a:MessageID>");
        assert_eq!(request.judge().map_err(|f| f.code), Err(fault::HEADER_REQUIRED));
    }

    #[test]
    fn what_is_no_envelope_is_no_request() {
        assert!(Request::read(b"").is_err());
        assert!(Request::read(b"<a/>").is_err());
        assert!(Request::read(b"<s:Envelope/>").is_err());
    }
}
