//! What is asked of the library, and what it says when it fails.

use crate::net::gss::abi;

/// Which tokens are made: SPNEGO that offers Kerberos only, or Kerberos itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::net) enum Mechanism {
    Spnego,
    Kerberos,
}

impl Mechanism {
    pub(super) fn oid(self) -> &'static [u8] {
        match self {
            Self::Spnego => abi::SPNEGO,
            Self::Kerberos => abi::KRB5,
        }
    }
}

/// What the library says went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::net) struct GssError {
    /// The mechanism's code; with Kerberos an error of the `krb5` table (negative).
    pub(in crate::net) minor: i32,
    pub(in crate::net) text: String,
}

impl GssError {
    pub(super) fn ours(text: &str) -> Self {
        Self { minor: 0, text: text.to_owned() }
    }
}
