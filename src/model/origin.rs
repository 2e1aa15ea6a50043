//! The origin of a URL: scheme, host and optional port, nothing else.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// `https://rmsconnector.contoso.com`: validated, lower case, no path, no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// Why a text is not an origin; the text says what was found and what to type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    #[error("no scheme; write `https://{0}`")]
    NoScheme(String),
    #[error("the scheme is given twice")]
    DoubleScheme,
    #[error("scheme `{0}` is neither http nor https")]
    Scheme(String),
    #[error("white space inside the URL")]
    Space,
    #[error("a placeholder was left in (`<`, `>`, `*`, `{{` or `}}`)")]
    Placeholder,
    #[error("a path `{0}` does not belong here; write scheme and host only")]
    Path(String),
    #[error("host name is empty or has a character that no host name has")]
    Host,
    #[error("port `{0}` is not a number from 1 to 65535")]
    Port(String),
}

impl Origin {
    /// Parses scheme, host and port; one trailing slash and outer white space are forgiven.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let text = text.trim();
        if text.contains(['<', '>', '*', '{', '}']) {
            return Err(OriginError::Placeholder);
        }
        if text.contains(char::is_whitespace) {
            return Err(OriginError::Space);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(OriginError::NoScheme(text.to_owned()));
        };
        if rest.contains("://") {
            return Err(OriginError::DoubleScheme);
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(OriginError::Scheme(scheme));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(at) = rest.find(['/', '?', '#', '\\']) {
            return Err(OriginError::Path(rest.split_at(at).1.to_owned()));
        }
        let (host, port) = match rest.split_once(':') {
            None => (rest, None),
            Some((host, port)) => match port.parse::<u16>() {
                Ok(number) if number > 0 => (host, Some(number)),
                Ok(_) | Err(_) => return Err(OriginError::Port(port.to_owned())),
            },
        };
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || host.starts_with('.') || !host.chars().all(letter) {
            return Err(OriginError::Host);
        }
        let host = host.to_ascii_lowercase();
        Ok(Self(match port {
            None => format!("{scheme}://{host}"),
            Some(port) => format!("{scheme}://{host}:{port}"),
        }))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The host name without scheme and port.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        rest.split_once(':').map_or(rest, |(host, _)| host)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        Self::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Result<&str, OriginError>) {
        let got = Origin::parse(text);
        assert_eq!(got.as_ref().map(Origin::as_str).map_err(Clone::clone), expected.clone());
    }

    #[test]
    fn an_origin_is_lower_case_without_a_trailing_slash() {
        check(" HTTPS://RMS.Contoso.COM/ ", &Ok("https://rms.contoso.com"));
        check("http://rms:8080", &Ok("http://rms:8080"));
    }

    #[test]
    fn what_people_type_by_mistake_is_named() {
        check("rms.contoso.com", &Err(OriginError::NoScheme("rms.contoso.com".into())));
        check("https://https://rms.contoso.com", &Err(OriginError::DoubleScheme));
        check("https://<YourTenantURL>", &Err(OriginError::Placeholder));
        check("https://rms.contoso.com/_wmcs", &Err(OriginError::Path("/_wmcs".into())));
        check("https://rms .contoso.com", &Err(OriginError::Space));
        check("ftp://rms.contoso.com", &Err(OriginError::Scheme("ftp".into())));
        check("https://rms:0", &Err(OriginError::Port("0".into())));
        check("https://", &Err(OriginError::Host));
    }
}
