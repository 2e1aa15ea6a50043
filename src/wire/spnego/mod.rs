//! SPNEGO around NTLM (RFC 4178, [MS-SPNG]): both ends, and the signature over the list of
//! mechanisms that keeps anybody in between from shortening it.
//!
//! NTLM signs that list as message 0 of each direction and takes its key stream back to where it was
//! ([MS-SPNG] 3.3.5.1); the message numbers go on, so that the first sealed message is number 1.

mod der;
pub mod krb_error;
pub mod token;
#[cfg(test)]
mod vectors;

use subtle::ConstantTimeEq;

use crate::wire::ntlm;
use crate::wire::ntlm::Keys;
use crate::wire::spnego::token::Init;
use crate::wire::spnego::token::Message;
use crate::wire::spnego::token::Resp;
use crate::wire::spnego::token::State;
use crate::wire::spnego::token::list;

/// 1.3.6.1.4.1.311.2.2.10, the content of its encoding.
pub const NTLM: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 0x0a];

/// Why a negotiation is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpnegoError {
    #[error("expected {expected} in a SPNEGO token, got {got}")]
    Malformed { expected: &'static str, got: String },
    /// The other side ended the negotiation.
    #[error("the other side rejected the negotiation")]
    Rejected,
    #[error("the other side does not do NTLM")]
    NoNtlm,
    #[error("the list of mechanisms was altered on its way (mechListMIC)")]
    Altered,
}

impl SpnegoError {
    fn malformed(expected: &'static str, got: impl Into<String>) -> Self {
        Self::Malformed { expected, got: got.into() }
    }
}

/// The client's end, offering NTLM and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initiator {
    /// The list that was sent; `None` where none was, so that there is nothing to sign.
    list: Option<Vec<u8>>,
}

/// The server's end, once a client has shown its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptor {
    list: Vec<u8>,
    /// Whether NTLM was not the client's first wish, so that both must sign the list.
    second_choice: bool,
    told: bool,
}

impl Initiator {
    /// The first message, with the NEGOTIATE message in it.
    pub fn begin(negotiate: &ntlm::Token) -> (Vec<u8>, Self) {
        let list = list(&[NTLM]);
        let init = Init {
            mechanisms: vec![NTLM.to_vec()],
            list: list.clone(),
            token: Some(negotiate.as_bytes().to_vec()),
            mic: None,
        };
        (Message::Init(init).encode(), Self { list: Some(list) })
    }

    /// Where the NEGOTIATE message went raw, and the server answers with SPNEGO all the same.
    pub fn unannounced() -> Self {
        Self { list: None }
    }

    /// The CHALLENGE message in the server's answer.
    pub fn challenge(&self, bytes: &[u8]) -> Result<Vec<u8>, SpnegoError> {
        let resp = answer(bytes)?;
        if resp.mechanism.is_some_and(|mechanism| mechanism != NTLM) {
            return Err(SpnegoError::NoNtlm);
        }
        resp.token.ok_or_else(|| SpnegoError::malformed("a CHALLENGE message", "no token"))
    }

    /// Wraps the AUTHENTICATE message, with the signature over the list.
    pub fn authenticate(&self, authenticate: &ntlm::Token, keys: &mut Keys) -> Vec<u8> {
        Message::Resp(Resp {
            state: Some(State::Incomplete),
            mechanism: None,
            token: Some(authenticate.as_bytes().to_vec()),
            mic: self.list.as_ref().map(|list| keys.sign_list(list).to_vec()),
        })
        .encode()
    }

    /// Judges the server's last message, which came with the word that the logon is accepted.
    ///
    /// With one mechanism in the list there is nothing to shorten, so a server may leave its
    /// signature out; a wrong one is an error.
    pub fn finish(&self, bytes: &[u8], keys: &mut Keys) -> Result<(), SpnegoError> {
        let resp = answer(bytes)?;
        match (resp.mic, &self.list) {
            (Some(mic), Some(list)) => verify(&keys.expect_list(list), &mic),
            (Some(_), None) | (None, _) => Ok(()),
        }
    }
}

impl Acceptor {
    /// Takes the client's first message: what it offers, and the NEGOTIATE message if NTLM is its
    /// first wish.
    pub fn accept(bytes: &[u8]) -> Result<(Self, Option<Vec<u8>>), SpnegoError> {
        let Message::Init(init) = Message::decode(bytes)? else {
            return Err(SpnegoError::malformed("NegTokenInit", "NegTokenResp"));
        };
        let place = init.mechanisms.iter().position(|oid| oid == NTLM);
        let place = place.ok_or(SpnegoError::NoNtlm)?;
        let own = Self { list: init.list, second_choice: place > 0, told: false };
        Ok((own, init.token.filter(|_| place == 0)))
    }

    /// Asks a client that hoped for something else to begin with NTLM.
    pub fn ask_for_ntlm(&mut self) -> Vec<u8> {
        self.reply(None)
    }

    /// Wraps the CHALLENGE message.
    pub fn challenge(&mut self, challenge: &[u8]) -> Vec<u8> {
        self.reply(Some(challenge.to_vec()))
    }

    /// The client's later messages: the NTLM message, and the signature over the list.
    pub fn unwrap(bytes: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), SpnegoError> {
        let resp = answer(bytes)?;
        let token = resp.token.ok_or_else(|| SpnegoError::malformed("NTLM", "no token"))?;
        // Very old clients send the token a second time where the signature belongs.
        let mic = resp.mic.filter(|mic| *mic != token);
        Ok((token, mic))
    }

    /// Checks the client's signature and makes the last message, with a signature of its own if
    /// there was one.
    pub fn complete(&self, mic: Option<&[u8]>, keys: &mut Keys) -> Result<Vec<u8>, SpnegoError> {
        match mic {
            Some(mic) => verify(&keys.expect_list(&self.list), mic)?,
            None if self.second_choice => return Err(SpnegoError::Altered),
            None => {}
        }
        Ok(Message::Resp(Resp {
            state: Some(State::Completed),
            mechanism: None,
            token: None,
            mic: mic.map(|_| keys.sign_list(&self.list).to_vec()),
        })
        .encode())
    }

    fn reply(&mut self, token: Option<Vec<u8>>) -> Vec<u8> {
        // The mechanism stands in the first answer only (RFC 4178, 4.2.2).
        let first = !std::mem::replace(&mut self.told, true);
        let state = if first && self.second_choice { State::RequestMic } else { State::Incomplete };
        let mechanism = first.then(|| NTLM.to_vec());
        Message::Resp(Resp { state: Some(state), mechanism, token, mic: None }).encode()
    }
}

fn answer(bytes: &[u8]) -> Result<Resp, SpnegoError> {
    match Message::decode(bytes)? {
        Message::Resp(Resp { state: Some(State::Reject), .. }) => Err(SpnegoError::Rejected),
        Message::Resp(resp) => Ok(resp),
        Message::Init(_) => Err(SpnegoError::malformed("NegTokenResp", "NegTokenInit")),
    }
}

fn verify(expected: &[u8], got: &[u8]) -> Result<(), SpnegoError> {
    if bool::from(expected.ct_eq(got)) { Ok(()) } else { Err(SpnegoError::Altered) }
}
