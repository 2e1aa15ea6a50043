//! Bytes to meaning and back. Sans-IO: no sockets, clock, randomness or threads.

pub mod fault;
pub mod multipart;
pub mod namespace;
pub mod ntlm;
pub mod operation;
pub mod psrp;
pub mod xml;
