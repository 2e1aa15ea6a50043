//! TLS settings: one client configuration per trust, built when it is first asked for and shared by
//! every connection of the process. The trust store of the operating system is read once, not per host.

pub(super) mod client;
mod untrusting;
pub(super) mod words;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::model::host::Endpoint;
use crate::model::host::Scheme;
use crate::model::tls::TlsTrust;
use crate::net::tls::client::ClientError;
use crate::net::tls::client::Shown;
use crate::net::tls::untrusting::Untrusting;

/// Larger files of authorities are not read; the public ones together have a quarter of this.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

static CONFIGS: LazyLock<Mutex<BTreeMap<TlsTrust, ClientConfig>>> = LazyLock::new(Mutex::default);

/// Why nothing can be trusted as the inventory wants it.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    #[error("the file of authorities `{path}` cannot be read; correct `rms_ca_file`")]
    Unreadable { path: String, source: std::io::Error },
    #[error(
        "`{0}` holds no certificate; `rms_ca_file` is a PEM file (-----BEGIN CERTIFICATE-----) or \
         one certificate in DER"
    )]
    Empty(String),
    #[error("`{path}` holds what is no certificate; correct `rms_ca_file`")]
    Broken { path: String, source: rustls::pki_types::pem::Error },
    #[error(
        "the trusted authorities cannot be loaded from {0}; without any in the operating system, \
         give your own as `rms_ca_file`, or a certificate's thumbprint as `rms_tls_pin`"
    )]
    Store(String, #[source] rustls::Error),
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The configuration for one connection to an endpoint, and what shows our own certificate on it.
/// Without TLS it is one that trusts nobody.
pub(super) fn config(
    endpoint: &Endpoint,
) -> Result<(ClientConfig, Option<Arc<Shown>>), TrustError> {
    match (endpoint.scheme, &endpoint.client) {
        (Scheme::Http, _) => Ok((nobody()?, None)),
        (Scheme::Https, None) => Ok((shared(&endpoint.tls)?, None)),
        (Scheme::Https, Some(client)) => {
            let shown = Arc::new(Shown::load(client)?);
            let mut config = shared(&endpoint.tls)?;
            config.client_auth_cert_resolver = Arc::clone(&shown) as _;
            Ok((config, Some(shown)))
        }
    }
}

fn shared(trust: &TlsTrust) -> Result<ClientConfig, TrustError> {
    let mut all = CONFIGS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(config) = all.get(trust) {
        return Ok(config.clone());
    }
    let config = build(trust)?;
    all.insert(trust.clone(), config.clone());
    Ok(config)
}

fn nobody() -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    with(&provider, Arc::new(Untrusting::nobody(&provider)))
}

fn build(trust: &TlsTrust) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let store = |name: &str, roots: Vec<CertificateDer<'static>>| {
        Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
            .map_err(|error| TrustError::Store(name.to_owned(), error))
    };
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        TlsTrust::System => Arc::new(store("the operating system", Vec::new())?),
        TlsTrust::CaFile(path) => Arc::new(store(&format!("`{path}`"), authorities(path)?)?),
        TlsTrust::Pin(pin) => Arc::new(Untrusting::pin(*pin, &provider)),
        TlsTrust::Ignore => Arc::new(Untrusting::ignore(&provider)),
    };
    with(&provider, verifier)
}

fn with(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TrustError> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Every connection shows its certificate and is judged anew; the logon is bound to it.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The certificates of a file, in PEM or one in DER.
fn authorities(path: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let mut bytes = Vec::new();
    File::open(Path::new(path))
        .and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut bytes))
        .map_err(|source| TrustError::Unreadable { path: path.to_owned(), source })?;
    // The first byte of every certificate in DER, and of no PEM file.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| TrustError::Broken { path: path.to_owned(), source })?;
    if found.is_empty() { Err(TrustError::Empty(path.to_owned())) } else { Ok(found) }
}
