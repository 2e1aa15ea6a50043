//! A security context: what a logon leaves behind on a connection, whatever the mechanism.

use std::fmt;

use crate::wire::ntlm::NtlmError;

/// Both halves of a security mechanism's client: the tokens of the logon, then the sealing of
/// messages. NTLM is computed here, Kerberos by the system's library.
///
/// A context belongs to one connection and is of no more use after any error.
pub trait SecurityContext: fmt::Debug + Send + Sync {
    /// Takes the host's token (`None` at the beginning) and makes the next one, if there is one.
    ///
    /// Kerberos may ask its key distribution centre meanwhile, and so may block.
    fn step(&mut self, token: Option<&[u8]>) -> Result<Option<Vec<u8>>, ContextError>;

    /// Whether messages can be sealed now, and the host has proved itself where it can.
    fn complete(&self) -> bool;

    /// Signs and encrypts a message: what goes before the ciphertext, and the ciphertext.
    fn seal(&mut self, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ContextError>;

    /// Decrypts a message and checks that it is the next one.
    fn unseal(&mut self, signature: &[u8], cipher: &[u8]) -> Result<Vec<u8>, ContextError>;
}

/// Why a token or a message is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    #[error(transparent)]
    Ntlm(#[from] NtlmError),
    /// What the system's Kerberos library says.
    #[error("{0}")]
    Kerberos(String),
    /// A token after the end, or a message before it.
    #[error("the logon is not at the point for {0}")]
    OutOfTurn(&'static str),
}
