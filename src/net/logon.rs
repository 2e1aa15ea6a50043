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
use crate::wire::multipart::Protocol;
use crate::wire::ntlm;
use crate::wire::ntlm::Context;
use crate::wire::ntlm::FileTime;
use crate::wire::ntlm::Service;
use crate::wire::session;
use crate::wire::session::Session;
use crate::wire::session::SessionError;
use crate::wire::spnego::Initiator;
use crate::wire::spnego::SpnegoError;
use crate::wire::spnego::token::Message;

const LOGON: &str = "the logon";

/// Logs on; the guard is asked when the host has sent its challenge, so that a host that does not
/// answer keeps nobody else waiting.
pub(super) async fn logon(
    pipe: &mut Pipe,
    account: &Account,
    guard: &AccountGuard,
) -> Result<Session, HostError> {
    guard.check(&account.user)?;
    let (negotiate, handshake) = ntlm::start();
    let mut reply = post(pipe, negotiate.as_bytes()).await?;
    let mut spnego = None;
    // A host that takes Negotiate and has no answer to raw NTLM is offered it inside SPNEGO. The
    // first message names no account, so nothing is risked by saying it twice.
    if session::is_unanswered(reply.status, &reply.offered()) {
        // OMI holds a first refusal against its connection for good.
        *pipe = pipe.again()?;
        let (first, initiator) = Initiator::begin(&negotiate);
        reply = post(pipe, &first).await?;
        spnego = Some(initiator);
    }
    let offered = session::challenge(reply.status, &reply.offered())
        .map_err(|error| refused(account, &error))?;
    // Or it answers raw NTLM with SPNEGO: what follows is then wrapped too.
    if spnego.is_none() && Message::is_likely(&offered) {
        spnego = Some(Initiator::unannounced());
    }
    let challenge = match &spnego {
        Some(spnego) => spnego.challenge(&offered).map_err(|error| negotiation(&error))?,
        None => offered,
    };
    if reply.closes() {
        return Err(HostError::Unexpected {
            expected: "a connection that stays open for the logon".to_owned(),
            got: "`Connection: close` with the challenge; is a proxy in between?".to_owned(),
        });
    }

    let mut permit = guard.admit(&account.user).await?;
    let name = format!("HTTP/{}", pipe.target().endpoint.address);
    let binding = pipe.end_point_binding()?;
    let channel_binding = binding.map(|data| ntlm::channel_binding(&data));
    let service = Service { name: &name, channel_binding };
    let entropy = entropy::ntlm().map_err(|error| HostError::Unsupported(error.to_string()))?;
    let now = FileTime::from_timestamp(SystemClock.now());
    let (response, mut keys) = handshake
        .answer(&challenge, account, &service, entropy, now)
        .map_err(|error| refused(account, &SessionError::Ntlm(error)))?;
    pipe.count(Counters { logons: 1, ..Counters::default() });
    let last = match &spnego {
        Some(spnego) => spnego.authenticate(&response, &mut keys),
        None => response.as_bytes().to_vec(),
    };
    permit.sent();
    let reply = post(pipe, &last).await?;
    match session::admitted(reply.status) {
        Ok(()) => permit.accepted(),
        Err(error) => {
            if error == SessionError::Denied {
                permit.refused();
            }
            return Err(refused(account, &error));
        }
    }
    let told = reply.offered().iter().find_map(|header| session::token(header));
    if let (Some(spnego), Some(told)) = (&spnego, told) {
        spnego.finish(&told, &mut keys).map_err(|error| negotiation(&error))?;
    }
    Ok(Session::over(Box::new(Context::from(keys)), Protocol::Spnego))
}

/// A SPNEGO token that is not what it should be.
fn negotiation(error: &SpnegoError) -> HostError {
    HostError::Unexpected { expected: "NTLM inside SPNEGO".to_owned(), got: error.to_string() }
}

async fn post(pipe: &mut Pipe, token: &[u8]) -> Result<Reply, HostError> {
    post_token(pipe, "Negotiate", token).await
}

/// An empty message that carries a token of the logon.
pub(super) async fn post_token(
    pipe: &mut Pipe,
    scheme: &str,
    token: &[u8],
) -> Result<Reply, HostError> {
    let value = session::authorization_by(scheme, token);
    let mut value = HeaderValue::try_from(value).map_err(|_| {
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
        | SessionError::Ntlm(_)
        | SessionError::Context(_) => HostError::Unexpected {
            expected: "an NTLM handshake".to_owned(),
            got: error.to_string(),
        },
    }
}
