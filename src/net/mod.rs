//! The only module that opens sockets, reads the clock and draws random bytes.

pub mod accounts;
mod again;
pub mod channel;
pub mod clock;
pub mod connect;
mod conversation;
mod cookies;
pub mod entropy;
pub mod gate;
#[cfg(unix)]
mod gss;
pub mod guard;
pub mod handshake;
mod http;
pub mod kerberos;
pub mod knock;
pub mod left;
mod limits;
pub mod link;
mod logon;
pub mod page;
pub mod reach;
mod refusals;
pub mod shell;
#[cfg(windows)]
mod sspi;
pub mod stats;
mod tidy;
mod tls;
pub mod winrs;
