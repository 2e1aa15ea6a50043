//! How messages go once a connection is logged on: sealed over http, in clear over TLS.

use reqwest::header::AUTHORIZATION;
use reqwest::header::HeaderValue;

use crate::host::link::HostError;
use crate::model::host::Scheme;
use crate::model::host::Transport;
use crate::model::secret::Account;
use crate::net::accounts::Login;
use crate::net::accounts::Who;
use crate::net::guard::AccountGuard;
use crate::net::http::Pipe;
use crate::net::http::Reply;
use crate::net::http::SOAP;
use crate::net::kerberos;
use crate::net::logon::logon;
use crate::net::stats::Counters;
use crate::wire::clear;
use crate::wire::session::Session;
use crate::wire::session::SessionError;
use crate::wire::wsman;

const LOGON: &str = "the logon";

/// What every message of a connection is put into.
///
/// INVARIANT: `Clear` and `Named` are made for https endpoints only, in [`Conversation::begin`]; but
/// `Named` for http too where [`Transport::BasicInClear`] asks for it.
#[derive(Debug)]
pub(super) enum Conversation {
    /// Sealed by the keys of the logon; a reply in clear is refused.
    Sealed(Box<Session>),
    /// The connection is logged on, and TLS carries the messages.
    Clear,
    /// TLS carries the messages, and each one has this `Authorization`.
    Named { user: String, header: HeaderValue },
}

impl Conversation {
    /// Logs on as the endpoint's scheme and transport want it.
    pub(super) async fn begin(
        pipe: &mut Pipe,
        login: &Login,
        guard: &AccountGuard,
    ) -> Result<Self, HostError> {
        let endpoint = &pipe.target().endpoint;
        let (scheme, transport) = (endpoint.scheme, endpoint.transport);
        let account = match login.who() {
            who if kerberos::takes(transport, who) => {
                let session = kerberos::logon(pipe, login, guard).await;
                return Ok(match scheme {
                    Scheme::Http => Self::Sealed(Box::new(session?)),
                    // Its keys are not used: TLS protects the messages.
                    Scheme::Https => session.map(|_| Self::Clear).map_err(bound)?,
                });
            }
            Who::Password(account) => account,
            Who::Certificate { name } => return by_certificate(pipe, name).await,
            Who::Ticket { .. } | Who::Keytab { .. } => {
                return Err(HostError::Unsupported(format!(
                    "{} has no password here, so only Kerberos can be used: set \
                     `ansible_winrm_transport: kerberos`",
                    login.user()
                )));
            }
        };
        match (scheme, transport) {
            (Scheme::Http, Transport::Ntlm | Transport::Negotiate | Transport::Kerberos) => {
                Ok(Self::Sealed(Box::new(logon(pipe, account, guard).await?)))
            }
            (Scheme::Https, Transport::Ntlm | Transport::Negotiate | Transport::Kerberos) => {
                match logon(pipe, account, guard).await {
                    // Its keys are not used: TLS protects the messages.
                    Ok(_) => Ok(Self::Clear),
                    Err(error) => Err(bound(error)),
                }
            }
            (Scheme::Https, Transport::Basic)
            | (Scheme::Http | Scheme::Https, Transport::BasicInClear) => {
                let header = basic(account)?;
                log_on_by_basic(pipe, account, guard, &header).await?;
                Ok(Self::Named { user: account.user.clone(), header })
            }
            (Scheme::Http | Scheme::Https, Transport::Certificate) => {
                Err(HostError::Unsupported("the inventory names no client certificate".to_owned()))
            }
            (Scheme::Http, Transport::Basic) => {
                Err(HostError::Unsupported("Basic is for https only".to_owned()))
            }
        }
    }

    /// Sends one envelope and opens the reply's.
    pub(super) async fn exchange(
        &mut self,
        pipe: &mut Pipe,
        what: &str,
        envelope: &[u8],
    ) -> Result<(Reply, Vec<u8>), HostError> {
        let failed = |error| failed(what, error);
        match self {
            Self::Sealed(session) => {
                let body = session.seal(envelope).map_err(failed)?;
                let reply = pipe.post(what, session.content_type(), None, body).await?;
                let envelope = session
                    .open(reply.status, reply.content_type(), &reply.body)
                    .map_err(failed)?;
                Ok((reply, envelope))
            }
            Self::Clear => {
                let reply = pipe.post(what, SOAP, None, envelope.to_vec()).await?;
                opened(reply).map_err(failed)
            }
            Self::Named { user, header } => {
                let extra = Some((AUTHORIZATION, header.clone()));
                let reply = pipe.post(what, SOAP, extra, envelope.to_vec()).await?;
                // Each message is a logon of its own: what is refused so was not carried out.
                if reply.status == 401 {
                    return Err(HostError::Denied {
                        user: user.clone(),
                        detail: format!("HTTP 401 to {what}, after it had taken the same logon"),
                    });
                }
                opened(reply).map_err(failed)
            }
        }
    }
}

fn opened(mut reply: Reply) -> Result<(Reply, Vec<u8>), SessionError> {
    let body = std::mem::take(&mut reply.body);
    let envelope = clear::open(reply.status, reply.content_type(), body)?;
    Ok((reply, envelope))
}

fn basic(account: &Account) -> Result<HeaderValue, HostError> {
    let value = clear::basic(account).and_then(|text| HeaderValue::try_from(text.as_str()).ok());
    let mut value = value.ok_or_else(|| {
        let user = &account.user;
        HostError::Unsupported(format!("Basic takes no account name with a colon: `{user}`"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Asks who is there, as whoever the host maps the certificate of the TLS handshake to. Only TLS
/// proves anything here; the header says that this is meant ([MS-WSMV] 2.2.4.21, DSP0226 C.3.2).
async fn by_certificate(pipe: &mut Pipe, name: &str) -> Result<Conversation, HostError> {
    if pipe.target().endpoint.scheme == Scheme::Http {
        return Err(HostError::Unsupported(format!("{name} is shown over TLS only")));
    }
    let header = HeaderValue::from_static(clear::MUTUAL);
    let envelope = wsman::encode_identify()
        .map_err(|error| HostError::Unsupported(format!("Identify: {error}")))?;
    pipe.count(Counters { logons: 1, ..Counters::default() });
    let reply = pipe.post(LOGON, SOAP, Some((AUTHORIZATION, header.clone())), envelope).await?;
    match reply.status {
        200 | 500 if clear::is_soap(reply.content_type()) => {
            Ok(Conversation::Named { user: name.to_owned(), header })
        }
        401 | 403 if !pipe.showed_certificate() => Err(HostError::Unexpected {
            expected: "a host that asks for a client certificate in the TLS handshake".to_owned(),
            got: format!(
                "HTTP {} and no such request; on the host, `netsh http show sslcert` must say \
                 Negotiate Client Certificate: Enabled (`netsh http update sslcert … \
                 clientcertnegotiation=enable`), because asking later is not supported",
                reply.status
            ),
        }),
        401 | 403 => Err(HostError::Denied {
            user: name.to_owned(),
            detail: format!(
                "HTTP {}; it is mapped to no account there (`winrm enumerate \
                 winrm/config/service/certmapping`), the mapping holds an old password, or \
                 certificate logon is off (winrm/config/service/auth)",
                reply.status
            ),
        }),
        _ => Err(HostError::Unexpected {
            expected: "an answer from WS-Management".to_owned(),
            got: reply.words(),
        }),
    }
}

/// Asks who is there, as the account: whatever WS-Management answers, the password was right.
async fn log_on_by_basic(
    pipe: &mut Pipe,
    account: &Account,
    guard: &AccountGuard,
    header: &HeaderValue,
) -> Result<(), HostError> {
    let envelope = wsman::encode_identify()
        .map_err(|error| HostError::Unsupported(format!("Identify: {error}")))?;
    // The password goes with the first message: a host that may be starting shows first that it
    // answers at all.
    if guard.wants_a_sign(&account.user) {
        let sign = pipe.post_nothing(LOGON).await?;
        if sign.closes() {
            *pipe = pipe.again()?;
        }
    }
    let mut permit = guard.admit(&account.user).await?;
    permit.sent();
    pipe.count(Counters { logons: 1, ..Counters::default() });
    let reply = pipe.post(LOGON, SOAP, Some((AUTHORIZATION, header.clone())), envelope).await?;
    match reply.status {
        200 | 500 if clear::is_soap(reply.content_type()) => {
            permit.accepted();
            // Every message names the account, so another connection will do as well.
            if reply.closes() {
                *pipe = pipe.again()?;
            }
            Ok(())
        }
        // One that offers nothing at all has looked at the password too: OMI's older versions.
        401 if reply.offers("Basic") || reply.schemes().is_empty() => {
            permit.refused();
            Err(HostError::Denied {
                user: account.user.clone(),
                detail: "HTTP 401; wrong password, an account that is locked or disabled, or a \
                         domain account: Basic takes local ones only"
                    .to_owned(),
            })
        }
        // A host that does not offer Basic has not looked at the password.
        401 => Err(HostError::Unexpected {
            expected: "a host that takes Basic".to_owned(),
            got: format!(
                "an offer of {}; set `ansible_winrm_transport: ntlm`",
                reply.schemes().join(", ")
            ),
        }),
        _ => Err(HostError::Unexpected {
            expected: "an answer from WS-Management".to_owned(),
            got: reply.words(),
        }),
    }
}

/// Over TLS one more thing than a password can be wrong.
fn bound(error: HostError) -> HostError {
    let or = |detail: String| {
        format!(
            "{detail}; or TLS ends before the host (a load balancer, a proxy that inspects), which \
             breaks the logon's channel binding"
        )
    };
    match error {
        HostError::Denied { user, detail } => HostError::Denied { user, detail: or(detail) },
        HostError::TicketRefused { service, detail } => {
            HostError::TicketRefused { service, detail: or(detail) }
        }
        other @ (HostError::NotConnected { .. }
        | HostError::Lost { .. }
        | HostError::Guarded { .. }
        | HostError::Fault(_)
        | HostError::Unexpected { .. }
        | HostError::Cmdlet { .. }
        | HostError::Unsupported(_)) => other,
    }
}

fn failed(what: &str, error: SessionError) -> HostError {
    match error {
        SessionError::ContextLost(_) => {
            HostError::Lost { call: what.to_owned(), source: Box::new(error) }
        }
        SessionError::Denied
        | SessionError::Clear(_)
        | SessionError::NoMessage
        | SessionError::Status(_)
        | SessionError::NotOffered(_)
        | SessionError::NoLogon(_)
        | SessionError::Multipart(_)
        | SessionError::Ntlm(_)
        | SessionError::Context(_) => HostError::Unexpected {
            expected: format!("a reply to {what} from WS-Management"),
            got: error.to_string(),
        },
    }
}
