//! SSPI: what a logon takes from it, and what its errors mean.

mod held;
mod words;

use crate::model::host::Transport;
use crate::net::accounts::Who;
use crate::net::kerberos::mechanism::Mechanism;
pub(super) use crate::net::kerberos::windows::held::Held;
pub(super) use crate::net::kerberos::windows::words::explain;
use crate::net::sspi;
pub(super) use crate::net::sspi::Context;

/// What errors are headed by.
pub(super) const NAME: &str = "Windows logon";

/// Whether this login goes by the system over a transport. NTLM by a password is ours; with the
/// user's own logon there is no password, and only the system can do it.
pub(in crate::net) fn takes(transport: Transport, who: &Who) -> bool {
    match (transport, who) {
        (Transport::Kerberos, _)
        | (Transport::Negotiate, Who::Ticket { .. } | Who::Keytab { .. })
        | (Transport::Ntlm, Who::Ticket { .. }) => true,
        (Transport::Negotiate, Who::Password(_) | Who::Certificate { .. })
        | (Transport::Ntlm, Who::Password(_) | Who::Keytab { .. } | Who::Certificate { .. })
        | (Transport::Basic | Transport::BasicInClear | Transport::Certificate, _) => false,
    }
}

/// What a logon begins with.
pub(super) fn first(transport: Transport, who: &Who) -> Mechanism {
    match (transport, who) {
        (Transport::Ntlm, _) => Mechanism::Ntlm,
        (Transport::Negotiate, Who::Ticket { .. }) => Mechanism::Negotiate,
        (_, _) => Mechanism::Spnego,
    }
}

/// The current user. Whether a domain vouches for him is seen at the first logon.
pub(super) fn whoami() -> Result<String, String> {
    sspi::user_name().map_err(|error| format!("Windows does not say who that is: {error}"))
}
