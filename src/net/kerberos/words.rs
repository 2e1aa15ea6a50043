//! Whom an error concerns, and where it came up; what it means is the system's to say.

/// Who is concerned by an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    /// The domain judged the account: nobody else may try it.
    Account,
    /// Nobody can tell: the domain may have counted a wrong password.
    #[cfg(windows)]
    Unclear,
    /// Everything else: the host, its name, our clock, our configuration.
    Other,
}

/// Where an error came up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Where<'a> {
    /// `anna@CORP.EXAMPLE`.
    pub(super) user: &'a str,
    /// `HTTP/fs01.corp.example`.
    pub(super) service: &'a str,
}
