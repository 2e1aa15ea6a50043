//! What an authenticated connection makes of HTTP replies (`winrm.md` 4.2, 5.4), without the HTTP.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::wire::context::ContextError;
use crate::wire::context::SecurityContext;
use crate::wire::multipart;
use crate::wire::multipart::Indent;
use crate::wire::multipart::MultipartError;
use crate::wire::multipart::Protocol;
use crate::wire::multipart::Sealed;
use crate::wire::ntlm::Context;
use crate::wire::ntlm::Keys;
use crate::wire::ntlm::NtlmError;

/// Largest token that is read from a header, in base64.
const MAX_TOKEN: usize = 64 * 1024;

/// The sealed side of a connection, for either end. A failed call ends it.
#[derive(Debug)]
pub struct Session {
    context: Box<dyn SecurityContext>,
    protocol: Protocol,
    indent: Indent,
}

/// Why a reply is not the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// 401 to the response: the logon is refused.
    #[error("the logon was refused (HTTP 401)")]
    Denied,
    /// 400 or 401 to a sealed message: the host no longer knows the connection's context.
    #[error("the host no longer knows this connection's logon (HTTP {0})")]
    ContextLost(u16),
    /// A reply in clear on a sealed connection is never read.
    #[error("the reply (HTTP {0}) is not encrypted, though the connection is")]
    Clear(u16),
    #[error(
        "HTTP 500 without a message: usually the host did not get an encrypted message where it \
         demands one (AllowUnencrypted is false), or the path is not WS-Management's"
    )]
    NoMessage,
    #[error("HTTP {status}: {meaning}", meaning = meaning(*.0), status = .0)]
    Status(u16),
    /// No challenge, though the logon was begun.
    #[error("the host offers no NTLM under Negotiate, but {0}")]
    NotOffered(String),
    #[error("the host asks for no logon (HTTP {0}), so messages could not be encrypted")]
    NoLogon(u16),
    #[error(transparent)]
    Multipart(#[from] MultipartError),
    #[error(transparent)]
    Ntlm(#[from] NtlmError),
    #[error(transparent)]
    Context(ContextError),
}

impl From<ContextError> for SessionError {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Ntlm(error) => Self::Ntlm(error),
            ContextError::Kerberos(_) | ContextError::OutOfTurn(_) => Self::Context(error),
        }
    }
}

impl Session {
    /// Part headers are written without TABs, as Windows 10's own client writes them: [MS-WSMV]
    /// 2.2.9.1.1 shows them, and OMI refuses them.
    pub fn new(keys: Keys) -> Self {
        Self::with_indent(keys, Indent::None)
    }

    /// As [`Session::new`], in the form that some servers write.
    pub fn with_indent(keys: Keys, indent: Indent) -> Self {
        Self { context: Box::new(Context::from(keys)), protocol: Protocol::Spnego, indent }
    }

    /// Seals by a context whose logon is over.
    pub fn over(context: Box<dyn SecurityContext>, protocol: Protocol) -> Self {
        Self { context, protocol, indent: Indent::None }
    }

    /// The type of the HTTP messages that carry sealed bodies.
    pub fn content_type(&self) -> &'static str {
        self.protocol.content_type()
    }

    /// Makes the body of an HTTP message of an envelope; its type is [`Session::content_type`].
    pub fn seal(&mut self, envelope: &[u8]) -> Result<Vec<u8>, SessionError> {
        let (signature, cipher) = self.context.seal(envelope)?;
        let sealed = Sealed { signature: &signature, cipher: &cipher };
        Ok(multipart::render_as(self.protocol, sealed, self.indent))
    }

    /// Reads the body of a sealed HTTP message.
    pub fn unseal(&mut self, body: &[u8]) -> Result<Vec<u8>, SessionError> {
        let Sealed { signature, cipher } = multipart::parse_as(self.protocol, body)?;
        Ok(self.context.unseal(signature, cipher)?)
    }

    /// Judges the reply to a sealed request: the envelope of a 200 or of a fault's 500.
    pub fn open(
        &mut self,
        status: u16,
        content_type: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, SessionError> {
        match status {
            200 | 500 if multipart::is_sealed(content_type) => self.unseal(body),
            500 if !content_type.contains("soap") => Err(SessionError::NoMessage),
            200 | 500 => Err(SessionError::Clear(status)),
            400 | 401 => Err(SessionError::ContextLost(status)),
            other => Err(SessionError::Status(other)),
        }
    }
}

/// The `Authorization` header's value for a token.
pub fn authorization(token: &[u8]) -> String {
    authorization_by("Negotiate", token)
}

/// The `Authorization` header's value for a token of another scheme.
pub fn authorization_by(scheme: &str, token: &[u8]) -> String {
    format!("{scheme} {}", BASE64_STANDARD.encode(token))
}

/// The token of an `Authorization` or `WWW-Authenticate` header, if it holds one for Negotiate.
pub fn token(header: &str) -> Option<Vec<u8>> {
    token_by("Negotiate", header)
}

/// The token of such a header, if it holds one for this scheme.
pub fn token_by(scheme: &str, header: &str) -> Option<Vec<u8>> {
    let (name, token) = header.trim().split_once(' ')?;
    if !name.eq_ignore_ascii_case(scheme) || token.len() > MAX_TOKEN {
        return None;
    }
    BASE64_STANDARD.decode(token.trim()).ok()
}

/// Words for a host that takes Negotiate and has no answer to NTLM, raw or inside SPNEGO.
pub const NTLM_REFUSED: &str = "it takes Negotiate: NTLM itself is refused there, as the policy \
                                \"Restrict NTLM\" does; use Kerberos";

/// The challenge in the reply to the first message.
pub fn challenge(status: u16, offered: &[&str]) -> Result<Vec<u8>, SessionError> {
    match status {
        401 => offered.iter().find_map(|header| token(header)).ok_or_else(|| {
            let names: Vec<&str> =
                offered.iter().filter_map(|header| header.split_whitespace().next()).collect();
            let kerberos = |name: &&str| name.eq_ignore_ascii_case("Kerberos");
            SessionError::NotOffered(if names.is_empty() {
                "nothing".to_owned()
            } else if names.iter().all(kerberos) {
                "only Kerberos: set `ansible_winrm_transport: kerberos`, or for Exchange \
                 `rms_exchange_auth: kerberos`"
                    .to_owned()
            } else if names.iter().any(|name| name.eq_ignore_ascii_case("Negotiate")) {
                NTLM_REFUSED.to_owned()
            } else {
                format!("only {}", names.join(", "))
            })
        }),
        200 | 204 => Err(SessionError::NoLogon(status)),
        other => Err(SessionError::Status(other)),
    }
}

/// Whether the host takes Negotiate, and has no answer to the first token that it was sent; or takes
/// that for a broken request, as OMI may.
pub fn is_unanswered(status: u16, offered: &[&str]) -> bool {
    status == 400
        || status == 401
            && offered.iter().any(|header| header.trim().eq_ignore_ascii_case("Negotiate"))
            && offered.iter().all(|header| token(header).is_none())
}

/// Judges the reply to the response: `Ok` if the connection is now logged on.
pub fn admitted(status: u16) -> Result<(), SessionError> {
    match status {
        200 | 204 => Ok(()),
        401 => Err(SessionError::Denied),
        other => Err(SessionError::Status(other)),
    }
}

/// What a status means on this protocol (`winrm.md` 5.4), in words.
pub fn meaning(status: u16) -> &'static str {
    match status {
        204 => "an answer without a message",
        300..=399 => "a redirection, which WS-Management does not use; is this another web site?",
        400 => "the host cannot read the request; is another product listening on this port?",
        401 => "the host wants a logon",
        403 => "forbidden by the host's URL rules or address filters",
        404 => "nothing at this path; check the path (/wsman, or /PowerShell/ for Exchange)",
        405 => "the path does not take WS-Management messages",
        411 => "the host wants a Content-Length; is a proxy in between?",
        413 => "the message is larger than the host takes (MaxEnvelopeSizekb)",
        415 => "the host does not take this kind of encryption",
        500 => "no SOAP message; mostly the host demands encryption and got a message in clear",
        502 | 504 => "a gateway in between cannot reach the host",
        503 => "the HTTP service is up, but WinRM is not ready (starting, stopped, or overloaded)",
        501..=599 => "a failure of the host's web server",
        _ => "not a status that WS-Management uses",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Account;
    use crate::model::secret::Secret;
    use crate::wire::ntlm::Entropy;
    use crate::wire::ntlm::FileTime;
    use crate::wire::ntlm::Service;
    use crate::wire::ntlm::acceptor;
    use crate::wire::ntlm::start;

    #[test]
    fn a_first_token_that_nobody_answers_is_told_from_a_challenge_and_another_offer() {
        for (status, offered, expected) in [
            (400, &[][..], true),
            (401, &["Negotiate"], true),
            (401, &["Negotiate", "Basic realm=\"WSMAN\""], true),
            (401, &["Negotiate TlRMTVNTUAACAAAA"], false),
            (401, &["Basic realm=\"WSMAN\""], false),
            (500, &["Negotiate"], false),
        ] {
            assert_eq!(is_unanswered(status, offered), expected, "{status} {offered:?}");
        }
    }

    fn pair() -> (Session, Session) {
        let (negotiate, client) = start();
        let names = acceptor::Names {
            netbios_domain: "LAB".into(),
            netbios_computer: "FS01".into(),
            dns_domain: "lab.test".into(),
            dns_computer: "fs01.lab.test".into(),
        };
        let (challenge, server) =
            acceptor::challenge(negotiate.as_bytes(), &names, [1; 8], FileTime(1)).unwrap();
        let password = || Secret::new("pw".to_owned());
        let account = Account { user: r"LAB\u".to_owned(), password: password() };
        let entropy = Entropy { client_challenge: [2; 8], session_key: [3; 16].into() };
        let service = Service { name: "HTTP/fs01", channel_binding: None };
        let (token, keys) =
            client.answer(challenge.as_bytes(), &account, &service, entropy, FileTime(1)).unwrap();
        let accepted = server.verify(token.as_bytes(), |_, _| Some(password())).unwrap();
        (Session::new(keys), Session::with_indent(accepted.keys.unwrap(), Indent::None))
    }

    #[track_caller]
    fn check(status: u16, content_type: &str, body: &[u8], expected: &Result<&str, SessionError>) {
        let (mut client, _) = pair();
        let got = client.open(status, content_type, body);
        let got = got.map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(got.as_deref(), expected.as_ref().map(|text| &**text));
    }

    #[test]
    fn a_sealed_reply_is_read_fault_or_not() {
        let (_, mut server) = pair();
        let body = server.seal(b"<s:Envelope/>").unwrap();
        check(200, multipart::CONTENT_TYPE, &body, &Ok("<s:Envelope/>"));
        check(500, multipart::CONTENT_TYPE, &body, &Ok("<s:Envelope/>"));
    }

    /// OMI finds a part by a line that begins with its header.
    #[test]
    fn no_blank_stands_before_the_headers_of_a_request() {
        let (mut client, _) = pair();
        let body = client.seal(b"<s:Envelope/>").unwrap();
        let text = body.escape_ascii().to_string();
        assert!(text.contains(r"Boundary\r\nContent-Type: application/octet-stream\r\n"), "{text}");
        assert!(text.contains(r"\r\nOriginalContent: type=application/soap+xml"), "{text}");
    }

    #[test]
    fn a_reply_in_clear_is_refused_whatever_it_says() {
        let soap = "application/soap+xml;charset=UTF-8";
        check(200, soap, b"<s:Envelope/>", &Err(SessionError::Clear(200)));
        check(500, soap, b"<s:Envelope/>", &Err(SessionError::Clear(500)));
        check(200, "", b"", &Err(SessionError::Clear(200)));
    }

    #[test]
    fn every_other_status_says_what_it_means() {
        check(500, "", b"", &Err(SessionError::NoMessage));
        check(401, "", b"", &Err(SessionError::ContextLost(401)));
        check(400, "text/html", b"", &Err(SessionError::ContextLost(400)));
        check(404, "text/html", b"", &Err(SessionError::Status(404)));
        assert_eq!(
            SessionError::Status(503).to_string(),
            "HTTP 503: the HTTP service is up, but WinRM is not ready \
             (starting, stopped, or overloaded)"
        );
    }

    #[test]
    fn a_challenge_is_found_among_the_schemes() {
        let check = |offered: &[&str], expected| assert_eq!(challenge(401, offered), expected);
        check(&["Kerberos", "negotiate AAEC"], Ok(vec![0, 1, 2]));
        let none = |text: &str| Err(SessionError::NotOffered(text.to_owned()));
        check(&["Kerberos", "Negotiate"], none(NTLM_REFUSED));
        check(&["Negotiate not base64"], none(NTLM_REFUSED));
        check(&["Basic realm=\"WSMAN\"", "CredSSP"], none("only Basic, CredSSP"));
        let error = challenge(401, &["Kerberos"]).unwrap_err().to_string();
        assert!(error.contains("`ansible_winrm_transport: kerberos`"), "{error}");
        check(&[], none("nothing"));
        assert_eq!(challenge(200, &[]), Err(SessionError::NoLogon(200)));
        assert_eq!(challenge(404, &[]), Err(SessionError::Status(404)));
    }

    #[test]
    fn only_a_401_to_the_response_is_a_refusal() {
        assert_eq!(admitted(200), Ok(()));
        assert_eq!(admitted(401), Err(SessionError::Denied));
        assert_eq!(admitted(503), Err(SessionError::Status(503)));
    }
}
