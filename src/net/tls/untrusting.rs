//! Judges of a server's certificate that ask no authority.
//!
//! The handshake's signature is verified by all of them: whoever shows the certificate must hold its
//! key. Without that, a pin would be worth nothing, as certificates are public.

use std::sync::Arc;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::Error;
use rustls::OtherError;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;

use crate::model::tls::Thumbprint;

#[derive(Debug)]
pub(super) struct Untrusting {
    rule: Rule,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    Pin(Thumbprint),
    Anybody,
    Nobody,
}

/// The host showed another certificate than the pinned one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate's thumbprint is {shown}, and {pinned} is pinned")]
pub(super) struct WrongPin {
    pub(super) shown: Thumbprint,
    pub(super) pinned: Thumbprint,
}

impl Untrusting {
    /// This certificate, whatever its name, date and issuer.
    pub(super) fn pin(pin: Thumbprint, provider: &CryptoProvider) -> Self {
        Self::new(Rule::Pin(pin), provider)
    }

    /// Any certificate.
    pub(super) fn ignore(provider: &CryptoProvider) -> Self {
        Self::new(Rule::Anybody, provider)
    }

    /// None at all.
    pub(super) fn nobody(provider: &CryptoProvider) -> Self {
        Self::new(Rule::Nobody, provider)
    }

    fn new(rule: Rule, provider: &CryptoProvider) -> Self {
        Self { rule, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Untrusting {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.rule {
            Rule::Anybody => Ok(ServerCertVerified::assertion()),
            Rule::Nobody => Err(CertificateError::UnknownIssuer.into()),
            Rule::Pin(pinned) => {
                let shown = match pinned {
                    Thumbprint::Sha1(_) => Thumbprint::Sha1(Sha1::digest(certificate).into()),
                    Thumbprint::Sha256(_) => Thumbprint::Sha256(Sha256::digest(certificate).into()),
                };
                if shown == pinned {
                    return Ok(ServerCertVerified::assertion());
                }
                let wrong = OtherError(Arc::new(WrongPin { shown, pinned }));
                Err(CertificateError::Other(wrong).into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
