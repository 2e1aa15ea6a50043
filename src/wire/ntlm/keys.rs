//! Signing and sealing keys of a connection, [MS-NLMP] 3.4.5.

use std::fmt;

use rc4::KeyInit;
use rc4::StreamCipher;
use rc4::consts::U16;
use zeroize::Zeroizing;

use crate::wire::ntlm::response::Key;
use crate::wire::ntlm::response::md5;

pub(super) type Rc4 = rc4::Rc4<U16>;

/// Which end of the connection the keys are for.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Client,
    Server,
}

/// The keys of one direction.
pub(super) struct DirectionKeys {
    pub(super) sign: Key,
    pub(super) seal: Key,
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

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(secret)")
    }
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
