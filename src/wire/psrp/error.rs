//! What ends a PSRP conversation.

use crate::wire::psrp::clixml::ClixmlError;
use crate::wire::psrp::fragment::FragmentError;
use crate::wire::psrp::message::MessageError;

/// Why the conversation cannot go on. The pool is broken after it.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("the stream of fragments is broken")]
    Fragment(#[from] FragmentError),
    #[error("a message is not readable")]
    Message(#[from] MessageError),
    #[error("the object of a message is not readable")]
    Object(#[from] ClixmlError),
    #[error("expected {expected}, the server sent {got}")]
    Unexpected { expected: &'static str, got: String },
    #[error("the server asks for `{0}` of a user, and nobody is there")]
    HostCall(String),
    #[error("expected an open runspace pool, it is {0}")]
    State(&'static str),
}

impl PoolError {
    pub(in crate::wire::psrp) fn unexpected(
        expected: &'static str,
        got: impl Into<String>,
    ) -> Self {
        Self::Unexpected { expected, got: got.into() }
    }
}
