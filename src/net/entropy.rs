//! The only source of chance.

use uuid::Builder;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::wire::ntlm::Entropy;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system's random number generator failed: {0}")]
pub struct EntropyError(getrandom::Error);

/// Draws random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(EntropyError)?;
    Ok(bytes)
}

/// Draws a random UUID (version 4).
pub fn uuid() -> Result<Uuid, EntropyError> {
    Ok(Builder::from_random_bytes(bytes()?).into_uuid())
}

/// Draws what one NTLM handshake needs.
pub fn ntlm() -> Result<Entropy, EntropyError> {
    Ok(Entropy { client_challenge: bytes()?, session_key: Zeroizing::new(bytes()?) })
}
