//! The only module that opens sockets, reads the clock and draws random bytes.

pub mod channel;
pub mod link;
pub mod shell;
