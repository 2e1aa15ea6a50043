//! The Kerberos logon over one connection (`winrm.md` 4.2, 4.5): one post, then sealed bodies.
//!
//! SPNEGO under `Negotiate` is tried first, as Windows does; where the host offers `Kerberos` only
//! (Exchange), a new connection begins with that. Tickets come from the system's GSSAPI.

#[cfg(unix)]
mod context;
#[cfg(unix)]
mod logon;
#[cfg(unix)]
mod tickets;
#[cfg(unix)]
mod words;

#[cfg(unix)]
pub(super) use logon::logon;
#[cfg(unix)]
pub use logon::whoami;
#[cfg(unix)]
pub use tickets::Tickets;

#[cfg(not(unix))]
mod absent;
#[cfg(not(unix))]
pub use absent::Tickets;
#[cfg(not(unix))]
pub(super) use absent::logon;
#[cfg(not(unix))]
pub use absent::whoami;
