//! The server's half of the handshake, [MS-NLMP] 3.2.5, for the simulated farm.
//!
//! The CHALLENGE message is written here: the package's own writer puts the context where the
//! payload should be.

use std::fmt;

use ntlmclient::AuthenticateMessage;
use ntlmclient::Flags;
use ntlmclient::Message;
use ntlmclient::TargetInfoEntry;
use ntlmclient::TargetInfoType;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::model::secret::Secret;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::MAGIC;
use crate::wire::ntlm::NtlmError;
use crate::wire::ntlm::Token;
use crate::wire::ntlm::authenticate;
use crate::wire::ntlm::avpair;
use crate::wire::ntlm::check_frame;
use crate::wire::ntlm::client::ASKED;
use crate::wire::ntlm::client::NEEDED;
use crate::wire::ntlm::client::VERSION;
use crate::wire::ntlm::keys::Keys;
use crate::wire::ntlm::keys::Side;
use crate::wire::ntlm::keys::exchange;
use crate::wire::ntlm::response;
use crate::wire::ntlm::u32_at;

/// Length of a CHALLENGE message without its payload.
const CHALLENGE_HEAD: u32 = 56;
/// Session key of an AUTHENTICATE message: NTProofStr, head of `temp`, empty list, four bytes.
const LEAST_NT: usize = 16 + response::TEMP_HEAD + 4;

/// What a simulated host calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    pub netbios_domain: String,
    pub netbios_computer: String,
    pub dns_domain: String,
    pub dns_computer: String,
}

/// Who logged on.
#[derive(Debug)]
pub struct Accepted {
    pub user: String,
    pub domain: String,
    /// For the server's [`Seal`](crate::wire::ntlm::Seal); `None` if the client did not ask for all
    /// that sealing needs.
    pub keys: Option<Keys>,
}

/// The CHALLENGE message was made; the client's AUTHENTICATE is awaited.
pub struct AwaitAuthenticate {
    pub(super) negotiate: Vec<u8>,
    pub(super) challenge: Vec<u8>,
    pub(super) server_challenge: [u8; 8],
}

impl fmt::Debug for AwaitAuthenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitAuthenticate")
    }
}

/// Answers a NEGOTIATE message; `server_challenge` must be drawn anew each time.
pub fn challenge(
    negotiate: &[u8],
    names: &Names,
    server_challenge: [u8; 8],
    now: FileTime,
) -> Result<(Token, AwaitAuthenticate), NtlmError> {
    // Only the flags are read: clients leave out names and version, which the package insists on.
    check_frame(negotiate, 1, "NEGOTIATE", &[])?;
    let asked = u32_at(negotiate, 12)
        .ok_or_else(|| NtlmError::malformed("NEGOTIATE", "a truncated message"))?;
    let asked = Flags::from_bits_retain(asked);
    if !asked.contains(Flags::NEGOTIATE_UNICODE | Flags::NEGOTIATE_NTLM2_KEY) {
        return Err(NtlmError::malformed("NEGOTIATE", "one without Unicode or session security"));
    }
    let flags = asked.intersection(ASKED)
        | Flags::NEGOTIATE_TARGET_INFO
        | Flags::TARGET_TYPE_DOMAIN
        | Flags::REQUEST_TARGET;

    let text = TargetInfoEntry::from_string;
    let info = avpair::render(&[
        text(TargetInfoType::NtDomain, &names.netbios_domain),
        text(TargetInfoType::NtServer, &names.netbios_computer),
        text(TargetInfoType::DnsDomain, &names.dns_domain),
        text(TargetInfoType::DnsServer, &names.dns_computer),
        avpair::pair(TargetInfoType::Timestamp, &now.0.to_le_bytes()),
    ]);
    let target = response::utf16(&names.netbios_domain);
    let too_long = |_| NtlmError::TooLong("the host's name");
    let target_length = u16::try_from(target.len()).map_err(too_long)?;
    let info_length = u16::try_from(info.len()).map_err(too_long)?;

    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&2_u32.to_le_bytes());
    let field = |out: &mut Vec<u8>, length: u16, offset: u32| {
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&offset.to_le_bytes());
    };
    field(&mut out, target_length, CHALLENGE_HEAD);
    out.extend_from_slice(&flags.bits().to_le_bytes());
    out.extend_from_slice(&server_challenge);
    out.extend_from_slice(&[0; 8]);
    field(&mut out, info_length, CHALLENGE_HEAD + u32::from(target_length));
    out.extend_from_slice(&VERSION.to_bytes());
    out.extend_from_slice(&target);
    out.extend_from_slice(&info);
    let state = AwaitAuthenticate {
        negotiate: negotiate.to_vec(),
        challenge: out.clone(),
        server_challenge,
    };
    Ok((Token(out), state))
}

impl AwaitAuthenticate {
    /// Verifies the response, and the integrity code where the client says that there is one.
    ///
    /// `password` is asked with user and domain as the client sent them.
    pub fn verify(
        self,
        authenticate: &[u8],
        password: impl FnOnce(&str, &str) -> Option<Secret>,
    ) -> Result<Accepted, NtlmError> {
        let (accepted, exported) = self.exported(authenticate, password)?;
        let AuthenticateMessage { user_name, domain_name, flags, .. } = accepted;
        // Samba does not repeat that it took the challenge's list.
        let sealing = NEEDED.difference(Flags::NEGOTIATE_TARGET_INFO);
        let keys = flags.contains(sealing).then(|| Keys::derive(&exported, Side::Server));
        Ok(Accepted { user: user_name, domain: domain_name, keys })
    }

    /// The parsed message and the exported session key, once everything is verified.
    pub(super) fn exported(
        &self,
        bytes: &[u8],
        password: impl FnOnce(&str, &str) -> Option<Secret>,
    ) -> Result<(AuthenticateMessage, response::Key), NtlmError> {
        check_frame(bytes, 3, "AUTHENTICATE", &authenticate::FIELDS)?;
        let message = match Message::try_from(bytes) {
            Ok(Message::Authenticate(message)) => message,
            Ok(Message::Negotiate(_) | Message::Challenge(_) | Message::Other(..)) => {
                return Err(NtlmError::malformed("AUTHENTICATE", "another message"));
            }
            Err(error) => return Err(NtlmError::malformed("AUTHENTICATE", error.to_string())),
        };
        if message.ntlm_response.len() < LEAST_NT {
            return Err(NtlmError::NotNtlmv2);
        }
        let Some((sent, temp)) = message.ntlm_response.split_first_chunk::<16>() else {
            return Err(NtlmError::NotNtlmv2);
        };
        let pairs = temp
            .get(response::TEMP_HEAD..)
            .and_then(avpair::parse)
            .ok_or_else(|| NtlmError::malformed("AUTHENTICATE", "broken target information"))?;

        let name = || format!(r"{}\{}", message.domain_name, message.user_name);
        let password = password(&message.user_name, &message.domain_name)
            .ok_or_else(|| NtlmError::UnknownAccount(name()))?;
        let key = response::ntowfv2(&message.user_name, &message.domain_name, &password);
        let proof = response::proof(&key, self.server_challenge, temp);
        if !bool::from(proof.as_slice().ct_eq(sent.as_slice())) {
            return Err(NtlmError::WrongPassword(name()));
        }

        let base = response::session_base_key(&key, &proof);
        let exported = if message.flags.contains(Flags::NEGOTIATE_KEY_EXCHANGE) {
            let sent: [u8; 16] = message.session_key.as_slice().try_into().map_err(|_| {
                NtlmError::malformed("AUTHENTICATE", "a session key that is not 16 bytes long")
            })?;
            exchange(&base, Zeroizing::new(sent))
        } else {
            base
        };
        if avpair::flags(&pairs) & avpair::HAS_MIC != 0 {
            let (sent, cleared) = authenticate::take_mic(bytes).ok_or(NtlmError::Altered)?;
            let parts = [self.negotiate.as_slice(), &self.challenge, &cleared];
            let mic = response::hmac_md5(&exported, &parts);
            if !bool::from(mic.as_slice().ct_eq(sent.as_slice())) {
                return Err(NtlmError::Altered);
            }
        }
        Ok((message, exported))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::*;
    use crate::model::secret::Account;
    use crate::wire::ntlm::Entropy;
    use crate::wire::ntlm::Seal;
    use crate::wire::ntlm::Service;
    use crate::wire::ntlm::start;

    const KEY: [u8; 16] = *b"0123456789abcdef";

    fn names() -> Names {
        Names {
            netbios_domain: "LAB".into(),
            netbios_computer: "FS01".into(),
            dns_domain: "lab.test".into(),
            dns_computer: "fs01.lab.test".into(),
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    /// Shakes hands in memory; `alter` may change the third message on its way.
    fn shake(
        user: &str,
        password: &str,
        alter: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(Accepted, Keys), NtlmError> {
        let (negotiate, client) = start();
        let (challenge, server) =
            challenge(negotiate.as_bytes(), &names(), [7; 8], FileTime(1 << 57)).unwrap();
        let account = Account { user: user.to_owned(), password: secret(password) };
        let entropy = Entropy { client_challenge: [9; 8], session_key: KEY.into() };
        let service = Service { name: "HTTP/fs01", channel_binding: Some([3; 16]) };
        let (token, keys) =
            client.answer(challenge.as_bytes(), &account, &service, entropy, FileTime(1)).unwrap();
        let mut bytes = token.as_bytes().to_vec();
        alter(&mut bytes);
        let accepted = server.verify(&bytes, |user, domain| {
            (user.eq_ignore_ascii_case("wsuser") && domain == "LAB").then(|| secret("Pässwörd"))
        })?;
        Ok((accepted, keys))
    }

    #[test]
    fn both_halves_shake_hands_and_understand_each_other() {
        let (accepted, keys) = shake(r"LAB\WsUser", "Pässwörd", |_| ()).unwrap();
        assert_eq!((accepted.user.as_str(), accepted.domain.as_str()), ("WsUser", "LAB"));
        let (mut client, mut server) = (Seal::new(keys), Seal::new(accepted.keys.unwrap()));
        for text in ["", "one", "two, and a longer one"] {
            let (signature, cipher) = client.seal(text.as_bytes()).unwrap();
            assert_eq!(server.unseal(&signature, &cipher).unwrap(), text.as_bytes());
            let (signature, cipher) = server.seal(text.as_bytes()).unwrap();
            assert_eq!(client.unseal(&signature, &cipher).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_wrong_password_and_an_unknown_account_are_told_apart_inside() {
        let check = |user, password, expected| {
            assert_eq!(shake(user, password, |_| ()).map(|_| ()), Err(expected));
        };
        check(r"LAB\wsuser", "password", NtlmError::WrongPassword(r"LAB\wsuser".into()));
        check(r"OTHER\wsuser", "Pässwörd", NtlmError::UnknownAccount(r"OTHER\wsuser".into()));
    }

    #[test]
    fn a_bit_changed_on_the_way_is_noticed() {
        let flip = |at: usize| move |bytes: &mut Vec<u8>| bytes[at] ^= 1;
        let got = |at| shake(r"LAB\wsuser", "Pässwörd", flip(at)).map(|_| ());
        // The integrity code itself, the version, the encrypted session key at the end.
        assert_eq!(got(75), Err(NtlmError::Altered));
        assert_eq!(got(64), Err(NtlmError::Altered));
        let length = |bytes: &mut Vec<u8>| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        };
        let end = shake(r"LAB\wsuser", "Pässwörd", length).map(|_| ());
        assert_eq!(end, Err(NtlmError::Altered));
    }

    #[test]
    fn no_session_key_crosses_the_wire_in_clear() {
        let mut sent = Vec::new();
        shake(r"LAB\wsuser", "Pässwörd", |bytes| sent.clone_from(bytes)).unwrap();
        let key = response::ntowfv2("wsuser", "LAB", &secret("Pässwörd"));
        let nt = super::super::payload(&sent, 20).unwrap().to_vec();
        let base = response::session_base_key(&key, nt.first_chunk().unwrap());
        for (what, secret) in [("exported", KEY), ("base", *base), ("NTOWFv2", *key)] {
            assert!(!sent.windows(16).any(|bytes| bytes == secret), "{what} key on the wire");
        }
        // The test would see it: the encrypted key, one step away, is there.
        let encrypted = exchange(&base, Zeroizing::new(KEY));
        assert!(sent.windows(16).any(|bytes| bytes == *encrypted));
    }

    #[test]
    fn a_replayed_or_reordered_message_ends_the_context() {
        let (accepted, keys) = shake(r"LAB\wsuser", "Pässwörd", |_| ()).unwrap();
        let (mut client, mut server) = (Seal::new(keys), Seal::new(accepted.keys.unwrap()));
        let first = client.seal(b"first").unwrap();
        server.unseal(&first.0, &first.1).unwrap();
        assert_eq!(
            server.unseal(&first.0, &first.1),
            Err(NtlmError::Sequence { expected: 1, got: 0 })
        );
        let second = client.seal(b"second").unwrap();
        assert_eq!(server.unseal(&second.0, &second.1), Err(NtlmError::Exhausted));
        assert_eq!(server.seal(b"answer"), Err(NtlmError::Exhausted));
    }

    #[test]
    fn an_altered_message_is_refused() {
        for flipped in [0, 5, 20] {
            let (accepted, keys) = shake(r"LAB\wsuser", "Pässwörd", |_| ()).unwrap();
            let (mut client, mut server) = (Seal::new(keys), Seal::new(accepted.keys.unwrap()));
            let (signature, cipher) = client.seal(b"a longer text").unwrap();
            let mut all = [signature.as_slice(), &cipher].concat();
            all[flipped] ^= 1;
            assert_eq!(server.unseal(&all[..16], &all[16..]), Err(NtlmError::Signature));
        }
    }

    #[test]
    fn an_anonymous_or_ntlmv1_response_is_refused() {
        let empty = |bytes: &mut Vec<u8>| bytes[20..22].copy_from_slice(&[0, 0]);
        let v1 = |bytes: &mut Vec<u8>| bytes[20..22].copy_from_slice(&[24, 0]);
        assert_eq!(shake(r"LAB\wsuser", "x", empty).map(|_| ()), Err(NtlmError::NotNtlmv2));
        assert_eq!(shake(r"LAB\wsuser", "x", v1).map(|_| ()), Err(NtlmError::NotNtlmv2));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_acceptor_panic(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = b"NTLMSSP\0\x03\0\0\0".to_vec();
            bytes.extend_from_slice(&tail);
            for bytes in [bytes.as_slice(), &tail] {
                let server = AwaitAuthenticate {
                    negotiate: Vec::new(), challenge: Vec::new(), server_challenge: [0; 8],
                };
                drop(server.verify(bytes, |_, _| Some(secret("x"))));
            }
            bytes[8] = 1;
            drop(challenge(&bytes, &names(), [0; 8], FileTime(0)));
        }

        #[test]
        fn no_altered_message_makes_the_acceptor_panic(at in 0_usize..300, value in any::<u8>()) {
            drop(shake(r"LAB\wsuser", "Pässwörd", |bytes| {
                let at = at % bytes.len();
                bytes[at] = value;
            }));
        }
    }
}
