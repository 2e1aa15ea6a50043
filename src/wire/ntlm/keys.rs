//! Signing and sealing keys of a connection, [MS-NLMP] 3.4.5.

use std::fmt;

use rc4::KeyInit;
use rc4::StreamCipher;
use rc4::consts::U16;
use zeroize::Zeroizing;

use crate::wire::ntlm::response::Key;
use crate::wire::ntlm::response::md5;
use crate::wire::ntlm::seal::Direction;
use crate::wire::ntlm::seal::SIGNATURE;

pub(super) type Rc4 = rc4::Rc4<U16>;

/// Which end of the connection the keys are for.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Client,
    Server,
}

/// The keys of one direction.
#[derive(Clone)]
pub(super) struct DirectionKeys {
    pub(super) sign: Key,
    pub(super) seal: Key,
    /// Number of the first message that is sealed.
    pub(super) first: u32,
}

/// The keys of both directions, seen from one end. Wiped when dropped, printed never.
pub struct Keys {
    pub(super) outgoing: DirectionKeys,
    pub(super) incoming: DirectionKeys,
}

impl Keys {
    /// Derives the keys for 128 bits with extended session security.
    pub(super) fn derive(exported: &Key, side: Side) -> Self {
        let client = DirectionKeys {
            first: 0,
            sign: derived(
                exported,
                b"session key to client-to-server signing key magic constant\0",
            ),
            seal: derived(
                exported,
                b"session key to client-to-server sealing key magic constant\0",
            ),
        };
        let server = DirectionKeys {
            first: 0,
            sign: derived(
                exported,
                b"session key to server-to-client signing key magic constant\0",
            ),
            seal: derived(
                exported,
                b"session key to server-to-client sealing key magic constant\0",
            ),
        };
        match side {
            Side::Client => Self { outgoing: client, incoming: server },
            Side::Server => Self { outgoing: server, incoming: client },
        }
    }
}

impl Keys {
    /// The keys of a client and of its server, for tests.
    #[cfg(test)]
    pub(in crate::wire) fn both_sides(exported: [u8; 16]) -> (Self, Self) {
        let exported = Zeroizing::new(exported);
        (Self::derive(&exported, Side::Client), Self::derive(&exported, Side::Server))
    }

    /// Signs SPNEGO's list of mechanisms as message 0. The key stream is what it was before, the
    /// number is used up ([MS-SPNG] 3.3.5.1): sealing begins with 1.
    pub fn sign_list(&mut self, list: &[u8]) -> [u8; SIGNATURE] {
        list_signature(&mut self.outgoing, list)
    }

    /// The signature that the other side must have made of the list; its messages begin with 1.
    pub fn expect_list(&mut self, list: &[u8]) -> [u8; SIGNATURE] {
        list_signature(&mut self.incoming, list)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(secret)")
    }
}

fn list_signature(keys: &mut DirectionKeys, list: &[u8]) -> [u8; SIGNATURE] {
    keys.first = 1;
    Direction::new(keys.clone()).signature(0, list)
}

/// RC4 over one key, with a fresh key stream: encrypts and decrypts the exported session key.
pub(super) fn exchange(key: &Key, mut data: Key) -> Key {
    cipher(key).apply_keystream(data.as_mut_slice());
    data
}

pub(super) fn cipher(key: &Key) -> Rc4 {
    Rc4::new(key.as_slice().into())
}

fn derived(exported: &Key, magic: &[u8]) -> Key {
    Zeroizing::new(md5(&[exported.as_slice(), magic]))
}
