//! The system's library as a [`SecurityContext`].

use std::fmt;

use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::system;
use crate::wire::context::ContextError;
use crate::wire::context::SecurityContext;

/// The initiator's side of one Kerberos logon, mutual and sealing.
pub(super) struct Kerberos {
    context: system::Context,
    /// What the logon is bound to over TLS (RFC 5929), for every token.
    binding: Option<Vec<u8>>,
    /// The last error, for who wants its code.
    pub(super) error: Option<LibraryError>,
}

impl Kerberos {
    pub(super) fn new(context: system::Context, binding: Option<Vec<u8>>) -> Self {
        Self { context, binding, error: None }
    }

    fn noted<T>(&mut self, result: Result<T, LibraryError>) -> Result<T, ContextError> {
        result.map_err(|error| {
            let text = error.text.clone();
            self.error = Some(error);
            ContextError::Kerberos(text)
        })
    }
}

impl SecurityContext for Kerberos {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Option<Vec<u8>>, ContextError> {
        if self.error.is_some() || self.context.complete {
            return Err(ContextError::OutOfTurn("a token"));
        }
        let result = self.context.step(token.unwrap_or_default(), self.binding.as_deref());
        let token = self.noted(result)?;
        Ok((!token.is_empty()).then_some(token))
    }

    fn complete(&self) -> bool {
        self.context.complete && self.error.is_none()
    }

    fn seal(&mut self, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ContextError> {
        if !self.complete() {
            return Err(ContextError::OutOfTurn("a sealed message"));
        }
        let result = self.context.wrap(plain);
        self.noted(result)
    }

    fn unseal(&mut self, signature: &[u8], cipher: &[u8]) -> Result<Vec<u8>, ContextError> {
        if !self.complete() {
            return Err(ContextError::OutOfTurn("a sealed message"));
        }
        let result = self.context.unwrap(signature, cipher);
        self.noted(result)
    }
}

impl fmt::Debug for Kerberos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kerberos").field("complete", &self.complete()).finish_non_exhaustive()
    }
}
