//! The tickets of one login, in the forms that both mechanisms want.

use std::ffi::CString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::net::accounts::Who;
use crate::net::gss::Context;
use crate::net::gss::Credential;
use crate::net::gss::Gss;
use crate::net::gss::Keeper;
use crate::net::kerberos::mechanism::LibraryError;
use crate::net::kerberos::mechanism::Mechanism;
use crate::net::kerberos::mechanism::Trouble;
use crate::net::kerberos::unix::words;

/// Tickets that end sooner, in seconds, are not begun with.
const SOON: u32 = 60;

/// One set of tickets, as both mechanisms want to be given it.
#[derive(Debug)]
pub(in crate::net::kerberos) struct Held {
    kerberos: Arc<Credential>,
    spnego: Arc<Credential>,
}

impl Held {
    /// Finds the user's tickets, or gets some by the password or the key: a wrong one is tried once.
    pub(in crate::net::kerberos) fn get(who: &Who) -> Result<Self, Trouble> {
        let gss = Gss::load().map_err(|seen| Trouble::Unsupported(words::absent(seen)))?;
        let of = |mechanism| -> Result<_, LibraryError> {
            Ok(Arc::new(Credential::of_user(gss, mechanism)?))
        };
        let (kerberos, spnego) = match who {
            Who::Certificate { name } => {
                return Err(Trouble::Unsupported(format!("{name} is shown over TLS only")));
            }
            Who::Ticket { .. } => (of(Mechanism::Kerberos)?, of(Mechanism::Spnego)?),
            Who::Password(account) => {
                let cache = memory();
                let user = principal(&account.user);
                Credential::of_password(gss, &user, account.password.expose())?.keep(&cache)?;
                let of = |mechanism| Credential::kept(gss, mechanism, None, Keeper::Cache(&cache));
                (Arc::new(of(Mechanism::Kerberos)?), Arc::new(of(Mechanism::Spnego)?))
            }
            Who::Keytab { user, path } => {
                let (cache, keytab, user) = (memory(), keytab(path)?, principal(user));
                let keeper = Keeper::Keytab { keytab: &keytab, cache: &cache };
                // The first of the two asks for the tickets, the second finds them in the cache.
                let of = |mechanism| Credential::kept(gss, mechanism, Some(&user), keeper);
                (Arc::new(of(Mechanism::Kerberos)?), Arc::new(of(Mechanism::Spnego)?))
            }
        };
        Ok(Self { kerberos, spnego })
    }

    pub(in crate::net::kerberos) fn context(
        &self,
        mechanism: Mechanism,
        class: &str,
        host: &str,
    ) -> Result<Context, LibraryError> {
        let credential = match mechanism {
            Mechanism::Kerberos => &self.kerberos,
            Mechanism::Spnego => &self.spnego,
        };
        Context::new(Arc::clone(credential), class, host)
    }

    /// Whether there is time left to use them.
    pub(in crate::net::kerberos) fn good(&self) -> bool {
        self.kerberos.about().is_ok_and(|(_, left)| left >= SOON)
    }
}

fn keytab(path: &Path) -> Result<CString, Trouble> {
    CString::new(format!("FILE:{}", path.display()))
        .map_err(|_| Trouble::Unsupported("the keytab's path holds a NUL".to_owned()))
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
