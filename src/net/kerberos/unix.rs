//! GSSAPI: what a logon takes from it, and what its errors mean.

mod held;
mod words;

use crate::model::host::Transport;
use crate::net::accounts::Who;
pub(super) use crate::net::gss::Context;
use crate::net::gss::Credential;
use crate::net::gss::Gss;
use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::mechanism::Mechanism;
pub(super) use crate::net::kerberos::unix::held::Held;
pub(super) use crate::net::kerberos::unix::words::explain;
use crate::net::kerberos::words::Where;

/// What errors are headed by.
pub(super) const NAME: &str = "Kerberos";

/// Whether this login goes by the library over a transport: NTLM is ours, by the password.
pub(in crate::net) fn takes(transport: Transport, who: &Who) -> bool {
    match (transport, who) {
        (Transport::Kerberos, _)
        | (Transport::Negotiate, Who::Ticket { .. } | Who::Keytab { .. }) => true,
        (Transport::Negotiate, Who::Password(_) | Who::Certificate { .. })
        | (
            Transport::Ntlm | Transport::Basic | Transport::BasicInClear | Transport::Certificate,
            _,
        ) => false,
    }
}

/// What a logon begins with.
pub(super) fn first(_: Transport, _: &Who) -> Mechanism {
    Mechanism::Spnego
}

/// The principal of the current user's ticket, or in words why there is none.
pub(super) fn whoami() -> Result<String, String> {
    let gss = Gss::load().map_err(words::absent)?;
    let about =
        || -> Result<_, LibraryError> { Credential::of_user(gss, Mechanism::Kerberos)?.about() };
    match about() {
        Ok((_, 0)) => Err("the Kerberos ticket has expired: type `kinit`".to_owned()),
        Ok((principal, _)) => Ok(principal),
        Err(error) => {
            let at = Where { user: "USER@REALM", service: "HTTP/HOST" };
            Err(format!("no Kerberos ticket is at hand: {}", explain(&error, at).1))
        }
    }
}
