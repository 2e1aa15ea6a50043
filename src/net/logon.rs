//! The NTLM handshake over one connection (`winrm.md` 4.2): two empty posts, then sealed bodies.

use reqwest::header::AUTHORIZATION;
use reqwest::header::HeaderValue;

use crate::host::link::Clock;
use crate::host::link::HostError;
use crate::model::secret::Account;
use crate::net::clock::SystemClock;
use crate::net::entropy;
use crate::net::guard::AccountGuard;
use crate::net::http::Pipe;
use crate::net::http::Reply;
use crate::net::http::SOAP;
use crate::net::stats::Counters;
use crate::wire::ntlm;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::Service;
use crate::wire::ntlm::Token;
use crate::wire::session;
use crate::wire::session::Session;
use crate::wire::session::SessionError;

const LOGON: &str = "the logon";

/// Logs on; the guard is asked when the host has sent its challenge, so that a host that does not
/// answer keeps nobody else waiting.
pub(super) async fn logon(
    pipe: &mut Pipe,
    account: &Account,
    guard: &AccountGuard,
) -> Result<Session, HostError> {
    guard.check(account)?;
    let (negotiate, handshake) = ntlm::start();
    let reply = post(pipe, &negotiate).await?;
    let challenge = session::challenge(reply.status, &reply.offered())
        .map_err(|error| refused(account, &error))?;
    if reply.closes() {
        return Err(HostError::Unexpected {
            expected: "a connection that stays open for the logon".to_owned(),
            got: "`Connection: close` with the challenge; is a proxy in between?".to_owned(),
        });
    }

    let mut permit = guard.admit(account).await?;
    let name = format!("HTTP/{}", pipe.target().endpoint.address);
    let service = Service { name: &name, channel_binding: None };
    let entropy = entropy::ntlm().map_err(|error| HostError::Unsupported(error.to_string()))?;
    let now = FileTime::from_timestamp(SystemClock.now());
    let (response, keys) = handshake
        .answer(&challenge, account, &service, entropy, now)
        .map_err(|error| refused(account, &SessionError::Ntlm(error)))?;
    pipe.count(Counters { logons: 1, ..Counters::default() });
    permit.sent();
    let reply = post(pipe, &response).await?;
    match session::admitted(reply.status) {
        Ok(()) => permit.accepted(),
        Err(error) => {
            if error == SessionError::Denied {
                permit.refused();
            }
            return Err(refused(account, &error));
        }
    }
    Ok(Session::new(keys))
}

async fn post(pipe: &mut Pipe, token: &Token) -> Result<Reply, HostError> {
    let mut value = HeaderValue::try_from(session::authorization(token)).map_err(|_| {
        HostError::Unsupported("the logon token does not fit into a header".to_owned())
    })?;
    value.set_sensitive(true);
    pipe.post(LOGON, SOAP, Some((AUTHORIZATION, value)), Vec::new()).await
}

/// What a failed handshake means for the host.
fn refused(account: &Account, error: &SessionError) -> HostError {
    match error {
        SessionError::Denied => HostError::Denied {
            user: account.user.clone(),
            detail: "HTTP 401; wrong password, an account that is locked, expired or kept from \
                     network logons, or NTLM not allowed there"
                .to_owned(),
        },
        SessionError::ContextLost(_)
        | SessionError::Clear(_)
        | SessionError::NoMessage
        | SessionError::Status(_)
        | SessionError::NotOffered(_)
        | SessionError::NoLogon(_)
        | SessionError::Multipart(_)
        | SessionError::Ntlm(_) => HostError::Unexpected {
            expected: "an NTLM handshake".to_owned(),
            got: error.to_string(),
        },
    }
}
