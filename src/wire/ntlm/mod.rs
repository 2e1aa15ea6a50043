//! NTLMv2 [MS-NLMP]: both ends of the handshake, and the sealing of messages.
//!
//! Messages are parsed and written by the `ntlmclient` package, which stays a private detail of this
//! module. The response is computed here, from chance and time that are arguments; so are the
//! integrity code, the key exchange and the sealing, which the package does not have. Its
//! `to_message` is never called, because it writes the session key in clear, nor is anything of
//! NTLMv1.

use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

pub mod acceptor;
mod authenticate;
mod avpair;
mod client;
mod context;
mod keys;
mod response;
mod seal;
#[cfg(test)]
mod vectors;

pub use client::AwaitChallenge;
pub use client::Service;
pub use client::start;
pub use context::Context;
pub use keys::Keys;
pub use seal::Seal;

/// First bytes of every message, [MS-NLMP] 2.2.1.
const MAGIC: &[u8; 8] = b"NTLMSSP\0";
/// Largest message that is read; Windows' own stay below 2 KiB.
const MAX_MESSAGE: usize = 32 * 1024;

/// One message of the handshake, to be sent as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Vec<u8>);

impl Token {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Token {
    /// The length only: an AUTHENTICATE message is food for a password cracker.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}

/// Chance, passed in. Tests pass the values of [MS-NLMP] 4.2.1.
pub struct Entropy {
    pub client_challenge: [u8; 8],
    /// The exported session key, sent encrypted.
    pub session_key: Zeroizing<[u8; 16]>,
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(secret)")
    }
}

/// A FILETIME: steps of 100 ns since 1601-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime(pub u64);

impl FileTime {
    /// The Unix epoch as FILETIME.
    const UNIX: i128 = 116_444_736_000_000_000;

    /// The nearest FILETIME before; times before 1601 become 0.
    pub fn from_timestamp(time: Timestamp) -> Self {
        let ticks = time.as_nanosecond().div_euclid(100) + Self::UNIX;
        Self(u64::try_from(ticks).unwrap_or(0))
    }
}

/// Why a handshake or a sealed message is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NtlmError {
    #[error("expected an NTLM {expected} message, got {got}")]
    Malformed { expected: &'static str, got: String },
    #[error("the other side does not grant {0}, without which messages cannot be sealed")]
    NotGranted(String),
    #[error("{0} is too long for NTLM")]
    TooLong(&'static str),
    /// Acceptor: no password is known for the account.
    #[error("account `{0}` is not known")]
    UnknownAccount(String),
    /// Acceptor: the response does not fit the password.
    #[error("the response of account `{0}` does not fit its password")]
    WrongPassword(String),
    /// Acceptor: LM, NTLMv1 or anonymous.
    #[error("the response is not NTLMv2")]
    NotNtlmv2,
    /// Acceptor: the integrity code does not fit the three messages.
    #[error("the handshake was altered on its way (MIC)")]
    Altered,
    #[error("the message's signature is wrong")]
    Signature,
    #[error("expected message number {expected}, got {got}")]
    Sequence { expected: u32, got: u32 },
    /// An earlier message failed, or 2^32 were sent: the keys are used up.
    #[error("the security context is no longer usable")]
    Exhausted,
}

impl NtlmError {
    fn malformed(expected: &'static str, got: impl Into<String>) -> Self {
        Self::Malformed { expected, got: got.into() }
    }
}

/// The channel binding of `tls-server-end-point:` data, [MS-NLMP] 2.2.2.1 with RFC 2744's structure:
/// both addresses empty, then the application data.
pub fn channel_binding(application_data: &[u8]) -> [u8; 16] {
    let length = u32::try_from(application_data.len()).unwrap_or(u32::MAX);
    response::md5(&[&[0; 16], &length.to_le_bytes(), application_data])
}

/// Checks magic, type, least length, and that every payload field lies inside the message.
///
/// `fields` are the offsets of the length/capacity/offset triples. The package checks much of this
/// too, but adds without care for overflow on 32-bit systems.
fn check_frame(
    bytes: &[u8],
    kind: u32,
    name: &'static str,
    fields: &[usize],
) -> Result<(), NtlmError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(NtlmError::malformed(name, format!("{} bytes", bytes.len())));
    }
    if bytes.get(..8) != Some(MAGIC.as_slice()) {
        return Err(NtlmError::malformed(name, "bytes without the NTLMSSP signature"));
    }
    match u32_at(bytes, 8) {
        Some(got) if got == kind => {}
        Some(got) => return Err(NtlmError::malformed(name, format!("message type {got}"))),
        None => return Err(NtlmError::malformed(name, "a truncated message")),
    }
    for field in fields {
        if payload(bytes, *field).is_none() {
            return Err(NtlmError::malformed(name, format!("a field at {field} out of bounds")));
        }
    }
    Ok(())
}

/// The payload that the field at `at` points to.
fn payload(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16_at(bytes, at)?);
    let offset = usize::try_from(u32_at(bytes, at.checked_add(4)?)?).ok()?;
    if length == 0 {
        return Some(&[]);
    }
    bytes.get(offset..offset.checked_add(length)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let slice = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(slice.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let slice = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(slice.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_time_counts_from_1601() {
        let check = |text: &str, ticks| {
            assert_eq!(FileTime::from_timestamp(text.parse().unwrap()), FileTime(ticks));
        };
        check("1970-01-01T00:00:00Z", 116_444_736_000_000_000);
        check("1601-01-01T00:00:00.0000001Z", 1);
        check("1600-01-01T00:00:00Z", 0);
    }

    #[test]
    fn nothing_secret_is_printed() {
        let entropy = Entropy { client_challenge: [0xab; 8], session_key: [0xcd; 16].into() };
        assert_eq!(format!("{entropy:?}"), "Entropy(secret)");
        assert_eq!(format!("{:?}", Token(vec![1, 2, 3])), "Token(3 bytes)");
    }
}
