//! The only module that opens sockets, reads the clock and draws random bytes.

pub mod accounts;
pub mod channel;
pub mod clock;
pub mod connect;
pub mod entropy;
pub mod gate;
pub mod guard;
mod http;
pub mod knock;
pub mod link;
mod logon;
pub mod reach;
pub mod shell;
pub mod stats;
pub mod winrs;
