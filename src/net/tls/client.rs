//! Our own certificate, for hosts that want one: read and judged before anything is sent.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rustls::Error;
use rustls::InconsistentKeys;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::host::link::Clock;
use crate::model::tls::ClientCertificate;
use crate::net::clock::SystemClock;
use crate::wire::certificate::validity;

/// Larger files are neither a certificate nor a key.
const LARGEST_FILE: u64 = 1024 * 1024;

/// Why a client certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(in crate::net) enum ClientError {
    #[error("`{path}` cannot be read; correct `{setting}`")]
    Unreadable { path: String, setting: &'static str, source: std::io::Error },
    #[cfg(unix)]
    #[error("the key `{path}` can be read by others (mode {mode:04o}): chmod 600 {path}")]
    Exposed { path: String, mode: u32 },
    #[error("`{0}` holds no certificate; it is a PEM file (-----BEGIN CERTIFICATE-----)")]
    NoCertificate(String),
    #[error(
        "`{0}` is encrypted with a passphrase, which this version does not ask for; keep the key \
         without one in a file that only its owner reads (openssl pkey -in {0} -out KEY.pem)"
    )]
    Encrypted(String),
    #[error("`{0}` holds no private key; it is a PEM file (-----BEGIN PRIVATE KEY-----)")]
    NoKey(String),
    #[error("the key `{0}` is of a kind that TLS cannot use here (RSA, ECDSA and Ed25519 can)")]
    Kind(String, #[source] Error),
    #[error("the key `{key}` does not belong to the certificate `{certificate}`")]
    Mismatch { certificate: String, key: String },
    #[error("the client certificate `{path}` has expired ({until}); renew it")]
    Expired { path: String, until: Timestamp },
    #[error("the client certificate `{path}` is valid from {from} only; is the clock right?")]
    NotYet { path: String, from: Timestamp },
}

/// The certificate on one connection, and whether the host has asked for it.
#[derive(Debug)]
pub(in crate::net) struct Shown {
    key: Arc<CertifiedKey>,
    asked: AtomicBool,
}

impl Shown {
    pub(super) fn load(client: &ClientCertificate) -> Result<Self, ClientError> {
        Self::at(client, SystemClock.now())
    }

    fn at(client: &ClientCertificate, now: Timestamp) -> Result<Self, ClientError> {
        let chain = chain(&client.certificate)?;
        current(&client.certificate, chain.first(), now)?;
        let key = key(&client.key)?;
        let key = ring::default_provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| ClientError::Kind(client.key.clone(), error))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A key that does not say what belongs to it is shown to fail by the handshake.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                return Err(ClientError::Mismatch {
                    certificate: client.certificate.clone(),
                    key: client.key.clone(),
                });
            }
            Err(_) => return Err(ClientError::NoCertificate(client.certificate.clone())),
        }
        Ok(Self { key: Arc::new(certified), asked: AtomicBool::new(false) })
    }

    pub(in crate::net) fn was_asked_for(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

impl ResolvesClientCert for Shown {
    /// Shown whatever authorities the host names: Windows names those of its store, and maps
    /// certificates of others all the same.
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Release);
        Some(Arc::clone(&self.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn chain(path: &str) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let bytes = read(path, "ansible_winrm_cert_pem", |_| Ok(()))?;
    let none = || ClientError::NoCertificate(path.to_owned());
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().map_err(|_| none())?;
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

fn key(path: &str) -> Result<PrivateKeyDer<'static>, ClientError> {
    let bytes = read(path, "ansible_winrm_cert_key_pem", |file| private(path, file))?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("ENCRYPTED") {
            ClientError::Encrypted(path.to_owned())
        } else {
            ClientError::NoKey(path.to_owned())
        }
    })
}

fn read(
    path: &str,
    setting: &'static str,
    check: impl FnOnce(&File) -> Result<(), ClientError>,
) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let unreadable = |source| ClientError::Unreadable { path: path.to_owned(), setting, source };
    let file = File::open(Path::new(path)).map_err(unreadable)?;
    check(&file)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LARGEST_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(unix)]
fn private(path: &str, file: &File) -> Result<(), ClientError> {
    use std::os::unix::fs::PermissionsExt;
    let about = file.metadata().map_err(|source| ClientError::Unreadable {
        path: path.to_owned(),
        setting: "ansible_winrm_cert_key_pem",
        source,
    })?;
    let mode = about.permissions().mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(ClientError::Exposed { path: path.to_owned(), mode }),
    }
}

/// Windows has no mode; the folder's access list is the administrator's to set.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "Unix may refuse here")]
fn private(_: &str, _: &File) -> Result<(), ClientError> {
    Ok(())
}

/// Whether the certificate is valid now; one that does not say is the host's to judge.
fn current(
    path: &str,
    certificate: Option<&CertificateDer<'_>>,
    now: Timestamp,
) -> Result<(), ClientError> {
    let Some((from, until)) = certificate.and_then(|certificate| validity(certificate)) else {
        return Ok(());
    };
    if now > until {
        Err(ClientError::Expired { path: path.to_owned(), until })
    } else if now < from {
        Err(ClientError::NotYet { path: path.to_owned(), from })
    } else {
        Ok(())
    }
}
