//! The tenant's URL: where it comes from, and what the connector's page for it must be.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::origin::Origin;
use crate::model::origin::OriginError;

/// The page on which the connector tells the tenant's URL. It stands in no document; Microsoft's
/// own script asks for it (`connector.md` 2.3).
pub const PAGE: &str = "/_wmcs/GetRmsoUri.aspx";
/// No tenant's URL comes near this length, in bytes.
const LONGEST: usize = 300;

/// The tenant's URL as the connector told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    pub connector: Origin,
    pub tenant: Result<Origin, String>,
}

/// Why the page's body is no tenant's URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("expected a URL as plain text, the page is empty")]
    Empty,
    #[error("expected a URL as plain text, the page is HTML or XML: an error page?")]
    Markup,
    #[error("expected a URL of less than {LONGEST} bytes, the page has {0}")]
    TooLong(usize),
    #[error("expected a URL as plain text, the page is not text")]
    NoText,
    #[error("expected the tenant's URL, the page says `{text}`: {source}")]
    NoOrigin { text: String, source: OriginError },
    #[error("expected an https URL, the page says `{0}`")]
    NotHttps(Origin),
    #[error("expected a host below aadrm.com, aadrm.us or aadrm.cn, the page says `{0}`")]
    NotAzure(Origin),
}

/// Reads the page's body, which is nothing but the tenant's URL. What is anything else would end
/// up in every server's registry, so nothing is guessed.
pub fn of_page(body: &[u8]) -> Result<Origin, PageError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if body.is_empty() {
        return Err(PageError::Empty);
    }
    if body.contains(&b'<') {
        return Err(PageError::Markup);
    }
    if body.len() >= LONGEST {
        return Err(PageError::TooLong(body.len()));
    }
    let text = std::str::from_utf8(body).map_err(|_| PageError::NoText)?;
    let origin = Origin::parse(text)
        .map_err(|source| PageError::NoOrigin { text: text.escape_debug().to_string(), source })?;
    if !origin.is_https() {
        return Err(PageError::NotHttps(origin));
    }
    if is_azure(origin.host()) { Ok(origin) } else { Err(PageError::NotAzure(origin)) }
}

/// Whether a host, in lower case, is one of Azure Rights Management's, in any of its clouds.
pub fn is_azure(host: &str) -> bool {
    [".aadrm.com", ".aadrm.us", ".aadrm.cn"].iter().any(|domain| host.ends_with(domain))
}

/// Whether an origin has the shape of an Azure RMS tenant, `https://<id>.rms.<region>.aadrm.com`
/// (`connector.md` 2.2).
pub fn is_shaped(origin: &Origin) -> bool {
    let labels: Vec<&str> = origin.host().split('.').collect();
    let (id, domain) = match labels.as_slice() {
        [id, "rms", "aadrm", top] | [id, "rms", _, "aadrm", top] => (*id, *top),
        _ => return false,
    };
    let groups: Vec<usize> = id.split('-').map(str::len).collect();
    let hex = id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    hex && groups == [8, 4, 4, 4, 12]
        && matches!(domain, "com" | "us" | "cn")
        && origin.as_str() == format!("https://{}", origin.host())
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Ok(tenant) => write!(f, "{tenant}, as the connector {} tells it", self.connector),
            Err(reason) => write!(f, "not told by the connector {}: {reason}", self.connector),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com";

    #[track_caller]
    fn check(body: &[u8], expected: Result<&str, &str>) {
        let got = of_page(body).map_err(|error| error.to_string());
        match (&got, expected) {
            (Ok(origin), Ok(wanted)) => assert_eq!(origin.as_str(), wanted),
            (Err(text), Err(wanted)) => assert!(text.contains(wanted), "{text}"),
            (_, _) => panic!("{got:?}"),
        }
    }

    #[test]
    fn a_page_is_the_url_and_nothing_else() {
        check(TENANT.as_bytes(), Ok(TENANT));
        check(format!("\u{feff}\r\n{TENANT}/\r\n").as_bytes(), Ok(TENANT));
        check(b"", Err("empty"));
        check(b"<html><body>Server Error</body></html>", Err("HTML"));
        check(format!("{TENANT}/_wmcs/licensing").as_bytes(), Err("path"));
        check(format!("https://{TENANT}").as_bytes(), Err("given twice"));
        check(TENANT.replace("https", "http").as_bytes(), Err("https URL"));
        check(b"https://login.microsoftonline.com", Err("below aadrm.com"));
        check(b"https://aadrm.com.evil.example", Err("below aadrm.com"));
        check(b"https://5c6bb73b .rms.eu.aadrm.com", Err("white space"));
        check(b"The page cannot be displayed", Err("white space"));
        check(b"\xff\xfeh\0", Err("not text"));
        check(&[b'a'; 300], Err("has 300"));
    }

    #[test]
    fn a_tenant_is_known_by_its_shape() {
        let check = |url: &str, expected: bool| {
            assert_eq!(is_shaped(&Origin::parse(url).unwrap()), expected, "for {url}");
        };
        check(TENANT, true);
        check("https://5c6bb73b-1038-4eec-863d-49bded473437.rms.aadrm.us", true);
        check("https://5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.example.com", false);
        check("https://contoso.rms.eu.aadrm.com", false);
        check("https://rmsconnector.contoso.com", false);
    }
}
