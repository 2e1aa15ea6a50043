//! The logon by the system's library over one connection (`winrm.md` 4.2, 4.5): posts with tokens,
//! then sealed bodies.
//!
//! SPNEGO under `Negotiate` is tried first, as Windows does; where the host offers `Kerberos` only
//! (Exchange), a new connection begins with that. Unix has GSSAPI for it, Windows has SSPI; what
//! differs between them stands in a module each, of the same shape.

mod context;
mod logon;
pub(in crate::net) mod mechanism;
mod tickets;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
mod words;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(super) use logon::logon;
pub use logon::whoami;
pub(super) use system::takes;
pub use tickets::Tickets;
