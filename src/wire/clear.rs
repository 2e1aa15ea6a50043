//! Replies in clear: what TLS carries, and nothing else. Over TLS the messages themselves are not
//! encrypted (`winrm.md` 4.6); without TLS no function of this module is called.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::model::secret::Account;
use crate::wire::multipart;
use crate::wire::session::SessionError;

/// The `Authorization` of a message whose sender the TLS handshake has named, DSP0226 C.3.2.
pub const MUTUAL: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual";

/// Judges the reply to a request in clear: the envelope of a 200 or of a fault's 500.
///
/// The caller vouches that it came over TLS.
pub fn open(status: u16, content_type: &str, body: Vec<u8>) -> Result<Vec<u8>, SessionError> {
    match status {
        // OMI says so that it did not understand the message.
        500 if body.is_empty() => Err(SessionError::Status(status)),
        200 | 500 if is_soap(content_type) => Ok(body),
        400 | 401 => Err(SessionError::ContextLost(status)),
        other => Err(SessionError::Status(other)),
    }
}

/// Whether a reply in clear is a SOAP message at all, judged by its type.
pub fn is_soap(content_type: &str) -> bool {
    !multipart::is_sealed(content_type) && content_type.to_ascii_lowercase().contains("soap")
}

/// The `Authorization` header's value for Basic, RFC 7617; `None` for a name that it cannot hold.
///
/// `.\user` goes as `user`, because the accounts of Basic are local ones anyway.
pub fn basic(account: &Account) -> Option<Zeroizing<String>> {
    let user = account.user.strip_prefix(r".\").unwrap_or(&account.user);
    let password = account.password.expose();
    if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
        return None;
    }
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
    Some(Zeroizing::new(format!("Basic {}", *encoded)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;

    const SOAP: &str = "application/soap+xml;charset=UTF-8";

    #[track_caller]
    fn check(status: u16, content_type: &str, expected: Result<&str, SessionError>) {
        let got = open(status, content_type, b"<s:Envelope/>".to_vec());
        assert_eq!(got, expected.map(|text| text.as_bytes().to_vec()));
    }

    #[test]
    fn a_soap_message_is_read_fault_or_not() {
        check(200, SOAP, Ok("<s:Envelope/>"));
        check(500, "Application/SOAP+XML", Ok("<s:Envelope/>"));
    }

    #[test]
    fn everything_else_says_what_it_means() {
        check(200, "text/html", Err(SessionError::Status(200)));
        check(500, "", Err(SessionError::Status(500)));
        check(200, multipart::CONTENT_TYPE, Err(SessionError::Status(200)));
        check(401, SOAP, Err(SessionError::ContextLost(401)));
        check(503, "text/html", Err(SessionError::Status(503)));
    }

    #[test]
    fn basic_is_written_as_the_rfc_has_it() {
        let check = |user: &str, password: &str, expected: Option<&str>| {
            let password = Secret::new(password.to_owned());
            let got = basic(&Account { user: user.to_owned(), password });
            assert_eq!(got.as_ref().map(|text| text.as_str()), expected);
        };
        check("Aladdin", "open sesame", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        check("test", "123\u{a3}", Some("Basic dGVzdDoxMjPCow=="));
        check(r".\test", "123\u{a3}", Some("Basic dGVzdDoxMjPCow=="));
        check("a:b", "c", None);
        check("a", "b\n", None);
    }
}
