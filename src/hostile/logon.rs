//! NTLM messages of both sides, and sealed bodies.

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::model::secret::Account;
use crate::model::secret::Secret;
use crate::wire::certificate;
use crate::wire::multipart;
use crate::wire::multipart::Indent;
use crate::wire::ntlm;
use crate::wire::ntlm::Entropy;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::Keys;
use crate::wire::ntlm::Service;
use crate::wire::ntlm::acceptor as server;
use crate::wire::ntlm::acceptor::AwaitAuthenticate;
use crate::wire::ntlm::acceptor::Names;
use crate::wire::session;
use crate::wire::session::Session;
use crate::wire::spnego::Acceptor;
use crate::wire::spnego::Initiator;
use crate::wire::spnego::krb_error;
use crate::wire::spnego::token::Message;

const USER: &str = "rms";
const PASSWORD: &str = "Passw0rd";
const SERVER_CHALLENGE: [u8; 8] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef";

pub(super) fn multipart(bytes: &[u8]) {
    let Ok(sealed) = multipart::parse(bytes) else { return };
    assert!(sealed.signature.len() + sealed.cipher.len() <= bytes.len(), "bytes from nowhere");
    for indent in [Indent::Tab, Indent::None] {
        let written = multipart::render(sealed, indent);
        assert_eq!(multipart::parse(&written), Ok(sealed), "written and read again");
    }
}

/// A sealed body, and the same bytes as a header with a token.
pub(super) fn session(bytes: &[u8]) {
    let header = String::from_utf8_lossy(bytes);
    let token = session::token(&header);
    assert!(token.is_none_or(|token| token.len() <= bytes.len()), "a token from nowhere");
    drop(session::challenge(401, &[&header, "Negotiate"]));
    let Some((client, _)) = keys() else { return };
    let mut session = Session::new(client);
    match session.open(200, multipart::CONTENT_TYPE, bytes) {
        Ok(plain) => assert!(plain.len() <= bytes.len(), "plaintext from nowhere"),
        // A stream that went astray stays astray.
        Err(session::SessionError::Ntlm(_)) => {
            assert!(session.unseal(bytes).is_err(), "a broken context was used again");
        }
        Err(_) => {}
    }
}

pub(super) fn challenge(bytes: &[u8]) {
    let (_, client) = ntlm::start();
    let Ok((token, keys)) = answer(client, bytes) else { return };
    assert!(token.as_bytes().len() < 64 * 1024 + 4096, "a token larger than what was asked");
    assert!(Session::new(keys).seal(b"x").is_ok(), "keys that do not seal");
}

/// The bytes as the first and as the last message of a client.
pub(super) fn acceptor(bytes: &[u8]) {
    if let Ok((token, _)) = server::challenge(bytes, &names(), SERVER_CHALLENGE, now()) {
        let (_, client) = ntlm::start();
        // Refused where the hostile client asked for too little, but always readable.
        drop(answer(client, token.as_bytes()));
    }
    let Some((_, waiting)) = challenged() else { return };
    if let Ok(accepted) = waiting.verify(bytes, |_, _| Some(Secret::new(PASSWORD.to_owned()))) {
        assert!(accepted.user.eq_ignore_ascii_case(USER), "{} was let in", accepted.user);
    }
}

/// The bytes as any message of the negotiation, to either side of it.
pub(super) fn spnego(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        let written = message.encode();
        let again = Message::decode(&written).map(|again| again.encode());
        assert_eq!(again, Ok(written), "written, read and written again");
    }
    if let Ok((mut acceptor, inner)) = Acceptor::accept(bytes) {
        assert!(inner.is_none_or(|inner| inner.len() < bytes.len()), "a token from nowhere");
        assert!(Message::decode(&acceptor.ask_for_ntlm()).is_ok(), "an answer that is none");
    }
    if let Ok((inner, mic)) = Acceptor::unwrap(bytes) {
        let carried = inner.len() + mic.map_or(0, |mic| mic.len());
        assert!(carried < bytes.len(), "bytes from nowhere");
    }
    let _ = krb_error::code(bytes);
    let (negotiate, _) = ntlm::start();
    let (_, announced) = Initiator::begin(&negotiate);
    for initiator in [announced, Initiator::unannounced()] {
        if let Ok(challenge) = initiator.challenge(bytes) {
            assert!(challenge.len() < bytes.len(), "a challenge from nowhere");
        }
        if let Some((mut keys, _)) = keys() {
            let _ = initiator.finish(bytes, &mut keys);
        }
    }
}

/// Whatever a certificate is bound to has the length of a hash.
pub(super) fn certificate(bytes: &[u8]) {
    let _ = certificate::valid_until(bytes);
    let named: usize = certificate::revocation_lists(bytes).iter().map(String::len).sum();
    assert!(named <= bytes.len(), "revocation lists from nowhere");
    if let Some(binding) = certificate::end_point_binding(bytes) {
        let hash = binding.strip_prefix(b"tls-server-end-point:".as_slice()).map(<[u8]>::len);
        assert!(matches!(hash, Some(32 | 48 | 64)), "{binding:?}");
    }
}

/// SPNEGO around the good handshake, as both sides send it.
pub(super) fn negotiation() -> Vec<Vec<u8>> {
    let messages = handshake();
    let (negotiate, client) = ntlm::start();
    let (first, initiator) = Initiator::begin(&negotiate);
    let mut all = vec![first.clone()];
    if let (Ok((mut acceptor, _)), Some(challenge)) = (Acceptor::accept(&first), messages.get(1)) {
        all.push(acceptor.ask_for_ntlm());
        all.push(acceptor.challenge(challenge));
        if let (Ok((token, mut ours)), Some((mut theirs, _))) = (answer(client, challenge), keys())
        {
            all.push(initiator.authenticate(&token, &mut ours));
            all.extend(acceptor.complete(None, &mut theirs));
        }
    }
    all
}

/// Certificates that are nothing but their signature algorithms: RSA with SHA-256, ECDSA with
/// SHA-384, RSA-PSS with SHA-512.
pub(super) fn certificates() -> Vec<Vec<u8>> {
    let element = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap_or(0x7f);
        [&[tag, length], content].concat()
    };
    let oid = |bytes: &[u8]| element(6, bytes);
    let sha512 = element(0x30, &oid(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3]));
    let pss = element(0x30, &element(0xa0, &sha512));
    [
        [oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]), vec![5, 0]].concat(),
        oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]),
        [oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]), pss].concat(),
    ]
    .iter()
    .map(|algorithm| {
        let body = element(0x30, &[2, 1, 1]);
        let fields = [body, element(0x30, algorithm), vec![3, 1, 0]].concat();
        element(0x30, &fields)
    })
    .collect()
}

/// The three messages of a good handshake, in order.
pub(super) fn handshake() -> Vec<Vec<u8>> {
    let (negotiate, client) = ntlm::start();
    let Some((challenge, _)) = challenged() else { return Vec::new() };
    let mut messages = vec![negotiate.as_bytes().to_vec(), challenge.clone()];
    if let Ok((token, _)) = answer(client, &challenge) {
        messages.push(token.as_bytes().to_vec());
    }
    messages
}

/// A body as the server of the good handshake seals its first.
pub(super) fn sealed(plain: &[u8], indent: Indent) -> Option<Vec<u8>> {
    let (_, server) = keys()?;
    Session::with_indent(server, indent).seal(plain).ok()
}

/// The keys of both sides after a good handshake.
fn keys() -> Option<(Keys, Keys)> {
    let (_, client) = ntlm::start();
    let (challenge, waiting) = challenged()?;
    let (token, ours) = answer(client, &challenge).ok()?;
    let password = |_: &str, _: &str| Some(Secret::new(PASSWORD.to_owned()));
    let theirs = waiting.verify(token.as_bytes(), password).ok()?.keys?;
    Some((ours, theirs))
}

fn challenged() -> Option<(Vec<u8>, AwaitAuthenticate)> {
    let (negotiate, _) = ntlm::start();
    let (challenge, waiting) =
        server::challenge(negotiate.as_bytes(), &names(), SERVER_CHALLENGE, now()).ok()?;
    Some((challenge.as_bytes().to_vec(), waiting))
}

fn answer(
    client: ntlm::AwaitChallenge,
    challenge: &[u8],
) -> Result<(ntlm::Token, Keys), ntlm::NtlmError> {
    let account =
        Account { user: format!(r"CONTOSO\{USER}"), password: Secret::new(PASSWORD.to_owned()) };
    let service = Service { name: "HTTP/fs1.contoso.com", channel_binding: Some([7; 16]) };
    let entropy = Entropy { client_challenge: [3; 8], session_key: Zeroizing::new([5; 16]) };
    client.answer(challenge, &account, &service, entropy, now())
}

fn names() -> Names {
    Names {
        netbios_domain: "CONTOSO".to_owned(),
        netbios_computer: "FS1".to_owned(),
        dns_domain: "contoso.com".to_owned(),
        dns_computer: "fs1.contoso.com".to_owned(),
    }
}

fn now() -> FileTime {
    FileTime::from_timestamp(Timestamp::UNIX_EPOCH)
}
