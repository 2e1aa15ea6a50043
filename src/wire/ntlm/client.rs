//! The client's half of the handshake, [MS-NLMP] 3.1.5.

use std::fmt;

use ntlmclient::AuthenticateMessage;
use ntlmclient::Flags;
use ntlmclient::Message;
use ntlmclient::NegotiateMessage;
use ntlmclient::OsVersion;

use crate::model::secret::Account;
use crate::wire::ntlm::Entropy;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::NtlmError;
use crate::wire::ntlm::Token;
use crate::wire::ntlm::authenticate;
use crate::wire::ntlm::avpair;
use crate::wire::ntlm::check_frame;
use crate::wire::ntlm::keys::Keys;
use crate::wire::ntlm::keys::Side;
use crate::wire::ntlm::keys::exchange;
use crate::wire::ntlm::response;

/// Longest user or domain name, in characters; Windows' own limits are far below.
const MAX_NAME: usize = 512;
/// Payload fields of a CHALLENGE: target name, target information.
const CHALLENGE_FIELDS: [usize; 2] = [12, 40];

/// Without these, messages cannot be signed and sealed as WinRM wants them.
pub(super) const NEEDED: Flags = Flags::NEGOTIATE_UNICODE
    .union(Flags::NEGOTIATE_SIGN)
    .union(Flags::NEGOTIATE_SEAL)
    .union(Flags::NEGOTIATE_NTLM2_KEY)
    .union(Flags::NEGOTIATE_TARGET_INFO)
    .union(Flags::NEGOTIATE_128BIT)
    .union(Flags::NEGOTIATE_KEY_EXCHANGE);

/// What is asked for; no OEM strings and no LAN Manager key.
pub(super) const ASKED: Flags = NEEDED
    .union(Flags::REQUEST_TARGET)
    .union(Flags::NEGOTIATE_NTLM)
    .union(Flags::NEGOTIATE_ALWAYS_SIGN)
    .union(Flags::NEGOTIATE_VERSION)
    .union(Flags::NEGOTIATE_56BIT);

/// Revision 15 of the protocol, [MS-NLMP] 2.2.2.10, as a Windows 10 client says it.
pub(super) const VERSION: OsVersion = OsVersion {
    major_version: 10,
    minor_version: 0,
    build_number: 17763,
    reserved: [0; 3],
    ntlm_revision: 15,
};

/// Who is being talked to.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// `HTTP/host`.
    pub name: &'a str,
    /// MD5 of the channel binding structure; `None` without TLS.
    pub channel_binding: Option<[u8; 16]>,
}

/// The NEGOTIATE message was made; the server's CHALLENGE is awaited.
pub struct AwaitChallenge {
    negotiate: Vec<u8>,
}

impl fmt::Debug for AwaitChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitChallenge")
    }
}

/// Begins a handshake with the NEGOTIATE message.
pub fn start() -> (Token, AwaitChallenge) {
    let message = NegotiateMessage {
        flags: ASKED,
        supplied_domain: String::new(),
        supplied_workstation: String::new(),
        os_version: VERSION,
    };
    // Writing fails only for strings that an OEM code page lacks; there are none, and were it to
    // fail, the server would refuse the empty token.
    let negotiate = Message::Negotiate(message).to_bytes().unwrap_or_default();
    (Token(negotiate.clone()), AwaitChallenge { negotiate })
}

impl AwaitChallenge {
    /// Answers the server's challenge, [MS-NLMP] 3.1.5.1.2.
    ///
    /// The server's time is used when it tells one, else `now`.
    pub fn answer(
        self,
        challenge: &[u8],
        account: &Account,
        service: &Service<'_>,
        entropy: Entropy,
        now: FileTime,
    ) -> Result<(Token, Keys), NtlmError> {
        let Entropy { client_challenge, session_key: exported } = entropy;
        let (user, domain) = split(&account.user);
        bound("the user name", user)?;
        bound("the domain name", domain)?;
        bound("the target name", service.name)?;
        check_frame(challenge, 2, "CHALLENGE", &CHALLENGE_FIELDS)?;
        let parsed = match Message::try_from(challenge) {
            Ok(Message::Challenge(parsed)) => parsed,
            Ok(Message::Negotiate(_) | Message::Authenticate(_) | Message::Other(..)) => {
                return Err(NtlmError::malformed("CHALLENGE", "another message"));
            }
            Err(error) => return Err(NtlmError::malformed("CHALLENGE", error.to_string())),
        };
        let missing = NEEDED.difference(parsed.flags);
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter_names().map(|(name, _)| name).collect();
            return Err(NtlmError::NotGranted(names.join(", ")));
        }

        let told = avpair::timestamp(&parsed.target_information);
        let pairs = avpair::answered(&parsed.target_information, service, told.is_some());
        let key = response::ntowfv2(user, domain, &account.password);
        let response = response::respond(
            &key,
            parsed.challenge,
            client_challenge,
            told.unwrap_or(now),
            &avpair::render(&pairs),
        );
        let lm_response = match told {
            Some(_) => vec![0; 24],
            None => response::lmv2(&key, parsed.challenge, client_challenge),
        };
        let sent_key = exchange(&response.session_base_key, exported.clone());
        let mut message = authenticate::render(AuthenticateMessage {
            lm_response,
            ntlm_response: response.nt,
            domain_name: domain.to_owned(),
            user_name: user.to_owned(),
            workstation_name: String::new(),
            session_key: sent_key.to_vec(),
            flags: ASKED.intersection(parsed.flags),
            os_version: VERSION,
        })?;
        if told.is_some() {
            authenticate::sign(&exported, &self.negotiate, challenge, &mut message);
        }
        Ok((Token(message), Keys::derive(&exported, Side::Client)))
    }
}

/// User and domain of an account's name. A principal name goes as user, whole and without domain,
/// as Windows sends it; `.\user` is a local account, without domain too.
fn split(name: &str) -> (&str, &str) {
    match name.split_once('\\') {
        Some((".", user)) => (user, ""),
        Some((domain, user)) => (user, domain),
        None => (name, ""),
    }
}

fn bound(what: &'static str, text: &str) -> Result<(), NtlmError> {
    if text.chars().count() > MAX_NAME { Err(NtlmError::TooLong(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use proptest::proptest;

    use super::*;
    use crate::model::secret::Secret;

    pub(super) fn answer(challenge: &[u8], user: &str) -> Result<(Token, Keys), NtlmError> {
        let account =
            Account { user: user.to_owned(), password: Secret::new("Password".to_owned()) };
        let entropy = Entropy { client_challenge: [0xaa; 8], session_key: [0x55; 16].into() };
        let service = Service { name: "HTTP/server", channel_binding: None };
        start().1.answer(challenge, &account, &service, entropy, FileTime(0))
    }

    #[test]
    fn an_account_name_is_split_as_windows_splits_it() {
        let check = |name, expected| assert_eq!(split(name), expected);
        check(r"PEERS\wsuser", ("wsuser", "PEERS"));
        check("wsuser@peers.test", ("wsuser@peers.test", ""));
        check(r".\admin", ("admin", ""));
        check("admin", ("admin", ""));
    }

    #[test]
    fn a_challenge_that_grants_too_little_is_refused() {
        // The flags of [MS-NLMP] 4.2.3: no key exchange, no 128 bits.
        let mut challenge = MAGIC_CHALLENGE.to_vec();
        challenge.extend_from_slice(&[0; 44]);
        let got = answer(&challenge, "User").map(|_| ());
        let Err(NtlmError::NotGranted(names)) = got else { panic!("{got:?}") };
        assert!(names.contains("NEGOTIATE_128BIT"), "{names}");
        assert!(names.contains("NEGOTIATE_KEY_EXCHANGE"), "{names}");
    }

    const MAGIC_CHALLENGE: &[u8] =
        b"NTLMSSP\0\x02\0\0\0\0\0\0\0\0\0\0\0\x33\x82\x0a\x82\x01\x23\x45\x67\x89\xab\xcd\xef";

    #[test]
    fn a_name_beyond_all_reason_is_an_error_not_a_panic() {
        let user = "u".repeat(70_000);
        assert_eq!(
            answer(MAGIC_CHALLENGE, &user).map(|_| ()),
            Err(NtlmError::TooLong("the user name"))
        );
    }

    proptest! {
        #[test]
        fn no_challenge_makes_the_client_panic(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = b"NTLMSSP\0\x02\0\0\0".to_vec();
            bytes.extend_from_slice(&tail);
            drop(answer(&bytes, "User"));
            drop(answer(&tail, "User"));
        }
    }
}
