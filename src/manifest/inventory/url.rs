//! The three kinds of URL that an inventory holds.

use crate::manifest::scalar;
use crate::manifest::scalar::Mismatch;
use crate::manifest::tree::Node;
use crate::model::host::Scheme;
use crate::model::origin::Origin;
use crate::model::origin::OriginError;

/// `rms_connector_url`: scheme and host.
pub(super) fn origin(node: &Node) -> Result<Origin, Mismatch> {
    let text = scalar::text(node)?;
    Origin::parse(text).map_err(|error| {
        Mismatch::new(format!("needs a URL of scheme and host: {error}"))
            .help(correct(text, &error))
    })
}

/// `rms_tenant_url`: as [`origin`], and https.
pub(super) fn tenant(node: &Node) -> Result<Origin, Mismatch> {
    let origin = origin(node)?;
    if origin.is_https() {
        return Ok(origin);
    }
    Err(Mismatch::new("needs an https URL; the tenant answers over nothing else")
        .help(format!("write `https://{}`", origin.host())))
}

/// `rms_adrms_urls`: the names of an AD RMS cluster inside and outside, scheme and host each.
pub(super) fn adrms(node: &Node) -> Result<Vec<Origin>, Mismatch> {
    let origins = scalar::list(node, origin)?;
    let mut seen = std::collections::BTreeSet::new();
    match origins.iter().find(|origin| !seen.insert(*origin)) {
        Some(twice) => Err(Mismatch::new(format!("has `{twice}` twice"))),
        None => Ok(origins),
    }
}

/// `rms_exchange_url`: where PSRP answers, with its path.
pub(super) struct ExchangeUrl {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

pub(super) fn endpoint(node: &Node) -> Result<ExchangeUrl, Mismatch> {
    let text = scalar::text(node)?;
    let wrong = |why: String| {
        Mismatch::new(format!("needs the URL of an Exchange PowerShell endpoint: {why}"))
            .help("write it as `http://ex01.corp.contoso.com/PowerShell/`".to_owned())
    };
    let after_scheme = text.find("://").map_or(0, |at| at + 3);
    let path_at = text
        .get(after_scheme..)
        .and_then(|rest| rest.find('/'))
        .map_or(text.len(), |at| at + after_scheme);
    let (site, path) = (text.get(..path_at).unwrap_or(text), text.get(path_at..).unwrap_or(""));
    let origin = Origin::parse(site).map_err(|error| wrong(error.to_string()))?;
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '<' | '>');
    if !path.chars().all(plain) {
        return Err(wrong(format!("`{path}` is not a plain path")));
    }
    let scheme = if origin.is_https() { Scheme::Https } else { Scheme::Http };
    let given = origin.as_str().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port = given.unwrap_or(match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    });
    let path = if path.is_empty() || path == "/" { "/PowerShell/" } else { path };
    Ok(ExchangeUrl { scheme, host: origin.host().to_owned(), port, path: path.to_owned() })
}

/// What the author most likely meant.
fn correct(text: &str, error: &OriginError) -> Option<String> {
    let candidate = match error {
        OriginError::Path(path) => text.strip_suffix(path.as_str())?.to_owned(),
        OriginError::DoubleScheme => {
            let (_, host) = text.rsplit_once("://")?;
            format!("https://{host}")
        }
        OriginError::NoScheme(host) => format!("https://{host}"),
        OriginError::Placeholder => return Some("put the real host name in".to_owned()),
        OriginError::Scheme(_) => format!("https://{}", text.split_once("://")?.1),
        OriginError::Space | OriginError::Host | OriginError::Port(_) => String::new(),
    };
    match Origin::parse(&candidate) {
        Ok(origin) => Some(format!("write `{origin}`")),
        Err(_) => Some("write scheme and host only: `https://rmsconnector.contoso.com`".to_owned()),
    }
}
