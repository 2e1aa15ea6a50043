//! A failed TLS handshake in words, with what to type next.

use rustls::AlertDescription;
use rustls::CertificateError;
use rustls::Error;
use rustls::InvalidMessage;
use rustls::PeerIncompatible;

use crate::net::tls::untrusting::WrongPin;

/// What a host's TLS did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::net) struct TlsError(String);

/// So many names of a certificate are shown.
const MOST_NAMES: usize = 8;
const PIN: &str = "pin it as `rms_tls_pin: THUMBPRINT`";
const VERSIONS: &str = "the host takes neither TLS 1.2 with ECDHE and AES-GCM nor TLS 1.3; update its \
                        protocols and cipher suites (an RSA certificate on Server 2012 R2 or before \
                        offers none), or set `ansible_winrm_scheme: http` with port 5985, where NTLM \
                        and Kerberos encrypt the messages themselves";

/// The TLS failure behind an error, if there is one.
pub(in crate::net) fn find(error: &(dyn std::error::Error + 'static)) -> Option<TlsError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<Error>() {
            return Some(TlsError(words(tls)));
        }
        // An I/O error holds a TLS error without naming it as its source.
        let io = error.downcast_ref::<std::io::Error>();
        let inner = io.and_then(std::io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
            return Some(TlsError(words(tls)));
        }
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(wrong) => certificate(wrong),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the host does not speak TLS on this port; for plain http set `ansible_winrm_scheme: \
             http` with `ansible_port: 5985`, for https the port is 5986 (Exchange: 443)"
                .to_owned()
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        )
        | Error::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity,
        ) => VERSIONS.to_owned(),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the host demands a client certificate: set `ansible_winrm_transport: certificate` with \
             `ansible_winrm_cert_pem` and `ansible_winrm_cert_key_pem`"
                .to_owned()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => format!(
            "the host does not take the client certificate ({alert:?}): its authority must be \
             trusted there (Root or, for itself, TrustedPeople), and it must be for clients (EKU)"
        ),
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the host has no certificate for this name; correct `ansible_host`".to_owned()
        }
        other => format!("the TLS handshake failed: {other}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
            "the host's certificate has expired; renew it and give the listener the new one, or \
             {PIN}"
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the host's certificate is not valid yet; compare the clocks of this machine and of \
             the authority"
                .to_owned()
        }
        CertificateError::UnknownIssuer => format!(
            "the host's certificate comes from an authority that is not trusted here; give that \
             authority's certificate as `rms_ca_file: FILE`, or {PIN}"
        ),
        CertificateError::NotValidForName => name("", &[]),
        CertificateError::NotValidForNameContext { expected, presented } => {
            name(&expected.to_str(), presented)
        }
        CertificateError::Revoked => {
            "the host's certificate was revoked; give the listener a new one".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("the host's certificate is not for servers (EKU); replace it, or {PIN}")
        }
        CertificateError::BadSignature => {
            "the host's certificate or handshake is signed with another key than it says".to_owned()
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<WrongPin>() {
            Some(wrong) => format!(
                "{wrong}; if the host has a new certificate, correct `rms_tls_pin`, else somebody \
                 else is answering"
            ),
            None => format!("the host's certificate is not taken: {other}; you may {PIN}"),
        },
        other => format!("the host's certificate is not taken: {other}; you may {PIN}"),
    }
}

fn name(expected: &str, presented: &[String]) -> String {
    let expected = if expected.is_empty() { "this name" } else { expected };
    let presented = match presented {
        [] => "no name".to_owned(),
        names => {
            names.iter().take(MOST_NAMES).map(|name| plain(name)).collect::<Vec<_>>().join(", ")
        }
    };
    format!(
        "the host's certificate is for {presented}, not for {expected}; set `ansible_host` to the \
         certificate's name, or {PIN}"
    )
}

/// `DnsName("ex01.corp.contoso.com")` as `ex01.corp.contoso.com`.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"').chars().filter(|letter| !letter.is_control()).collect()
}
