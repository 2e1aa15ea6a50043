//! NegTokenInit and NegTokenResp (RFC 4178, 4.2; [MS-SPNG] 2.2.1).

use crate::wire::spnego::SpnegoError;
use crate::wire::spnego::der::ENUMERATED;
use crate::wire::spnego::der::FRAME;
use crate::wire::spnego::der::OCTETS;
use crate::wire::spnego::der::OID;
use crate::wire::spnego::der::Reader;
use crate::wire::spnego::der::SEQUENCE;
use crate::wire::spnego::der::context;
use crate::wire::spnego::der::element;
use crate::wire::spnego::der::only;

/// 1.3.6.1.5.5.2, the content of its encoding.
const SPNEGO: &[u8] = &[0x2b, 6, 1, 5, 5, 2];
/// Most mechanisms that are read from a list.
const MAX_MECHANISMS: usize = 32;

/// One message of the negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Init(Init),
    Resp(Resp),
}

/// NegTokenInit, or NegTokenInit2 with its hints left out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Init {
    /// What the sender can do, best first: object identifiers, the content of their encoding.
    pub mechanisms: Vec<Vec<u8>>,
    /// The list as it was sent: what the mechListMIC is computed over.
    pub list: Vec<u8>,
    /// The first token of the first mechanism.
    pub token: Option<Vec<u8>>,
    pub mic: Option<Vec<u8>>,
}

/// NegTokenResp.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Resp {
    pub state: Option<State>,
    pub mechanism: Option<Vec<u8>>,
    pub token: Option<Vec<u8>>,
    pub mic: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Completed,
    Incomplete,
    Reject,
    RequestMic,
}

impl std::fmt::Debug for Init {
    /// Sizes only: the token may be food for a password cracker.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Init({} mechanisms)", self.mechanisms.len())
    }
}

impl std::fmt::Debug for Resp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resp({:?})", self.state)
    }
}

impl State {
    fn number(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::Incomplete => 1,
            Self::Reject => 2,
            Self::RequestMic => 3,
        }
    }

    fn read(content: &[u8]) -> Result<Self, SpnegoError> {
        match content {
            [0] => Ok(Self::Completed),
            [1] => Ok(Self::Incomplete),
            [2] => Ok(Self::Reject),
            [3] => Ok(Self::RequestMic),
            other => Err(SpnegoError::malformed("a negState", format!("{other:?}"))),
        }
    }
}

/// The list of mechanisms as it travels, and as it is signed.
pub fn list(mechanisms: &[&[u8]]) -> Vec<u8> {
    let items: Vec<u8> = mechanisms.iter().flat_map(|oid| element(OID, oid)).collect();
    element(SEQUENCE, &items)
}

impl Message {
    /// Whether the bytes begin as a message of the negotiation does, and not as raw NTLM.
    pub fn is_likely(bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(&FRAME | &0xa0 | &0xa1))
    }

    /// Reads one message, with the frame of a first token or without.
    pub fn decode(bytes: &[u8]) -> Result<Self, SpnegoError> {
        let mut reader = Reader::new(bytes);
        let (tag, content) = reader.next()?;
        if !reader.is_empty() {
            return Err(SpnegoError::malformed("one token", "more behind it"));
        }
        if tag != FRAME {
            return Self::choice(tag, content);
        }
        let mut framed = Reader::new(content);
        if framed.expect(OID, "the mechanism of the frame")? != SPNEGO {
            return Err(SpnegoError::malformed("SPNEGO", "a frame of another mechanism"));
        }
        let (tag, content) = framed.next()?;
        Self::choice(tag, content)
    }

    fn choice(tag: u8, content: &[u8]) -> Result<Self, SpnegoError> {
        let sequence = |what| only(content, SEQUENCE, what);
        match tag {
            0xa0 => init(sequence("NegTokenInit")?).map(Self::Init),
            0xa1 => resp(sequence("NegTokenResp")?).map(Self::Resp),
            other => Err(SpnegoError::malformed("a SPNEGO token", format!("tag {other:#04x}"))),
        }
    }

    /// Writes the message; an Init comes in its frame, its `list` as it is.
    pub fn encode(&self) -> Vec<u8> {
        let octets = |number, bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => element(context(number), &element(OCTETS, bytes)),
            None => Vec::new(),
        };
        match self {
            Self::Init(init) => {
                let fields =
                    [element(context(0), &init.list), octets(2, &init.token), octets(3, &init.mic)];
                let choice = element(context(0), &element(SEQUENCE, &fields.concat()));
                element(FRAME, &[element(OID, SPNEGO), choice].concat())
            }
            Self::Resp(resp) => {
                let state = resp.state.map(|state| element(ENUMERATED, &[state.number()]));
                let mechanism = resp.mechanism.as_ref().map(|oid| element(OID, oid));
                let fields = [
                    state.map(|state| element(context(0), &state)).unwrap_or_default(),
                    mechanism.map(|oid| element(context(1), &oid)).unwrap_or_default(),
                    octets(2, &resp.token),
                    octets(3, &resp.mic),
                ];
                element(context(1), &element(SEQUENCE, &fields.concat()))
            }
        }
    }
}

fn init(content: &[u8]) -> Result<Init, SpnegoError> {
    let mut read = Init::default();
    let mut fields = Reader::new(content);
    while !fields.is_empty() {
        match fields.next()? {
            (0xa0, field) => {
                let mut mechanisms = Reader::new(only(field, SEQUENCE, "mechTypes")?);
                while !mechanisms.is_empty() {
                    if read.mechanisms.len() == MAX_MECHANISMS {
                        return Err(SpnegoError::malformed("a list of mechanisms", "a huge one"));
                    }
                    read.mechanisms.push(mechanisms.expect(OID, "a mechanism")?.to_vec());
                }
                read.list = field.to_vec();
            }
            // reqFlags, which nobody heeds.
            (0xa1, _) => {}
            (0xa2, field) => read.token = Some(only(field, OCTETS, "mechToken")?.to_vec()),
            // The MIC, or the hints of NegTokenInit2, which then has the MIC behind them.
            (0xa3, field) if field.first() == Some(&SEQUENCE) => {}
            (0xa3 | 0xa4, field) => {
                read.mic = Some(only(field, OCTETS, "mechListMIC")?.to_vec());
            }
            (other, _) => {
                let got = format!("tag {other:#04x}");
                return Err(SpnegoError::malformed("a field of NegTokenInit", got));
            }
        }
    }
    // RFC 4178 4.2.1: the one field that is not optional.
    if read.list.is_empty() {
        return Err(SpnegoError::malformed("a list of mechanisms", "none"));
    }
    Ok(read)
}

fn resp(content: &[u8]) -> Result<Resp, SpnegoError> {
    let mut read = Resp::default();
    let mut fields = Reader::new(content);
    while !fields.is_empty() {
        match fields.next()? {
            (0xa0, field) => {
                read.state = Some(State::read(only(field, ENUMERATED, "negState")?)?);
            }
            (0xa1, field) => read.mechanism = Some(only(field, OID, "supportedMech")?.to_vec()),
            (0xa2, field) => read.token = Some(only(field, OCTETS, "responseToken")?.to_vec()),
            (0xa3, field) => read.mic = Some(only(field, OCTETS, "mechListMIC")?.to_vec()),
            (other, _) => {
                let got = format!("tag {other:#04x}");
                return Err(SpnegoError::malformed("a field of NegTokenResp", got));
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::*;

    #[test]
    fn a_first_token_without_its_list_is_none() {
        let hints = element(context(0), &element(SEQUENCE, &[]));
        let bytes = element(FRAME, &[element(OID, SPNEGO), hints].concat());
        assert!(Message::decode(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(
            head in 0_usize..4,
            tail in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let heads: [&[u8]; 4] = [&[], &[0x60], &[0xa0], &[0xa1, 0x20, 0x30, 0x1e]];
            drop(Message::decode(&[heads[head], &tail].concat()));
        }

        #[test]
        fn what_is_written_is_read_back(
            token in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            mic in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
        ) {
            let mechanisms = vec![vec![1, 2], vec![3]];
            let list = list(&[&[1, 2], &[3]]);
            let init = Message::Init(Init {
                mechanisms: mechanisms.clone(), list, token: token.clone(), mic: mic.clone(),
            });
            assert_eq!(Message::decode(&init.encode()), Ok(init));
            let state = Some(State::RequestMic);
            let resp = Message::Resp(Resp { state, mechanism: Some(vec![9]), token, mic });
            assert_eq!(Message::decode(&resp.encode()), Ok(resp));
        }
    }
}
