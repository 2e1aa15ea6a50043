//! Kerberos where there is no GSSAPI: refused in words, before anything is sent.

use crate::host::link::HostError;
use crate::net::accounts::Login;
use crate::net::guard::AccountGuard;
use crate::net::http::Pipe;
use crate::wire::session::Session;

const ABSENT: &str = "Kerberos is not built for Windows in this version: use NTLM";

/// No tickets.
#[derive(Debug, Default)]
pub struct Tickets;

/// Nobody: no ticket can be read here.
#[expect(clippy::unused_async, reason = "the other systems wait here")]
pub async fn whoami() -> Result<String, String> {
    Err(ABSENT.to_owned())
}

#[expect(clippy::unused_async, reason = "the other systems wait here")]
pub(in crate::net) async fn logon(
    _: &mut Pipe,
    _: &Login,
    _: &AccountGuard,
) -> Result<Session, HostError> {
    Err(HostError::Unsupported(ABSENT.to_owned()))
}
