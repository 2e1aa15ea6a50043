//! What is asked of the system's library, and what it says when it fails.

/// Which tokens are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::net) enum Mechanism {
    /// SPNEGO that offers Kerberos only.
    Spnego,
    /// Kerberos itself.
    Kerberos,
    /// What Windows chooses for the user's own logon: Kerberos in a domain, else NTLM.
    #[cfg(windows)]
    Negotiate,
    /// NTLM with the user's own logon.
    #[cfg(windows)]
    Ntlm,
}

/// What the library says went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::net) struct LibraryError {
    /// GSSAPI: the mechanism's code, an error of the `krb5` table (negative). SSPI: the `HRESULT`.
    /// 0 where it is our own objection.
    pub(in crate::net) code: i32,
    pub(in crate::net) text: String,
}

impl LibraryError {
    pub(in crate::net) fn ours(text: &str) -> Self {
        Self { code: 0, text: text.to_owned() }
    }
}

/// Why the library is of no help.
#[derive(Debug)]
pub(in crate::net) enum Trouble {
    /// It refused.
    Library(LibraryError),
    /// It is not there, or cannot do what is asked; in words.
    Unsupported(String),
}

impl From<LibraryError> for Trouble {
    fn from(error: LibraryError) -> Self {
        Self::Library(error)
    }
}
