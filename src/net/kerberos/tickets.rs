//! The tickets of one login, got once and shared by all its connections.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::Mutex;

use crate::net::accounts::Who;
use crate::net::gss::Credential;
use crate::net::gss::Gss;
use crate::net::gss::GssError;
use crate::net::gss::Mechanism;

/// Tickets that end sooner, in seconds, are not begun with.
const SOON: u32 = 60;

/// What was got for a login so far.
#[derive(Debug, Default)]
pub struct Tickets(pub(super) Mutex<Option<Arc<Held>>>);

/// One set of tickets, as both mechanisms want to be given it.
#[derive(Debug)]
pub(super) struct Held {
    kerberos: Arc<Credential>,
    spnego: Arc<Credential>,
}

impl Held {
    /// Finds the user's tickets, or gets some by the password: a wrong one is tried once.
    pub(super) fn get(gss: Gss, who: &Who) -> Result<Self, GssError> {
        let (kerberos, spnego) = match who {
            Who::Ticket { .. } => (
                Credential::of_user(gss, Mechanism::Kerberos)?,
                Credential::of_user(gss, Mechanism::Spnego)?,
            ),
            Who::Password(account) => {
                let cache = memory();
                let user = principal(&account.user);
                Credential::of_password(gss, &user, account.password.expose())?.keep(&cache)?;
                (
                    Credential::of_cache(gss, Mechanism::Kerberos, &cache)?,
                    Credential::of_cache(gss, Mechanism::Spnego, &cache)?,
                )
            }
        };
        Ok(Self { kerberos: Arc::new(kerberos), spnego: Arc::new(spnego) })
    }

    pub(super) fn by(&self, mechanism: Mechanism) -> Arc<Credential> {
        Arc::clone(match mechanism {
            Mechanism::Kerberos => &self.kerberos,
            Mechanism::Spnego => &self.spnego,
        })
    }

    /// Whether there is time left to use them.
    pub(super) fn good(&self) -> bool {
        self.kerberos.about().is_ok_and(|(_, left)| left >= SOON)
    }
}

/// A name for a ticket cache in this process's memory that nobody has yet.
fn memory() -> CString {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    CString::new(format!("MEMORY:rmsfleet-{count}")).unwrap_or_default()
}

/// `CORP\anna` is no principal; with a dot in it the domain is the realm's name.
fn principal(user: &str) -> String {
    let (name, realm) = match user.split_once('\\') {
        Some((domain, name)) if domain.contains('.') => (name, domain),
        Some((_, name)) => return name.to_owned(),
        None => match user.split_once('@') {
            Some(parts) => parts,
            None => return user.to_owned(),
        },
    };
    format!("{name}@{}", realm.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_with_a_dot_is_a_realm() {
        let check = |user, expected| assert_eq!(principal(user), expected);
        check("anna", "anna");
        check("anna@corp.example", "anna@CORP.EXAMPLE");
        check(r"corp.example\anna", "anna@CORP.EXAMPLE");
        check(r"CORP\anna", "anna");
    }

    #[test]
    fn every_cache_has_a_name_of_its_own() {
        assert_ne!(memory(), memory());
    }
}
