//! Why a host refuses a ticket: the KRB-ERROR in its token (RFC 4120 5.9.1, RFC 4121 4.1).

use crate::wire::spnego::SpnegoError;
use crate::wire::spnego::der::FRAME;
use crate::wire::spnego::der::OID;
use crate::wire::spnego::der::Reader;
use crate::wire::spnego::der::SEQUENCE;
use crate::wire::spnego::der::context;
use crate::wire::spnego::der::only;
use crate::wire::spnego::token::Message;

/// `[APPLICATION 30]`.
const KRB_ERROR: u8 = 0x7e;
/// Stands before a KRB-ERROR in Kerberos' frame.
const TOK_ID: &[u8] = &[3, 0];
const INTEGER: u8 = 0x02;

/// The error number of a host's token, raw or inside SPNEGO; `None` if it holds no KRB-ERROR.
pub fn code(token: &[u8]) -> Option<u32> {
    match Message::decode(token) {
        Ok(Message::Resp(resp)) => inner(&resp.token?).ok(),
        Ok(Message::Init(_)) => None,
        Err(_) => inner(token).ok(),
    }
}

fn inner(token: &[u8]) -> Result<u32, SpnegoError> {
    let mut reader = Reader::new(token);
    let error = match reader.next()? {
        (FRAME, framed) => unframed(framed)?,
        (KRB_ERROR, error) => error,
        (tag, _) => return Err(SpnegoError::malformed("a KRB-ERROR", format!("tag {tag:#04x}"))),
    };
    let mut fields = Reader::new(only(error, SEQUENCE, "a KRB-ERROR")?);
    loop {
        let (tag, field) = fields.next()?;
        if tag == context(6) {
            return number(only(field, INTEGER, "an error code")?);
        }
    }
}

fn unframed(framed: &[u8]) -> Result<&[u8], SpnegoError> {
    let mut rest = Reader::new(framed);
    rest.expect(OID, "the mechanism of the frame")?;
    let behind = rest.rest().strip_prefix(TOK_ID);
    let behind = behind.ok_or_else(|| SpnegoError::malformed("a KRB-ERROR", "another token"))?;
    only(behind, KRB_ERROR, "a KRB-ERROR")
}

fn number(bytes: &[u8]) -> Result<u32, SpnegoError> {
    match bytes {
        [0, rest @ ..] | rest if matches!(rest.len(), 1..=4) => {
            Ok(rest.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
        }
        _ => Err(SpnegoError::malformed("a number", format!("{} bytes", bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::wire::spnego::der::element;
    use crate::wire::spnego::token::Resp;
    use crate::wire::spnego::token::State;

    /// 1.2.840.113554.1.2.2
    const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2];

    fn error(number: &[u8]) -> Vec<u8> {
        let whole = |tag, bytes: &[u8]| element(context(tag), &element(INTEGER, bytes));
        let time = element(context(4), &element(0x18, b"20261127212600Z"));
        let fields = [whole(0, &[5]), whole(1, &[30]), time, whole(5, &[1]), whole(6, number)];
        element(KRB_ERROR, &element(SEQUENCE, &fields.concat()))
    }

    fn framed(token: &[u8]) -> Vec<u8> {
        element(FRAME, &[element(OID, KERBEROS), TOK_ID.to_vec(), token.to_vec()].concat())
    }

    fn in_spnego(token: Vec<u8>) -> Vec<u8> {
        let resp = Resp { state: Some(State::Reject), token: Some(token), ..Resp::default() };
        Message::Resp(resp).encode()
    }

    #[test]
    fn the_number_is_found_in_every_wrapping() {
        let check = |token: &[u8], expected| assert_eq!(code(token), expected, "{token:?}");
        check(&error(&[37]), Some(37));
        check(&framed(&error(&[41])), Some(41));
        check(&in_spnego(framed(&error(&[31]))), Some(31));
        check(&in_spnego(error(&[0, 0x95])), Some(0x95));
    }

    #[test]
    fn a_token_that_holds_none_has_no_number() {
        let check = |token: &[u8]| assert_eq!(code(token), None, "{token:?}");
        check(b"");
        check(b"NTLMSSP\0");
        check(&in_spnego(Vec::new()));
        check(&framed(&element(0x6f, &[])));
        check(&error(&[]));
        check(&error(&[1, 2, 3, 4, 5]));
        let whole = framed(&error(&[37]));
        check(&whole[..whole.len() - 1]);
    }
}
