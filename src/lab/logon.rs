//! The security state of one connection: nobody, half way, or known with a context (`winrm.md` 4.2).

use std::mem;

use crate::lab::accounts::Accounts;
use crate::lab::accounts::Identity;
use crate::wire::multipart;
use crate::wire::multipart::Indent;
use crate::wire::multipart::Sealed;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::Seal;
use crate::wire::ntlm::acceptor;
use crate::wire::ntlm::acceptor::AwaitAuthenticate;
use crate::wire::ntlm::acceptor::Names;

/// NTLM messages begin with this; a type-1 message has a 1 behind it.
const NEGOTIATE: &[u8] = b"NTLMSSP\0\x01\0\0\0";

#[derive(Debug, Default)]
pub enum Logon {
    #[default]
    Nobody,
    Challenged(AwaitAuthenticate),
    Known {
        identity: Identity,
        seal: Box<Seal>,
    },
}

/// What an `Authorization` header led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// 401 with this token.
    Challenge(Vec<u8>),
    Accepted,
    /// 401, and the connection is nobody's again. Whether a password was judged.
    Refused {
        judged: bool,
    },
}

/// A body that is not sealed as this connection's context demands.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsealable;

impl Logon {
    /// Takes one token of the client. What goes wrong leaves nobody.
    pub fn step(
        &mut self,
        token: &[u8],
        names: &Names,
        accounts: &mut Accounts,
        challenge: [u8; 8],
        now: FileTime,
    ) -> Step {
        // A NEGOTIATE begins anew, whatever the connection was before.
        if token.starts_with(NEGOTIATE) {
            *self = Self::Nobody;
            return match acceptor::challenge(token, names, challenge, now) {
                Ok((answer, state)) => {
                    *self = Self::Challenged(state);
                    Step::Challenge(answer.as_bytes().to_vec())
                }
                Err(_) => Step::Refused { judged: false },
            };
        }
        let Self::Challenged(state) = mem::take(self) else {
            return Step::Refused { judged: false };
        };
        let mut claimed = None;
        let verified = state.verify(token, |user, domain| {
            let (identity, password) = accounts.find(user, domain)?;
            claimed = Some(identity);
            Some(password)
        });
        let accepted = verified.ok().and_then(|accepted| accepted.keys);
        if let Some(identity) = &claimed {
            accounts.record(identity, accepted.is_some());
        }
        match (accepted, claimed) {
            (Some(keys), Some(identity)) => {
                *self = Self::Known { identity, seal: Box::new(Seal::new(keys)) };
                Step::Accepted
            }
            (Some(_), None) | (None, _) => Step::Refused { judged: true },
        }
    }

    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Known { identity, .. } => Some(identity),
            Self::Nobody | Self::Challenged(_) => None,
        }
    }

    /// The plaintext of a sealed body. After a failure the connection is nobody's.
    pub fn unseal(&mut self, body: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let Self::Known { identity, mut seal } = mem::take(self) else { return Err(Unsealable) };
        let sealed = multipart::parse(body).map_err(|_| Unsealable)?;
        let plain = seal.unseal(sealed.signature, sealed.cipher).map_err(|_| Unsealable)?;
        *self = Self::Known { identity, seal };
        Ok(plain)
    }

    /// A sealed body, with the TABs of the specification.
    pub fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let Self::Known { identity, mut seal } = mem::take(self) else { return Err(Unsealable) };
        let (signature, cipher) = seal.seal(plain).map_err(|_| Unsealable)?;
        *self = Self::Known { identity, seal };
        let sealed = Sealed { signature: signature.as_slice(), cipher: &cipher };
        Ok(multipart::render(sealed, Indent::Tab))
    }
}
