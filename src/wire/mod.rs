//! Bytes to meaning and back. Sans-IO: no sockets, clock, randomness or threads.

pub mod catalogue;
pub mod certificate;
pub mod clear;
pub mod context;
pub mod fault;
pub(crate) mod instance;
pub(crate) mod invoke;
pub mod multipart;
pub mod namespace;
pub mod ntlm;
pub mod operation;
pub mod psrp;
pub(crate) mod regprov;
pub mod session;
pub(crate) mod settings;
pub mod shell;
pub mod soap;
pub mod spnego;
pub mod winrs;
pub mod wmi;
pub mod wsman;
pub mod xml;
