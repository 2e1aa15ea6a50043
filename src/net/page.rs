//! One page of a web server that asks for Windows authentication, such as the connector's.
//!
//! Unlike WS-Management a web server answers in clear once the logon has succeeded, and its last
//! message of the logon is the page already.

use std::sync::Arc;

use crate::host::link::HostError;
use crate::host::link::Target;
use crate::host::support::unsupported;
use crate::model::host::Transport;
use crate::net::accounts::Login;
use crate::net::accounts::Who;
use crate::net::guard::AccountGuard;
use crate::net::http::Pipe;
use crate::net::kerberos;
use crate::net::logon::logon;
use crate::net::stats::Stats;

/// Fetches the page at the target's endpoint as the login's account; the body of a 200.
pub async fn fetch(
    target: &Target,
    login: &Arc<Login>,
    guard: &AccountGuard,
    stats: &Stats,
    phase: &str,
) -> Result<Vec<u8>, HostError> {
    if let Some(reason) = unsupported(&target.endpoint) {
        return Err(HostError::Unsupported(reason));
    }
    let mut pipe = Pipe::of_page(target, stats, phase)?;
    let transport = target.endpoint.transport;
    match login.who() {
        who if kerberos::takes(transport, who) => {
            let entering = kerberos::logon(&mut pipe, login, guard);
            guard.once(login.user(), target, entering).await.map(drop)?;
        }
        Who::Password(account) if matches!(transport, Transport::Ntlm | Transport::Negotiate) => {
            let entering = logon(&mut pipe, account, guard);
            guard.once(login.user(), target, entering).await.map(drop)?;
        }
        Who::Password(_) | Who::Ticket { .. } | Who::Keytab { .. } | Who::Certificate { .. } => {
            return Err(HostError::Unsupported(
                "the page takes NTLM, Negotiate and Kerberos only".to_owned(),
            ));
        }
    }
    pipe.take_page().ok_or_else(|| HostError::Unexpected {
        expected: "the page behind the logon".to_owned(),
        got: "nothing".to_owned(),
    })
}
