//! TLS alone: what is agreed upon, and the certificate that is shown.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use sha2::Digest;
use sha2::Sha256;

use crate::host::doctor::Shown;
use crate::host::link::HostError;
use crate::host::link::Target;
use crate::net::clock::Stopwatch;
use crate::net::http::untrusted;
use crate::net::reach;
use crate::net::tls;
use crate::wire::certificate;

/// A server that reads http on the port may end the connection without a word.
const CLOSED: &str = "the host ended the connection in the middle of the handshake: maybe it does not \
                      speak TLS on this port (https: 5986, Exchange: 443; http: 5985)";

/// Connects, shakes hands, and closes. Nothing is asked and nobody is named.
pub async fn shake(target: &Target) -> Result<Shown, HostError> {
    let session = greeted(target).await?;
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    Ok(Shown {
        protocol: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(_) | None => "TLS",
        },
        until: certificate.and_then(|shown| certificate::valid_until(shown)),
        lists: certificate.map_or_else(Vec::new, |shown| certificate::revocation_lists(shown)),
        thumbprint: certificate.map(|shown| hex(&Sha256::digest(shown))).unwrap_or_default(),
    })
}

/// The certificate that the host shows, in DER.
pub(super) async fn certificate(target: &Target) -> Result<Option<Vec<u8>>, HostError> {
    let session = greeted(target).await?;
    Ok(session.peer_certificates().and_then(<[_]>::first).map(|shown| shown.to_vec()))
}

async fn greeted(target: &Target) -> Result<ClientConnection, HostError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| HostError::NotConnected {
        endpoint: target.endpoint.url(),
        source,
    };
    let (config, _) = tls::config(&target.endpoint).map_err(|error| untrusted(&error))?;
    let name = ServerName::try_from(target.endpoint.address.clone())
        .map_err(|error| failed(error.into()))?;
    let address = reach::dial(target).await?;
    let limit = target.connect_timeout;
    let watch = Stopwatch::start();
    let work = move || {
        let mut socket = TcpStream::connect_timeout(&address, limit)?;
        socket.set_read_timeout(Some(limit))?;
        socket.set_write_timeout(Some(limit))?;
        let mut session =
            ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
        while session.is_handshaking() {
            // The socket's limits are for one read or write; a handshake has many.
            if watch.elapsed() > limit {
                return Err(std::io::Error::from(ErrorKind::TimedOut));
            }
            session.complete_io(&mut socket)?;
        }
        session.send_close_notify();
        let _ = session.complete_io(&mut socket);
        Ok::<_, std::io::Error>(session)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(match tls::words::find(&error) {
            Some(words) => failed(words.into()),
            None if error.kind() == ErrorKind::UnexpectedEof => failed(CLOSED.into()),
            None => failed(error.into()),
        }),
        Err(panicked) => Err(failed(panicked.into())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}
