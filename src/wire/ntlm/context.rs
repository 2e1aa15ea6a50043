//! NTLM as a [`SecurityContext`].

use std::fmt;
use std::mem;

use crate::model::secret::Account;
use crate::wire::context::ContextError;
use crate::wire::context::SecurityContext;
use crate::wire::ntlm::AwaitChallenge;
use crate::wire::ntlm::Entropy;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::Keys;
use crate::wire::ntlm::Seal;
use crate::wire::ntlm::Service;
use crate::wire::ntlm::start;

/// The client's side of one NTLM logon; three messages, then sealing.
pub struct Context {
    state: State,
}

/// What the response is made of.
struct Means {
    account: Account,
    service: String,
    channel_binding: Option<[u8; 16]>,
    entropy: Entropy,
    now: FileTime,
}

#[derive(Default)]
enum State {
    #[default]
    Broken,
    Fresh(Box<Means>),
    Asked(Box<Means>, AwaitChallenge),
    Sealed(Box<Seal>),
}

impl Context {
    /// `now` is used only where the host does not tell its own time.
    pub fn new(account: &Account, service: &Service<'_>, entropy: Entropy, now: FileTime) -> Self {
        let means = Means {
            account: account.clone(),
            service: service.name.to_owned(),
            channel_binding: service.channel_binding,
            entropy,
            now,
        };
        Self { state: State::Fresh(Box::new(means)) }
    }

    fn sealing(&mut self) -> Result<&mut Seal, ContextError> {
        match &mut self.state {
            State::Sealed(seal) => Ok(seal),
            State::Broken | State::Fresh(_) | State::Asked(..) => {
                Err(ContextError::OutOfTurn("a sealed message"))
            }
        }
    }
}

impl From<Keys> for Context {
    /// A logon that is over, on either side.
    fn from(keys: Keys) -> Self {
        Self { state: State::Sealed(Box::new(Seal::new(keys))) }
    }
}

impl SecurityContext for Context {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Option<Vec<u8>>, ContextError> {
        match (mem::take(&mut self.state), token) {
            (State::Fresh(means), None) => {
                let (negotiate, handshake) = start();
                self.state = State::Asked(means, handshake);
                Ok(Some(negotiate.as_bytes().to_vec()))
            }
            (State::Asked(means, handshake), Some(challenge)) => {
                let Means { account, service, channel_binding, entropy, now } = *means;
                let service = Service { name: &service, channel_binding };
                let (response, keys) =
                    handshake.answer(challenge, &account, &service, entropy, now)?;
                self.state = State::Sealed(Box::new(Seal::new(keys)));
                Ok(Some(response.as_bytes().to_vec()))
            }
            (State::Broken | State::Sealed(_), _)
            | (State::Fresh(_), Some(_))
            | (State::Asked(..), None) => Err(ContextError::OutOfTurn("a token")),
        }
    }

    fn complete(&self) -> bool {
        matches!(self.state, State::Sealed(_))
    }

    fn seal(&mut self, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ContextError> {
        let (signature, cipher) = self.sealing()?.seal(plain)?;
        Ok((signature.to_vec(), cipher))
    }

    fn unseal(&mut self, signature: &[u8], cipher: &[u8]) -> Result<Vec<u8>, ContextError> {
        Ok(self.sealing()?.unseal(signature, cipher)?)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Broken => "ntlm::Context(broken)",
            State::Fresh(_) => "ntlm::Context(fresh)",
            State::Asked(..) => "ntlm::Context(asked)",
            State::Sealed(_) => "ntlm::Context(sealed)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;
    use crate::wire::ntlm::acceptor;
    use crate::wire::ntlm::acceptor::Names;

    fn context() -> Context {
        let account = Account { user: "u".to_owned(), password: Secret::new("pw".to_owned()) };
        let entropy = Entropy { client_challenge: [1; 8], session_key: [2; 16].into() };
        let service = Service { name: "HTTP/host", channel_binding: None };
        Context::new(&account, &service, entropy, FileTime(0))
    }

    #[test]
    fn three_messages_lead_to_sealing() {
        let mut client = context();
        assert!(client.seal(b"early").is_err());
        let negotiate = client.step(None).unwrap().unwrap();
        let names = Names {
            netbios_domain: "LAB".to_owned(),
            netbios_computer: "FS01".to_owned(),
            dns_domain: "lab.test".to_owned(),
            dns_computer: "fs01.lab.test".to_owned(),
        };
        let (challenge, server) =
            acceptor::challenge(&negotiate, &names, [7; 8], FileTime(1)).unwrap();
        assert!(!client.complete());
        let response = client.step(Some(challenge.as_bytes())).unwrap().unwrap();
        assert!(client.complete());
        let accepted = server.verify(&response, |_, _| Some(Secret::new("pw".to_owned()))).unwrap();
        let mut host = Context::from(accepted.keys.unwrap());
        let (signature, cipher) = client.seal(b"hello").unwrap();
        assert_eq!(host.unseal(&signature, &cipher).unwrap(), b"hello");
    }

    #[test]
    fn a_token_out_of_turn_ends_it() {
        let mut client = context();
        assert_eq!(client.step(Some(b"x")), Err(ContextError::OutOfTurn("a token")));
        assert_eq!(client.step(None), Err(ContextError::OutOfTurn("a token")));
        assert_eq!(format!("{client:?}"), "ntlm::Context(broken)");
    }
}
