//! Secrets are a type: they cannot be printed, compared by accident or serialised, and are wiped.

use std::fmt;

use zeroize::Zeroizing;

/// A password or key. `Debug` prints `(secret)`; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The only way to the text; every call is a place to look at in review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Who logs on: an account and its password, resolved just before connecting.
#[derive(Debug, Clone)]
pub struct Account {
    /// `DOMAIN\user`, `user@domain` or `user`, as given.
    pub user: String,
    pub password: Secret,
}

impl Account {
    /// The account guard's key: one account however it is spelled in case.
    pub fn key(&self) -> String {
        self.user.to_lowercase()
    }
}
