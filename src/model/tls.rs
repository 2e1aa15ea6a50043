//! What a host's TLS certificate must be, as the inventory says.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

/// Which certificates are taken for a host's own. Exactly one rule holds for an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsTrust {
    /// One that the operating system trusts, made out to the endpoint's name.
    #[default]
    System,
    /// As `System`, and those of the authorities in this file (`rms_ca_file`) are trusted too.
    CaFile(String),
    /// This one certificate, whoever issued it to whatever name (`rms_tls_pin`).
    Pin(Thumbprint),
    /// Any. Whoever is in between can read and change everything.
    Ignore,
}

impl TlsTrust {
    /// Whether nothing was said; then plans do not mention it, as those of the first version did not.
    pub fn is_default(&self) -> bool {
        *self == Self::System
    }

    /// What it says of other servers of the same network: a pin and a blind eye are for one host.
    #[must_use]
    pub fn of_others(&self) -> Self {
        match self {
            Self::CaFile(_) => self.clone(),
            Self::System | Self::Pin(_) | Self::Ignore => Self::System,
        }
    }
}

/// `ansible_winrm_cert_pem` and `ansible_winrm_cert_key_pem`: who we are to a host, as paths of PEM
/// files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// The certificate, and behind it those of the authorities in between.
    pub certificate: String,
    pub key: String,
}

/// The digest of a certificate's DER bytes: 40 hex digits as Windows shows them, or 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Thumbprint {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

/// Why a text is no thumbprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThumbprintError {
    #[error("expected hex digits, found `{0}`")]
    Digit(char),
    #[error("expected 40 hex digits (SHA-1) or 64 (SHA-256), found {0}")]
    Length(usize),
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    /// Takes blanks, colons and hyphens between digits, and the invisible mark that the certificate
    /// dialog of Windows puts before the first one.
    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        let mut digits = Vec::new();
        for letter in text.chars() {
            match letter {
                ' ' | ':' | '-' | '\u{200e}' | '\u{200f}' | '\u{feff}' => {}
                _ => match letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
                    Some(digit) => digits.push(digit),
                    None => return Err(ThumbprintError::Digit(letter)),
                },
            }
        }
        let length = digits.len();
        let bytes: Vec<u8> = digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
        match (length, <[u8; 20]>::try_from(bytes.as_slice()), bytes.as_slice().try_into()) {
            (40, Ok(digest), _) => Ok(Self::Sha1(digest)),
            (64, _, Ok(digest)) => Ok(Self::Sha256(digest)),
            (_, _, _) => Err(ThumbprintError::Length(length)),
        }
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self {
            Self::Sha1(bytes) => bytes.as_slice(),
            Self::Sha256(bytes) => bytes.as_slice(),
        };
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.to_string()
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = ThumbprintError;

    fn try_from(text: String) -> Result<Self, ThumbprintError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "000102030405060708090A0B0C0D0E0F10111213";
    const SHA256: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";

    #[track_caller]
    fn check(text: &str, expected: &Result<&str, ThumbprintError>) {
        let got = text.parse::<Thumbprint>().map(|thumbprint| thumbprint.to_string());
        assert_eq!(got.as_deref(), expected.as_ref().map(|text| &**text));
    }

    #[test]
    fn a_thumbprint_is_read_as_windows_and_openssl_write_it() {
        check(SHA1, &Ok(SHA1));
        check(SHA256, &Ok(SHA256));
        check("\u{200e}00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13", &Ok(SHA1));
        check("00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13", &Ok(SHA1));
    }

    #[test]
    fn half_a_thumbprint_is_none() {
        check("", &Err(ThumbprintError::Length(0)));
        check(SHA1.strip_suffix("3").unwrap(), &Err(ThumbprintError::Length(39)));
        check(SHA256.strip_suffix("1F").unwrap(), &Err(ThumbprintError::Length(62)));
        check("sha256:00", &Err(ThumbprintError::Digit('s')));
    }

    #[test]
    fn trust_survives_the_plan_file() {
        let all = [
            TlsTrust::System,
            TlsTrust::CaFile("corp.pem".to_owned()),
            TlsTrust::Pin(SHA1.parse().unwrap()),
            TlsTrust::Pin(SHA256.parse().unwrap()),
            TlsTrust::Ignore,
        ];
        for trust in all {
            let text = serde_json::to_string(&trust).unwrap();
            assert_eq!(serde_json::from_str::<TlsTrust>(&text).unwrap(), trust, "{text}");
        }
        assert!(serde_json::from_str::<TlsTrust>(r#"{"pin":"00"}"#).is_err());
    }
}
