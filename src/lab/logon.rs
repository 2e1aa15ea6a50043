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
use crate::wire::spnego::Acceptor;
use crate::wire::spnego::token::Message;

/// NTLM messages begin with this; a type-1 message has a 1 behind it.
const NEGOTIATE: &[u8] = b"NTLMSSP\0\x01\0\0\0";

#[derive(Debug, Default)]
pub enum Logon {
    #[default]
    Nobody,
    /// A client that offered NTLM among others was asked to begin with it.
    Asked(Acceptor),
    /// Inside SPNEGO if there is an acceptor, else raw.
    Challenged(AwaitAuthenticate, Option<Acceptor>),
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
    /// With SPNEGO's last message, where there is one.
    Accepted(Option<Vec<u8>>),
    /// 401, and the connection is nobody's again. Whether a password was judged.
    Refused { judged: bool },
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
        const REFUSED: Step = Step::Refused { judged: false };
        let before = mem::take(self);
        // A first message begins anew, whatever the connection was before.
        if token.starts_with(NEGOTIATE) {
            return self.begin(token, None, names, challenge, now);
        }
        if let Ok(Message::Init(_)) = Message::decode(token) {
            return match Acceptor::accept(token) {
                Ok((spnego, Some(inner))) => {
                    self.begin(&inner, Some(spnego), names, challenge, now)
                }
                Ok((mut spnego, None)) => {
                    let answer = spnego.ask_for_ntlm();
                    *self = Self::Asked(spnego);
                    Step::Challenge(answer)
                }
                Err(_) => REFUSED,
            };
        }
        match before {
            Self::Asked(spnego) => match Acceptor::unwrap(token) {
                Ok((inner, _)) => self.begin(&inner, Some(spnego), names, challenge, now),
                Err(_) => REFUSED,
            },
            Self::Challenged(state, None) => self.judge(state, token, None, accounts),
            Self::Challenged(state, Some(spnego)) => match Acceptor::unwrap(token) {
                Ok((inner, mic)) => {
                    let wrapping = (&spnego, mic.as_deref());
                    self.judge(state, &inner, Some(wrapping), accounts)
                }
                Err(_) => REFUSED,
            },
            Self::Nobody | Self::Known { .. } => REFUSED,
        }
    }

    /// Answers a NEGOTIATE message with a challenge.
    fn begin(
        &mut self,
        negotiate: &[u8],
        spnego: Option<Acceptor>,
        names: &Names,
        challenge: [u8; 8],
        now: FileTime,
    ) -> Step {
        let Ok((answer, state)) = acceptor::challenge(negotiate, names, challenge, now) else {
            return Step::Refused { judged: false };
        };
        let mut spnego = spnego;
        let answer = match &mut spnego {
            Some(spnego) => spnego.challenge(answer.as_bytes()),
            None => answer.as_bytes().to_vec(),
        };
        *self = Self::Challenged(state, spnego);
        Step::Challenge(answer)
    }

    /// Judges an AUTHENTICATE message, and the signature over SPNEGO's list around it.
    fn judge(
        &mut self,
        state: AwaitAuthenticate,
        token: &[u8],
        wrapping: Option<(&Acceptor, Option<&[u8]>)>,
        accounts: &mut Accounts,
    ) -> Step {
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
        let (Some(mut keys), Some(identity)) = (accepted, claimed) else {
            return Step::Refused { judged: true };
        };
        let last = wrapping.map(|(spnego, mic)| spnego.complete(mic, &mut keys)).transpose();
        // The password was right, the negotiation around it was not.
        let Ok(last) = last else { return Step::Refused { judged: false } };
        *self = Self::Known { identity, seal: Box::new(Seal::new(keys)) };
        Step::Accepted(last)
    }

    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Known { identity, .. } => Some(identity),
            Self::Nobody | Self::Asked(_) | Self::Challenged(..) => None,
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
