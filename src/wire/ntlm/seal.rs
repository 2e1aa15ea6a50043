//! Sealing and unsealing messages, [MS-NLMP] 3.4.4.2 with key exchange.

use std::fmt;

use rc4::StreamCipher;
use subtle::ConstantTimeEq;

use crate::wire::ntlm::NtlmError;
use crate::wire::ntlm::keys::DirectionKeys;
use crate::wire::ntlm::keys::Keys;
use crate::wire::ntlm::keys::Rc4;
use crate::wire::ntlm::keys::cipher;
use crate::wire::ntlm::response::Key;
use crate::wire::ntlm::response::hmac_md5;
use crate::wire::ntlm::u32_at;

/// Version, checksum, sequence number.
pub(super) const SIGNATURE: usize = 16;

/// The security context of one connection: a key stream and a message count per direction.
///
/// Every message must pass through it once and in order. After a failed `unseal` the key stream has
/// gone astray, so every further call fails.
pub struct Seal {
    outgoing: Direction,
    incoming: Direction,
    broken: bool,
}

pub(super) struct Direction {
    sign: Key,
    stream: Rc4,
    /// Number of the next message; `None` when 2^32 were used.
    next: Option<u32>,
}

impl Seal {
    pub fn new(keys: Keys) -> Self {
        Self {
            outgoing: Direction::new(keys.outgoing),
            incoming: Direction::new(keys.incoming),
            broken: false,
        }
    }

    /// Signs and encrypts: the signature and the ciphertext, as long as the plaintext.
    pub fn seal(&mut self, plain: &[u8]) -> Result<([u8; SIGNATURE], Vec<u8>), NtlmError> {
        if self.broken {
            return Err(NtlmError::Exhausted);
        }
        let number = self.outgoing.number()?;
        let mut data = plain.to_vec();
        self.outgoing.stream.apply_keystream(&mut data);
        let signature = self.outgoing.signature(number, plain);
        Ok((signature, data))
    }

    /// Decrypts and checks signature and sequence number.
    pub fn unseal(&mut self, signature: &[u8], cipher: &[u8]) -> Result<Vec<u8>, NtlmError> {
        if self.broken {
            return Err(NtlmError::Exhausted);
        }
        // INVARIANT: broken until the message is known to be good.
        self.broken = true;
        let number = self.incoming.number()?;
        let mut plain = cipher.to_vec();
        self.incoming.stream.apply_keystream(&mut plain);
        let expected = self.incoming.signature(number, &plain);
        if !bool::from(expected.as_slice().ct_eq(signature)) {
            return Err(match u32_at(signature, 12) {
                Some(got) if got != number => NtlmError::Sequence { expected: number, got },
                Some(_) | None => NtlmError::Signature,
            });
        }
        self.broken = false;
        Ok(plain)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("sent", &self.outgoing.next)
            .field("received", &self.incoming.next)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Direction {
    pub(super) fn new(keys: DirectionKeys) -> Self {
        Self { stream: cipher(&keys.seal), sign: keys.sign, next: Some(keys.first) }
    }

    fn number(&mut self) -> Result<u32, NtlmError> {
        let number = self.next.ok_or(NtlmError::Exhausted)?;
        self.next = number.checked_add(1);
        Ok(number)
    }

    /// The signature over a plaintext; its checksum takes 8 bytes of key stream.
    pub(super) fn signature(&mut self, number: u32, plain: &[u8]) -> [u8; SIGNATURE] {
        let mut checksum = hmac_md5(&self.sign, &[&number.to_le_bytes(), plain]);
        if let Some(sent) = checksum.first_chunk_mut::<8>() {
            self.stream.apply_keystream(sent);
        }
        let checksum = u128::from_le_bytes(checksum) & u128::from(u64::MAX);
        (1 | checksum << 32 | u128::from(number) << 96).to_le_bytes()
    }
}
